//go:build integration

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The unit file of docs is one that systemd reads without complaint, but for the program, which is not installed here.
func TestUnitFile(t *testing.T) {
	unit, err := filepath.Abs("../../../docs/registry.service")
	if err != nil {
		t.Fatal(err)
	}
	shipped, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(shipped), "/usr/local/bin/registry", "/bin/true")
	dir := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--man=no", written(t, dir, "registry.service", text)).CombinedOutput()
	ours := strings.Contains(string(out), "registry.service")
	if err != nil || ours {
		t.Errorf("systemd-analyze: %v\n%s", err, out)
	}
	out, err = exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20",
		filepath.Join(dir, "registry.service")).CombinedOutput()
	if err != nil {
		t.Errorf("the unit is open by more than 2.0 of 10: %v\n%s", err, out)
	}
}
