package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"bosh-ironic-cpi/src/registry/journal"
)

var small = journal.Options{MinDead: 1 << 10, Reserve: 4 << 10}

func open(t testing.TB, path string, o journal.Options) *journal.Journal {
	t.Helper()
	j, err := journal.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func put(t testing.TB, j *journal.Journal, id, text string) {
	t.Helper()
	if err := j.Update(t.Context(), id, set(text)); err != nil {
		t.Fatal(err)
	}
}

func set(text string) func([]byte, bool) ([]byte, bool, error) {
	return func([]byte, bool) ([]byte, bool, error) { return []byte(text), true, nil }
}

func remove([]byte, bool) ([]byte, bool, error) { return nil, false, nil }

func get(t testing.TB, j *journal.Journal, id string) string {
	t.Helper()
	text, exists, err := j.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if !exists {
		return "(none)"
	}
	return string(text)
}

func closed(t testing.TB, j *journal.Journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestUpdate(t *testing.T) {
	defer goleak.VerifyNone(t)
	path := filepath.Join(t.TempDir(), "made", "settings.journal")
	j := open(t, path, journal.Options{})
	put(t, j, "a", "one")
	put(t, j, "b", "")
	put(t, j, "a", "two")
	refused := errors.New("not so")
	err := j.Update(t.Context(), "a", func(old []byte, exists bool) ([]byte, bool, error) {
		if string(old) != "two" || !exists {
			t.Errorf("change is told %q, %v; want two", old, exists)
		}
		return []byte("three"), true, refused
	})
	if err != refused { //nolint:errorlint // as it is
		t.Errorf("Update = %v; want the change's own error", err)
	}
	if err := j.Update(t.Context(), "none", remove); err != nil {
		t.Errorf("removing what is not there: %v", err)
	}
	put(t, j, "c", "gone soon")
	if err := j.Update(t.Context(), "c", remove); err != nil {
		t.Error(err)
	}
	for range 2 {
		for id, want := range map[string]string{"a": "two", "b": "", "c": "(none)", "none": "(none)"} {
			if got := get(t, j, id); got != want {
				t.Errorf("%s is %q; want %q", id, got, want)
			}
		}
		if j.Len() != 2 {
			t.Errorf("Len() = %d; want 2", j.Len())
		}
		closed(t, j)
		j = open(t, path, journal.Options{})
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the file: %v, %v; want 0600", info.Mode(), err)
	}
	closed(t, j)
	if info, err := os.Stat(filepath.Dir(path)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode of the folder: %v, %v; want 0700", info.Mode(), err)
	}
}

func TestRefusals(t *testing.T) {
	path := filepath.Join(t.TempDir(), "settings.journal")
	j := open(t, path, journal.Options{})
	if _, err := journal.Open(path, journal.Options{}); !errors.Is(err, journal.ErrInUse) || !strings.Contains(err.Error(), path) {
		t.Errorf("Open of a journal in use: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := j.Update(ended, "a", set("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("Update with an ended context: %v", err)
	}
	if err := j.Update(t.Context(), strings.Repeat("x", 2000), set("x")); !errors.Is(err, journal.ErrTooLong) {
		t.Errorf("Update of a long id: %v", err)
	}
	if err := j.Update(t.Context(), "a", set(strings.Repeat("x", 65<<20))); !errors.Is(err, journal.ErrTooLong) {
		t.Errorf("Update with a long text: %v", err)
	}
	if err := j.Update(t.Context(), "a", func([]byte, bool) ([]byte, bool, error) { panic("oh") }); err == nil {
		t.Error("a change that panics was taken")
	}
	put(t, j, "a", "still well")
	closed(t, j)
	closed(t, j)
	if err := j.Update(t.Context(), "a", set("x")); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("Update after Close: %v", err)
	}
	if _, _, err := j.Get(t.Context(), "a"); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("Get after Close: %v", err)
	}
	if err := j.Ready(t.Context()); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("Ready after Close: %v", err)
	}
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := journal.Open(path, journal.Options{}); !errors.Is(err, journal.ErrDamaged) {
		t.Errorf("Open of another file: %v", err)
	}
}

