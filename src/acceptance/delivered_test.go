//go:build integration

package acceptance

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"bosh-ironic-cpi/src/agentenv"
)

// settingsOn reads what the agent of a deployed node would read: the injected file, else the config drive.
func (d *director) settingsOn(node string) map[string]any {
	d.t.Helper()
	if f, ok := d.backend.Injected(d.t, node)[agentenv.SettingsPath]; ok {
		return decode[map[string]any](d.t, json.RawMessage(f.Content))
	}
	return decode[map[string]any](d.t, json.RawMessage(drive(d.t, d.backend.ConfigDrive(d.t, node), "/ec2/latest/user-data")))
}

// drive reads one file of a config drive with a foreign reader.
func drive(t testing.TB, iso []byte, path string) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "configdrive.iso")
	if err := os.WriteFile(file, iso, 0o600); err != nil {
		t.Fatal(err)
	}
	content, err := exec.Command("isoinfo", "-R", "-i", file, "-x", path).Output()
	if err != nil {
		t.Fatalf("isoinfo -x %s: %v", path, err)
	}
	return content
}
