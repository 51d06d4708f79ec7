package ssh

import (
	"strings"
	"testing"

	"bosh-ironic-cpi/src/conductor/apitest"
	"bosh-ironic-cpi/src/driver"
)

// throughAPI enrols a node as in 2016, and lets the conductor drive it.
func throughAPI(t *testing.T, n *driver.Node, secretKey string) {
	t.Helper()
	a := apitest.Start(t, driver.Table{Specs: []driver.Spec{Spec}, Types: []driver.HardwareType{{
		Name: "ssh", Enabled: map[string][]string{"power": {"ssh"}, "management": {"ssh"}, "vendor": {"no-vendor"}, "inspect": {"no-inspect"}},
	}}})
	node := a.Enrol(map[string]any{"driver": "fake_ssh", "name": "web-1", "driver_info": n.Info}, n.MACs...)
	made := a.Settled(node)
	if made["driver"] != "ssh" || made["power_interface"] != "ssh" || made["management_interface"] != "ssh" {
		t.Errorf("fake_ssh became driver %v, power %v, management %v; want ssh", made["driver"], made["power_interface"], made["management_interface"])
	}
	for _, target := range []string{"power on", "rebooting", "power off"} {
		a.Power(node, target, strings.Replace(target, "rebooting", "power on", 1))
		if info, _ := a.Settled(node)["driver_info"].(map[string]any); info[secretKey] != "******" {
			t.Errorf("driver_info %s is not masked", secretKey)
		}
	}
	a.BootDevice(node, "pxe", false, true)
}

func TestThroughTheAPI(t *testing.T) {
	host, n := start(t)
	throughAPI(t, n, "ssh_password")
	if d := host.Host.Domain("node2"); d.Running || d.Boot != "network" {
		t.Errorf("the domain is left %+v; want it off, to boot from the network", d)
	}
}
