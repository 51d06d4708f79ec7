package stemcell_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"bosh-ironic-cpi/src/stemcell"
)

var good = header{version: 3, clusterBits: 16, size: 5 << 30}.qcow2()

// keep returns a sink and where it puts what it reads.
func keep() (func(io.Reader, int64) error, *bytes.Buffer) {
	var b bytes.Buffer
	return func(r io.Reader, size int64) error {
		n, err := b.ReadFrom(r)
		if err == nil && n != size {
			return fmt.Errorf("announced %d bytes, sent %d", size, n)
		}
		return err
	}, &b
}

func describe(data string, format string, virtual int64) stemcell.Image {
	return stemcell.Image{
		Format: format, Size: int64(len(data)), VirtualSize: virtual,
		MD5:    fmt.Sprintf("%x", md5.Sum([]byte(data))),
		SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(data))),
		SHA512: fmt.Sprintf("%x", sha512.Sum512([]byte(data))),
	}
}

func TestRead(t *testing.T) {
	defer goleak.VerifyNone(t)
	large := good + strings.Repeat("0123456789abcdef", 1<<18) // 4 MiB and a bit: more than the pipeline holds
	tests := []struct {
		name, format, data string
		plain              bool
		before, after      []entry
		want               stemcell.Image
	}{
		{name: "qcow2", format: "qcow2", data: good, want: describe(good, "qcow2", 5<<30)},
		{name: "plain tar", format: "qcow2", data: good, plain: true, want: describe(good, "qcow2", 5<<30)},
		{name: "format from content", data: good, want: describe(good, "qcow2", 5<<30)},
		{name: "raw", format: "raw", data: "x", want: describe("x", "raw", 1)},
		{name: "raw from content", data: "x", want: describe("x", "raw", 1)},
		{name: "large", format: "qcow2", data: large, want: describe(large, "qcow2", 5<<30)},
		{
			name: "other members", format: "raw", data: "x", want: describe("x", "raw", 1),
			before: []entry{{name: "README", data: "hello"}, {name: "d/", kind: tar.TypeDir}, {name: "d/root.img", data: "no"}},
			after:  []entry{{name: "d/after", data: "bye"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			archive := tarOf(t, append(append(tt.before, entry{name: "./root.img", data: tt.data}), tt.after...)...)
			if !tt.plain {
				archive = gzipped(t, archive)
			}
			sink, sent := keep()
			got, err := stemcell.Read(t.Context(), file(t, archive), tt.format, sink)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("Read() (-want +got):\n%s", d)
			}
			if sent.String() != tt.data {
				t.Errorf("sink got %d bytes; want the %d of root.img", sent.Len(), len(tt.data))
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	defer goleak.VerifyNone(t)
	img := entry{name: "root.img", data: good}
	tests := []struct {
		name    string
		members []entry
		format  string
		cut     int // bytes to leave out at the end of the compressed archive
		want    error
		sunk    bool // the image reaches the sink before the fault is met
	}{
		{name: "no image", members: []entry{{name: "other", data: "x"}}, want: stemcell.ErrNoImage},
		{name: "empty archive", want: stemcell.ErrNoImage},
		{name: "empty image", members: []entry{{name: "root.img"}}, want: stemcell.ErrEmpty},
		{name: "image is a folder", members: []entry{{name: "root.img", kind: tar.TypeDir}}, want: stemcell.ErrNoImage},
		{name: "image is a link", members: []entry{{name: "root.img", kind: tar.TypeSymlink, link: "/etc/shadow"}}, want: stemcell.ErrUnsafe},
		{name: "image is a hard link", members: []entry{{name: "root.img", kind: tar.TypeLink, link: "x"}}, want: stemcell.ErrUnsafe},
		{name: "image is a device", members: []entry{{name: "root.img", kind: tar.TypeChar}}, want: stemcell.ErrNoImage},
		{name: "link elsewhere", members: []entry{{name: "a", kind: tar.TypeSymlink, link: ".."}, img}, want: stemcell.ErrUnsafe},
		{name: "absolute name", members: []entry{{name: "/root.img", data: good}}, want: stemcell.ErrUnsafe},
		{name: "dot dot", members: []entry{{name: "../root.img", data: good}}, want: stemcell.ErrUnsafe},
		{name: "dot dot inside", members: []entry{{name: "a/../../root.img", data: good}}, want: stemcell.ErrUnsafe},
		{name: "dot dot behind the image", members: []entry{img, {name: "./../x", data: "x"}}, want: stemcell.ErrUnsafe, sunk: true},
		{name: "two images", members: []entry{img, img}, want: stemcell.ErrDuplicate, sunk: true},
		{name: "cut off at the end", members: []entry{img}, cut: 5, want: stemcell.ErrArchive, sunk: true},
		{name: "cut off in the image", members: []entry{img}, cut: 70, want: stemcell.ErrArchive},
		{name: "unknown format", members: []entry{img}, format: "vmdk", want: stemcell.ErrFormat},
		{name: "raw that is qcow2", members: []entry{img}, format: "raw", want: stemcell.ErrFormat},
		{name: "qcow2 that is raw", members: []entry{{name: "root.img", data: "\xeb\x63\x90"}}, format: "qcow2", want: stemcell.ErrFormat},
		{name: "short header", members: []entry{{name: "root.img", data: good[:80]}}, want: stemcell.ErrImage},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			archive := gzipped(t, tarOf(t, tt.members...))
			path := file(t, archive[:len(archive)-tt.cut])
			sink, sent := keep()
			_, err := stemcell.Read(t.Context(), path, tt.format, sink)
			if !errors.Is(err, tt.want) {
				t.Errorf("Read() error = %v; want %v", err, tt.want)
			}
			if !strings.Contains(fmt.Sprint(err), path) {
				t.Errorf("error %q does not name the archive", err)
			}
			if sunk := sent.Len() > 0; sunk != tt.sunk {
				t.Errorf("sink got %d bytes", sent.Len())
			}
		})
	}
}

func TestReadRefusesWhatIsNoArchive(t *testing.T) {
	tests := []struct{ name, content string }{
		{"empty", ""},
		{"text", strings.Repeat("no tar\n", 1000)},
		{"gzip of text", string(gzipped(t, []byte(strings.Repeat("no tar\n", 1000))))},
		{"gzip magic only", "\x1f\x8b"},
		{"an image", good + strings.Repeat("x", 1000)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sink, _ := keep()
			_, err := stemcell.Read(t.Context(), file(t, []byte(tt.content)), "", sink)
			if !errors.Is(err, stemcell.ErrArchive) && !errors.Is(err, stemcell.ErrNoImage) {
				t.Errorf("Read() error = %v; want ErrArchive", err)
			}
		})
	}
	sink, _ := keep()
	if _, err := stemcell.Read(t.Context(), filepath.Join(t.TempDir(), "none"), "", sink); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Read() of no file: %v", err)
	}
}

