package fakeramdisk

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// need ends a test that cannot run without a program: on a laptop as skipped, in CI as failed.
func need(t *testing.T, name, debianPackage string) {
	t.Helper()
	if _, err := exec.LookPath(name); err == nil {
		return
	}
	text := fmt.Sprintf("needs %s: apt-get install %s", name, debianPackage)
	if os.Getenv("CI") == "true" {
		t.Fatal(text)
	}
	t.Skip(text)
}

// newMachine has two disks of 128 MiB.
func newMachine(t *testing.T) *machine {
	t.Helper()
	m, err := openMachine(t.TempDir(), node{UUID: uuid}, []Disk{{Name: "sda", Bytes: 128 * mib}, {Name: "sdb", Bytes: 128 * mib}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// do orders a step as the conductor does, by JSON.
func do(t *testing.T, m *machine, name string, args any) error {
	t.Helper()
	text, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.execute(t.Context(), step{Interface: "deploy", Name: name, Args: text})
	return err
}

// wantError checks err against a part of its text; "" stands for none.
func wantError(t *testing.T, err error, part string) {
	t.Helper()
	if part == "" && err != nil || part != "" && (err == nil || !strings.Contains(err.Error(), part)) {
		t.Fatalf("error = %v; want %q", err, part)
	}
}

// rawImage is 16 MiB with a partition table of this kind ("dos", "gpt") and something in the first partition.
func rawImage(t *testing.T, label string) []byte {
	t.Helper()
	need(t, "sfdisk", "fdisk")
	file := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(file, make([]byte, 16*mib), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sfdisk", file)
	cmd.Stdin = strings.NewReader("label: " + label + "\nstart=2048\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("sfdisk: %v\n%s", err, out)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	copy(content[mib:], "file system")
	return content
}

// serve serves files by name.
func serve(t *testing.T, files map[string][]byte) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if content, ok := files[strings.TrimPrefix(r.URL.Path, "/")]; ok {
			_, _ = w.Write(content)
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/"
}

func TestWriteImageChecksums(t *testing.T) {
	need(t, "qemu-img", "qemu-utils")
	image := rawImage(t, "dos")
	long := make([]byte, 129*mib)
	five, two := md5.Sum(image), sha256.Sum256(image)
	md5sum, sha256sum := hex.EncodeToString(five[:]), hex.EncodeToString(two[:])
	longSum := md5.Sum(long)
	url := serve(t, map[string][]byte{
		"image.raw": image, "long.raw": long,
		"alone": []byte(md5sum + "\n"), "list": []byte("# sums\n00ff *other.raw\n" + md5sum + "  image.raw\n"),
		"founding.meta": []byte(md5sum + " bosh-stemcell\n"),
	})
	tests := []struct {
		name string
		info map[string]any
		err  string
	}{
		{name: "md5", info: map[string]any{"checksum": md5sum}},
		{name: "sha256 by length", info: map[string]any{"checksum": strings.ToUpper(sha256sum)}},
		{name: "algorithm and value come first", info: map[string]any{"checksum": "x", "os_hash_algo": "sha256", "os_hash_value": sha256sum}},
		{name: "URL", info: map[string]any{"checksum": url + "alone"}},
		{name: "URL of a list", info: map[string]any{"checksum": url + "list"}},
		{name: "a list that names other files", info: map[string]any{"checksum": url + "founding.meta"}, err: "does not contain name image.raw"},
		{name: "URL without answer", info: map[string]any{"checksum": url + "nothing"}, err: "404"},
		{name: "wrong", info: map[string]any{"checksum": strings.Repeat("0", 32)}, err: "failed checksum verification"},
		{name: "none", info: map[string]any{}, err: "no usable checksum"},
		{name: "no image there", info: map[string]any{"checksum": md5sum, "urls": []string{url + "gone"}}, err: "404"},
		{name: "no URL", info: map[string]any{"checksum": md5sum, "urls": nil}, err: "no urls"},
		{name: "larger than the disk", info: map[string]any{"checksum": hex.EncodeToString(longSum[:]), "urls": []string{url + "long.raw"}}, err: "writing image to device /dev/sda"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			if _, ok := tt.info["urls"]; !ok {
				tt.info["urls"] = []string{url + "image.raw"}
			}
			tt.info["disk_format"] = "raw"
			wantError(t, do(t, m, "write_image", map[string]any{"image_info": tt.info}), tt.err)
			if tt.err == "" && string(disk(t, m, 0)[mib:mib+11]) != "file system" {
				t.Error("the image is not on sda")
			}
			if _, err := os.Stat(filepath.Join(m.dir, "image.download")); err == nil {
				t.Error("the download is left behind")
			}
		})
	}
}

func disk(t *testing.T, m *machine, i int) []byte {
	t.Helper()
	content, err := os.ReadFile(m.file(m.disks[i]))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// packed is a config drive as it travels.
func packed(t *testing.T, iso []byte) string {
	t.Helper()
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	if _, err := zip.Write(iso); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

func TestConfigDrive(t *testing.T) {
	need(t, "qemu-img", "qemu-utils")
	need(t, "sgdisk", "gdisk")
	iso := bytes.Repeat([]byte("drive"), 1000)
	files := map[string][]byte{
		"dos": rawImage(t, "dos"), "gpt": rawImage(t, "gpt"), "bare": make([]byte, mib),
		"drive": []byte(packed(t, iso)),
	}
	url := serve(t, files)
	tests := []struct {
		name, image, drive, err string
	}{
		{name: "MBR", image: "dos", drive: packed(t, iso)},
		{name: "GPT", image: "gpt", drive: packed(t, iso)},
		{name: "by URL", image: "dos", drive: url + "drive"},
		{name: "URL without answer", image: "dos", drive: url + "nothing", err: "can't download the configdrive content"},
		{name: "exactly 64 MiB", image: "dos", drive: packed(t, make([]byte, 64*mib))},
		{name: "too large", image: "dos", drive: packed(t, make([]byte, 64*mib+1)), err: "exceeds maximum limit of 64MiB. Size of the given config drive is 65 MiB"},
		{name: "no base64", image: "dos", drive: "!!!", err: "is not base64 encoded or the content is malformed"},
		{name: "no gzip", image: "dos", drive: "aGVsbG8=", err: "is not base64 encoded or the content is malformed"},
		{name: "no partition table", image: "bare", drive: packed(t, iso), err: "Failed to create config drive on disk /dev/sda"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			sum := md5.Sum(files[tt.image])
			info := map[string]any{"urls": []string{url + tt.image}, "checksum": hex.EncodeToString(sum[:]), "disk_format": "raw"}
			err := do(t, m, "write_image", map[string]any{"image_info": info, "configdrive": tt.drive})
			wantError(t, err, tt.err)
			if tt.err != "" || tt.name == "exactly 64 MiB" {
				return
			}
			if kept, err := os.ReadFile(filepath.Join(m.dir, "configdrive.iso")); err != nil || !bytes.Equal(kept, iso) {
				t.Errorf("configdrive.iso: %d bytes, %v", len(kept), err)
			}
			content := disk(t, m, 0)
			at := bytes.Index(content, iso)
			if at < 128*mib-65*mib || at%512 != 0 {
				t.Errorf("the config drive is at byte %d; want it in the last 64 MiB", at)
			}
			cmd := exec.CommandContext(t.Context(), "sfdisk", "--verify", m.file(m.disks[0]))
			if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("No errors detected")) {
				t.Errorf("sfdisk --verify: %v\n%s", err, out)
			}
		})
	}
}

func TestInjectFiles(t *testing.T) {
	url := serve(t, map[string][]byte{"secret": []byte("by URL")})
	hello := base64.StdEncoding.EncodeToString([]byte("hello"))
	tests := []struct {
		name    string
		file    map[string]any
		content string
		note    Injected
		err     string
	}{
		{
			name: "base64", content: "hello", note: Injected{Mode: "0600", DirMode: "0700", Owner: "root", Group: "0"},
			file: map[string]any{"path": "/etc/a/b", "content": hello, "mode": "600", "dirmode": "700", "owner": "root", "group": 0},
		},
		{name: "URL", content: "by URL", note: Injected{FromURL: true}, file: map[string]any{"path": "/etc/a/b", "content": url + "secret"}},
		{name: "mode as a number", content: "hello", note: Injected{Mode: "0644"}, file: map[string]any{"path": "/etc/a/b", "content": hello, "mode": 0o644}},
		{name: "up and away", content: "hello", file: map[string]any{"path": "/../../../etc/a/b", "content": hello}},
		{name: "relative", file: map[string]any{"path": "etc/a/b", "content": hello}, err: "want an absolute one"},
		{name: "no base64", file: map[string]any{"path": "/etc/a/b", "content": "!"}, err: "not base64"},
		{name: "no answer", file: map[string]any{"path": "/etc/a/b", "content": url + "x"}, err: "404"},
		{name: "mode", file: map[string]any{"path": "/etc/a/b", "content": hello, "mode": "rw"}, err: "octal"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			args := map[string]any{"files": []any{tt.file}}
			wantError(t, do(t, m, "inject_files", args), "write_image comes first")
			if err := os.Mkdir(filepath.Join(m.dir, "root"), 0o700); err != nil { // as write_image does
				t.Fatal(err)
			}
			wantError(t, do(t, m, "inject_files", args), tt.err)
			if tt.err != "" {
				return
			}
			content, err := os.ReadFile(filepath.Join(m.dir, "root/etc/a/b"))
			if err != nil || string(content) != tt.content {
				t.Errorf("content = %q, %v; want %q", content, err, tt.content)
			}
			if got := notes(t, m)["/etc/a/b"]; got != tt.note {
				t.Errorf("files.json has %+v; want %+v", got, tt.note)
			}
			gone := map[string]any{"path": "/etc/a/b", "deleted": true}
			wantError(t, do(t, m, "inject_files", map[string]any{"files": []any{gone, gone}}), "")
			if _, err := os.Stat(filepath.Join(m.dir, "root/etc/a/b")); err == nil || !notes(t, m)["/etc/a/b"].Deleted {
				t.Error("the file is not deleted")
			}
		})
	}
}

func notes(t *testing.T, m *machine) map[string]Injected {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(m.dir, "files.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]Injected
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestErase(t *testing.T) {
	marks := []int64{0, 5 * mib, 128*mib - 4} // both ends and in between
	tests := []struct {
		step string
		want []bool // is the mark still on sda?
	}{
		{"erase_devices_metadata", []bool{false, true, false}},
		{"erase_devices", []bool{false, false, false}},
	}
	for _, tt := range tests {
		t.Run(tt.step, func(t *testing.T) {
			m := newMachine(t)
			m.node.Properties = map[string]any{"skip_block_devices": []any{map[string]any{"wwn": m.disks[1].WWN}}}
			for _, d := range m.disks {
				for _, at := range marks {
					writeAt(t, m.file(d), at)
				}
			}
			wantError(t, do(t, m, tt.step, map[string]any{}), "")
			for i, at := range marks {
				if got := marked(t, m.file(m.disks[0]), at); got != tt.want[i] {
					t.Errorf("mark at byte %d of sda: %v; want %v", at, got, tt.want[i])
				}
				if !marked(t, m.file(m.disks[1]), at) {
					t.Errorf("mark at byte %d of sdb is gone, though skip_block_devices names the disk", at)
				}
			}
		})
	}
}

func writeAt(t *testing.T, file string, at int64) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("mark"), at); err != nil {
		t.Fatal(err)
	}
}

func marked(t *testing.T, file string, at int64) bool {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 4)
	if _, err := f.ReadAt(b, at); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return string(b) == "mark"
}

func TestUnknownStep(t *testing.T) {
	wantError(t, do(t, newMachine(t), "fold_laundry", nil), "can execute step fold_laundry of interface deploy")
}

// FuzzUnpackDrive: whatever comes, it is an error or the text that was packed.
func FuzzUnpackDrive(f *testing.F) {
	f.Add("")
	f.Add("H4sIAAAAAAAAAAMAAAAAAAAAAAA=")
	f.Add("aGVsbG8=\n aGVs")
	f.Fuzz(func(t *testing.T, text string) {
		if drive, err := unpackDrive(text); err != nil && len(drive) > 256*mib {
			t.Errorf("%d bytes and an error", len(drive))
		}
	})
}

// FuzzFindChecksum: what it finds stands in the file.
func FuzzFindChecksum(f *testing.F) {
	f.Add("d41d8cd98f00b204e9800998ecf8427e", "http://x/image.raw")
	f.Add("# c\n00ff  image.raw\n", "http://x/image.raw")
	f.Fuzz(func(t *testing.T, text, url string) {
		if sum, err := findChecksum(strings.NewReader(text), url); err == nil && !strings.Contains(text, sum) {
			t.Errorf("findChecksum(%q, %q) = %q", text, url, sum)
		}
	})
}
