// Package all is the list of drivers: a new one is a line here.
package all

import (
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/amt"
	"bosh-ironic-cpi/src/driver/fake"
	"bosh-ironic-cpi/src/driver/iboot"
	"bosh-ironic-cpi/src/driver/ilo"
	"bosh-ironic-cpi/src/driver/ipmi"
	"bosh-ironic-cpi/src/driver/libvirt"
	"bosh-ironic-cpi/src/driver/nodemanager"
	"bosh-ironic-cpi/src/driver/redfish"
	"bosh-ironic-cpi/src/driver/ssh"
	"bosh-ironic-cpi/src/driver/wol"
)

// Table has every driver, and the hardware types that are made of them.
func Table() driver.Table {
	return driver.Table{
		Specs: []driver.Spec{
			amt.Spec,
			fake.Spec,
			iboot.Spec,
			ilo.Spec,
			ilo.Spec5,
			ipmi.Spec,
			libvirt.Spec,
			nodemanager.Spec,
			redfish.Spec,
			ssh.Spec,
			wol.Spec,
		},
		Types: []driver.HardwareType{
			{
				Name: "amt", About: "business PCs and workstations with Intel AMT (vPro)",
				Enabled: map[string][]string{
					"power": {"amt"}, "management": {"amt"}, "vendor": {"no-vendor"}, "inspect": {"no-inspect"},
				},
			},
			{
				Name: "fake-hardware", About: "no hardware: for tests and for trying things out",
				Enabled: map[string][]string{
					"power": {"fake"}, "management": {"fake"}, "vendor": {"fake"}, "inspect": {"fake", "no-inspect"},
				},
			},
			{
				Name: "iboot", About: "servers on a Dataprobe iBoot power strip",
				Enabled: map[string][]string{
					"power": {"iboot"}, "management": {"noop", "fake"}, "vendor": {"no-vendor"}, "inspect": {"no-inspect"},
				},
			},
			{
				Name: "ilo", About: "HPE ProLiant servers with an iLO 4 or later",
				Enabled: map[string][]string{
					"power": {"ilo"}, "management": {"ilo"}, "vendor": {"ilo", "no-vendor"}, "inspect": {"ilo", "no-inspect"},
				},
			},
			{
				Name: "ilo5", About: "the same, with Ironic's names for an iLO 5 or later",
				Enabled: map[string][]string{
					"power": {"ilo"}, "management": {"ilo5"}, "vendor": {"ilo", "no-vendor"}, "inspect": {"ilo", "no-inspect"},
				},
			},
			{
				Name: "ipmi", About: "servers with a BMC that speaks IPMI",
				Enabled: map[string][]string{
					"power": {"ipmitool"}, "management": {"ipmitool", "noop"}, "vendor": {"ipmitool", "no-vendor"}, "inspect": {"no-inspect"},
				},
			},
			{
				Name: "libvirt", About: "virtual machines as servers, through the libvirt daemon of their hypervisor",
				Enabled: map[string][]string{
					"power": {"libvirt"}, "management": {"libvirt"}, "vendor": {"no-vendor"}, "inspect": {"no-inspect"},
				},
			},
			{
				Name: "manual-management", About: "servers that somebody switches by hand, or that a power interface of another type can reach",
				Enabled: map[string][]string{
					"power": {"fake"}, "management": {"noop", "fake"}, "vendor": {"no-vendor", "fake"}, "inspect": {"no-inspect"},
				},
			},
			{
				Name: "nm", About: "servers with a BMC that speaks IPMI, and Intel Node Manager",
				Enabled: map[string][]string{
					"power": {"ipmitool"}, "management": {"ipmitool", "noop"}, "vendor": {"nm", "ipmitool", "no-vendor"}, "inspect": {"no-inspect"},
				},
			},
			{
				Name: "redfish", About: "servers whose BMC speaks Redfish, of any vendor",
				Enabled: map[string][]string{
					"power": {"redfish"}, "management": {"redfish", "noop"}, "vendor": {"redfish", "no-vendor"}, "inspect": {"redfish", "no-inspect"},
				},
			},
			{
				Name: "ssh", About: "virtual machines of test beds, by virsh over SSH, as pxe_ssh did",
				Enabled: map[string][]string{
					"power": {"ssh"}, "management": {"ssh"}, "vendor": {"no-vendor"}, "inspect": {"no-inspect"},
				},
			},
			{
				Name: "wol", About: "servers that Wake-on-LAN switches on, and somebody else off",
				Enabled: map[string][]string{
					"power": {"wol"}, "management": {"noop", "fake"}, "vendor": {"no-vendor"}, "inspect": {"no-inspect"},
				},
			},
		},
	}
}
