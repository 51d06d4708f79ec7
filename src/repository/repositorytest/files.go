package repositorytest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"bosh-ironic-cpi/src/repository"
)

func roundTrip(t *testing.T, f far) {
	start := time.Now().Add(-2 * time.Second) // file systems and HTTP count whole seconds
	for _, n := range []int{0, 1, 4095, 300_000, 3 << 20} {
		for _, known := range []bool{true, false} {
			key, content, size := fmt.Sprintf("sizes/%d-%v", n, known), pattern(n), int64(-1)
			if known {
				size = int64(n)
			}
			// Only an io.Reader: nobody can ask it for its size.
			draft, err := f.Upload(t.Context(), struct{ io.Reader }{strings.NewReader(content)}, size)
			if err != nil {
				t.Fatal(err)
			}
			if err := draft.Commit(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			f.want(t, key, content)
			info, err := f.Stat(t.Context(), key)
			if err != nil || info.Key != key || info.Size != int64(n) {
				t.Errorf("Stat(%q) = %+v, %v; want %d bytes", key, info, err, n)
			}
			if info.Modified.Before(start) || info.Modified.After(time.Now().Add(2*time.Second)) {
				t.Errorf("Stat(%q) says %v; it is %v", key, info.Modified, time.Now())
			}
		}
	}
}

var goodKeys = []string{
	"plain", "a/b/c/d/e/f", "with space", "umlaut-ü-日本-😀", "100%", "%2e%2e", "%41%zz", "a+b", "a&b=c;d", "query?x=1",
	"fragment#1", "at@colon:x", "quote'\"", "star*[x]{y}|z", ".hidden", "..x", "...", "x..", "~tilde", "a,b$c!d(e)", "back\\slash",
	strings.Repeat("l", 255), "dir.with.dots/..file", "uploads/.upload-x",
}

func keys(t *testing.T, f far) {
	for _, key := range goodKeys {
		f.put(t, key, "content of "+key)
	}
	f.onlyFiles(t, goodKeys...)
	for _, key := range goodKeys {
		f.want(t, key, "content of "+key)
		if err := f.Delete(t.Context(), key); err != nil {
			t.Errorf("Delete(%q): %v", key, err)
		}
		f.missing(t, key)
	}
	f.onlyFiles(t)
}

func badKeys(t *testing.T, f far) {
	f.put(t, "a/b", "x")
	for _, key := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/../b", "./a", "a/./b", "a\x00b", "a\nb", "a\x7fb", "\xff",
		strings.Repeat("l", 256), ".upload", ".uploads/x", ".upload-x",
	} {
		draft, err := f.Upload(t.Context(), strings.NewReader("x"), 1)
		if err != nil {
			t.Fatal(err)
		}
		_, openErr := f.Open(t.Context(), key, 0, -1)
		_, statErr := f.Stat(t.Context(), key)
		_, urlErr := f.URL(t.Context(), key, time.Hour)
		for what, err := range map[string]error{
			"Commit": draft.Commit(t.Context(), key), "Open": openErr, "Stat": statErr, "URL": urlErr,
			"Delete": f.Delete(t.Context(), key),
		} {
			if !errors.Is(err, repository.ErrBadKey) {
				t.Errorf("%s(%q) = %v; want ErrBadKey", what, key, err)
			}
		}
		if err := draft.Discard(t.Context()); err != nil {
			t.Errorf("Discard after a Commit that failed: %v", err)
		}
	}
	f.onlyFiles(t, "a/b")
}

func ranges(t *testing.T, f far) {
	content := pattern(100_000)
	f.put(t, "f", content)
	f.put(t, "empty", "")
	for _, r := range []struct{ offset, length, from, to int64 }{
		{0, -1, 0, 100_000},
		{0, 1, 0, 1},
		{0, 100_000, 0, 100_000},
		{0, 1 << 40, 0, 100_000},
		{1, -1, 1, 100_000},
		{70_000, 20_000, 70_000, 90_000},
		{99_999, 1, 99_999, 100_000},
		{99_999, 10, 99_999, 100_000},
		{100_000, -1, 0, 0},
		{100_000, 5, 0, 0},
		{200_000, -1, 0, 0},
		{5, 0, 0, 0},
	} {
		if got := f.get(t, "f", r.offset, r.length); got != content[r.from:r.to] {
			t.Errorf("Open(f, %d, %d) reads %d bytes; want those from %d to %d", r.offset, r.length, len(got), r.from, r.to)
		}
	}
	if got := f.get(t, "empty", 0, -1) + f.get(t, "empty", 0, 7) + f.get(t, "empty", 7, 7); got != "" {
		t.Errorf("an empty file holds %q", got)
	}
	if _, err := f.Open(t.Context(), "none", 0, 0); !errors.Is(err, repository.ErrNotFound) {
		t.Errorf("Open of nothing of a file that is not there: %v; want ErrNotFound", err)
	}
}

