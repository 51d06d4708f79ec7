package virtualmedia_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem/fat12"

	"bosh-ironic-cpi/src/virtualmedia"
)

func TestFloppy(t *testing.T) {
	image, err := virtualmedia.Floppy(map[string]string{"ipa-api-url": "http://192.0.2.1:6385", "boot_method": "vmedia"})
	if err != nil || len(image) != virtualmedia.FloppySize {
		t.Fatalf("%d bytes, %v", len(image), err)
	}
	path := filepath.Join(t.TempDir(), "floppy.img")
	if err := os.WriteFile(path, image, 0o600); err != nil {
		t.Fatal(err)
	}
	disk, err := file.OpenFromPath(path, true)
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	floppy, err := fat12.Read(disk, virtualmedia.FloppySize, 0, 512)
	if err != nil {
		t.Fatal(err)
	}
	if label := strings.TrimSpace(floppy.Label()); !strings.EqualFold(label, "ir-vfd-dev") {
		t.Errorf("label %q", label)
	}
	const want = "boot_method=vmedia\nipa-api-url=http://192.0.2.1:6385"
	if got, err := floppy.ReadFile("/parameters.txt"); err != nil || string(got) != want {
		t.Errorf("parameters.txt %q, %v; want %q", got, err, want)
	}
	// A foreign reader.
	got, err := exec.CommandContext(t.Context(), program(t, "mcopy", "mtools"), "-n", "-i", path, "::parameters.txt", "-").Output()
	if err != nil || string(got) != want {
		t.Errorf("mcopy reads %q, %v; want %q", got, err, want)
	}
}

// program returns its path; without it the test fails in CI and is skipped elsewhere.
func program(t *testing.T, name, debian string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	text := name + " is missing: apt-get install " + debian
	if os.Getenv("CI") == "true" {
		t.Fatal(text)
	}
	t.Skip(text)
	return ""
}

func TestFloppyRefusesBlanks(t *testing.T) {
	_, err := virtualmedia.Floppy(map[string]string{"ipa-api-url": "http://192.0.2.1 x"})
	if err == nil || !strings.Contains(err.Error(), "ipa-api-url") {
		t.Errorf("%v; want an error that names the key", err)
	}
}