// noise is an archive of n bytes that do not compress, so that it can be cut at many places.
func noise(t testing.TB, n int) (archive []byte, data string) {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	tt, ok := t.(*testing.T)
	if !ok {
		panic("want a test")
	}
	return gzipped(tt, tarOf(tt, entry{name: "root.img", data: string(b)})), string(b)
}

func TestReadNoticesEveryCut(t *testing.T) {
	defer goleak.VerifyNone(t)
	whole, data := noise(t, 1<<20)
	path := filepath.Join(t.TempDir(), "image")
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(0, len(whole)-1).Draw(rt, "length")
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			rt.Fatal(err)
		}
		sink, sent := keep()
		if _, err := stemcell.Read(t.Context(), path, "", sink); !errors.Is(err, stemcell.ErrArchive) && !errors.Is(err, stemcell.ErrNoImage) {
			rt.Fatalf("Read() of %d of %d bytes: %v; want ErrArchive", n, len(whole), err)
		}
		if !strings.HasPrefix(data, sent.String()) {
			rt.Fatal("sink got other bytes than the image's")
		}
	})
}

func TestReadNoticesChangedBytes(t *testing.T) {
	whole, _ := noise(t, 1<<20)
	whole[len(whole)/2] ^= 1
	sink, _ := keep()
	if _, err := stemcell.Read(t.Context(), file(t, whole), "", sink); !errors.Is(err, stemcell.ErrArchive) {
		t.Errorf("Read() = %v; want ErrArchive", err)
	}
}

func TestReadEndsWithTheContext(t *testing.T) {
	defer goleak.VerifyNone(t)
	whole, _ := noise(t, 16<<20)
	path := file(t, whole)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := stemcell.Read(ctx, path, "", func(r io.Reader, _ int64) error {
		_, _ = r.Read(make([]byte, 100))
		cancel()
		_, err := io.Copy(io.Discard, r)
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Read() = %v; want context.Canceled", err)
	}
	sink, _ := keep()
	if _, err := stemcell.Read(ctx, path, "", sink); !errors.Is(err, context.Canceled) {
		t.Errorf("Read() with a context that has ended = %v", err)
	}
}

func TestReadPassesOnTheSinksError(t *testing.T) {
	defer goleak.VerifyNone(t)
	whole, _ := noise(t, 16<<20)
	path := file(t, whole)
	full := errors.New("disk is full")
	_, err := stemcell.Read(t.Context(), path, "", func(r io.Reader, _ int64) error {
		_, _ = io.CopyN(io.Discard, r, 5<<20)
		return full
	})
	if !errors.Is(err, full) {
		t.Errorf("Read() = %v; want %v", err, full)
	}
	_, err = stemcell.Read(t.Context(), path, "", func(io.Reader, int64) error { return nil })
	if err == nil {
		t.Error("a sink that reads nothing is taken for one that stored the image")
	}
	_, err = stemcell.Read(t.Context(), path, "", func(r io.Reader, size int64) error {
		_, err := io.CopyN(io.Discard, r, size) // never sees io.EOF
		return err
	})
	if err != nil {
		t.Errorf("Read() with a sink that counts = %v", err)
	}
}

// TestReadAsTarDoes reads what GNU tar and qemu-img write, sparse archives included.
func TestReadAsTarDoes(t *testing.T) {
	for _, tool := range []string{"qemu-img", "tar"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal("install qemu-utils and tar")
			}
			t.Skip("install qemu-utils and tar")
		}
	}
	tests := []struct {
		name, compat, tar string
	}{
		{"v2", "0.10", "-czf"},
		{"v3", "1.1", "-czf"},
		{"sparse", "1.1", "-Sczf"},
		{"posix", "1.1", "--format=posix -czf"},
		{"plain", "0.10", "-cf"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			run(t, dir, "qemu-img", "create", "-q", "-f", "qcow2", "-o", "compat="+tt.compat, "root.img", "3G")
			run(t, dir, "tar", append(strings.Fields(tt.tar), "image", "root.img")...)
			data, err := os.ReadFile(filepath.Join(dir, "root.img"))
			if err != nil {
				t.Fatal(err)
			}
			sink, _ := keep()
			got, err := stemcell.Read(t.Context(), filepath.Join(dir, "image"), "qcow2", sink)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(describe(string(data), "qcow2", 3<<30), got); d != "" {
				t.Errorf("Read() (-want +got):\n%s", d)
			}
		})
	}
}

func run(t testing.TB, dir, name string, args ...string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", c, err, out)
	}
}
