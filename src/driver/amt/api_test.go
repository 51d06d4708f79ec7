package amt_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	bmc "bosh-ironic-cpi/src/bmc/amt"
	"bosh-ironic-cpi/src/conductor/apitest"
	"bosh-ironic-cpi/src/driver/all"
)

// The driver as operators have it, by its name of 2016: enrol, validate, choose a boot device, switch.
func TestThroughTheAPI(t *testing.T) {
	b := bmc.New(bmc.Config{Username: "admin", Password: "P@ssw0rd"})
	far := httptest.NewServer(b)
	defer far.Close()
	host, port, err := net.SplitHostPort(far.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	a := apitest.Start(t, all.Table())
	node := a.Enrol(map[string]any{
		"driver": "staging-amt", "name": "pc-1", "deploy_interface": "fake",
		"driver_info": map[string]any{
			"amt_address": host, "amt_port": port, "amt_username": "admin", "amt_password": "P@ssw0rd", "amt_action_wait": 0.01,
		},
	})
	if n := a.Settled(node); n["driver"] != "amt" || n["power_interface"] != "amt" || n["driver_info"].(map[string]any)["amt_password"] != "******" {
		t.Errorf("node %v; want hardware type amt and no password", n)
	}
	a.BootDevice(node, "pxe", false, false)
	for _, step := range []struct{ target, state string }{{"power on", "power on"}, {"rebooting", "power on"}, {"power off", "power off"}} {
		a.Power(node, step.target, step.state)
	}
	if diff := cmp.Diff([]string{bmc.ForcePXE, ""}, b.Boots()); diff != "" {
		t.Errorf("boots (-want +got): the one-time device is used once\n%s", diff)
	}
	got, _ := a.Send(http.StatusOK, "GET", node+"/management/boot_device", nil)
	if diff := cmp.Diff(map[string]any{"boot_device": "disk", "persistent": true}, got); diff != "" {
		t.Errorf("boot device after it was used (-want +got):\n%s", diff)
	}
}
