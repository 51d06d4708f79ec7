package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/conductor/api"
	"bosh-ironic-cpi/src/conductor/deploy"
	"bosh-ironic-cpi/src/driver/all"
	"bosh-ironic-cpi/src/driver/vendorargs"
	"bosh-ironic-cpi/src/store"
	"bosh-ironic-cpi/src/wait"
)

// A rig is a conductor with its API, on a store of its own.
type rig struct {
	t         testing.TB
	url       string
	conductor *conductor.Conductor
}

// start makes one. change may edit its configuration.
func start(t testing.TB, change func(*conductor.Config)) *rig {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "state.sqlite"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	interfaces := deploy.All(deploy.Ramdisk{})
	cfg := conductor.Config{
		Hostname: "127.0.0.1", Store: s, Drivers: all.Table(), VendorArguments: vendorargs.Check,
		Deployers: interfaces.Deployers, Inspectors: interfaces.Inspectors,
	}
	if change != nil {
		change(&cfg)
	}
	c, err := conductor.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(api.New(api.Config{Conductor: c}).Operators())
	t.Cleanup(func() {
		web.Close()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		interfaces.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &rig{t: t, url: web.URL, conductor: c}
}

// do sends a request at the newest version and returns the status and the decoded answer.
func (r *rig) do(method, path string, body any) (int, map[string]any) {
	r.t.Helper()
	return send(r.t, r.url, method, path, "1.82", body)
}

func send(t testing.TB, base, method, path, version string, body any) (int, map[string]any) {
	t.Helper()
	status, _, text := exchange(t, base, method, path, version, body)
	var out map[string]any
	if json.Unmarshal(text, &out) != nil && len(text) > 0 {
		var v any
		_ = json.Unmarshal(text, &v)
		out = map[string]any{"": v}
	}
	return status, out
}

// exchange sends a request: a []byte body as it is, anything else as JSON.
func exchange(t testing.TB, base, method, path, version string, body any) (int, http.Header, []byte) {
	t.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case []byte:
		in = bytes.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		in = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, base+path, in)
	if err != nil {
		t.Fatal(err)
	}
	if version != "" {
		req.Header.Set("X-OpenStack-Ironic-API-Version", version)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, text
}

// must is do for what has to succeed.
func (r *rig) must(method, path string, body any) map[string]any {
	r.t.Helper()
	status, out := r.do(method, path, body)
	if status >= http.StatusBadRequest {
		r.t.Fatalf("%s %s: %d %v", method, path, status, out)
	}
	return out
}

// settle waits until a node is unlocked in a state.
func settle(t testing.TB, base, node, state string) map[string]any {
	t.Helper()
	var n map[string]any
	pace := wait.Pace{First: 5 * time.Millisecond, Every: 50 * time.Millisecond, Limit: time.Minute}
	err := wait.Until(t.Context(), pace, "node "+node+" to be "+state, func(context.Context) (bool, string, error) {
		_, n = send(t, base, http.MethodGet, "/v1/nodes/"+node, "1.82", nil)
		now, _ := n["provision_state"].(string)
		return n["reservation"] == nil && now == state, now, nil
	})
	if err != nil {
		t.Fatalf("%v; last error %v", err, n["last_error"])
	}
	return n
}

// verb sends a verb and waits for its end.
func (r *rig) verb(node, verb, state string) map[string]any {
	r.t.Helper()
	r.must(http.MethodPut, "/v1/nodes/"+node+"/states/provision", map[string]any{"target": verb})
	return settle(r.t, r.url, node, state)
}
