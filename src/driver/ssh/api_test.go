package ssh

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
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/store"
	"bosh-ironic-cpi/src/wait"
)

// A bareMetal is a conductor's API with this driver alone.
type bareMetal struct {
	t   *testing.T
	web *httptest.Server
}

func newBareMetal(t *testing.T) bareMetal {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "state.sqlite"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	direct := deploy.NewDirect(deploy.Ramdisk{})
	c, err := conductor.New(conductor.Config{
		Hostname: "127.0.0.1", Store: s, Deployers: map[string]conductor.Deployer{"fake": deploy.Fake{}, "direct": direct},
		Drivers: driver.Table{Specs: []driver.Spec{Spec}, Types: []driver.HardwareType{{
			Name: "ssh", Enabled: map[string][]string{"power": {"ssh"}, "management": {"ssh"}, "vendor": {"no-vendor"}, "inspect": {"no-inspect"}},
		}}},
		PowerPace: wait.Pace{Every: 20 * time.Millisecond, Limit: time.Minute},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(api.New(api.Config{Conductor: c}).Operators())
	t.Cleanup(func() {
		web.Client().CloseIdleConnections()
		web.Close()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		direct.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return bareMetal{t, web}
}

// do sends a request that has to succeed, and returns the answer.
func (b bareMetal) do(ctx context.Context, method, path string, body any) (answer map[string]any) {
	b.t.Helper()
	in, err := json.Marshal(body)
	if err != nil {
		b.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(ctx, method, b.web.URL+path, bytes.NewReader(in))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-OpenStack-Ironic-API-Version", "1.82")
	resp, err := b.web.Client().Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= http.StatusBadRequest {
		b.t.Fatalf("%s %s: %d %s, %v", method, path, resp.StatusCode, out, err)
	}
	_ = json.Unmarshal(out, &answer)
	return answer
}

// throughAPI enrols a node as in 2016, and lets the conductor drive it.
func throughAPI(t *testing.T, n *driver.Node, secretKey string) {
	t.Helper()
	b := newBareMetal(t)
	made := b.do(t.Context(), http.MethodPost, "/v1/nodes", map[string]any{"driver": "fake_ssh", "name": "web-1", "driver_info": n.Info})
	if made["driver"] != "ssh" || made["power_interface"] != "ssh" || made["management_interface"] != "ssh" {
		t.Errorf("fake_ssh became driver %v, power %v, management %v; want ssh", made["driver"], made["power_interface"], made["management_interface"])
	}
	for _, mac := range n.MACs {
		b.do(t.Context(), http.MethodPost, "/v1/ports", map[string]any{"node_uuid": made["uuid"], "address": mac})
	}
	valid := b.do(t.Context(), http.MethodGet, "/v1/nodes/web-1/validate", nil)
	for _, kind := range []string{"power", "management"} {
		if v, _ := valid[kind].(map[string]any); v["result"] != true {
			t.Errorf("validate %s: %v", kind, v)
		}
	}
	for _, target := range []string{"power on", "rebooting", "power off"} {
		b.do(t.Context(), http.MethodPut, "/v1/nodes/web-1/states/power", map[string]any{"target": target})
		want := strings.Replace(target, "rebooting", "power on", 1)
		var node map[string]any
		err := wait.Until(t.Context(), wait.Pace{Every: 20 * time.Millisecond, Limit: time.Minute}, want, func(ctx context.Context) (bool, string, error) {
			node = b.do(ctx, http.MethodGet, "/v1/nodes/web-1", nil)
			return node["reservation"] == nil && node["target_power_state"] == nil, "busy", nil
		})
		if err != nil || node["power_state"] != want || node["last_error"] != nil {
			t.Errorf("%s: %v, power state %v, last error %v; want %s", target, err, node["power_state"], node["last_error"], want)
		}
		if info, _ := node["driver_info"].(map[string]any); info[secretKey] != "******" {
			t.Errorf("driver_info %s is not masked", secretKey)
		}
	}
	b.do(t.Context(), http.MethodPut, "/v1/nodes/web-1/management/boot_device", map[string]any{"boot_device": "pxe", "persistent": false})
	if got := b.do(t.Context(), http.MethodGet, "/v1/nodes/web-1/management/boot_device", nil); got["boot_device"] != "pxe" || got["persistent"] != true {
		t.Errorf("boot device %v; want pxe, persistent", got)
	}
}

func TestThroughTheAPI(t *testing.T) {
	host, n := start(t)
	throughAPI(t, n, "ssh_password")
	if d := host.Host.Domain("node2"); d.Running || d.Boot != "network" {
		t.Errorf("the domain is left %+v; want it off, to boot from the network", d)
	}
}
