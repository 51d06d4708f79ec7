package stemcell_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/stemcell"
)

// writeArchive writes an archive with a raw image of n bytes that compresses to about half, as stemcells do:
// blocks of noise, of text and of zeros in turn.
func writeArchive(t testing.TB, n int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	buffered := bufio.NewWriterSize(f, 1<<20)
	packed, err := gzip.NewWriterLevel(buffered, 4)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(packed)
	if err := w.WriteHeader(&tar.Header{Name: "root.img", Mode: 0o644, Size: n}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(w, &content{noise: rand.NewChaCha8([32]byte{7})}, n); err != nil {
		t.Fatal(err)
	}
	for _, end := range []func() error{w.Close, packed.Close, buffered.Flush} {
		if err := end(); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// content is an endless image.
type content struct {
	noise *rand.ChaCha8
	block int
}

var words = strings.Fields("the quick brown fox jumps over a lazy dog /usr/lib/x86_64-linux-gnu/libc.so.6 0x7f #include int return")

func (c *content) Read(p []byte) (int, error) {
	p = p[:min(len(p), 4096)]
	switch c.block++; c.block % 8 {
	case 0, 1, 2:
		return c.noise.Read(p)
	case 7:
		clear(p)
		return len(p), nil
	}
	text := p[:0]
	for len(text) < len(p)-40 {
		text = append(append(text, words[c.noise.Uint64()%uint64(len(words))]...), ' ')
	}
	return len(text), nil
}

// BenchmarkRead measures unpacking and digests alone: the sink throws the image away. "tar" is what GNU tar
// and gzip need for the same archive without digests, for comparison.
func BenchmarkRead(b *testing.B) {
	const size = 256 << 20
	path := writeArchive(b, size)
	b.Run("Read", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			_, err := stemcell.Read(b.Context(), path, "raw", func(r io.Reader, _ int64) error {
				_, err := io.Copy(io.Discard, r)
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("tar", func(b *testing.B) {
		if _, err := exec.LookPath("tar"); err != nil {
			b.Skip("install tar")
		}
		b.SetBytes(size)
		for b.Loop() {
			run(b, ".", "sh", "-c", "exec tar -xzOf \"$1\" root.img >/dev/null", "sh", path)
		}
	})
}

// TestReadKeepsLittleInMemory bounds all that is ever allocated, and so the peak: 256 MiB go through 16.
func TestReadKeepsLittleInMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 256 MiB")
	}
	const size, most = 256 << 20, 16 << 20
	path := filepath.Join(t.TempDir(), "image")
	var head bytes.Buffer
	if err := tar.NewWriter(&head).WriteHeader(&tar.Header{Name: "root.img", Mode: 0o644, Size: size}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, head.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(head.Len())+size+1024); err != nil { // zeros, and the end of the archive
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := stemcell.Read(t.Context(), path, "raw", func(r io.Reader, _ int64) error {
		_, err := io.Copy(io.Discard, r)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > most {
		t.Errorf("Read() of 256 MiB allocated %d MiB; want %d at most", got>>20, most>>20)
	}
}
