//go:build integration

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"bosh-ironic-cpi/src/backend"
	"bosh-ironic-cpi/src/wait"
)

// ask sends one request and returns status and body; 0 when no answer came.
func ask(ctx context.Context, method, url, body string) (status int, answer string) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(text)
}

// A writer PUTs ever higher numbers, one request at a time.
type writer struct {
	url      string
	sent     int // the last one that went out
	answered int // the last one that was acknowledged
}

func (w *writer) text(n int) string {
	return fmt.Sprintf(`{"n": %d, "padding": "%s"}`, n, strings.Repeat("x", 1000+n%3000))
}

func (w *writer) run(ctx context.Context, acknowledged *atomic.Int64) {
	for ctx.Err() == nil {
		w.sent++
		status, _ := ask(ctx, http.MethodPut, w.url, w.text(w.sent))
		if status/100 != 2 {
			return
		}
		w.answered = w.sent
		acknowledged.Add(1)
	}
}

// found wants what was acknowledged, or what was sent after it, whole.
func (w *writer) found(t *testing.T, text string) {
	t.Helper()
	var got struct{ N int }
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Errorf("%s: %v: %.80s", w.url, err, text)
		return
	}
	if got.N != w.answered && got.N != w.sent || text != w.text(got.N) {
		t.Errorf("%s holds number %d; %d was acknowledged and %d sent", w.url, got.N, w.answered, w.sent)
	}
	w.sent = got.N
	w.answered = got.N
}

// The daemon is killed in the midst of thousands of PUTs, again and again. Each that was answered is there, whole.
func TestWhatWasAnsweredSurvivesAKill(t *testing.T) {
	d := backend.StartDaemon(t, nil)
	var settings, files []*writer
	for i := range 24 {
		settings = append(settings, &writer{url: fmt.Sprintf("%s/instances/vm-%d/settings", d.Registry, i)})
	}
	for i := range 8 {
		files = append(files, &writer{url: fmt.Sprintf("%s/metadata/vms/%d/user-data", d.Repository, i)})
	}
	const rounds, each = 5, 1500
	for round := range rounds {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		var acknowledged atomic.Int64
		var all sync.WaitGroup
		for _, w := range append(settings, files...) {
			all.Go(func() { w.run(ctx, &acknowledged) })
		}
		err := wait.Until(ctx, wait.Pace{Every: time.Millisecond}, "enough PUTs", func(context.Context) (bool, string, error) {
			n := acknowledged.Load()
			return n >= each, fmt.Sprint(n), nil
		})
		d.Kill()
		all.Wait()
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		d.Restart(t)
		for _, w := range settings {
			_, answer := ask(t.Context(), http.MethodGet, w.url, "")
			var wrapper struct{ Settings string }
			if err := json.Unmarshal([]byte(answer), &wrapper); err != nil {
				t.Fatalf("round %d: %s: %s", round, w.url, answer)
			}
			w.found(t, wrapper.Settings)
		}
		for _, w := range files {
			_, answer := ask(t.Context(), http.MethodGet, w.url, "")
			w.found(t, answer)
		}
		left, err := os.ReadDir(filepath.Join(d.Data, "metadata", ".uploads"))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		for _, entry := range left {
			if info, err := entry.Info(); err == nil && info.Size() > 0 {
				t.Errorf("round %d: the upload %s was left behind", round, entry.Name())
			}
		}
	}
}

