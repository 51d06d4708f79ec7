//go:build integration

package acceptance

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/agentenv"
	"bosh-ironic-cpi/src/backend"
)

// A stemcell's image, its .meta and its sidecar are uploaded, each by PUT and MOVE, in this order. Whichever goes
// wrong, the error says how, and the server holds nothing of the stemcell afterwards.
func TestFaultsOfWebDAVInCreateStemcell(t *testing.T) {
	t.Parallel()
	put := func(skip int, f backend.Fault) backend.Fault { f.Method, f.Skip = http.MethodPut, skip; return f }
	move := func(skip int, f backend.Fault) backend.Fault { f.Method, f.Skip = "MOVE", skip; return f }
	refuse := func(status int) backend.Fault { return backend.Fault{Status: status} }
	tests := []struct {
		name  string
		fault backend.Fault
		kind  string
		retry bool
	}{
		{name: "401 at once", fault: refuse(http.StatusUnauthorized), kind: "CpiError"},
		{name: "401", fault: put(0, refuse(http.StatusUnauthorized)), kind: "CpiError"},
		{name: "403", fault: put(0, refuse(http.StatusForbidden)), kind: "CpiError"},
		{name: "full", fault: put(0, refuse(http.StatusInsufficientStorage)), kind: "CloudError"},
		{name: "too large", fault: put(0, refuse(http.StatusRequestEntityTooLarge)), kind: "CloudError"},
		{name: "503", fault: put(0, refuse(http.StatusServiceUnavailable)), kind: "CloudError", retry: true},
		{name: "dies in mid-upload", fault: put(0, backend.Fault{AfterBytes: 100_000}), kind: "CloudError", retry: true},
		{name: "closed before", fault: put(0, backend.Fault{CloseBefore: true}), kind: "CloudError", retry: true},
		{name: "closed after", fault: put(0, backend.Fault{CloseAfter: true}), kind: "CloudError", retry: true},
		{name: "full at the .meta", fault: put(1, refuse(http.StatusInsufficientStorage)), kind: "CloudError"},
		{name: "full at the sidecar", fault: put(2, refuse(http.StatusInsufficientStorage)), kind: "CloudError"},
		{name: "no name for the image", fault: move(0, refuse(http.StatusForbidden)), kind: "CpiError"},
		{name: "no name for the .meta", fault: move(1, refuse(http.StatusForbidden)), kind: "CpiError"},
		{name: "no name for the sidecar", fault: move(2, refuse(http.StatusForbidden)), kind: "CpiError"},
		{name: "closed at the sidecar", fault: move(2, backend.Fault{CloseBefore: true}), kind: "CloudError", retry: true},
	}
	d := newDirector(t, backend.Start(t))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := *d
			d.t = t
			rule := d.webdav.Proxy.Fail(tt.fault)
			d.fails(tt.kind, tt.retry, "create_stemcell", imagePath(t), properties())
			if rule.Hits() == 0 {
				t.Error("create_stemcell sent no such request")
			}
			rule.Remove()
			if files := d.webdav.Files(t); len(files) > 0 {
				t.Errorf("left in the repository: %v", files)
			}
		})
	}

	// Once each answer is lost that can be asked for again, all is well.
	d.webdav.Proxy.Fail(backend.Fault{Method: "MOVE", CloseAfter: true, Times: 1})
	d.webdav.Proxy.Fail(backend.Fault{Method: "MKCOL", CloseAfter: true, Times: 1})
	cid := d.stemcell()
	if files := d.webdav.Files(t); len(files) != 3 {
		t.Errorf("the repository holds %v; want image, .meta and sidecar", files)
	}
	// A stemcell that is there is not harmed by an upload that fails.
	rule := d.webdav.Proxy.Fail(backend.Fault{Method: http.MethodPut, AfterBytes: 100_000})
	d.fails("CloudError", true, "create_stemcell", imagePath(t), properties())
	rule.Remove()
	if files := d.webdav.Files(t); len(files) != 3 {
		t.Errorf("the repository holds %v; want image, .meta and sidecar", files)
	}
	for _, fault := range []backend.Fault{refuse(http.StatusForbidden), {CloseBefore: true}} {
		fault.Method = http.MethodDelete
		rule := d.webdav.Proxy.Fail(fault)
		d.fails(map[bool]string{true: "CloudError", false: "CpiError"}[fault.CloseBefore], fault.CloseBefore, "delete_stemcell", cid)
		rule.Remove()
	}
	d.must("delete_stemcell", cid)
	if files := d.webdav.Files(t); len(files) > 0 {
		t.Errorf("left in the repository: %v", files)
	}
}

