//go:build integration

package acceptance

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/backend"
)

// createStemcell uploads an archive with some properties changed.
func (d *director) createStemcell(archive string, changes map[string]any) string {
	d.t.Helper()
	p := properties()
	maps.Copy(p, changes)
	return decode[string](d.t, d.must("create_stemcell", archive, p))
}

// rawImage is the disk of the small stemcell, and qcow2Image the same as its archive has it.
func rawImage(t testing.TB) string { return filepath.Join(filepath.Dir(imagePath(t)), "root.raw") }

func qcow2Image(t testing.TB) string { return filepath.Join(filepath.Dir(imagePath(t)), "root.img") }

// rawStemcell uploads the small stemcell as a raw image.
func (d *director) rawStemcell() string {
	d.t.Helper()
	file := filepath.Join(d.t.TempDir(), "image")
	if err := archive(file, rawImage(d.t)); err != nil {
		d.t.Fatal(err)
	}
	return d.createStemcell(file, map[string]any{"disk_format": "raw"})
}

// put stores a file among the stemcells, past the CPI.
func (d *director) put(name string, content []byte) {
	d.t.Helper()
	req, err := http.NewRequest(http.MethodPut, d.webdav.Images+name, bytes.NewReader(content))
	if err != nil {
		d.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	if _ = resp.Body.Close(); resp.StatusCode >= 300 {
		d.t.Fatalf("PUT %s: %s", name, resp.Status)
	}
}

// lightStemcell is one whose image somebody else has put there.
func (d *director) lightStemcell() string {
	d.t.Helper()
	content, err := os.ReadFile(qcow2Image(d.t))
	if err != nil {
		d.t.Fatal(err)
	}
	d.put("golden.qcow2", content)
	return d.createStemcell("/no/such/archive", map[string]any{
		"image_url": d.webdav.Images + "golden.qcow2", "image_checksum": fmt.Sprintf("%X", sha256.Sum256(content)),
	})
}

// foundingStemcell is one of the CPI of 2016: an image, and its MD5 beside it.
func (d *director) foundingStemcell() string {
	d.t.Helper()
	content, err := os.ReadFile(qcow2Image(d.t))
	if err != nil {
		d.t.Fatal(err)
	}
	const id = "stemcell_ubuntu-x86_64-3262.12"
	sum := md5.Sum(content)
	d.put(id+".qcow2", content)
	d.put(id+".meta", []byte(hex.EncodeToString(sum[:])+" bosh-openstack-kvm-ubuntu-trusty-go_agent\n"))
	return id
}

// stored gives what the repository holds of the test, by name.
func (d *director) stored() map[string]string {
	d.t.Helper()
	all := map[string]string{}
	for _, f := range d.webdav.Files(d.t) {
		content, err := os.ReadFile(filepath.Join(d.webdav.Dir, f))
		if err != nil {
			d.t.Fatal(err)
		}
		all[filepath.Base(f)] = string(content)
	}
	return all
}

// Stemcells come, come again and go; B17: two of one version and distribution were one.
func TestB17LifeOfStemcells(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t))
	content, err := os.ReadFile(qcow2Image(t))
	if err != nil {
		t.Fatal(err)
	}
	first := d.stemcell()
	files := d.stored()
	if files[first+".qcow2"] != string(content) || files[first+".json"] == "" || len(files) != 3 {
		t.Errorf("stored are %v; want the image and two descriptions", slices.Sorted(maps.Keys(files)))
	}
	sum := md5.Sum(content)
	if word, _, _ := strings.Cut(files[first+".meta"], " "); word != hex.EncodeToString(sum[:]) {
		t.Errorf(".meta begins with %q; want the MD5 %x", word, sum)
	}
	d.webdav.Proxy.Reset()
	if again := d.stemcell(); again != first || !maps.Equal(d.stored(), files) {
		t.Errorf("uploaded again, %s is %s, and stored are %v", first, again, slices.Sorted(maps.Keys(d.stored())))
	}
	if n := d.webdav.Proxy.Count(http.MethodPut, ".qcow2"); n > 0 {
		t.Errorf("uploaded again, the image was replaced %d times", n)
	}

	noble := d.createStemcell(imagePath(t), map[string]any{"name": "bosh-openstack-kvm-ubuntu-noble"})
	raw := d.rawStemcell()
	if cids := []string{first, noble, raw}; len(slices.Compact(slices.Sorted(slices.Values(cids)))) != len(cids) {
		t.Errorf("three stemcells are %v", cids)
	}
	if d.stored()[raw+".raw"] == "" {
		t.Errorf("no raw image among %v", slices.Sorted(maps.Keys(d.stored())))
	}
	d.must("delete_stemcell", first)
	if left := d.stored(); len(left) != 6 || left[noble+".qcow2"] == "" || left[raw+".raw"] == "" {
		t.Errorf("after the first one went, stored are %v", slices.Sorted(maps.Keys(left)))
	}
	message := d.fails("CloudError", false, "create_vm", d.arguments(vmSpec{stemcell: first})...)
	if !strings.Contains(message, first) || !strings.Contains(message, "upload the stemcell again") {
		t.Errorf("a VM of a deleted stemcell: %s", message)
	}
	light, founding := d.lightStemcell(), d.foundingStemcell()
	for _, cid := range []string{first, noble, raw, light, founding, raw, "never-heard-of"} {
		d.must("delete_stemcell", cid)
	}
	if left := slices.Collect(maps.Keys(d.stored())); !slices.Equal(left, []string{"golden.qcow2"}) {
		t.Errorf("in the end, stored are %v; want somebody else's image", left)
	}
}

