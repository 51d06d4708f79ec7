//go:build integration

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bosh-ironic-cpi/src/backend"
)

// With no configuration at all: its own ports, on loopback alone, in ./data. They may be taken on this machine, so the
// daemon gets a network of its own.
func TestWithoutConfiguration(t *testing.T) {
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs root to make a network")
		}
		t.Skip("needs root to make a network")
	}
	dir := t.TempDir()
	script := `
ip link set lo up && ip address add 10.0.0.5/32 dev lo || exit 1
cd "$1" || exit 1
"$0" >log 2>&1 &
daemon=$!
curl -s --retry 100 --retry-connrefused --retry-delay 0 --retry-max-time 10 http://127.0.0.1:25777/readyz
curl -sS -o /dev/null -w '%{http_code}\n' -T /etc/hostname http://127.0.0.1:8081/images/deep/file
curl -sS http://127.0.0.1:25777/registry/instances/none/settings
curl -sS http://127.0.0.1:6385/v1/nodes; echo
curl -s http://10.0.0.5:8081/images/deep/file; echo "others: $?"
kill $daemon; wait $daemon; echo "ended: $?"`
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	run := exec.CommandContext(ctx, "unshare", "--net", "--pid", "--fork", "--kill-child", "bash", "-c", script, backend.DaemonProgram(t), dir)
	run.WaitDelay = time.Second
	out, err := run.CombinedOutput()
	if want := "ok\n201\nId 'none' not found\n{\"nodes\":[]}\nothers: 7\nended: 0\n"; err != nil || string(out) != want {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		t.Errorf("%v: %s\nwant %s\n%s", err, out, want, log)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "data/images/deep/file")); err != nil || strings.TrimSpace(string(text)) == "" {
		t.Errorf("on disk: %s, %v", text, err)
	}
}

// All parts on one port, as in ansible-ironic-standalone.
func TestAllInOne(t *testing.T) {
	address := []any{"http://" + backend.FreeAddress()}
	all := backend.StartDaemon(t, map[string]any{
		"registry": map[string]any{"listen": address}, "repository": map[string]any{"listen": address},
		"conductor": map[string]any{"enabled": true, "listen": address},
	})
	if status, answer := ask(t.Context(), "GET", all.Registry+"/v1/drivers", ""); status != 200 {
		t.Errorf("GET /v1/drivers: %d %s; want 200", status, answer)
	}
	for path, status := range map[string]int{"/images/x": 201, "/metadata/x": 201, "/deploy/x": 201, "/registry/instances/x": 201, "/instances/y/settings": 201} {
		if got, answer := ask(t.Context(), "PUT", all.Registry+path, "{}"); got != status {
			t.Errorf("PUT %s: %d %s; want %d", path, got, answer, status)
		}
	}
}
