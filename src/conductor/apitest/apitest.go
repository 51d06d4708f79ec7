// Package apitest is a conductor with the Bare Metal API in front, for tests of drivers: what operators do with a node reaches
// the driver as it does in production. For tests only.
package apitest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/conductor/api"
	"bosh-ironic-cpi/src/conductor/deploy"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/store"
	"bosh-ironic-cpi/src/wait"
)

// An API is the operators' face of a conductor.
type API struct {
	t   *testing.T
	web *httptest.Server
	log journal
}

// A journal is a log that may be read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

// Start has a conductor work with these drivers until the test ends. It looks after power states often, deploys by direct and
// fake, and cleans.
func Start(t *testing.T, drivers driver.Table) *API {
	t.Helper()
	kept, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "state.sqlite"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a := &API{t: t}
	direct := deploy.NewDirect(deploy.Ramdisk{})
	c, err := conductor.New(conductor.Config{
		Hostname: "127.0.0.1", Store: kept, Drivers: drivers, AutomatedClean: true,
		Deployers: map[string]conductor.Deployer{"direct": direct, "fake": deploy.Fake{}},
		PowerPace: wait.Pace{Every: 20 * time.Millisecond, Limit: time.Minute}, Log: slog.New(slog.NewTextHandler(&a.log, nil)),
	})
	if err == nil {
		err = c.Start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	a.web = httptest.NewServer(api.New(api.Config{Conductor: c}).Operators())
	t.Cleanup(func() {
		a.web.Client().CloseIdleConnections()
		a.web.Close()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		direct.Close()
		if err := kept.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// Log is what the conductor has logged so far.
func (a *API) Log() string {
	a.log.mu.Lock()
	defer a.log.mu.Unlock()
	return a.log.text.String()
}

// Send sends a request, which has to be answered with the status.
func (a *API) Send(status int, method, path string, body any) (answer map[string]any, text string) {
	a.t.Helper()
	var in bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&in).Encode(body); err != nil {
			a.t.Fatal(err)
		}
	}
	request, err := http.NewRequestWithContext(a.t.Context(), method, a.web.URL+path, &in)
	if err != nil {
		a.t.Fatal(err)
	}
	request.Header.Set("X-OpenStack-Ironic-API-Version", "1.82")
	request.Header.Set("Content-Type", "application/json")
	response, err := a.web.Client().Do(request)
	if err != nil {
		a.t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != status {
		a.t.Fatalf("%s %s: %d %s, %v; want %d", method, path, response.StatusCode, b, err, status)
	}
	_ = json.Unmarshal(b, &answer)
	return answer, string(b)
}

// Enrol makes a node with ports, wants its power and management interface to be valid, and gives its path.
func (a *API) Enrol(node map[string]any, macs ...string) (path string) {
	a.t.Helper()
	n, _ := a.Send(http.StatusCreated, "POST", "/v1/nodes", node)
	for _, mac := range macs {
		a.Send(http.StatusCreated, "POST", "/v1/ports", map[string]any{"node_uuid": n["uuid"], "address": mac})
	}
	path = fmt.Sprint("/v1/nodes/", n["uuid"])
	valid, _ := a.Send(http.StatusOK, "GET", path+"/validate", nil)
	for _, kind := range []string{"power", "management"} {
		if v, _ := valid[kind].(map[string]any); v["result"] != true {
			a.t.Fatalf("validate %s: %v", kind, v)
		}
	}
	return path
}

// Settled waits until nobody works on the node at a path, and gives it.
func (a *API) Settled(path string) (node map[string]any) {
	a.t.Helper()
	err := wait.Until(a.t.Context(), wait.Pace{Every: 10 * time.Millisecond, Limit: time.Minute}, "the node to be let go", func(context.Context) (bool, string, error) {
		node, _ = a.Send(http.StatusOK, "GET", path, nil) //nolint:contextcheck // the test's own
		return node["reservation"] == nil && node["target_power_state"] == nil, fmt.Sprint(node["reservation"]), nil
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return node
}

// Power asks for a power state, and wants the node to have the other one in the end. The timeout is one of Ironic's API.
func (a *API) Power(path, target, want string) {
	a.t.Helper()
	a.Send(http.StatusAccepted, "PUT", path+"/states/power", map[string]any{"target": target, "timeout": 60})
	if n := a.Settled(path); n["power_state"] != want || n["last_error"] != nil {
		a.t.Errorf("%s: %v, last error %v; want %s", target, n["power_state"], n["last_error"], want)
	}
}

// BootDevice chooses a boot device, and wants to read it with this persistence.
func (a *API) BootDevice(path, device string, persistent, reads bool) {
	a.t.Helper()
	a.Send(http.StatusNoContent, "PUT", path+"/management/boot_device", map[string]any{"boot_device": device, "persistent": persistent})
	if got, _ := a.Send(http.StatusOK, "GET", path+"/management/boot_device", nil); got["boot_device"] != device || got["persistent"] != reads {
		a.t.Errorf("boot device %v; want %s, persistent %t", got, device, reads)
	}
}
