// Package repositorytest is what every [repository.Store] must do, as tests. A store's own test file holds a
// [Rig] and what is special about it; a fault found in one store becomes a case here, for all.
package repositorytest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"bosh-ironic-cpi/src/repository"
)

// A Rig is one kind of store.
type Rig struct {
	// Open returns an empty store and the local folder where its files end up, "" when there is none to
	// look into: then nobody checks what failed uploads leave.
	Open func(t *testing.T) (store repository.Store, folder string)

	// ReplacesAtOnce says that a reader never sees a key vanish while it gets a new file. Without it that
	// case is skipped.
	ReplacesAtOnce bool
}

// Run runs the suite.
func Run(t *testing.T, rig Rig) {
	cases := []struct {
		name string
		test func(*testing.T, far)
	}{
		{"RoundTrip", roundTrip},
		{"Keys", keys},
		{"BadKeys", badKeys},
		{"Range", ranges},
		{"NotFound", notFound},
		{"Overwrite", overwrite},
		{"OverwriteAtOnce", overwriteAtOnce},
		{"Delete", deleting},
		{"Discard", discard},
		{"CommitInTheWay", commitInTheWay},
		{"WrongLength", wrongLength},
		{"BrokenReader", brokenReader},
		{"Cancelled", cancelled},
		{"CancelledInUpload", cancelledInUpload},
		{"Together", together},
		{"URL", addresses},
		{"LargeFile", largeFile},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			store, folder := rig.Open(t)
			before := goleak.IgnoreCurrent()
			c.test(t, far{Store: store, folder: folder, rig: rig})
			if s, ok := store.(interface{ Close() }); ok {
				s.Close()
			}
			goleak.VerifyNone(t, before)
		})
	}
}

// far is the store under test.
type far struct {
	repository.Store
	folder string
	rig    Rig
}

// put stores content under key.
func (f far) put(t *testing.T, key, content string) {
	t.Helper()
	draft, err := f.Upload(t.Context(), strings.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatalf("Upload of %d bytes: %v", len(content), err)
	}
	if err := draft.Commit(t.Context(), key); err != nil {
		t.Fatalf("Commit(%q): %v", key, err)
	}
}

// get returns a part of what is stored under key.
func (f far) get(t *testing.T, key string, offset, length int64) string {
	t.Helper()
	r, err := f.Open(t.Context(), key, offset, length)
	if err != nil {
		t.Fatalf("Open(%q, %d, %d): %v", key, offset, length, err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("reading %q from %d: %v", key, offset, err)
	}
	return string(b)
}

// want checks the whole of a file.
func (f far) want(t *testing.T, key, content string) {
	t.Helper()
	if got := f.get(t, key, 0, -1); got != content {
		t.Errorf("%q holds %d bytes, %.40q; want %d, %.40q", key, len(got), got, len(content), content)
	}
}

// missing checks that there is no such file.
func (f far) missing(t *testing.T, key string) {
	t.Helper()
	if _, err := f.Stat(t.Context(), key); !errors.Is(err, repository.ErrNotFound) {
		t.Errorf("Stat(%q) = %v; want ErrNotFound", key, err)
	}
	r, err := f.Open(t.Context(), key, 0, -1)
	if err == nil {
		_ = r.Close()
	}
	if !errors.Is(err, repository.ErrNotFound) {
		t.Errorf("Open(%q) = %v; want ErrNotFound", key, err)
	}
}

// onlyFiles checks that the store's folder holds these keys and no temporary files.
func (f far) onlyFiles(t *testing.T, keys ...string) {
	t.Helper()
	if f.folder == "" {
		return
	}
	got := []string{}
	err := filepath.WalkDir(f.folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			path, err = filepath.Rel(f.folder, path)
			got = append(got, filepath.ToSlash(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	slices.Sort(keys)
	if !slices.Equal(got, keys) {
		t.Errorf("the store's folder holds %q; want %q", got, keys)
	}
}

// A supervised reader fails the test when it is read after its upload has ended.
type supervised struct {
	t    *testing.T
	r    io.Reader
	over chan struct{}
}

func supervise(t *testing.T, r io.Reader) *supervised {
	return &supervised{t: t, r: r, over: make(chan struct{})}
}

// Read implements io.Reader.
func (s *supervised) Read(p []byte) (int, error) {
	select {
	case <-s.over:
		s.t.Error("the reader is used after Upload has returned")
	default:
	}
	return s.r.Read(p)
}

// fails uploads from r, wants an error, and returns it.
func (f far) fails(ctx context.Context, t *testing.T, r io.Reader, size int64) error {
	t.Helper()
	s := supervise(t, r)
	draft, err := f.Upload(ctx, s, size)
	close(s.over)
	if err == nil {
		t.Errorf("Upload succeeded")
		_ = draft.Discard(t.Context())
	}
	return err
}

// pattern is n bytes that tell where they are.
func pattern(n int) string {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		b.WriteString(strings.Repeat(string(rune('a'+i%26)), 1+i%7))
	}
	return b.String()[:n]
}
