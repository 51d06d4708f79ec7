package api_test

import (
	"net/http"
	"strings"
	"testing"

	bmc "bosh-ironic-cpi/src/bmc/ipmi"
)

// A node whose hardware is a BMC, enrolled as in 2016.
func TestIPMI(t *testing.T) {
	m := &bmc.Memory{}
	b, err := bmc.Start(t.Context(), bmc.Config{Machine: m})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	r := start(t, nil)
	n := r.must("POST", "/v1/nodes", map[string]any{
		"name": "n1", "driver": "agent_ipmitool",
		"driver_info": map[string]any{"ipmi_address": "127.0.0.1", "ipmi_username": "admin", "ipmi_password": "secret", "ipmi_port": b.Address().Port()},
	})
	info := n["driver_info"].(map[string]any)
	if n["driver"] != "ipmi" || n["power_interface"] != "ipmitool" || info["ipmi_password"] != "******" {
		t.Errorf("made %v", n)
	}
	properties := r.must("GET", "/v1/drivers/ipmi/properties", nil)
	if text, _ := properties["ipmi_address"].(string); len(properties) != 17 || !strings.HasSuffix(text, "Required.") {
		t.Errorf("properties: %v", properties)
	}
	r.verb("n1", "manage", "manageable")
	r.must("PUT", "/v1/nodes/n1/management/boot_device", map[string]any{"boot_device": "cdrom", "persistent": false})
	if got := r.must("GET", "/v1/nodes/n1/management/boot_device", nil); got["boot_device"] != "cdrom" || got["persistent"] != false {
		t.Errorf("boot device: %v", got)
	}
	for target, want := range map[string]string{"power on": "power on", "soft rebooting": "power on"} {
		r.must("PUT", "/v1/nodes/n1/states/power", map[string]any{"target": target})
		if n := settle(t, r.url, "n1", "manageable"); n["power_state"] != want || n["last_error"] != nil {
			t.Errorf("%s: %v, %v", target, n["power_state"], n["last_error"])
		}
	}
	if _, boots := m.Done(); len(boots) == 0 || boots[0].Device != "cdrom" {
		t.Errorf("booted from %+v; want cdrom first", boots)
	}
	if status, _ := r.do("POST", "/v1/nodes/n1/vendor_passthru?method=bmc_reset", map[string]any{"warm": false}); status != http.StatusAccepted {
		t.Errorf("bmc_reset: %d", status)
	}
	settle(t, r.url, "n1", "manageable")
	if cold, _ := b.Resets(); cold != 1 {
		t.Errorf("%d cold resets", cold)
	}
	if status, body := r.do("POST", "/v1/nodes/n1/vendor_passthru?method=send_raw", map[string]any{}); status != http.StatusBadRequest {
		t.Errorf("send_raw without bytes: %d %v", status, body)
	}
	b.Break(bmc.Fault{Refuse: true})
	r.must("PUT", "/v1/nodes/n1/states/power", map[string]any{"target": "power off"})
	n = settle(t, r.url, "n1", "manageable")
	if text, _ := n["last_error"].(string); !strings.Contains(text, "127.0.0.1") || !strings.Contains(text, "ipmi_password") || strings.Contains(text, "secret") {
		t.Errorf("wrong password: %v", n["last_error"])
	}
}
