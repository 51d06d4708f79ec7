package amt_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	bmc "bosh-ironic-cpi/src/bmc/amt"
	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/conductor/api"
	"bosh-ironic-cpi/src/conductor/deploy"
	"bosh-ironic-cpi/src/driver/all"
	"bosh-ironic-cpi/src/store"
	"bosh-ironic-cpi/src/wait"
)

// startAPI is a conductor with all drivers; ask sends its Bare Metal API a request that has to succeed.
func startAPI(t *testing.T) (ask func(method, path string, body any) map[string]any) {
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
	handler := api.New(api.Config{Conductor: c}).Operators()
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return func(method, path string, body any) map[string]any {
		t.Helper()
		in, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		req := httptest.NewRequestWithContext(t.Context(), method, path, bytes.NewReader(in))
		req.Header.Set("X-OpenStack-Ironic-API-Version", "1.82")
		req.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, req)
		if w.Code >= http.StatusBadRequest {
			t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
		var out map[string]any
		if w.Body.Len() > 0 {
			if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
				t.Fatal(err)
			}
		}
		return out
	}
}

// The driver as operators have it, by its name of 2016: enrol, validate, choose a boot device, switch.
func TestThroughTheAPI(t *testing.T) {
	b := bmc.New(bmc.Config{Username: "admin", Password: "P@ssw0rd"})
	far := httptest.NewServer(b)
	defer far.Close()
	host, port := far.Listener.Addr().String()[:9], far.Listener.Addr().String()[10:]
	ask := startAPI(t)
	node := ask(http.MethodPost, "/v1/nodes", map[string]any{
		"driver": "staging-amt", "name": "pc-1", "deploy_interface": "fake",
		"driver_info": map[string]any{
			"amt_address": host, "amt_port": port, "amt_username": "admin", "amt_password": "P@ssw0rd", "amt_action_wait": 0.01,
		},
	})
	if node["driver"] != "amt" || node["power_interface"] != "amt" || node["driver_info"].(map[string]any)["amt_password"] != "******" {
		t.Errorf("node %v; want hardware type amt and no password", node)
	}
	valid := ask(http.MethodGet, "/v1/nodes/pc-1/validate", nil)
	for _, kind := range []string{"power", "management"} {
		if diff := cmp.Diff(map[string]any{"result": true}, valid[kind]); diff != "" {
			t.Errorf("validation of %s (-want +got):\n%s", kind, diff)
		}
	}
	ask(http.MethodPut, "/v1/nodes/pc-1/management/boot_device", map[string]any{"boot_device": "pxe", "persistent": false})
	if diff := cmp.Diff(map[string]any{"boot_device": "pxe", "persistent": false}, ask(http.MethodGet, "/v1/nodes/pc-1/management/boot_device", nil)); diff != "" {
		t.Errorf("boot device (-want +got):\n%s", diff)
	}
	for _, step := range []struct{ target, state string }{{"power on", "power on"}, {"rebooting", "power on"}, {"power off", "power off"}} {
		ask(http.MethodPut, "/v1/nodes/pc-1/states/power", map[string]any{"target": step.target})
		pace := wait.Pace{First: 5 * time.Millisecond, Every: 50 * time.Millisecond, Limit: time.Minute}
		err := wait.Until(t.Context(), pace, step.target, func(context.Context) (bool, string, error) {
			n := ask(http.MethodGet, "/v1/nodes/pc-1", nil)
			now, _ := n["power_state"].(string)
			if n["last_error"] != nil {
				t.Fatal(n["last_error"])
			}
			return n["reservation"] == nil && n["target_power_state"] == nil && now == step.state, now, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{bmc.ForcePXE, ""}, b.Boots()); diff != "" {
		t.Errorf("boots (-want +got): the one-time device is used once\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"boot_device": "disk", "persistent": true}, ask(http.MethodGet, "/v1/nodes/pc-1/management/boot_device", nil)); diff != "" {
		t.Errorf("boot device after it was used (-want +got):\n%s", diff)
	}
}