// The settings cannot be stored, the stemcell's description not be read, or what the server has read cannot be
// deleted: create_vm gives the node back as it was.
func TestFaultsOfWebDAVInCreateVM(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	v := s.vm()
	v.stemcell = s.stemcell()
	metadata := func(method string, f backend.Fault) backend.Fault {
		f.Method, f.PathContains = method, "/metadata/"
		return f
	}
	refuse := func(method string, status int) backend.Fault { return metadata(method, backend.Fault{Status: status}) }
	tests := []struct {
		name  string
		fault backend.Fault
		kind  string
		retry bool
		early bool // before a node is looked for
	}{
		{name: "no description", fault: backend.Fault{Method: http.MethodGet, PathContains: "/images/", Status: 503}, kind: "CloudError", retry: true, early: true},
		{name: "description refused", fault: backend.Fault{Method: http.MethodGet, PathContains: "/images/", Status: 401}, kind: "CpiError", early: true},
		{name: "401", fault: refuse(http.MethodPut, http.StatusUnauthorized), kind: "CpiError"},
		{name: "403", fault: refuse(http.MethodPut, http.StatusForbidden), kind: "CpiError"},
		{name: "full", fault: refuse(http.MethodPut, http.StatusInsufficientStorage), kind: "VMCreationFailed"},
		{name: "503", fault: refuse(http.MethodPut, http.StatusServiceUnavailable), kind: "VMCreationFailed", retry: true},
		{name: "dies in mid-upload", fault: metadata(http.MethodPut, backend.Fault{AfterBytes: 100}), kind: "VMCreationFailed", retry: true},
		{name: "closed before", fault: metadata(http.MethodPut, backend.Fault{CloseBefore: true}), kind: "VMCreationFailed", retry: true},
		{name: "closed after", fault: metadata(http.MethodPut, backend.Fault{CloseAfter: true}), kind: "VMCreationFailed", retry: true},
		{name: "no name", fault: refuse("MOVE", http.StatusForbidden), kind: "CpiError"},
	}
	for _, tt := range tests {
		rule := s.webdav.Proxy.Fail(tt.fault)
		message := s.fails(tt.kind, tt.retry, "create_vm", s.arguments(v)...)
		if rule.Hits() == 0 || strings.Contains(message, "could not undo") {
			t.Errorf("%s: %d hits: %s", tt.name, rule.Hits(), message)
		}
		rule.Remove()
		if failed := s.failedNote(t, s.node); tt.early != (failed == nil) {
			t.Errorf("%s: the node's note is %v", tt.name, failed)
		}
		s.backend.Patch(t, s.node, "/extra", map[string]any{})
		s.check(t)
	}

	// The settings stay readable: no VM, and what could not be undone is said.
	rule := s.webdav.Proxy.Fail(refuse(http.MethodDelete, http.StatusForbidden))
	message := s.fails("CpiError", false, "create_vm", s.arguments(v)...)
	rule.Remove()
	if !strings.Contains(message, "could not undo") {
		t.Errorf("nothing is said of the settings that stay: %s", message)
	}
	cid := s.create(v) // the same agent: what the first left is vacated
	rule = s.webdav.Proxy.Fail(metadata(http.MethodDelete, backend.Fault{CloseBefore: true}))
	s.fails("CloudError", true, "delete_vm", cid)
	rule.Remove()
	s.must("delete_vm", cid)
	s.check(t)
}

