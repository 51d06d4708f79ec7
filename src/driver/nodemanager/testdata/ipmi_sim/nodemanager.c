/*
 * Intel Node Manager for OpenIPMI's ipmi_sim, as far as the driver's test on it goes: the version, and one policy that can
 * be set, read, removed and switched. ipmi_sim takes Intel's number off what comes in, and puts it before what goes out.
 */
#include <string.h>
#include <OpenIPMI/mcserv.h>
#include <OpenIPMI/serv.h>

static unsigned char policy[14]; /* as set: domain, id, trigger, action, limits */
static int there;

static void handle(lmc_data_t *mc, msg_t *msg, unsigned char *answer, unsigned int *length, void *data)
{
	static const unsigned char version[] = {0, 5, 3, 7, 1, 2};
	int known = there && msg->len >= 2 && policy[1] == msg->data[1] && ((policy[0] ^ msg->data[0]) & 0x0f) == 0;

	*length = 1;
	answer[0] = 0;
	switch (msg->cmd) {
	case 0xca:
		memcpy(answer, version, *length = sizeof(version));
		return;
	case 0xc0: /* flags, domain, id */
		if (msg->len != 3)
			answer[0] = 0xc7;
		else if (!there || policy[1] != msg->data[2])
			answer[0] = 0x80;
		else
			policy[0] = (policy[0] & 0x0f) | (msg->data[0] & 1) << 4;
		return;
	case 0xc1:
		if (msg->len != sizeof(policy)) {
			answer[0] = 0xc7;
			return;
		}
		memcpy(policy, msg->data, sizeof(policy));
		there = (policy[2] & 0x10) != 0;
		return;
	case 0xc2:
		if (!known) {
			answer[0] = 0x80;
			return;
		}
		answer[1] = policy[0] | 0x60;
		memcpy(answer + 2, policy + 2, 12);
		*length = 14;
		return;
	}
	answer[0] = 0xc1;
}

int ipmi_sim_module_print_version(sys_data_t *sys, char *options) { return 0; }

int ipmi_sim_module_init(sys_data_t *sys, const char *options)
{
	return ipmi_emu_register_iana_handler(0x000157, handle, NULL);
}