func notFound(t *testing.T, f far) {
	f.put(t, "folder/file", "x")
	for _, key := range []string{"none", "no/such/folder", "folder", "folder/none", "folder/file/below"} {
		f.missing(t, key)
	}
}

func overwrite(t *testing.T, f far) {
	for _, content := range []string{"first", "second, and longer", "", "3rd"} {
		f.put(t, "a/b", content)
		f.want(t, "a/b", content)
	}
	f.onlyFiles(t, "a/b")
}

// overwriteAtOnce reads while others write: each reader sees one of the versions, whole.
func overwriteAtOnce(t *testing.T, f far) {
	if !f.rig.ReplacesAtOnce {
		t.Skip("this store may show no file while it replaces one")
	}
	version := func(i int) string { return strings.Repeat(string(rune('a'+i%26)), 100_000+i*1000) }
	f.put(t, "f", version(0))
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for reads := 0; ; reads++ {
				select {
				case <-stop:
					if reads == 0 {
						t.Error("no read came through")
					}
					return
				default:
				}
				r, err := f.Open(t.Context(), "f", 0, -1)
				if err != nil {
					t.Errorf("Open while another writes: %v", err)
					return
				}
				b, err := io.ReadAll(r)
				_ = r.Close()
				if i := len(b)/1000 - 100; err != nil || i < 0 || string(b) != version(i) {
					t.Errorf("read %d bytes of no version, %v", len(b), err)
					return
				}
			}
		})
	}
	for i := range 20 {
		f.put(t, "f", version(i))
	}
	close(stop)
	all.Wait()
}

func deleting(t *testing.T, f far) {
	for _, key := range []string{"a/b/c", "a/b/d", "a/bb", "ab", "a/x"} {
		f.put(t, key, key)
	}
	for _, key := range []string{"none", "none/below", "a/x/below"} {
		if err := f.Delete(t.Context(), key); err != nil {
			t.Errorf("Delete(%q) of nothing: %v", key, err)
		}
	}
	for range 2 {
		if err := f.Delete(t.Context(), "a/b"); err != nil {
			t.Errorf("Delete of a folder: %v", err)
		}
		f.onlyFiles(t, "a/bb", "a/x", "ab")
	}
	f.missing(t, "a/b/c")
	f.put(t, "a/b", "a file where a folder was")
	f.want(t, "a/b", "a file where a folder was")
	for range 2 {
		if err := f.Delete(t.Context(), "a/bb"); err != nil {
			t.Errorf("Delete of a file: %v", err)
		}
	}
	f.onlyFiles(t, "a/b", "a/x", "ab")
	if err := f.Delete(t.Context(), "a"); err != nil {
		t.Errorf("Delete of a folder: %v", err)
	}
	f.want(t, "ab", "ab")
	f.onlyFiles(t, "ab")
}

// addresses fetches what URL names as a server would.
func addresses(t *testing.T, f far) {
	seen := map[string]string{}
	for _, key := range goodKeys {
		f.put(t, key, "content of "+key)
		address, err := f.URL(t.Context(), key, time.Hour)
		if err != nil {
			t.Errorf("URL(%q): %v", key, err)
			continue
		}
		if other := seen[address]; other != "" {
			t.Errorf("URL of %q and %q are both %s", key, other, address)
		}
		seen[address] = key
		u, err := url.Parse(address)
		if err != nil {
			t.Errorf("URL(%q): %v", key, err)
			continue
		}
		if got := fetch(t, u); got != "content of "+key {
			t.Errorf("%s holds %.60q; want that of %q", u.Redacted(), got, key)
		}
	}
	if _, err := f.URL(t.Context(), "not/there/yet", time.Hour); err != nil {
		t.Errorf("URL of a file that is yet to come: %v", err)
	}
}

func fetch(t *testing.T, u *url.URL) string {
	t.Helper()
	if u.Scheme == "file" {
		b, err := os.ReadFile(u.Path)
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("GET %s: %s, %v", u.Redacted(), answer.Status, err)
	}
	return string(b)
}
