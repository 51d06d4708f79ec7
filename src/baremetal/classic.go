package baremetal

import "strings"

// families are the drivers of Ironic before Ocata, by what follows their prefix, with the hardware types of today.
var families = map[string]string{
	"amt": "amt", "drac": "idrac", "iboot": "iboot", "ilo": "ilo", "ipmitool": "ipmi", "ipminative": "ipmi",
	"ipmitool_socat": "ipmi", "irmc": "irmc", "libvirt": "libvirt", "nm": "nm", "snmp": "snmp", "ssh": "ssh", "wol": "wol",
}

// ClassicDriver translates the name of a driver of Ironic before Ocata (agent_ipmitool, pxe_ssh, fake_ssh) or of its staging
// drivers (staging-wol) into hardware type and deploy interface; iSCSI, which is gone, is direct. ok tells whether it is
// such a name.
func ClassicDriver(name string) (hardwareType, deploy string, ok bool) {
	if name == "fake" {
		return "fake-hardware", "fake", true
	}
	for prefix, deploy := range map[string]string{"agent_": "direct", "pxe_": "direct", "iscsi_": "direct", "fake_": "fake", "staging-": ""} {
		if family, found := strings.CutPrefix(name, prefix); found && families[family] != "" {
			return families[family], deploy, true
		}
	}
	return "", "", false
}
