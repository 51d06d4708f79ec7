package api_test

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bmc "bosh-ironic-cpi/src/bmc/redfish"
)

// A server with an iLO 5, through the API alone: with driver redfish, and with driver ilo.
func TestRedfish(t *testing.T) {
	model, _ := bmc.Find("ilo5")
	machine := &bmc.Memory{}
	server := httptest.NewTLSServer(bmc.New(bmc.Config{Model: model, Machine: machine, Username: "admin", Password: "hunter2hunter2"}))
	defer server.Close()
	authority := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(authority, text, 0o600); err != nil {
		t.Fatal(err)
	}
	host, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "https://"), ":")
	for _, tt := range []struct {
		driver string
		info   map[string]any
	}{
		{"redfish", map[string]any{
			"redfish_address": server.URL, "redfish_username": "admin", "redfish_password": "hunter2hunter2", "redfish_verify_ca": authority,
		}},
		{"ilo5", map[string]any{
			"ilo_address": host, "client_port": port, "ilo_username": "admin", "ilo_password": "hunter2hunter2", "ilo_verify_ca": authority,
		}},
	} {
		t.Run(tt.driver, func(t *testing.T) {
			r := start(t, nil)
			n := r.must("POST", "/v1/nodes", map[string]any{"name": "n1", "driver": tt.driver, "driver_info": tt.info, "inspect_interface": strings.TrimSuffix(tt.driver, "5")})
			if shown, _ := json.Marshal(n); strings.Contains(string(shown), "hunter2hunter2") {
				t.Errorf("the password is shown: %s", shown)
			}
			for kind, verdict := range r.must("GET", "/v1/nodes/n1/validate", nil) {
				if v, _ := verdict.(map[string]any); (kind == "power" || kind == "management" || kind == "inspect") && v["result"] != true {
					t.Errorf("%s: %v", kind, verdict)
				}
			}
			r.verb("n1", "manage", "manageable")
			r.must("PUT", "/v1/nodes/n1/management/boot_device", map[string]any{"boot_device": "pxe", "persistent": true})
			if got := r.must("GET", "/v1/nodes/n1/management/boot_device", nil); got["boot_device"] != "pxe" || got["persistent"] != true {
				t.Errorf("boot device is %v; want pxe, persistent", got)
			}
			r.must("PUT", "/v1/nodes/n1/states/power", map[string]any{"target": "power on"})
			if n := settle(t, r.url, "n1", "manageable"); n["power_state"] != "power on" || n["last_error"] != nil {
				t.Errorf("%v, %v; want power on", n["power_state"], n["last_error"])
			}
			if starts := machine.Starts(); len(starts) == 0 || starts[len(starts)-1].Device != "pxe" {
				t.Errorf("started from %v; want pxe", starts)
			}
			if tt.driver == "redfish" {
				r.must("POST", "/v1/nodes/n1/vendor_passthru/eject_vmedia", map[string]any{"boot_device": "cd"})
				if status, out := r.do("POST", "/v1/nodes/n1/vendor_passthru/eject_vmedia", map[string]any{"boot_device": "tape"}); status != http.StatusBadRequest {
					t.Errorf("ejecting a tape: %d %v; want %d", status, out, http.StatusBadRequest)
				}
			}
			r.verb("n1", "inspect", "manageable")
			found, _ := json.Marshal(r.must("GET", "/v1/nodes/n1/inventory", nil))
			for _, word := range []string{`"52:54:00:00:00:01"`, `"physical_mb":65536`, `"count":32`, `"current_boot_mode":"uefi"`, `"CZ1234567A"`, `"S45PNA0M500001"`} {
				if !strings.Contains(string(found), word) {
					t.Errorf("inventory %s; want %s in it", found, word)
				}
			}
			r.must("PUT", "/v1/nodes/n1/states/power", map[string]any{"target": "power off"})
			settle(t, r.url, "n1", "manageable")
		})
	}
}