// A disk that is full refuses what is new, keeps what is old, and goes on once there is room.
func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=24m"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("needs root to mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	d := backend.StartDaemon(t, map[string]any{"data": filepath.Join(disk, "data")})
	const image = "/images/image"
	old := strings.Repeat("old ", 1<<18)
	if status, answer := ask(t.Context(), http.MethodPut, d.Repository+image, old); status != http.StatusCreated {
		t.Fatalf("PUT of 1 MiB: %d %s", status, answer)
	}
	text := func(n int) string { return fmt.Sprintf(`{"n": %d, "x": %q}`, n, strings.Repeat("x", 64<<10)) }
	first := d.Registry + "/instances/first/settings"
	if status, answer := ask(t.Context(), http.MethodPut, first, text(0)); status != http.StatusCreated {
		t.Fatalf("PUT of settings: %d %s", status, answer)
	}

	// With a length and without, refused before and in the midst.
	huge := strings.Repeat("new ", 8<<20)
	if status, answer := ask(t.Context(), http.MethodPut, d.Repository+image, huge); status != http.StatusInsufficientStorage {
		t.Errorf("PUT of 32 MiB: %d %.100s; want 507", status, answer)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, d.Repository+image, io.MultiReader(strings.NewReader(huge)))
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.DefaultClient.Do(req); err != nil || resp.StatusCode != http.StatusInsufficientStorage {
		t.Errorf("PUT of 32 MiB in chunks: %v, %v; want 507", resp, err)
	} else {
		resp.Body.Close()
	}
	if _, answer := ask(t.Context(), http.MethodGet, d.Repository+image, ""); answer != old {
		t.Errorf("the old image has %d bytes; want %d", len(answer), len(old))
	}

	// Settings, until there is no room.
	written, status := 0, 0
	for written < 1000 {
		if status, _ = ask(t.Context(), http.MethodPut, fmt.Sprintf("%s/instances/vm-%d/settings", d.Registry, written), text(written)); status != http.StatusCreated {
			break
		}
		written++
	}
	if status != http.StatusInsufficientStorage || written < 10 {
		t.Fatalf("PUT number %d: %d; want 507 after a few", written, status)
	}
	check := func(when string) {
		t.Helper()
		for n := range written {
			status, answer := ask(t.Context(), http.MethodGet, fmt.Sprintf("%s/instances/vm-%d/settings", d.Registry, n), "")
			if status != http.StatusOK || !strings.Contains(answer, fmt.Sprintf(`{\"n\": %d, `, n)) {
				t.Fatalf("%s: settings %d: %d %.100s", when, n, status, answer)
			}
		}
	}
	check("full")
	if status, _ := ask(t.Context(), http.MethodPut, first, text(1)); status != http.StatusInsufficientStorage {
		t.Errorf("replacing settings on a full disk: %d; want 507", status)
	}
	if _, answer := ask(t.Context(), http.MethodGet, first, ""); !strings.Contains(answer, `{\"n\": 0, `) {
		t.Errorf("the old settings are gone: %.100s", answer)
	}
	if status, _ := ask(t.Context(), http.MethodDelete, d.Repository+image, ""); status != http.StatusNoContent {
		t.Errorf("DELETE on a full disk: %d", status)
	}
	if status, answer := ask(t.Context(), http.MethodPut, first, text(2)); status != http.StatusOK {
		t.Errorf("PUT of settings once there is room: %d %s", status, answer)
	}
	d.Kill()
	d.Restart(t)
	check("restarted")
	if _, answer := ask(t.Context(), http.MethodGet, first, ""); !strings.Contains(answer, `{\"n\": 2, `) {
		t.Errorf("the new settings are gone: %.100s", answer)
	}
}

// SIGTERM lets an upload finish, and nothing new begin.
func TestStopLetsAnUploadFinish(t *testing.T) {
	d := backend.StartDaemon(t, nil)
	reader, body := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, d.Repository+"/images/image", reader)
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan string, 1)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			answered <- err.Error()
			return
		}
		resp.Body.Close()
		answered <- resp.Status
	}()
	piece := bytes.Repeat([]byte("piece"), 1<<16)
	if _, err := body.Write(piece); err != nil {
		t.Fatal(err)
	}
	underWay := filepath.Join(d.Data, "images", ".uploads", "[A-Z0-9]*")
	err = wait.Until(t.Context(), wait.Pace{Every: 5 * time.Millisecond, Limit: 10 * time.Second}, "the upload to begin", func(context.Context) (bool, string, error) {
		found, err := filepath.Glob(underWay)
		return len(found) > 0, "nothing", err
	})
	if err != nil {
		t.Fatal(err)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- d.Stop() }()
	err = wait.Until(t.Context(), wait.Pace{Every: 5 * time.Millisecond, Limit: 10 * time.Second}, "no new connections", func(ctx context.Context) (bool, string, error) {
		fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.Repository+"/readyz", nil)
		if err != nil {
			return false, "", err
		}
		resp, err := fresh.Do(req)
		if err != nil {
			return true, "", nil //nolint:nilerr // refused: what we wait for
		}
		resp.Body.Close()
		return false, resp.Status, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := body.Write(piece); err != nil {
		t.Fatal(err)
	}
	body.Close()
	if got := <-answered; got != "201 Created" {
		t.Errorf("the upload ended with %s", got)
	}
	if err := <-stopped; err != nil {
		t.Errorf("the daemon ended with %v", err)
	}
	if info, err := os.Stat(filepath.Join(d.Data, "images", "image")); err != nil || info.Size() != int64(2*len(piece)) {
		t.Errorf("the image: %v, %v", info, err)
	}
}