// The journal is a map, whatever happens to it in between.
func TestIsAMap(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		path := filepath.Join(dir, strconv.Itoa(runs))
		j, err := journal.Open(path, small)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = j.Close() }()
		model := map[string]string{}
		id := rapid.SampledFrom([]string{"a", "b", "c", "d"})
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				key, text := id.Draw(t, "id"), strings.Repeat(rapid.StringN(0, 10, 40).Draw(t, "text"), rapid.IntRange(0, 40).Draw(t, "times"))
				if err := j.Update(ctx, key, set(text)); err != nil {
					t.Fatal(err)
				}
				model[key] = text
			},
			"remove": func(t *rapid.T) {
				key := id.Draw(t, "id")
				if err := j.Update(ctx, key, remove); err != nil {
					t.Fatal(err)
				}
				delete(model, key)
			},
			"reopen": func(t *rapid.T) {
				if err := j.Close(); err != nil {
					t.Fatal(err)
				}
				if j, err = journal.Open(path, small); err != nil {
					t.Fatal(err)
				}
			},
			"": func(t *rapid.T) {
				if j.Len() != len(model) {
					t.Fatalf("Len() = %d; want %d", j.Len(), len(model))
				}
				for _, key := range slices.Sorted(maps.Keys(model)) {
					text, exists, err := j.Get(ctx, key)
					if err != nil || !exists || string(text) != model[key] {
						t.Fatalf("%s is %q, %v, %v; want %q", key, text, exists, err, model[key])
					}
				}
			},
		})
	})
}

