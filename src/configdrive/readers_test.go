package configdrive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/diskfs/go-diskfs/backend"
	"github.com/diskfs/go-diskfs/filesystem/iso9660"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// hard is a tree with what is hard for ISO 9660: more records than a sector holds, long names, eight levels,
// sizes around a sector, and names that differ in case alone.
func hard() map[string][]byte {
	files := map[string][]byte{
		"1/2/3/4/5/6/7/deep":            []byte("deep"),
		"a/" + strings.Repeat("n", 128): []byte("long"),
		"a/Case":                        []byte("upper"),
		"a/case":                        []byte("lower"),
		"a/.hidden; 1 ü":                []byte("odd"),
		"empty":                         {},
	}
	for i := range 70 {
		files[fmt.Sprintf("many/file-%02d", i)] = []byte{byte(i)}
	}
	for _, size := range []int{1, sector - 1, sector, sector + 1, 5 * sector} {
		files[fmt.Sprintf("sizes/%d", size)] = bytes.Repeat([]byte{0xa5}, size)
	}
	return files
}

func build(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	image, err := Build(files)
	if err != nil {
		t.Fatal(err)
	}
	return image
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

func run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, stderr.String())
	}
	return out
}

func imageFile(t *testing.T, image []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "config.iso")
	if err := os.WriteFile(name, image, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestIsoinfoReadsEveryFile(t *testing.T) {
	isoinfo := program(t, "isoinfo", "genisoimage")
	files := hard()
	name := imageFile(t, build(t, files))
	var found []string
	for line := range strings.Lines(string(run(t, isoinfo, "-R", "-f", "-i", name))) {
		found = append(found, strings.TrimPrefix(strings.TrimSuffix(line, "\n"), "/"))
	}
	for file, want := range files {
		if !slices.Contains(found, file) {
			t.Errorf("isoinfo does not list %q", file)
		}
		if got := run(t, isoinfo, "-R", "-x", "/"+file, "-i", name); !bytes.Equal(got, want) {
			t.Errorf("isoinfo reads %d bytes of %q; want %d", len(got), file, len(want))
		}
	}
	if info := string(run(t, isoinfo, "-d", "-i", name)); !strings.Contains(info, "Volume id: config-2") || !strings.Contains(info, "Rock Ridge") {
		t.Errorf("isoinfo -d says\n%s", info)
	}
}

// udev makes /dev/disk/by-label/config-2 of what blkid says.
func TestBlkidFindsTheLabel(t *testing.T) {
	name := imageFile(t, build(t, hard()))
	got := run(t, program(t, "blkid", "util-linux"), "-p", "-o", "export", name)
	for _, want := range []string{"LABEL=config-2\n", "TYPE=iso9660\n"} {
		if !bytes.Contains(got, []byte(want)) {
			t.Errorf("blkid says %q; want %s", got, want)
		}
	}
}

// Newer Ironics look into the drive with pycdlib, for one file by its name without Rock Ridge, and rewrite the drive
// when they do not like what they find (ironic/conductor/configdrive_utils.py, 2025).
func TestPycdlibFindsNetworkData(t *testing.T) {
	python := program(t, "/usr/bin/python3", "python3-pycdlib")
	if err := exec.CommandContext(t.Context(), python, "-c", "import pycdlib").Run(); err != nil {
		program(t, "pycdlib", "python3-pycdlib")
	}
	tree, err := Tree(contents())
	if err != nil {
		t.Fatal(err)
	}
	got := run(t, python, "-c", `import pycdlib, sys
iso = pycdlib.PyCdlib()
iso.open(sys.argv[1])
with iso.open_file_from_iso(iso_path="/openstack/latest/network_data.json;1") as f:
    sys.stdout.buffer.write(f.read())`, imageFile(t, build(t, tree)))
	if want := tree["openstack/latest/network_data.json"]; !bytes.Equal(got, want) {
		t.Errorf("pycdlib reads %q; want %q", got, want)
	}
}

// The agent mounts the drive. A kernel without iso9660 cannot show that; isoinfo stands in above.
func TestKernelMounts(t *testing.T) {
	known, err := os.ReadFile("/proc/filesystems")
	if err != nil || os.Geteuid() != 0 || !bytes.Contains(known, []byte("iso9660")) {
		t.Skip("needs root and a kernel that has iso9660 loaded")
	}
	files := hard()
	dir := t.TempDir()
	run(t, "mount", "-o", "loop,ro", "-t", "iso9660", imageFile(t, build(t, files)), dir)
	defer run(t, "umount", dir)
	got := map[string][]byte{}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		got[name], err = os.ReadFile(path)
		return err
	})
	if diff := cmp.Diff(files, got); diff != "" || err != nil {
		t.Errorf("mounted (%v): want (-), got (+):\n%s", err, diff)
	}
}

// Any tree comes back from a reader that others wrote.
func TestRoundTrip(t *testing.T) {
	part := rapid.StringMatching(`[a-zA-Z0-9_][a-zA-Z0-9._-]{0,30}[a-z]`) // go-diskfs loses a dot at the end
	rapid.Check(t, func(t *rapid.T) {
		files := map[string][]byte{}
		for range rapid.IntRange(1, 20).Draw(t, "files") {
			parts := rapid.SliceOfN(part, 1, 5).Draw(t, "path")
			files[strings.Join(parts, "/")] = bytes.Repeat([]byte{7}, rapid.IntRange(0, 5000).Draw(t, "size"))
		}
		image, err := Build(files)
		if errors.Is(err, ErrPath) { // a file of one path is a directory of another
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		drive, err := iso9660.Read(memory{bytes.NewReader(image)}, int64(len(image)), 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range slices.Sorted(maps.Keys(files)) {
			f, err := drive.OpenFile("/"+name, os.O_RDONLY)
			if err != nil {
				t.Fatalf("open %q: %v", name, err)
			}
			if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, files[name]) {
				t.Fatalf("%q: %d bytes, %v; want %d", name, len(got), err, len(files[name]))
			}
		}
	})
}

// A memory is an image that go-diskfs can read.
type memory struct{ *bytes.Reader }

func (memory) Stat() (fs.FileInfo, error)              { return nil, errors.ErrUnsupported }
func (memory) Close() error                            { return nil }
func (memory) Sys() (*os.File, error)                  { return nil, errors.ErrUnsupported }
func (memory) Writable() (backend.WritableFile, error) { return nil, errors.ErrUnsupported }
func (memory) Path() string                            { return "" }
