/*
 * A module of OpenIPMI's ipmi_sim: Intel Node Manager's Get Version (IPMI network function 2Eh, command CAh) on every
 * controller of the simulator. lan.conf: loadlib "/path/nm.so" "x" (the option is needed, and not used).
 *
 *   gcc -shared -fPIC -o nm.so nm.c
 */
#include <stdio.h>
#include <string.h>

#include <OpenIPMI/serv.h>
#include <OpenIPMI/mcserv.h>

#define INTEL 0x000157
#define GET_VERSION 0xca
#define INVALID_COMMAND 0xc1

/* ipmi_sim takes the three bytes of the manufacturer off the request and puts them into the answer. */
static void answer(lmc_data_t *mc, msg_t *msg, unsigned char *data, unsigned int *length, void *unused)
{
	static const unsigned char version[] = {0x00, 0x05, 0x03, 0x07, 0x01, 0x02};

	(void)mc;
	(void)unused;
	if (msg->cmd != GET_VERSION) {
		data[0] = INVALID_COMMAND;
		*length = 1;
		return;
	}
	memcpy(data, version, sizeof(version));
	*length = sizeof(version);
}

int ipmi_sim_module_print_version(sys_data_t *sys, char *options)
{
	(void)sys;
	(void)options;
	printf("Node Manager 3.0\n");
	return 0;
}

int ipmi_sim_module_init(sys_data_t *sys, const char *options)
{
	(void)sys;
	(void)options;
	return ipmi_emu_register_iana_handler(INTEL, answer, NULL);
}
