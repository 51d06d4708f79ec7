package stemcell_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// entry is a member of an archive made for a test.
type entry struct {
	name string
	data string
	kind byte   // tar.TypeReg if zero
	link string // for links
}

// tarOf returns a tar archive of entries.
func tarOf(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: 0o644, Typeflag: e.kind, Linkname: e.link, Size: int64(len(e.data))}
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// gzipped returns b, compressed.
func gzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// file writes b to a new file and returns its path.
func file(t *testing.T, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// header is the part of a qcow2 header that is looked at.
type header struct {
	version, clusterBits, crypt uint32
	backing, size, incompatible uint64
}

// qcow2 returns the first 104 bytes of an image.
func (h header) qcow2() string {
	b := append([]byte("QFI\xfb"), make([]byte, 100)...)
	binary.BigEndian.PutUint32(b[4:], h.version)
	binary.BigEndian.PutUint64(b[8:], h.backing)
	binary.BigEndian.PutUint32(b[20:], h.clusterBits)
	binary.BigEndian.PutUint64(b[24:], h.size)
	binary.BigEndian.PutUint32(b[32:], h.crypt)
	binary.BigEndian.PutUint64(b[72:], h.incompatible)
	return string(b)
}
