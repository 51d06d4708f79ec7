package api_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/conductor/deploy"
	"bosh-ironic-cpi/src/secret"
	"bosh-ironic-cpi/src/signedurl"
)

const inspected = "52:54:00:aa:00:01"

// inspecting is a node that waits for its ramdisk's report.
func inspecting(t *testing.T, ramdisk deploy.Ramdisk) *rig {
	t.Helper()
	r := start(t, func(cfg *conductor.Config) {
		set := deploy.All(ramdisk)
		t.Cleanup(set.Close)
		cfg.Deployers, cfg.Inspectors = set.Deployers, set.Inspectors
	})
	node := r.must("POST", "/v1/nodes", m{"name": "one", "driver": "fake-hardware", "inspect_interface": "agent"})
	r.must("POST", "/v1/ports", m{"node_uuid": node["uuid"], "address": inspected})
	r.verb("one", "manage", "manageable")
	r.verb("one", "inspect", "inspect wait")
	return r
}

func report(mac string) m {
	return m{
		"inventory": m{
			"interfaces": []any{m{"name": "eth0", "mac_address": mac}}, "cpu": m{"count": 8, "architecture": "x86_64"},
			"memory": m{"physical_mb": 4096}, "disks": []any{},
		},
		"root_disk": m{"name": "/dev/sda", "size": 1 << 40}, "error": nil, "logs": strings.Repeat("A", 1000),
	}
}

// tell posts a ramdisk's report as it does: without a version.
func (r *rig) tell(query string, body any) (int, map[string]any) {
	return send(r.t, r.url, "POST", "/v1/continue_inspection"+query, "", body)
}

func TestContinueInspection(t *testing.T) {
	r := inspecting(t, deploy.Ramdisk{})
	if n := r.must("GET", "/v1/nodes/one", nil); n["power_state"] != "power on" || n["inspection_started_at"] == nil {
		t.Errorf("power_state %v, inspection_started_at %v", n["power_state"], n["inspection_started_at"])
	}
	status, answer := r.tell("", report(strings.ToUpper(inspected)))
	n := settle(t, r.url, "one", "manageable")
	if status != http.StatusAccepted || answer["uuid"] != n["uuid"] {
		t.Errorf("%d %v; want 202 and %v", status, answer, n["uuid"])
	}
	if n["inspection_finished_at"] == nil || n["last_error"] != nil || n["power_state"] != "power off" {
		t.Errorf("afterwards: finished %v, last_error %v, power_state %v", n["inspection_finished_at"], n["last_error"], n["power_state"])
	}
	kept := r.must("GET", "/v1/nodes/one/inventory", nil)
	cpu, _ := kept["inventory"].(map[string]any)["cpu"].(map[string]any)
	plugin, _ := kept["plugin_data"].(map[string]any)
	if cpu["count"] != 8.0 || plugin["root_disk"] == nil || plugin["logs"] != nil {
		t.Errorf("inventory: %v", kept)
	}
}

// A stranger learns nothing, and a node that does not wait is left alone.
func TestContinueInspectionRefused(t *testing.T) {
	r := inspecting(t, deploy.Ramdisk{})
	other := r.must("POST", "/v1/nodes", m{"name": "two", "driver": "fake-hardware"})
	r.must("POST", "/v1/ports", m{"node_uuid": other["uuid"], "address": "52:54:00:aa:00:02"})
	tests := []struct {
		name, query string
		body        any
		status      int
	}{
		{"a MAC that nobody has", "", report("52:54:00:aa:00:99"), 404},
		{"a node that does not wait", "", report("52:54:00:aa:00:02"), 404},
		{"another node's UUID", "?node_uuid=" + other["uuid"].(string), report(inspected), 404},
		{"no inventory", "", m{"root_disk": nil}, 400},
		{"no interfaces", "", m{"inventory": m{"interfaces": []any{}}}, 400},
		{"an inventory that is none", "", m{"inventory": "x"}, 400},
		{"no object", "", []any{}, 400},
	}
	var refusals []string
	for _, tt := range tests {
		status, answer := r.tell(tt.query, tt.body)
		if status != tt.status {
			t.Errorf("%s: %d %v; want %d", tt.name, status, answer, tt.status)
		}
		if status == 404 {
			refusals = append(refusals, fmt.Sprint(answer))
		}
	}
	for _, text := range refusals {
		if text != refusals[0] {
			t.Errorf("refusals tell cases apart: %q", refusals)
		}
	}
	if status, _ := r.do("POST", "/v1/continue_inspection", report(inspected)); status != 404 {
		t.Errorf("at 1.82: %d; want 404", status)
	}
	if n := settle(t, r.url, "one", "inspect wait"); n["last_error"] != nil {
		t.Errorf("last_error %v", n["last_error"])
	}
	bad := report(inspected)
	bad["error"] = "no disk found"
	if status, answer := r.tell("", bad); status != http.StatusAccepted {
		t.Fatalf("%d %v", status, answer)
	}
	if n := settle(t, r.url, "one", "inspect failed"); n["last_error"] == nil || !strings.Contains(n["last_error"].(string), "no disk found") {
		t.Errorf("last_error %v", n["last_error"])
	}
}

// The ramdisk is booted from virtual media: what the drives hold can be fetched with the signed address alone, and is
// taken out in the end.
func TestBootMedia(t *testing.T) {
	key, err := signedurl.NewKey(secret.New(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	iso := filepath.Join(t.TempDir(), "ramdisk.iso")
	if err := os.WriteFile(iso, []byte("an ISO image"), 0o600); err != nil {
		t.Fatal(err)
	}
	media := &deploy.Media{BootISO: iso, Key: key, Lifetime: time.Minute}
	web := httptest.NewServer(media)
	t.Cleanup(web.Close)
	media.URL = web.URL
	r := inspecting(t, deploy.Ramdisk{Media: media})
	n, err := r.conductor.Node(t.Context(), "one")
	if err != nil {
		t.Fatal(err)
	}
	state := n.Details.DriverState
	if state["boot_device"] != "cdrom" {
		t.Errorf("boots from %q", state["boot_device"])
	}
	if text, err := fetch(t, state["media_cdrom"]); err != nil || text != "an ISO image" {
		t.Errorf("the ISO: %q, %v", text, err)
	}
	text, err := fetch(t, state["media_floppy"])
	if err != nil || !strings.Contains(text, "ipa-inspection-callback-url="+web.URL+"/v1/continue_inspection") {
		t.Errorf("the floppy: %d bytes, %v", len(text), err)
	}
	bare, _, _ := strings.Cut(state["media_cdrom"], "?")
	for _, address := range []string{bare, strings.Replace(state["media_cdrom"], "boot.iso", "parameters.img", 1), bare + "?expires=1&signature=x"} {
		if _, err := fetch(t, address); err == nil {
			t.Errorf("%s opens without its signature", address)
		}
	}
	r.tell("", report(inspected))
	settle(t, r.url, "one", "manageable")
	if n, err = r.conductor.Node(t.Context(), "one"); err != nil || n.Details.DriverState["media_cdrom"] != "" || n.Details.DriverState["media_floppy"] != "" {
		t.Errorf("still inserted: %v, %v", n.Details.DriverState, err)
	}
}

func fetch(t *testing.T, address string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return string(text), err
}
