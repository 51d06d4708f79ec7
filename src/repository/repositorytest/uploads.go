package repositorytest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"bosh-ironic-cpi/src/repository"
)

func discard(t *testing.T, f far) {
	f.put(t, "kept", "old")
	draft, err := f.Upload(t.Context(), strings.NewReader("x"), 1)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := draft.Discard(t.Context()); err != nil {
			t.Errorf("Discard: %v", err)
		}
	}
	f.onlyFiles(t, "kept")

	draft, err = f.Upload(t.Context(), strings.NewReader("new"), 3)
	if err != nil {
		t.Fatal(err)
	}
	f.want(t, "kept", "old") // nothing to be seen before Commit
	if err := draft.Commit(t.Context(), "kept"); err != nil {
		t.Fatal(err)
	}
	if err := draft.Discard(t.Context()); err != nil {
		t.Errorf("Discard after Commit: %v", err)
	}
	f.want(t, "kept", "new")
	f.onlyFiles(t, "kept")
}

// commitInTheWay: a file cannot stand where a folder is, nor below a file.
func commitInTheWay(t *testing.T, f far) {
	f.put(t, "folder/file", "x")
	for _, key := range []string{"folder/file/below", "folder/file/far/below", "folder"} {
		draft, err := f.Upload(t.Context(), strings.NewReader("y"), 1)
		if err != nil {
			t.Fatal(err)
		}
		err = draft.Commit(t.Context(), key)
		if key == "folder" && err == nil {
			// WebDAV lets a file take a folder's place (RFC 4918, 9.9.3). No caller does that.
			return
		}
		if err == nil {
			t.Errorf("Commit(%q) succeeded", key)
		}
		if err := draft.Discard(t.Context()); err != nil {
			t.Errorf("Discard after a Commit that failed: %v", err)
		}
		f.want(t, "folder/file", "x")
		f.onlyFiles(t, "folder/file")
	}
}

func wrongLength(t *testing.T, f far) {
	tests := []struct{ size, announced int }{
		{1, 0}, {0, 1}, {11, 10}, {10, 11}, {3<<20 + 1, 3 << 20}, {3 << 20, 3<<20 + 1}, {3 << 20, 1 << 20}, {1 << 20, 3 << 20},
	}
	for _, tt := range tests {
		for name, r := range map[string]io.Reader{
			"plain": strings.NewReader(pattern(tt.size)), "end with bytes": iotest.DataErrReader(strings.NewReader(pattern(tt.size))),
		} {
			if err := f.fails(t.Context(), t, r, int64(tt.announced)); !errors.Is(err, repository.ErrSize) {
				t.Errorf("%s: Upload of %d bytes as %d: %v; want ErrSize", name, tt.size, tt.announced, err)
			}
		}
	}
	f.onlyFiles(t)
}

func brokenReader(t *testing.T, f far) {
	broken := errors.New("tape is torn")
	for _, n := range []int{0, 3 << 20} {
		for _, size := range []int64{-1, int64(n), int64(n) + 1} {
			r := io.MultiReader(strings.NewReader(pattern(n)), iotest.ErrReader(broken))
			err := f.fails(t.Context(), t, r, size)
			if !errors.Is(err, broken) || errors.Is(err, repository.ErrUnavailable) {
				t.Errorf("Upload of %d bytes (of %d) and an error: %v; want that error", n, size, err)
			}
		}
	}
	f.onlyFiles(t)
}

func cancelled(t *testing.T, f far) {
	f.put(t, "f", "x")
	ctx, cancel := context.WithCancel(t.Context())
	draft, err := f.Upload(ctx, strings.NewReader("y"), 1)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	_, openErr := f.Open(ctx, "f", 0, -1)
	_, statErr := f.Stat(ctx, "f")
	for what, err := range map[string]error{
		"Commit": draft.Commit(ctx, "f"), "Open": openErr, "Stat": statErr, "Delete": f.Delete(ctx, "f"),
		"Upload": f.fails(ctx, t, strings.NewReader("z"), 1),
	} {
		if !errors.Is(err, context.Canceled) || errors.Is(err, repository.ErrUnavailable) {
			t.Errorf("%s with a context that has ended: %v; want context.Canceled", what, err)
		}
	}
	if err := draft.Discard(t.Context()); err != nil {
		t.Error(err)
	}
	f.want(t, "f", "x")
	f.onlyFiles(t, "f")
}

func cancelledInUpload(t *testing.T, f far) {
	for _, size := range []int64{-1, 100 << 20} {
		ctx, cancel := context.WithCancel(t.Context())
		r := &trip{left: 5 << 20, when: cancel}
		if err := f.fails(ctx, t, r, size); !errors.Is(err, context.Canceled) {
			t.Errorf("Upload cancelled on its way: %v; want context.Canceled", err)
		}
	}
	f.onlyFiles(t)
}

// trip is an endless reader that calls when after some bytes.
type trip struct {
	left int
	when func()
}

// Read implements io.Reader.
func (r *trip) Read(p []byte) (int, error) {
	if r.left -= len(p); r.left < 0 {
		r.when()
	}
	return len(p), nil
}

// together has many work at once, in folders that are not there yet.
func together(t *testing.T, f far) {
	var all sync.WaitGroup
	want := []string{"same/place"}
	for i := range 12 {
		key := fmt.Sprintf("new/%d/folder/%d", i%3, i)
		want = append(want, key)
		all.Go(func() {
			for _, key := range []string{key, "same/place"} {
				draft, err := f.Upload(t.Context(), strings.NewReader("by all"), 6)
				if err == nil {
					err = draft.Commit(t.Context(), key)
				}
				if err != nil {
					t.Errorf("%s: %v", key, err)
				}
			}
			if err := f.Delete(t.Context(), "not/there"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, key := range want {
		f.want(t, key, "by all")
	}
	f.onlyFiles(t, want...)
}

// largeFile bounds all that is allocated while 256 MiB go there and back, and so the memory in use.
func largeFile(t *testing.T, f far) {
	if testing.Short() {
		t.Skip("moves 256 MiB")
	}
	const size, most = 256 << 20, 24 << 20
	for _, announced := range []int64{size, -1} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		draft, err := f.Upload(t.Context(), io.LimitReader(zeros{}, size), announced)
		if err != nil {
			t.Fatal(err)
		}
		if err := draft.Commit(t.Context(), "large"); err != nil {
			t.Fatal(err)
		}
		r, err := f.Open(t.Context(), "large", 1, -1)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r}, make([]byte, 64<<10))
		_ = r.Close()
		if err != nil || n != size-1 {
			t.Fatalf("read %d of %d bytes: %v", n, size-1, err)
		}
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > most {
			t.Errorf("256 MiB allocated %d MiB; want %d at most", got>>20, most>>20)
		}
	}
	if err := f.Delete(t.Context(), "large"); err != nil {
		t.Error(err)
	}
}

// zeros is an endless reader.
type zeros struct{}

// Read implements io.Reader.
func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
