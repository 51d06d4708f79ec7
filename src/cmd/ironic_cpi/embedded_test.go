package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bosh-ironic-cpi/src/docstest"
	"bosh-ironic-cpi/src/secret"
	"bosh-ironic-cpi/src/wait"
)

// A conductor for one call: ramdisks reach it while it lasts, and hear no more than they may.
func TestEmbeddedConductor(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	iso := filepath.Join(t.TempDir(), "ramdisk.iso")
	if err := os.WriteFile(iso, []byte(`{"an": "ISO image"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	g := conductorGroup{
		BootISO:  iso,
		Database: secret.New(filepath.Join(t.TempDir(), "state", "conductor.sqlite")), MachinesListen: "127.0.0.1:0", CallbackLimit: time.Minute,
	}
	e, err := openEngine(t.Context(), g, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(via http.RoundTripper, method, url, body string) (int, map[string]any) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-OpenStack-Ironic-API-Version", "1.82")
		r.Close = true
		answer, err := via.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		var decoded map[string]any
		_ = json.Unmarshal(text, &decoded)
		return answer.StatusCode, decoded
	}
	node := func(state string) map[string]any {
		t.Helper()
		var n map[string]any
		pace := wait.Pace{Every: 5 * time.Millisecond, Limit: 20 * time.Second}
		err := wait.Until(t.Context(), pace, "n1 to be "+state, func(context.Context) (bool, string, error) {
			_, n = ask(e, http.MethodGet, embeddedURL+"/v1/nodes/n1", "")
			return n["provision_state"] == state && n["reservation"] == nil, "", nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}

	if status, list := ask(e, http.MethodGet, embeddedURL+"/v1/nodes", ""); status != 200 || len(list["nodes"].([]any)) != 0 {
		t.Errorf("an empty store: %d %v", status, list)
	}
	ask(e, http.MethodPost, embeddedURL+"/v1/nodes", `{"name": "n1", "driver": "fake-hardware", "automated_clean": true, "deploy_interface": "direct"}`)
	ask(e, http.MethodPut, embeddedURL+"/v1/nodes/n1/states/provision", `{"target": "manage"}`)
	uuid := node("manageable")["uuid"].(string)
	lookup := e.machines.url + "/v1/lookup?node_uuid=" + uuid
	if !strings.HasPrefix(lookup, "http://127.0.0.1:") || strings.Contains(lookup, ":0/") {
		t.Errorf("ramdisks are told %s", lookup)
	}
	if status, _ := ask(http.DefaultTransport, http.MethodGet, lookup, ""); status != http.StatusNotFound {
		t.Errorf("lookup of a node that waits for nobody: %d", status)
	}
	ask(e, http.MethodPut, embeddedURL+"/v1/nodes/n1/states/provision", `{"target": "provide"}`)
	node("clean wait")
	status, found := ask(http.DefaultTransport, http.MethodGet, lookup, "")
	if config, _ := found["config"].(map[string]any); status != 200 || len(config["agent_token"].(string)) < 32 {
		t.Errorf("lookup: %d %v", status, found)
	}
	n, err := e.conductor.Node(t.Context(), "n1")
	if err != nil {
		t.Fatal(err)
	}
	address := n.Details.DriverState["media_cdrom"]
	if status, image := ask(http.DefaultTransport, http.MethodGet, address, ""); status != 200 || image["an"] != "ISO image" || !strings.HasPrefix(address, e.machines.url) {
		t.Errorf("boot media at %q: %d %v", address, status, image)
	}
	if status, _ := ask(http.DefaultTransport, http.MethodGet, e.machines.url+"/v1/nodes", ""); status != http.StatusNotFound {
		t.Errorf("machines reach /v1/nodes: %d", status)
	}
	if err := e.close(); err != nil {
		t.Error(err)
	}
	if answer, err := http.DefaultTransport.RoundTrip(must(http.NewRequestWithContext(t.Context(), http.MethodGet, lookup, nil))); err == nil {
		_ = answer.Body.Close()
		t.Error("the machines' face is open after the call")
	}

	// The next call finds what the last one left.
	again, err := openEngine(t.Context(), g, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	e = again
	node("clean wait")
	if err := again.close(); err != nil {
		t.Error(err)
	}
}

func must(r *http.Request, err error) *http.Request {
	if err != nil {
		panic(err)
	}
	return r
}

func TestDocsOfTheEmbeddedConductor(t *testing.T) {
	for _, e := range docstest.Examples(t, "conductor.md", "json", 1) {
		if _, _, err := loaded(t, e, ""); err != nil {
			t.Errorf("%v in\n%s", err, e)
		}
	}
}

func TestEmbeddedNeedsADatabase(t *testing.T) {
	if _, _, err := loaded(t, `{"ironic": {"url": "embedded"}}`, ""); err == nil || !strings.Contains(err.Error(), "conductor.database: required by ironic.url embedded") {
		t.Errorf("load = %v", err)
	}
}
