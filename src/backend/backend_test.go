package backend_test

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bosh-ironic-cpi/src/backend"
)

func TestMain(m *testing.M) { os.Exit(backend.Main(m)) }

// image makes a qcow2 image with a partition table and serves it; it returns URL and MD5.
func image(t *testing.T) (url, sum string) {
	t.Helper()
	dir := t.TempDir()
	raw, file := filepath.Join(dir, "root.raw"), filepath.Join(dir, "root.qcow2")
	if err := os.WriteFile(raw, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(raw, 32<<20); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(raw, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("the root file system"), 1<<20); err != nil {
		t.Fatal(err)
	}
	f.Close()
	run(t, "start=2048, type=83\n", "sfdisk", raw)
	run(t, "", "qemu-img", "convert", "-O", "qcow2", raw, file)
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	digest := md5.Sum(content)
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(server.Close)
	return server.URL + "/root.qcow2", hex.EncodeToString(digest[:])
}

func run(t *testing.T, stdin string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

func deploy(t *testing.T, b *backend.Backend, node string, sum, url string, more map[string]any) {
	t.Helper()
	b.Patch(t, node, "/instance_info", map[string]any{"image_source": url, "image_checksum": sum})
	body := map[string]any{"target": "active"}
	for k, v := range more {
		body[k] = v
	}
	if status, answer := b.Do(t, http.MethodPut, "/v1/nodes/"+node+"/states/provision", body); status != 202 {
		t.Fatalf("active: %d %v", status, answer)
	}
}

// TestDirectDeployment takes a node through its life on the real Ironic: what is deployed lies on its disks,
// and cleaning spares the disk that the operator wants to keep.
func TestDirectDeployment(t *testing.T) {
	b := backend.Start(t, backend.WithClean())
	url, sum := image(t)
	disks := []any{
		map[string]any{"name": "/dev/sda", "size_gb": 1, "wwn": "0x5000aaa1", "serial": "ROOT"},
		map[string]any{"name": "/dev/sdb", "size_gb": 1, "wwn": "0x5000aaa2", "serial": "EPHEMERAL"},
		map[string]any{"name": "/dev/sdc", "size_gb": 1, "wwn": "0x5000aaa3", "serial": "KEEP"},
	}
	node := b.AddNode(t, backend.NodeSpec{Properties: map[string]any{"disks": disks}})
	if err := os.WriteFile(b.Disk(t, node, "sdb"), []byte("go away"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.Disk(t, node, "sdc"), []byte("stay here"), 0o600); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	file := map[string]any{
		"path": "/var/vcap/bosh/env.json", "mode": "0600", "owner": "root",
		"content": base64.StdEncoding.EncodeToString([]byte(`{"a":1}`)),
	}
	deploy(t, b, node, sum, url, map[string]any{
		"configdrive": map[string]any{"meta_data": map[string]any{"hostname": "lucky"}},
		"deploy_steps": []any{map[string]any{
			"interface": "deploy", "step": "inject_files", "priority": 70, "args": map[string]any{"files": []any{file}},
		}},
	})
	b.WaitState(t, node, "active")
	t.Logf("direct deployment: %.2f s", time.Since(begun).Seconds())

	root, err := os.ReadFile(b.Disk(t, node, "sda"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(root[1<<20:1<<20+100], []byte("the root file system")) {
		t.Error("the image is not on sda")
	}
	drive := b.ConfigDrive(t, node)
	if !bytes.Contains(drive, []byte("lucky")) {
		t.Error("configdrive.iso lacks the meta data")
	}
	if !bytes.Equal(root[len(root)-64<<20:][:len(drive)], drive) {
		t.Error("the config drive is not in the last 64 MiB of sda")
	}
	injected := b.Injected(t, node)["/var/vcap/bosh/env.json"]
	if string(injected.Content) != `{"a":1}` || injected.Mode != "0600" || injected.Owner != "root" {
		t.Errorf("injected = %+v", injected)
	}

	b.Patch(t, node, "/properties/skip_block_devices", []any{map[string]any{"wwn": "0x5000aaa3"}})
	begun = time.Now()
	b.Provision(t, node, "deleted", "available")
	t.Logf("tear-down with cleaning: %.2f s", time.Since(begun).Seconds())
	if got := head(t, b.Disk(t, node, "sdb"), 7); got == "go away" {
		t.Error("cleaning left sdb's bytes")
	}
	if got := head(t, b.Disk(t, node, "sdc"), 9); got != "stay here" {
		t.Errorf("cleaning touched sdc, which skip_block_devices names: %q", got)
	}
	want := []string{
		"erase_devices_metadata", "erase_devices", // provide cleans too
		"write_image", "inject_files", "erase_devices_metadata", "erase_devices",
	}
	if got := b.Steps(t, node); !slices.Equal(got, want) && !slices.Equal(got, want[2:]) {
		t.Errorf("steps = %v; want %v", got, want)
	}
}

func head(t *testing.T, file string, n int) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content[:n])
}
