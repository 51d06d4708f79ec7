package baremetal

import "testing"

func TestClassicDriver(t *testing.T) {
	tests := []struct {
		name, hardwareType, deploy string
		ok                         bool
	}{
		{"agent_ipmitool", "ipmi", "direct", true},
		{"pxe_ssh", "ssh", "direct", true},
		{"iscsi_ilo", "ilo", "direct", true},
		{"pxe_drac", "idrac", "direct", true},
		{"fake_ssh", "ssh", "fake", true},
		{"fake", "fake-hardware", "fake", true},
		{"staging-wol", "wol", "", true},
		{"pxe_amt", "amt", "direct", true},
		{"staging-amt", "amt", "", true},
		{"staging-nm", "nm", "", true},
		{"ipmi", "", "", false},
		{"fake_agent", "fake-hardware", "direct", true},
		{"fake_pxe", "fake-hardware", "direct", true},
		{"fake_soft_power", "fake-hardware", "fake", true},
		{"fake_inspector", "fake-hardware", "fake", true},
		{"agent_ipmitool_socat", "ipmi", "direct", true},
		{"pxe_ipminative", "ipmi", "direct", true},
		{"pxe_drac_inspector", "idrac", "direct", true},
		{"pxe_libvirt_agent", "libvirt", "direct", true},
		{"pxe_libvirt_iscsi", "libvirt", "direct", true},
		{"fake_libvirt_fake", "libvirt", "fake", true},
		{"pxe_wol_agent", "wol", "direct", true},
		{"pxe_iboot_iscsi", "iboot", "direct", true},
		{"pxe_amt_agent", "amt", "direct", true},
		{"staging-libvirt", "libvirt", "", true},
		{"staging-iboot", "iboot", "", true},
		{"pxe_agent", "", "", false},
		{"agent_wol_agent", "", "", false},
		{"staging-", "", "", false},
		{"agent_unheard_of", "", "", false},
		{"fake-hardware", "", "", false},
	}
	for _, tt := range tests {
		hardwareType, deploy, ok := ClassicDriver(tt.name)
		if hardwareType != tt.hardwareType || deploy != tt.deploy || ok != tt.ok {
			t.Errorf("ClassicDriver(%q) = %q, %q, %t; want %q, %q, %t", tt.name, hardwareType, deploy, ok, tt.hardwareType, tt.deploy, tt.ok)
		}
	}
}

func TestStagingInterface(t *testing.T) {
	tests := []struct{ kind, name, want string }{
		{"power", "staging-wol", "wol"},
		{"power", "staging-iboot", "iboot"},
		{"power", "staging-amt", "amt"},
		{"management", "staging-amt", "amt"},
		{"deploy", "staging-amt", "direct"},
		{"deploy", "staging-wol", "staging-wol"},
		{"management", "staging-libvirt", "libvirt"},
		{"vendor", "staging-nm", "nm"},
		{"power", "ipmitool", "ipmitool"},
		{"power", "staging-unheard-of", "staging-unheard-of"},
		{"power", "staging-", "staging-"},
	}
	for _, tt := range tests {
		if got := StagingInterface(tt.kind, tt.name); got != tt.want {
			t.Errorf("StagingInterface(%q, %q) = %q; want %q", tt.kind, tt.name, got, tt.want)
		}
	}
}
