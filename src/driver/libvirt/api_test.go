//go:build integration

package libvirt_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/conductor/api"
	"bosh-ironic-cpi/src/conductor/deploy"
	"bosh-ironic-cpi/src/driver/all"
	"bosh-ironic-cpi/src/driver/libvirt"
	"bosh-ironic-cpi/src/store"
	"bosh-ironic-cpi/src/wait"
)

// A virtual machine through the Bare Metal API, under the names that Ironic's staging driver had.
func TestBareMetalAPI(t *testing.T) {
	d := libvirt.StartDaemon(t)
	send := startAPI(t)
	const node = "/v1/nodes/vm-1"
	send("POST", "/v1/nodes", map[string]any{"name": "vm-1", "driver": "staging-libvirt", "driver_info": d.Info}, http.StatusCreated)
	verdict := send("GET", node+"/validate", nil, http.StatusOK)
	if power, _ := verdict["power"].(map[string]any); power["result"] != false || !strings.Contains(power["reason"].(string), "create a port") {
		t.Errorf("a node without a port is told to be %v", verdict["power"])
	}
	shown := send("GET", node, nil, http.StatusOK)
	if text := shown["driver_info"].(map[string]any)["sasl_password"]; shown["driver"] != "libvirt" || text != "******" {
		t.Errorf("driver %v, sasl_password %v; want libvirt, and a mask", shown["driver"], text)
	}
	send("POST", "/v1/ports", map[string]any{"node_uuid": shown["uuid"], "address": d.MAC}, http.StatusCreated)
	for kind, verdict := range send("GET", node+"/validate", nil, http.StatusOK) {
		if v := verdict.(map[string]any); (kind == "power" || kind == "management") && v["result"] != true {
			t.Errorf("%s: %v", kind, v)
		}
	}
	for _, step := range []struct{ target, state, virsh string }{
		{"power off", "power off", "shut off"}, {"power on", "power on", "running"}, {"rebooting", "power on", "running"}, {"soft power off", "power off", "shut off"},
	} {
		send("PUT", node+"/states/power", map[string]any{"target": step.target}, http.StatusAccepted)
		pace := wait.Pace{Every: 20 * time.Millisecond, Limit: 20 * time.Second}
		err := wait.Until(t.Context(), pace, step.target, func(context.Context) (bool, string, error) {
			n := send("GET", node, nil, http.StatusOK)
			now, _ := n["power_state"].(string)
			return n["reservation"] == nil && now == step.state, now, nil
		})
		if got := d.State(t); err != nil || got != step.virsh {
			t.Errorf("%s: %v; virsh says %s, want %s", step.target, err, got, step.virsh)
		}
	}
	send("PUT", node+"/management/boot_device", map[string]any{"boot_device": "pxe", "persistent": true}, http.StatusNoContent)
	if got := send("GET", node+"/management/boot_device", nil, http.StatusOK); got["boot_device"] != "pxe" || got["persistent"] != true {
		t.Errorf("boot device: %v", got)
	}
	send("PUT", node+"/management/boot_device", map[string]any{"boot_device": "bios"}, http.StatusBadRequest)
}

// startAPI serves the Bare Metal API, and gives a way to call it.
func startAPI(t *testing.T) func(method, path string, body any, status int) map[string]any {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "state.sqlite"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := conductor.New(conductor.Config{
		Hostname: "127.0.0.1", Store: s, Drivers: all.Table(), Deployers: map[string]conductor.Deployer{"fake": deploy.Fake{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(api.New(api.Config{Conductor: c}).Operators())
	client := web.Client()
	t.Cleanup(func() {
		web.Close()
		client.CloseIdleConnections()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return func(method, path string, body any, status int) (answer map[string]any) {
		t.Helper()
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		if body == nil {
			text = nil
		}
		req, err := http.NewRequestWithContext(t.Context(), method, web.URL+path, bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-OpenStack-Ironic-API-Version", "1.82")
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		out, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != status {
			t.Fatalf("%s %s: %d %s, %v; want %d", method, path, resp.StatusCode, out, err, status)
		}
		_ = json.Unmarshal(out, &answer)
		return answer
	}
}
