//go:build integration

package libvirt_test

import (
	"net/http"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/conductor/apitest"
	"bosh-ironic-cpi/src/driver/all"
	"bosh-ironic-cpi/src/driver/libvirt"
)

// A virtual machine through the Bare Metal API, under the names that Ironic's staging driver had.
func TestBareMetalAPI(t *testing.T) {
	d := libvirt.StartDaemon(t)
	a := apitest.Start(t, all.Table())
	bare, _ := a.Send(http.StatusCreated, "POST", "/v1/nodes", map[string]any{"driver": "staging-libvirt", "driver_info": d.Info})
	verdict, _ := a.Send(http.StatusOK, "GET", "/v1/nodes/"+bare["uuid"].(string)+"/validate", nil)
	if power, _ := verdict["power"].(map[string]any); power["result"] != false || !strings.Contains(power["reason"].(string), "create a port") {
		t.Errorf("a node without a port is told to be %v", verdict["power"])
	}
	node := a.Enrol(map[string]any{"name": "vm-1", "driver": "staging-libvirt", "driver_info": d.Info}, d.MAC)
	shown := a.Settled(node)
	if text := shown["driver_info"].(map[string]any)["sasl_password"]; shown["driver"] != "libvirt" || text != "******" {
		t.Errorf("driver %v, sasl_password %v; want libvirt, and a mask", shown["driver"], text)
	}
	for _, step := range []struct{ target, state, virsh string }{
		{"power off", "power off", "shut off"}, {"power on", "power on", "running"}, {"rebooting", "power on", "running"}, {"soft power off", "power off", "shut off"},
	} {
		a.Power(node, step.target, step.state)
		if got := d.State(t); got != step.virsh {
			t.Errorf("%s: virsh says %s, want %s", step.target, got, step.virsh)
		}
	}
	a.BootDevice(node, "pxe", true, true)
	a.Send(http.StatusBadRequest, "PUT", node+"/management/boot_device", map[string]any{"boot_device": "bios"})
}
