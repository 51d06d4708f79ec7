package baremetal

import "strings"

// families are the drivers of Ironic before Ocata, by what follows their prefix, with the hardware types of today.
var families = map[string]string{
	"amt": "amt", "drac": "idrac", "iboot": "iboot", "ilo": "ilo", "ipmitool": "ipmi", "ipminative": "ipmi",
	"ipmitool_socat": "ipmi", "irmc": "irmc", "libvirt": "libvirt", "nm": "nm", "snmp": "snmp", "ssh": "ssh", "wol": "wol",
}

// ClassicDriver translates the name of a driver of Ironic before Ocata (agent_ipmitool, pxe_ssh, fake_ssh) or of its staging
// drivers (staging-wol, and before they were hardware types pxe_wol_agent) into hardware type and deploy interface; iSCSI,
// which is gone, is direct. ok tells whether it is such a name.
func ClassicDriver(name string) (hardwareType, deploy string, ok bool) {
	switch name {
	case "fake", "fake_soft_power", "fake_inspector":
		return "fake-hardware", "fake", true
	case "fake_agent", "fake_pxe":
		return "fake-hardware", "direct", true
	}
	for prefix, deploy := range map[string]string{"agent_": "direct", "pxe_": "direct", "iscsi_": "direct", "fake_": "fake", "staging-": ""} {
		rest, found := strings.CutPrefix(name, prefix)
		if !found {
			continue
		}
		if prefix == "pxe_" || prefix == "fake_" {
			for _, suffix := range []string{"_agent", "_iscsi", "_fake", "_inspector"} {
				rest = strings.TrimSuffix(rest, suffix)
			}
		}
		if families[rest] != "" {
			return families[rest], deploy, true
		}
	}
	return "", "", false
}

// StagingInterface translates the name of an interface of Ironic's staging drivers (staging-wol) into the one that does the
// same here; other names stay.
func StagingInterface(kind, name string) string {
	family, staging := strings.CutPrefix(name, "staging-")
	switch {
	case kind == "deploy" && name == "staging-amt": // it was iSCSI
		return "direct"
	case !staging || families[family] == "" || kind == "deploy":
		return name
	}
	return families[family]
}