// A repository behind a password, for reading too, as the founding job set it up. B13: the CPI reads the
// stemcell's .meta with it. B23: Ironic fetches image and config drive with it.
func TestB13B23RepositoryBehindAPassword(t *testing.T) {
	t.Parallel()
	const user, password = "bosh", "p@ss/w0rd 100%?#&+"
	w := backend.StartWebDAVAuth(t, user+":"+password)
	w.Proxy.Fail(backend.Fault{Status: http.StatusUnauthorized, Match: func(r *http.Request) bool {
		name, word, _ := r.BasicAuth()
		return name != user || word != password
	}})
	account := map[string]any{"username": user, "password": password}
	d := newDirector(t, backend.Start(t), map[string]any{
		"repository": map[string]any{"stemcells": account, "metadata": account},
		"agent":      map[string]any{"settings_delivery": "config_drive"},
	})
	d.webdav = w
	backend.Overlay(d.config, map[string]any{"repository": map[string]any{
		"stemcells": map[string]any{"url": w.Images}, "metadata": map[string]any{"url": w.Metadata},
	}})
	node := d.node(backend.NodeSpec{Name: d.class, Properties: map[string]any{"disks": []any{
		map[string]any{"name": "/dev/sda", "size_gb": 1, "root": true}, map[string]any{"name": "/dev/sdb", "size_gb": 1},
	}}})

	wrong := d.with(map[string]any{"repository": map[string]any{
		"stemcells": map[string]any{"password": "wrong"}, "metadata": map[string]any{"password": "wrong"},
	}})
	wrong.fails("CpiError", false, "create_stemcell", imagePath(t), properties())
	stemcell := d.stemcell()
	wrong.fails("CpiError", false, "create_vm", wrong.arguments(vmSpec{stemcell: stemcell})...)

	agent := "agent-of-the-drive"
	cid, _ := d.createVM(vmSpec{stemcell: stemcell, agent: agent})
	d.wantImage(node)
	if d.backend.ConfigDrive(t, node) == nil || d.settingsOn(node)["agent_id"] != agent {
		t.Errorf("the config drive did not arrive")
	}
	d.must("delete_vm", cid)

	// The sidecar is gone: the .meta of the CPI of 2016 is all that tells the checksum. B13.
	for _, f := range w.Files(t) {
		if strings.HasSuffix(f, ".json") {
			if err := os.Remove(filepath.Join(w.Dir, f)); err != nil {
				t.Fatal(err)
			}
		}
	}
	injecting := d.with(map[string]any{"agent": map[string]any{"settings_delivery": "inject"}})
	cid, _ = injecting.createVM(vmSpec{stemcell: stemcell, agent: "agent-injected"})
	d.wantImage(node)
	if _, ok := d.backend.Injected(t, node)[agentenv.SettingsPath]; !ok || d.settingsOn(node)["agent_id"] != "agent-injected" {
		t.Errorf("the settings were not injected")
	}
	d.must("delete_vm", cid)

	// Ironic cannot fetch the image. Its words hold the address, and the address the password.
	w.Proxy.Fail(backend.Fault{PathContains: ".qcow2", Status: http.StatusNotFound})
	a := d.call("create_vm", d.arguments(vmSpec{stemcell: stemcell})...)
	if a.Error == nil || a.Error.Type != "Bosh::Clouds::VMCreationFailed" || !strings.Contains(a.Error.Message, "404") {
		t.Errorf("create_vm without an image: %+v", a.Error)
	}
	a.wantWithout(t, password)
	if text := fmt.Sprint(d.backend.Node(t, node)["extra"]); holds(text, password) {
		t.Errorf("the node's document holds the password: %s", text)
	}
	d.wantFree(node, "available")
	if files := w.Files(t); len(files) != 2 {
		t.Errorf("the repository holds %v; want image and .meta", files)
	}
}

// wantImage checks that the small stemcell, a disk with a partition table, is on the node's root disk.
func (d *director) wantImage(node string) {
	d.t.Helper()
	disk, err := os.Open(d.backend.Disk(d.t, node, "sda"))
	if err != nil {
		d.t.Fatal(err)
	}
	defer disk.Close()
	sector := make([]byte, 512)
	if _, err := disk.ReadAt(sector, 0); err != nil {
		d.t.Fatal(err)
	}
	if !bytes.HasSuffix(sector, []byte{0x55, 0xaa}) {
		d.t.Error("there is no partition table on the root disk: the image was not written")
	}
}

// holds reports whether a secret is in text, plain or as it stands in URLs.
func holds(text, secret string) bool {
	for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), url.UserPassword("", secret).String()[1:]} {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}