// Many writers at once, each adding to what is there: nothing is lost, and readers see no number go back.
func TestWritersAtOnce(t *testing.T) {
	defer goleak.VerifyNone(t)
	path := filepath.Join(t.TempDir(), "settings.journal")
	j := open(t, path, small)
	const writers, each = 50, 40
	var writing, reading sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		reading.Go(func() {
			last := 0
			for {
				select {
				case <-done:
					return
				default:
				}
				text, exists, err := j.Get(t.Context(), "sum")
				n, _ := strconv.Atoi(string(text))
				if err != nil || exists && n < last {
					t.Errorf("Get = %q after %d, %v", text, last, err)
					return
				}
				last = n
			}
		})
	}
	for w := range writers {
		writing.Go(func() {
			for range each {
				err := j.Update(t.Context(), "sum", func(old []byte, _ bool) ([]byte, bool, error) {
					n, _ := strconv.Atoi(string(old))
					return []byte(strconv.Itoa(n + 1)), true, nil
				})
				if err == nil {
					err = j.Update(t.Context(), fmt.Sprint("own-", w), set(strings.Repeat("x", 100)))
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
	closed(t, j)
	j = open(t, path, small)
	defer closed(t, j)
	if got := get(t, j, "sum"); got != strconv.Itoa(writers*each) {
		t.Errorf("sum is %s; want %d", got, writers*each)
	}
	if info, err := os.Stat(path); err != nil || info.Size() > 64<<10 {
		t.Errorf("the journal has %d bytes, %v; want it compacted", info.Size(), err)
	}
}

// Close comes amid writers: each write was either taken, and is there, or refused.
func TestCloseAmidWriters(t *testing.T) {
	defer goleak.VerifyNone(t)
	path := filepath.Join(t.TempDir(), "settings.journal")
	j := open(t, path, journal.Options{})
	var all sync.WaitGroup
	taken := make([]int, 20)
	started := make(chan struct{}, len(taken))
	for w := range taken {
		all.Go(func() {
			for n := 1; ; n++ {
				err := j.Update(t.Context(), fmt.Sprint(w), set(strconv.Itoa(n)))
				if errors.Is(err, journal.ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				taken[w] = n
				if n == 3 {
					started <- struct{}{}
				}
			}
		})
	}
	for range taken {
		<-started
	}
	closed(t, j)
	all.Wait()
	j = open(t, path, journal.Options{})
	defer closed(t, j)
	for w, n := range taken {
		if got := get(t, j, fmt.Sprint(w)); got != strconv.Itoa(n) {
			t.Errorf("writer %d: %s is there; %d was taken", w, got, n)
		}
	}
}

// A frame that is cut short, or has holes, was never answered: all before it is there.
func TestTornEnd(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "settings.journal")
	j := open(t, path, journal.Options{})
	put(t, j, "a", "first")
	put(t, j, "b", "second")
	closed(t, j)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	j = open(t, path, journal.Options{})
	put(t, j, "a", "third, which is to be torn")
	closed(t, j)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, content []byte, want string) {
		t.Helper()
		torn := filepath.Join(dir, "torn")
		if err := os.WriteFile(torn, content, 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := journal.Open(torn, journal.Options{})
		if err != nil {
			t.Errorf("%s: %v", what, err)
			return
		}
		if a, b := get(t, j, "a"), get(t, j, "b"); a != want || b != "second" {
			t.Errorf("%s: a is %q and b is %q; want %q and second", what, a, b, want)
		}
		put(t, j, "a", "fourth")
		closed(t, j)
		j = open(t, torn, journal.Options{})
		if a := get(t, j, "a"); a != "fourth" {
			t.Errorf("%s: written anew, a is %q", what, a)
		}
		closed(t, j)
	}
	for n := len(before); n < len(whole); n++ {
		check(fmt.Sprintf("cut at %d", n), whole[:n], "first")
		check(fmt.Sprintf("zeros from %d", n), append(slices.Clone(whole[:n]), make([]byte, 5000)...), "first")
		hole := slices.Clone(whole)
		hole[n] ^= 0x40
		check(fmt.Sprintf("byte %d changed", n), hole, "first")
	}
	check("whole", whole, "third, which is to be torn")
	check("whole, with zeros", append(slices.Clone(whole), make([]byte, 5000)...), "third, which is to be torn")
}

// A frame that is not whole, and whole ones behind it: that was no power cut.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "settings.journal")
	j := open(t, path, journal.Options{})
	put(t, j, "a", "first")
	put(t, j, "b", "second")
	put(t, j, "c", "third")
	closed(t, j)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	last := bytes.LastIndex(whole, whole[24:32]) // its mark begins the last frame
	damaged := filepath.Join(dir, "damaged")
	for n := 32; n < last; n++ {
		content := slices.Clone(whole)
		content[n] ^= 0x01
		if err := os.WriteFile(damaged, content, 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := journal.Open(damaged, journal.Options{})
		if err == nil {
			closed(t, j)
		}
		if !errors.Is(err, journal.ErrDamaged) || !strings.Contains(err.Error(), "truncate -s") {
			t.Errorf("byte %d changed: %v; want ErrDamaged", n, err)
		}
		after, err := os.ReadFile(damaged)
		if err != nil || !bytes.Equal(after, content) {
			t.Fatalf("byte %d changed: Open has changed the file", n)
		}
	}
}

// A text that went bad on the disk while we run is an error, not an answer.
func TestDamageWhileOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "settings.journal")
	j := open(t, path, journal.Options{})
	defer closed(t, j)
	put(t, j, "a", "a text that goes bad")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("A"), int64(bytes.Index(content, []byte("a text")))); err != nil {
		t.Fatal(err)
	}
	if text, _, err := j.Get(t.Context(), "a"); !errors.Is(err, journal.ErrDamaged) {
		t.Errorf("Get = %q, %v; want ErrDamaged", text, err)
	}
}

// A new file that was being made when the process was killed is nobody's.
func TestKilledInCompaction(t *testing.T) {
	path := filepath.Join(t.TempDir(), "settings.journal")
	j := open(t, path, journal.Options{})
	put(t, j, "a", "one")
	closed(t, j)
	if err := os.WriteFile(path+".new", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	j = open(t, path, journal.Options{})
	defer closed(t, j)
	if got := get(t, j, "a"); got != "one" {
		t.Errorf("a is %q", got)
	}
	if _, err := os.Stat(path + ".new"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the half file is still there: %v", err)
	}
}

func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("needs root to mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(dir, "settings.journal")
	j := open(t, path, journal.Options{})
	text := strings.Repeat("x", 50<<10)
	n := 0
	var err error
	for ; n < 100; n++ {
		if err = j.Update(t.Context(), fmt.Sprint(n), set(text+fmt.Sprint(n))); err != nil {
			break
		}
	}
	if !errors.Is(err, syscall.ENOSPC) || n < 10 {
		t.Fatalf("write number %d: %v; want ENOSPC after some", n, err)
	}
	if err := j.Ready(t.Context()); err != nil {
		t.Errorf("Ready on a full disk: %v", err)
	}
	if err := j.Update(t.Context(), "0", set(text)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("the next write: %v", err)
	}
	put(t, j, "small", "fits")
	check := func() {
		t.Helper()
		for i := range n {
			if got := get(t, j, fmt.Sprint(i)); got != text+fmt.Sprint(i) {
				t.Fatalf("%d is lost: %.20q", i, got)
			}
		}
		if got := get(t, j, "small"); got != "fits" {
			t.Errorf("small is %q", got)
		}
	}
	check()
	closed(t, j)
	j = open(t, path, journal.Options{})
	check()
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT, "size=2m"); err != nil {
		t.Fatal(err)
	}
	put(t, j, "later", text)
	check()
	closed(t, j)
}
