package cpi_test

import (
	"testing"

	"bosh-ironic-cpi/src/cpi"
)

func TestHardwareTranslatesClassicDrivers(t *testing.T) {
	tests := []struct{ driver, hardwareType, deploy string }{
		{"agent_ipmitool", "ipmi", "direct"},
		{"pxe_ipmitool", "ipmi", "direct"},
		{"agent_ipmitool_socat", "ipmi", "direct"},
		{"pxe_ipminative", "ipmi", "direct"},
		{"pxe_ssh", "ssh", "direct"},
		{"agent_ssh", "ssh", "direct"},
		{"iscsi_ilo", "ilo", "direct"},
		{"pxe_drac", "idrac", "direct"},
		{"pxe_amt", "amt", "direct"},
		{"agent_wol", "wol", "direct"},
		{"pxe_iboot", "iboot", "direct"},
		{"fake_ipmitool", "fake-hardware", ""},
		{"fake", "fake-hardware", ""},
		{"ipmi", "ipmi", ""},
		{"redfish", "redfish", ""},
		{"agent_unheard_of", "agent_unheard_of", ""},
	}
	for _, tt := range tests {
		if hardwareType, deploy := cpi.Hardware(tt.driver); hardwareType != tt.hardwareType || deploy != tt.deploy {
			t.Errorf("Hardware(%q) = %q, %q; want %q, %q", tt.driver, hardwareType, deploy, tt.hardwareType, tt.deploy)
		}
	}
}
