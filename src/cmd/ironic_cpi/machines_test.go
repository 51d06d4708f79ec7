package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bosh-ironic-cpi/src/secret"
	"bosh-ironic-cpi/src/wait"
)

// to sends the engine a request as the client does.
func (e *engine) to(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, embeddedURL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-OpenStack-Ironic-API-Version", "1.82")
	resp, err := e.RoundTrip(r)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// fetched is what a server gets from an address; 0: nobody answers.
func fetched(ctx context.Context, address string) (int, string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err.Error()
	}
	r.Header.Set("X-OpenStack-Ironic-API-Version", "1.82")
	r.Close = true
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Calls at once share one address for ramdisks: one of them answers all, boot media included, and when it ends the next
// one does. Reading opens nothing.
func TestCallsShareTheMachinesFace(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	iso := filepath.Join(t.TempDir(), "ramdisk.iso")
	if err := os.WriteFile(iso, []byte("an ISO image"), 0o600); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	g := conductorGroup{
		Database: secret.New(filepath.Join(t.TempDir(), "conductor.sqlite")), MachinesListen: address, BootISO: iso, CallbackLimit: time.Minute,
	}
	call := func() *engine {
		t.Helper()
		e, err := openEngine(t.Context(), g, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	// waiting has a call bring a node to where it waits for its ramdisk, and tells where that boots from.
	waiting := func(e *engine, name string) (uuid, image string) {
		t.Helper()
		node := fmt.Sprintf(`{"name": %q, "driver": "fake-hardware", "automated_clean": true, "deploy_interface": "direct"}`, name)
		if status, text := e.to(t, http.MethodPost, "/v1/nodes", node); status != http.StatusCreated {
			t.Fatalf("%s: %d %s", name, status, text)
		}
		for _, step := range [][2]string{{"manage", "manageable"}, {"provide", "clean wait"}} {
			e.to(t, http.MethodPut, "/v1/nodes/"+name+"/states/provision", `{"target": "`+step[0]+`"}`)
			pace := wait.Pace{Every: 5 * time.Millisecond, Limit: 20 * time.Second}
			err := wait.Until(t.Context(), pace, name+" to be "+step[1], func(ctx context.Context) (bool, string, error) {
				n, err := e.conductor.Node(ctx, name)
				if err != nil {
					return false, "", err
				}
				uuid, image = n.UUID, n.Details.DriverState["media_cdrom"]
				return string(n.ProvisionState) == step[1] && n.Reservation == "", string(n.ProvisionState) + n.LastError, nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return uuid, image
	}
	lookup := func(uuid string) string { return "http://" + address + "/v1/lookup?node_uuid=" + uuid }

	first, second, reader := call(), call(), call()
	reader.to(t, http.MethodGet, "/v1/nodes", "")
	if status, text := fetched(t.Context(), lookup("x")); status != 0 {
		t.Errorf("a call that reads has opened the machines' face: %d %s", status, text)
	}
	one, _ := waiting(first, "one")
	two, image := waiting(second, "two")
	if status, text := fetched(t.Context(), image); status != http.StatusOK || text != "an ISO image" || !strings.HasPrefix(image, "http://"+address+"/media/"+two) {
		t.Errorf("the second call's boot image, at the first: %s: %d %q", image, status, text)
	}
	for _, uuid := range []string{one, two} {
		if status, text := fetched(t.Context(), lookup(uuid)); status != http.StatusOK || !strings.Contains(text, uuid) {
			t.Errorf("lookup of %s: %d %s", uuid, status, text)
		}
	}
	if err := first.close(); err != nil {
		t.Error(err)
	}
	err := wait.Until(t.Context(), wait.Pace{Every: 20 * time.Millisecond, Limit: 10 * time.Second}, "the second call to answer", func(ctx context.Context) (bool, string, error) {
		status, text := fetched(ctx, image)
		return status == http.StatusOK, text, nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := second.close(); err != nil {
		t.Error(err)
	}
	if err := reader.close(); err != nil {
		t.Error(err)
	}
	if status, text := fetched(t.Context(), image); status != 0 {
		t.Errorf("after all calls have ended: %d %s", status, text)
	}
}

// An address that some other program has is said, before a server is booted in vain.
func TestMachinesFaceIsTaken(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stranger := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = stranger.Serve(other)
	}()
	defer func() {
		_ = stranger.Close()
		<-ended
	}()
	e, err := openEngine(t.Context(), conductorGroup{
		Database: secret.New(filepath.Join(t.TempDir(), "conductor.sqlite")), MachinesListen: other.Addr().String(), CallbackLimit: time.Minute,
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if _, text := e.to(t, http.MethodPost, "/v1/nodes", `{"driver": "fake-hardware"}`); !strings.Contains(text, "conductor.machines_listen") || !strings.Contains(text, "address already in use") {
		t.Errorf("%s; want the key, and why", text)
	}
	if status, text := e.to(t, http.MethodGet, "/v1/nodes", ""); status != http.StatusOK || strings.Contains(text, "uuid") {
		t.Errorf("nodes: %d %s", status, text)
	}
	if err := e.close(); err != nil {
		t.Error(err)
	}
}

// With key_file, what a call stores of a BMC's password is not in the database's files, nor what an earlier one stored.
func TestEmbeddedSeals(t *testing.T) {
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	if err := os.WriteFile(key, []byte("0123456789abcdef0123456789abcdef"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := conductorGroup{Database: secret.New(filepath.Join(dir, "conductor.sqlite")), CallbackLimit: time.Minute}
	for i, keyFile := range []string{"", key} {
		g.KeyFile = keyFile
		e, err := openEngine(t.Context(), g, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		node := fmt.Sprintf(`{"name": "n%d", "driver": "fake-hardware", "driver_info": {"fake_password": "hunter%d"}}`, i, i)
		if status, text := e.to(t, http.MethodPost, "/v1/nodes", node); status != http.StatusCreated || strings.Contains(text, "hunter") {
			t.Errorf("%d %s", status, text)
		}
		if n, err := e.conductor.Node(t.Context(), fmt.Sprint("n", i)); err != nil || n.Details.DriverInfo.Map()["fake_password"] != fmt.Sprint("hunter", i) {
			t.Errorf("read back: %v", err)
		}
		if err := e.close(); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "conductor.sqlite*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if text, err := os.ReadFile(file); err != nil || strings.Contains(string(text), "hunter") {
			t.Errorf("%s holds a password, or cannot be read: %v", file, err)
		}
	}
	g.KeyFile = filepath.Join(dir, "none")
	if _, err := openEngine(t.Context(), g, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "conductor.key_file") {
		t.Errorf("without the file: %v", err)
	}
}
