package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The demo is the first thing that a newcomer runs, and the second run must be as good as the first.
func TestDemoRunsTwice(t *testing.T) {
	dir := t.TempDir()
	cpi := filepath.Join(dir, "ironic_cpi")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", cpi, "../ironic_cpi").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for _, attempt := range []string{"first", "second"} {
		var stdout, stderr bytes.Buffer
		args := []string{"-cpi", cpi, "-dir", filepath.Join(dir, "demo")}
		if status := run(args, &stdout, &stderr); status != 0 {
			t.Fatalf("%s demo: exit status %d\n%s%s", attempt, status, stdout.String(), stderr.String())
		}
		_, told, _ := strings.Cut(stdout.String(), "create_stemcell")
		for _, next := range []string{"create_vm", "→ active", "create_disk", "attach_disk", "reboot_vm", "create_vm", "delete_vm", "→ available", "delete_stemcell"} {
			_, rest, found := strings.Cut(told, next)
			if !found {
				t.Errorf("%s demo does not come to %s in its turn:\n%s", attempt, next, stdout.String())
			}
			told = rest
		}
		if text := stdout.String(); strings.Contains(text, "\x1b") || !strings.Contains(text, "→ active") {
			t.Errorf("%s demo does not show a deployment, in plain text:\n%s", attempt, text)
		}
	}
}
