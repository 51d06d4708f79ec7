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
