package backend

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// A Disk is one disk of a node, as the deploy ramdisk sees it.
type Disk struct {
	Name        string // sda
	Bytes       int64
	WWN, Serial string
	Path        string `json:"-"` // the file that stands for it
}

// Disks lists a node's disks. They are there once the node has booted its ramdisk for the first time.
func (b *Backend) Disks(t testing.TB, node string) []Disk {
	t.Helper()
	var disks []Disk
	if err := json.Unmarshal(b.file(t, node, "disks.json"), &disks); err != nil {
		t.Fatal(err)
	}
	for i := range disks {
		disks[i].Path = filepath.Join(b.folder(node), disks[i].Name+".img")
	}
	return disks
}

// Disk is the file that stands for a disk ("sdc") of a node. A test may write to it before the node first boots.
func (b *Backend) Disk(t testing.TB, node, name string) string {
	t.Helper()
	if err := os.MkdirAll(b.folder(node), 0o700); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(b.folder(node), name+".img")
}

// ConfigDrive is the image of the config drive, unpacked, of a node's last deployment; nil if it had none.
func (b *Backend) ConfigDrive(t testing.TB, node string) []byte {
	t.Helper()
	return b.fileIf(t, node, "configdrive.iso")
}

// An InjectedFile is one that the deploy step inject_files wrote, or deleted.
type InjectedFile struct {
	Content []byte `json:"-"`
	Mode    string // octal, "0600"
	DirMode string `json:"dirmode"`
	Owner   string
	Group   string
	FromURL bool `json:"from_url"`
	Deleted bool
}

// Injected tells the files injected into a node's root file system since its last image, by absolute path.
func (b *Backend) Injected(t testing.TB, node string) map[string]InjectedFile {
	t.Helper()
	text := b.fileIf(t, node, "files.json")
	files := map[string]InjectedFile{}
	if text == nil {
		return files
	}
	if err := json.Unmarshal(text, &files); err != nil {
		t.Fatal(err)
	}
	for path, f := range files {
		if !f.Deleted {
			f.Content = b.file(t, node, filepath.Join("root", path))
			files[path] = f
		}
	}
	return files
}

// A RamdiskEvent is what happened to a node's deploy ramdisk: boot, command, done (a step), off.
type RamdiskEvent struct {
	Event  string
	Name   string // of the command or step
	Params map[string]any
	Error  string
}

// RamdiskLog lists what the conductor asked of a node's ramdisk, oldest first.
func (b *Backend) RamdiskLog(t testing.TB, node string) []RamdiskEvent {
	t.Helper()
	var events []RamdiskEvent
	for line := range bytes.Lines(b.fileIf(t, node, "commands.jsonl")) {
		var e RamdiskEvent
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

// Steps lists the names of the steps that a node's ramdisk has finished, oldest first, failed ones included.
func (b *Backend) Steps(t testing.TB, node string) []string {
	t.Helper()
	var names []string
	for _, e := range b.RamdiskLog(t, node) {
		if e.Event == "done" {
			names = append(names, e.Name)
		}
	}
	return names
}

// A RamdiskFault is something that shall go wrong on a server.
type RamdiskFault struct {
	Node    string `json:"node,omitempty"`     // UUID; empty: every node
	Step    string `json:"step,omitempty"`     // empty: every step
	Text    string `json:"text,omitempty"`     // the step fails with it
	DelayMS int    `json:"delay_ms,omitempty"` // the step takes that much longer
	Mute    bool   `json:"mute,omitempty"`     // the ramdisk never calls
	Times   int    `json:"times,omitempty"`    // zero: always
}

// FailRamdisk lets something go wrong until the test ends. A fault for every node hits those of parallel tests too.
func (b *Backend) FailRamdisk(t testing.TB, f RamdiskFault) {
	t.Helper()
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	b.ramdisk(t, http.MethodPost, "/faults", text)
	t.Cleanup(func() { b.MendRamdisk(t, f.Node) })
}

// FailStep lets a step ("write_image") fail on a node with this text, always.
func (b *Backend) FailStep(t testing.TB, node, step, text string) {
	t.Helper()
	b.FailRamdisk(t, RamdiskFault{Node: node, Step: step, Text: text})
}

// MendRamdisk removes the faults meant for a node; empty: all.
func (b *Backend) MendRamdisk(t testing.TB, node string) {
	t.Helper()
	b.ramdisk(t, http.MethodDelete, "/faults?node="+node, nil)
}

func (b *Backend) ramdisk(t testing.TB, method, path string, body []byte) {
	t.Helper()
	req, err := http.NewRequest(method, b.Env["IRONIC_RAMDISK_URL"]+path, bytes.NewReader(body)) //nolint:noctx // also in Cleanup
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Fatalf("ramdisk: %s %s: %s", method, path, resp.Status)
	}
}

func (b *Backend) folder(node string) string { return filepath.Join(b.Dir, "disks", node) }

func (b *Backend) file(t testing.TB, node, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(b.folder(node), name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// fileIf is file for one that may be missing.
func (b *Backend) fileIf(t testing.TB, node, name string) []byte {
	t.Helper()
	if _, err := os.Stat(filepath.Join(b.folder(node), name)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return b.file(t, node, name)
}
