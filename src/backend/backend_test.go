package backend_test

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"maps"
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
	maps.Copy(body, more)
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

// TestFaultyRamdisk: what the ramdisk is told to spoil is what Ironic reports.
func TestFaultyRamdisk(t *testing.T) {
	b := backend.Start(t, backend.WithClean())
	url, sum := image(t)
	node := b.AddNode(t, backend.NodeSpec{})
	b.FailStep(t, node, "write_image", "the disk smokes")
	deploy(t, b, node, sum, url, nil)
	b.WaitState(t, node, "deploy failed")
	if got := b.Get(t, "/v1/nodes/"+node)["last_error"]; !strings.Contains(got.(string), "the disk smokes") {
		t.Errorf("last_error = %v", got)
	}
	b.MendRamdisk(t, node)
	deploy(t, b, node, sum, url, nil) // a second boot of the same server
	b.WaitState(t, node, "active")
	b.FailRamdisk(t, backend.RamdiskFault{Node: node, Step: "erase_devices", Text: "no", Times: 1})
	if status, answer := b.Do(t, http.MethodPut, "/v1/nodes/"+node+"/states/provision", map[string]any{"target": "deleted"}); status != 202 {
		t.Fatalf("deleted: %d %v", status, answer)
	}
	b.WaitState(t, node, "clean failed")
	if n := b.Node(t, node); n["fault"] != "clean failure" || n["maintenance"] != true {
		t.Errorf("fault = %v, maintenance = %v", n["fault"], n["maintenance"])
	}
}

// TestEngines: the other ways of running an engine answer and can be cleaned up after.
func TestEngines(t *testing.T) {
	tests := []struct {
		name string
		opts []backend.Option
	}{
		{"basic auth, API and conductor apart", []backend.Option{backend.WithBasicAuth(), backend.WithSplit()}},
		{"IPMI", []backend.Option{backend.WithIPMI()}},
		{"Keystone", []backend.Option{backend.WithKeystone()}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := backend.Start(t, tt.opts...)
			if again := backend.Start(t, tt.opts...); again.Direct != b.Direct || again.URL == b.URL {
				t.Errorf("a second Start: %s through %s; want %s through another proxy", again.Direct, again.URL, b.Direct)
			}
			resp, err := http.Get(b.URL + "/v1/nodes")
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if open := b.Env["IRONIC_AUTH"] == "noauth"; open != (resp.StatusCode == 200) {
				t.Errorf("without credentials: %s", resp.Status)
			}
			url, sum := image(t)
			node := b.AddNode(t, backend.NodeSpec{})
			deploy(t, b, node, sum, url, nil)
			b.WaitState(t, node, "active") // the ramdisk has its credentials
			if b.Env["IPMI_PORT"] != "" {
				info := map[string]any{
					"ipmi_address": b.Env["IPMI_ADDRESS"], "ipmi_port": b.Env["IPMI_PORT"],
					"ipmi_username": b.Env["IPMI_USERNAME"], "ipmi_password": b.Env["IPMI_PASSWORD"],
				}
				b.AddNode(t, backend.NodeSpec{Driver: "ipmi", State: "manageable", Fields: map[string]any{
					"driver_info": info, "power_interface": "ipmitool",
				}})
			}
		})
	}
}

func TestWebDAV(t *testing.T) {
	w := backend.StartWebDAV(t)
	for _, folder := range []string{w.Images, w.Metadata} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, folder+"a/b", strings.NewReader("content"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusCreated {
			t.Errorf("PUT %s: %s", folder, resp.Status)
		}
	}
	files := w.Files(t)
	if len(files) != 2 || !strings.HasSuffix(files[0], "/a/b") {
		t.Fatalf("files = %v", files)
	}
	if content, err := os.ReadFile(filepath.Join(w.Dir, files[1])); err != nil || string(content) != "content" {
		t.Errorf("on disk: %q, %v", content, err)
	}
	if other := backend.StartWebDAV(t); other.Direct != w.Direct || len(other.Files(t)) != 0 {
		t.Errorf("another test sees %v", other.Files(t))
	}
	if w.Proxy.Count("PUT", "/a/b") != 2 {
		t.Errorf("requests = %v", w.Proxy.Requests())
	}
}
