package all_test

import (
	"fmt"
	"net"
	"net/http"
	"path"
	"strings"
	"testing"
	"time"

	"bosh-ironic-cpi/src/bmc/dxp"
	"bosh-ironic-cpi/src/conductor/apitest"
	"bosh-ironic-cpi/src/driver/all"
)

// manageable makes a node with a port, and has the conductor ask its power state.
func manageable(t *testing.T, a *apitest.API, driver string, info map[string]any) (node string) {
	t.Helper()
	node = a.Enrol(map[string]any{"driver": driver, "driver_info": info}, "52:54:00:cf:2d:31")
	a.Send(http.StatusAccepted, "PUT", node+"/states/provision", map[string]any{"target": "manage"})
	if n := a.Settled(node); n["provision_state"] != "manageable" || n["power_state"] != "power off" {
		t.Fatalf("%s, %s, %v; want manageable, power off", n["provision_state"], n["power_state"], n["last_error"])
	}
	return node
}

func TestWakeOnLANByAPI(t *testing.T) {
	socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	a := apitest.Start(t, all.Table())
	node := manageable(t, a, "staging-wol", map[string]any{"wol_host": "127.0.0.1", "wol_port": socket.LocalAddr().(*net.UDPAddr).Port})
	packet := make([]byte, 200)
	for range 2 { // the second time, too: nobody knows whether it has gone to sleep
		a.Power(node, "power on", "power on")
		if err := socket.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if size, _, err := socket.ReadFrom(packet); err != nil || size != 102 {
			t.Errorf("%d bytes, %v; want a magic packet", size, err)
		}
	}
	// What it cannot do is refused before anything is touched.
	for _, target := range []string{"power off", "rebooting"} {
		_, text := a.Send(http.StatusBadRequest, "PUT", node+"/states/power", map[string]any{"target": target})
		if want := "The driver wol does not support the power state: " + target; !strings.Contains(text, want) {
			t.Errorf("%s: %s; want %q", target, text, want)
		}
	}
	for _, verb := range []map[string]any{{"target": "provide"}, {"target": "clean", "clean_steps": []any{map[string]any{"interface": "deploy", "step": "erase_devices"}}}} {
		_, text := a.Send(http.StatusBadRequest, "PUT", node+"/states/provision", verb)
		if want := "power interface wol, which cannot do 'power off'"; !strings.Contains(text, want) {
			t.Errorf("%s: %s; want %q", verb["target"], text, want)
		}
	}
	if n := a.Settled(node); n["provision_state"] != "manageable" || n["power_state"] != "power on" || n["last_error"] != nil {
		t.Errorf("%v, %v, %v; want the node as it was", n["provision_state"], n["power_state"], n["last_error"])
	}
}

func TestIBootByAPI(t *testing.T) {
	pdu, err := dxp.Start(dxp.Config{User: "admin", Password: "hunter2"})
	if err != nil {
		t.Fatal(err)
	}
	defer pdu.Close()
	a := apitest.Start(t, all.Table())
	info := map[string]any{
		"iboot_address": "127.0.0.1", "iboot_port": pdu.Addr().Port, "iboot_username": "admin", "iboot_password": "hunter2",
		"iboot_relay_id": "2", "iboot_max_retry": 1, "iboot_retry_interval": 0, "iboot_reboot_delay": 0,
	}
	node := manageable(t, a, "staging-iboot", info)
	uuid := path.Base(node)
	for _, tt := range []struct {
		target, want string
		on           bool
	}{{"power on", "power on", true}, {"rebooting", "power on", true}, {"power off", "power off", false}} {
		a.Power(node, tt.target, tt.want)
		if pdu.Relay(2) != tt.on || pdu.Relay(1) {
			t.Errorf("%s: relay 2 is %t, relay 1 %t", tt.target, pdu.Relay(2), pdu.Relay(1))
		}
	}
	_, text := a.Send(http.StatusBadRequest, "PUT", node+"/states/power", map[string]any{"target": "soft power off"})
	if want := "does not support the power state: soft power off"; !strings.Contains(text, want) {
		t.Errorf("%s; want %q", text, want)
	}
	// One that does not follow is given the time that the request says, and not the conductor's half minute.
	pdu.Break(dxp.Faults{Stuck: true})
	begin := time.Now()
	a.Send(http.StatusAccepted, "PUT", node+"/states/power", map[string]any{"target": "power on", "timeout": 1})
	n := a.Settled(node)
	if want := "Failed to change power state to 'power on': it is power off"; !strings.HasPrefix(fmt.Sprint(n["last_error"]), want+": node "+uuid+": relay 2 of the iBoot at 127.0.0.1:") || time.Since(begin) > 15*time.Second {
		t.Errorf("after %s: %v; want %q", time.Since(begin), n["last_error"], want)
	}
	pdu.Break(dxp.Faults{Reset: true})
	a.Send(http.StatusAccepted, "PUT", node+"/states/power", map[string]any{"target": "power on"})
	n = a.Settled(node)
	if text := fmt.Sprint(n); !strings.Contains(fmt.Sprint(n["last_error"]), "check iboot_address") || strings.Contains(text, "hunter2") {
		t.Errorf("%s; want an error that says what to check, and no password", text)
	}
	if log := a.Log(); !strings.Contains(log, "trying again\" node="+uuid) || strings.Contains(log, "hunter2") {
		t.Errorf("log: %s; want a warning of the first try, and no password", log)
	}
}
