//go:build integration

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bosh-ironic-cpi/src/backend"
	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/fakeramdisk"
	"bosh-ironic-cpi/src/wait"
)

type m = map[string]any

// A served conductor is a daemon's Bare Metal API, as a test uses it.
type served struct {
	*backend.Daemon
	t   testing.TB
	url string
}

// serveConductor runs a daemon that is a conductor, with changes to its keys conductor.*.
func serveConductor(t testing.TB, changes m) *served {
	t.Helper()
	url := "http://" + backend.FreeAddress()
	keys := m{"enabled": true, "listen": []any{url}, "hostname": "one", "power_sync": "0s"}
	maps.Copy(keys, changes)
	return &served{Daemon: backend.StartDaemon(t, m{"conductor": keys}), t: t, url: url}
}

// try sends a request at the newest version; 0 when no answer came.
func (s *served) try(ctx context.Context, method, path string, body any) (int, m) {
	text, err := json.Marshal(body)
	if err != nil {
		return 0, m{"error": err.Error()}
	}
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, bytes.NewReader(text))
	if err != nil {
		return 0, m{"error": err.Error()}
	}
	req.Header.Set("X-OpenStack-Ironic-API-Version", "1.82")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, m{"error": err.Error()}
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, m{"error": err.Error()}
	}
	var out m
	_ = json.Unmarshal(answer, &out) // some answers are empty
	return resp.StatusCode, out
}

// must is try for what has to succeed.
func (s *served) must(method, path string, body any) m {
	s.t.Helper()
	status, out := s.try(s.t.Context(), method, path, body)
	if status == 0 || status >= http.StatusBadRequest {
		s.t.Fatalf("%s %s: %d %v", method, path, status, out)
	}
	return out
}

func (s *served) node(uuid string) m {
	s.t.Helper()
	return s.must(http.MethodGet, "/v1/nodes/"+uuid, nil)
}

// set edits a node; nil removes a field.
func (s *served) set(uuid string, fields m) {
	s.t.Helper()
	var patch []m
	for path, value := range fields {
		if value == nil {
			patch = append(patch, m{"op": "remove", "path": path})
		} else {
			patch = append(patch, m{"op": "add", "path": path, "value": value})
		}
	}
	s.must(http.MethodPatch, "/v1/nodes/"+uuid, patch)
}

// look asks for nothing but a node's state, so often, until done says so.
func (s *served) look(uuid, goal string, every time.Duration, done func(n m) bool) m {
	s.t.Helper()
	var n m
	pace := wait.Pace{First: time.Millisecond, Every: every, Limit: 50 * time.Second}
	err := wait.Until(s.t.Context(), pace, "node "+uuid+" to be "+goal, func(ctx context.Context) (bool, string, error) {
		status, answer := s.try(ctx, http.MethodGet,
			"/v1/nodes/"+uuid+"?fields=provision_state,reservation,last_error,deploy_step,clean_step,target_power_state,power_state,instance_uuid,maintenance", nil)
		if status != http.StatusOK {
			return false, fmt.Sprint(status, answer), nil
		}
		n = answer
		return done(n), fmt.Sprint(n), nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// rests waits until nothing goes on with a node: no lock, and a state in which no conductor and no ramdisk is at it.
func (s *served) rests(uuid string) m {
	s.t.Helper()
	return s.look(uuid, "at rest", 30*time.Millisecond, func(n m) bool {
		switch baremetal.ProvisionState(fmt.Sprint(n["provision_state"])) {
		case baremetal.Enroll, baremetal.Manageable, baremetal.Available, baremetal.Active, baremetal.Rescue, baremetal.DeployFailed,
			baremetal.CleanFailed, baremetal.InspectFailed, baremetal.AdoptFailed, baremetal.ErrorState:
			return n["reservation"] == nil && n["target_power_state"] == nil
		}
		return false
	})
}

// verb has a node do something, and waits until it rests.
func (s *served) verb(uuid string, body m) m {
	s.t.Helper()
	s.must(http.MethodPut, "/v1/nodes/"+uuid+"/states/provision", body)
	return s.rests(uuid)
}

// walk takes a node from where it rests to another state.
func (s *served) walk(uuid string, to baremetal.ProvisionState) {
	s.t.Helper()
	verbs := map[baremetal.ProvisionState]string{
		baremetal.Enroll: "manage", baremetal.CleanFailed: "manage", baremetal.InspectFailed: "manage", baremetal.AdoptFailed: "manage",
		baremetal.Manageable: "provide", baremetal.Available: "active",
		baremetal.DeployFailed: "deleted", baremetal.ErrorState: "deleted", baremetal.Active: "deleted",
	}
	n := s.rests(uuid)
	for range 5 {
		if baremetal.ProvisionState(fmt.Sprint(n["provision_state"])) == to {
			return
		}
		if n["maintenance"] == true {
			s.must(http.MethodDelete, "/v1/nodes/"+uuid+"/maintenance", nil)
		}
		n = s.verb(uuid, m{"target": verbs[baremetal.ProvisionState(fmt.Sprint(n["provision_state"]))]})
	}
	s.t.Fatalf("node %s came to %v, %v, and not to %s", uuid, n["provision_state"], n["last_error"], to)
}

// A ramdisk is the deploy ramdisk of a conductor's nodes, with an image to write.
type ramdisk struct {
	url   string // where faults are ordered
	dir   string
	image m // instance_info
}

func startRamdisk(t testing.TB, ironic string) *ramdisk {
	t.Helper()
	r := &ramdisk{dir: t.TempDir()}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	layout, err := fakeramdisk.ParseLayout("sda=8")
	if err != nil {
		t.Fatal(err)
	}
	r.url = "http://" + listener.Addr().String()
	server := fakeramdisk.New(fakeramdisk.Config{
		Ironic: fakeramdisk.Ironic{URL: ironic}, CallbackURL: r.url, Dir: r.dir, Layout: layout, Log: slog.New(slog.DiscardHandler),
	})
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx, listener) }()
	content := bytes.Repeat([]byte("image"), 20_000)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(content) }))
	t.Cleanup(func() {
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		web.Close()
	})
	sum := sha256.Sum256(content)
	r.image = m{
		"image_source": web.URL + "/image", "image_disk_format": "raw", "image_os_hash_algo": "sha256", "image_os_hash_value": hex.EncodeToString(sum[:]),
	}
	return r
}

// slow has a step on a node take its time.
func (r *ramdisk) slow(t testing.TB, node, step string, d time.Duration) {
	t.Helper()
	body := fmt.Sprintf(`{"node": %q, "step": %q, "delay_ms": %d}`, node, step, d.Milliseconds())
	if status, answer := ask(t.Context(), http.MethodPost, r.url+"/faults", body); status != http.StatusNoContent {
		t.Fatalf("order a fault: %d %s", status, answer)
	}
}

// carriedOut counts how often the ramdisk of a node came to the end of a step.
func (r *ramdisk) carriedOut(t testing.TB, node, step string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, node, "commands.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for line := range strings.Lines(string(text)) {
		var e struct{ Event, Name string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Event == "done" && e.Name == step {
			count++
		}
	}
	return count
}