// What is no stemcell gets an answer that says why, and leaves nothing.
func TestStemcellsThatAreNone(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t))
	whole, err := os.ReadFile(imagePath(t))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(rawImage(t))
	if err != nil {
		t.Fatal(err)
	}
	light := map[string]any{"image_url": "https://images.example.com/golden.qcow2"}
	tests := []struct {
		name       string
		archive    []byte
		properties map[string]any
		want       string
	}{
		{name: "cut off", archive: whole[:len(whole)*2/3], want: "archive not readable"},
		{name: "no archive", archive: []byte("<html>404</html>"), want: "archive not readable"},
		{name: "empty", want: "no root.img in the stemcell archive"},
		{name: "without an image", archive: packed(t, "readme", []byte("hello")), want: "no root.img in the stemcell archive"},
		{name: "above its folder", archive: packed(t, "../../root.img", raw), want: "archive not safe"},
		{name: "at the root", archive: packed(t, "/etc/cron.d/x", []byte("x")), want: "archive not safe"},
		{name: "not what it says", archive: packed(t, "root.img", raw[:1<<20]), want: "disk_format says qcow2"},
		{name: "damaged", archive: packed(t, "root.img", []byte("QFI\xfb\x00\x00\x00\x03")), want: "header ends after 8 bytes"},
		{name: "of another kind", archive: whole, properties: map[string]any{"disk_format": "vmdk"}, want: `disk_format "vmdk"`},
		{name: "light without checksum", properties: light, want: "an image_url needs a checksum"},
	}
	for _, tt := range tests {
		file := filepath.Join(t.TempDir(), "image")
		if err := os.WriteFile(file, tt.archive, 0o600); err != nil {
			t.Fatal(err)
		}
		p := properties()
		maps.Copy(p, tt.properties)
		if message := d.fails("CloudError", false, "create_stemcell", file, p); !strings.Contains(message, tt.want) {
			t.Errorf("%s: %q is not in %q", tt.name, tt.want, message)
		}
		if left := d.webdav.Files(t); len(left) > 0 {
			t.Errorf("%s: left in the repository: %v", tt.name, left)
		}
	}
	if message := d.fails("CloudError", false, "create_stemcell", "/no/such/file", properties()); !strings.Contains(message, "/no/such/file") {
		t.Errorf("a file that is not there: %s", message)
	}
}

// packed is an archive with one member of any name.
func packed(t testing.TB, name string, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	pack := tar.NewWriter(zip)
	if err := pack.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
		t.Fatal(err)
	}
	if _, err := pack.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := pack.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
