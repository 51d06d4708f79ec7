package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"bosh-ironic-cpi/src/httpauth"
	"bosh-ironic-cpi/src/registry/journal"
	"bosh-ironic-cpi/src/registry/server"
	"bosh-ironic-cpi/src/repository"
	"bosh-ironic-cpi/src/secret"
)

// memory is the simplest Store.
type memory struct {
	mu    sync.Mutex
	texts map[string][]byte
	err   error // what every call fails with
}

func newMemory() *memory { return &memory{texts: map[string][]byte{}} }

func (m *memory) Get(_ context.Context, id string) ([]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	text, ok := m.texts[id]
	return text, ok, m.err
}

func (m *memory) Update(_ context.Context, id string, change func([]byte, bool) ([]byte, bool, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	old, exists := m.texts[id]
	text, keep, err := change(old, exists)
	switch {
	case err != nil:
		return err
	case keep:
		m.texts[id] = text
	default:
		delete(m.texts, id)
	}
	return nil
}

// stores are all that there are; each test of behaviour runs on each.
var stores = map[string]func(t *testing.T) server.Store{
	"memory": func(*testing.T) server.Store { return newMemory() },
	"journal": func(t *testing.T) server.Store {
		j, err := journal.Open(filepath.Join(t.TempDir(), "j"), journal.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = j.Close() })
		return j
	},
	"repository": func(t *testing.T) server.Store {
		d, err := repository.NewDir(repository.DirConfig{Root: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		return server.NewRemote(d)
	},
}

// folders is a metadata tree: paths of folders and files.
type folders map[string]bool

func (f folders) Exists(_ context.Context, path string) (bool, error) {
	for name := range f {
		if name == path || strings.HasPrefix(name, path+"/") {
			return true, nil
		}
	}
	return false, nil
}

func (f folders) Remove(_ context.Context, path string) (bool, error) {
	before := len(f)
	maps.DeleteFunc(f, func(name string, _ bool) bool { return name == path || strings.HasPrefix(name, path+"/") })
	return len(f) < before, nil
}

// start serves c, with what it leaves out filled in, and returns the base address.
func start(t testing.TB, c server.Config) string {
	t.Helper()
	if c.Store == nil {
		c.Store = newMemory()
	}
	if c.MaxSettings == 0 {
		c.MaxSettings = 10 << 20
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s, err := server.New(c)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for path, handler := range s.Routes() {
		mux.Handle(path, handler)
	}
	h := httptest.NewServer(mux)
	t.Cleanup(h.Close)
	return h.URL
}

// A row is one request and what is answered.
type row struct {
	name, method, path, body string
	header                   map[string]string
	status                   int
	answer                   string // whole body; "~" before it: part of it
}

// run asks row by row.
func run(t *testing.T, base string, rows []row) {
	t.Helper()
	for _, r := range rows {
		status, answer, _ := ask(t, r.method, base+r.path, r.body, r.header)
		part, partial := strings.CutPrefix(r.answer, "~")
		right := answer == r.answer || partial && strings.Contains(answer, part)
		if status != r.status || !right {
			t.Errorf("%s: %s %s: %d %q; want %d %q", r.name, r.method, r.path, status, answer, r.status, r.answer)
		}
	}
}

func ask(t testing.TB, method, url, body string, header map[string]string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range header {
		req.Header.Set(key, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

// The rows are those of the behaviour that was measured on the registry of 2016, and in "ours" where that was wrong.
func TestFoundingDialect(t *testing.T) {
	const s, long = `{"a": "ü\"\\"}`, `{"x":"` // long has no end
	const wrapped = `{"settings":"{\"a\": \"ü\\\"\\\\\"}","status":"ok"}`
	for name, store := range stores {
		t.Run(name, func(t *testing.T) {
			files := folders{"f/ec2/latest/user-data": true, "p2/x": true}
			base := start(t, server.Config{Store: store(t), Files: files, MaxSettings: 1000})
			run(t, base+"/registry/instances", []row{
				{"GET, id unknown", "GET", "/a/settings", "", nil, 404, "Id 'a' not found\n"},
				{"GET of the id, unknown", "GET", "/a", "", nil, 404, "Id 'a' not found\n"},
				{"PUT, new", "PUT", "/a/settings", s, nil, 201, ""},
				{"PUT, there", "PUT", "/a/settings", s, nil, 204, ""},
				{"GET", "GET", "/a/settings", "", nil, 200, wrapped},
				{"GET of the id", "GET", "/a", "", nil, 200, wrapped},
				{"GET of the id with a slash", "GET", "/a/", "", nil, 200, wrapped},
				{"GET of something else", "GET", "/a/other", "", nil, 404, "Id 'a' not found\n"},
				{"PUT of the id", "PUT", "/b", s, nil, 201, ""},
				{"PUT of the id with a slash", "PUT", "/c/", s, nil, 201, ""},
				{"PUT of something else", "PUT", "/d/other", s, nil, 404, "Id 'd' not found\n"},
				{"which makes no id", "HEAD", "/d", "", nil, 404, ""},
				{"PUT, too long", "PUT", "/e/settings", long + strings.Repeat("x", 1000), nil, 413, "~want at most 1000"},
				{"HEAD, exists", "HEAD", "/a", "", nil, 200, ""},
				{"HEAD, rest ignored", "HEAD", "/a/what/ever", "", nil, 200, ""},
				{"HEAD, unknown", "HEAD", "/e/settings", "", nil, 404, ""},
				{"HEAD, files", "HEAD", "/f", "", nil, 200, ""},
				{"GET, id without settings", "GET", "/f/settings", "", nil, 404, `{"settings":"{}","status":"error"}`},
				{"POST, unknown", "POST", "/p", "{}", nil, 201, "\n"},
				{"POST made it", "GET", "/p/settings", "", nil, 404, `{"settings":"{}","status":"error"}`},
				{"POST, exists", "POST", "/p/x", "", nil, 409, "Id 'p' already exists\n"},
				{"POST, has files", "POST", "/p2", "", nil, 409, "Id 'p2' already exists\n"},
				{"POST, has settings", "POST", "/a", "", nil, 409, "Id 'a' already exists\n"},
				{"PUT after POST is new", "PUT", "/p", s, nil, 201, ""},
				{"DELETE settings", "DELETE", "/a/settings", "", nil, 204, ""},
				{"DELETE settings, unknown id", "DELETE", "/a/settings", "", nil, 404, "Id 'a' not found\n"},
				{"DELETE settings, none", "DELETE", "/f/settings", "", nil, 404, "\n"},
				{"DELETE of a file", "DELETE", "/f/ec2/latest/user-data", "", nil, 204, ""},
				{"DELETE of a file, unknown id", "DELETE", "/f/ec2/latest/user-data", "", nil, 404, "Id 'f' not found\n"},
				{"DELETE of a file, missing", "DELETE", "/p2/y", "", nil, 404, "\n"},
				{"PUT beside files", "PUT", "/p2", s, nil, 201, ""},
				{"DELETE of the id, files too", "DELETE", "/p2/", "", nil, 204, ""},
				{"is gone", "HEAD", "/p2", "", nil, 404, ""},
				{"POST again", "POST", "/q", "", nil, 201, "\n"},
				{"DELETE of what POST made", "DELETE", "/q", "", nil, 204, ""},
				{"is gone, too", "DELETE", "/q", "", nil, 404, "Id 'q' not found\n"},
				{"other methods", "PATCH", "/a", "", nil, 405, "Method not allowed\n"},
				{"DELETE before a new one", "DELETE", "/c", "", nil, 204, ""},
				{"PUT after DELETE is new", "PUT", "/c", s, nil, 201, ""},
			})
			if len(files) > 0 {
				t.Errorf("left: %v", files)
			}
			run(t, base, []row{
				{"other URI", "GET", "/registry/other", "", nil, 400, "Error parsing URI\n"},
				{"no id", "GET", "/registry/instances/", "", nil, 400, "Error parsing URI\n"},
				{"ours: pattern anchored", "GET", "/registry/instances/b.c/settings", "", nil, 400, "Error parsing URI\n"},
				{"ours: pattern anchored, PUT", "PUT", "/registry/instances/b.c/settings", s, nil, 400, "Error parsing URI\n"},
				{"ours: id too long", "PUT", "/registry/instances/" + strings.Repeat("x", 256), s, nil, 400, "Error parsing URI\n"},
				{"ours: id with an escape", "PUT", "/registry/instances/a%20b", s, nil, 400, "Error parsing URI\n"},
				{"ours: control characters", "DELETE", "/registry/instances/b/x%01", "", nil, 400, "Error parsing URI\n"},
				{"ours: no JSON", "PUT", "/registry/instances/n", "no JSON", nil, 400, "settings are not one JSON object\n"},
				{"ours: empty", "PUT", "/registry/instances/n", "", nil, 400, "settings are not one JSON object\n"},
				{"ours: no object", "PUT", "/registry/instances/n", `["a"]`, nil, 400, "settings are not one JSON object\n"},
				{"ours: two objects", "PUT", "/registry/instances/n", `{}{}`, nil, 400, "settings are not one JSON object\n"},
				{"ours: no UTF-8", "PUT", "/registry/instances/n", "{\"a\": \"\xff\"}", nil, 400, "settings are not one JSON object\n"},
				{"ours: compressed", "PUT", "/registry/instances/n", s, map[string]string{"Content-Encoding": "gzip"}, 415, "settings must not be compressed\n"},
				{"ours: nothing of it was stored", "HEAD", "/registry/instances/n", "", nil, 404, ""},
			})
		})
	}
}

func TestStandardDialect(t *testing.T) {
	const s, ok, none = `{"a": 1}`, `{"status":"ok"}`, `{"status":"not_found"}`
	for name, store := range stores {
		t.Run(name, func(t *testing.T) {
			base := start(t, server.Config{Store: store(t), Files: folders{"f/x": true}, MaxSettings: 1000})
			run(t, base, []row{
				{"GET, unknown", "GET", "/instances/a/settings", "", nil, 404, none},
				{"HEAD, unknown", "HEAD", "/instances/a/settings", "", nil, 404, ""},
				{"DELETE, unknown", "DELETE", "/instances/a/settings", "", nil, 404, none},
				{"PUT, new", "PUT", "/instances/a/settings", s, nil, 201, ok},
				{"PUT, there", "PUT", "/instances/a/settings", s, nil, 200, ok},
				{"GET", "GET", "/instances/a/settings", "", nil, 200, `{"settings":"{\"a\": 1}","status":"ok"}`},
				{"HEAD", "HEAD", "/instances/a/settings", "", nil, 200, ""},
				{"the other dialect has it too", "GET", "/registry/instances/a", "", nil, 200, `{"settings":"{\"a\": 1}","status":"ok"}`},
				{"made by POST, no settings", "POST", "/registry/instances/p", "", nil, 201, "\n"},
				{"GET of that", "GET", "/instances/p/settings", "", nil, 404, none},
				{"GET, files only", "GET", "/instances/f/settings", "", nil, 404, none},
				{"DELETE", "DELETE", "/instances/a/settings", "", nil, 200, ok},
				{"is gone", "GET", "/instances/a/settings", "", nil, 404, none},
				{"POST", "POST", "/instances/a/settings", s, nil, 405, `{"status":"method_not_allowed"}`},
				{"no JSON", "PUT", "/instances/a/settings", "x", nil, 400, "settings are not one JSON object\n"},
				{"too long", "PUT", "/instances/a/settings", `{"x":"` + strings.Repeat("x", 1000), nil, 413, "~want at most 1000"},
				{"id alone", "GET", "/instances/a", "", nil, 404, none},
				{"more", "GET", "/instances/a/settings/more", "", nil, 404, none},
				{"bad id", "PUT", "/instances/a.b/settings", s, nil, 404, none},
				{"nothing", "GET", "/instances/", "", nil, 404, none},
			})
		})
	}
}

func TestConditions(t *testing.T) {
	for name, store := range stores {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{"/instances/a/settings", "/registry/instances/a/settings"} {
				base := start(t, server.Config{Store: store(t)})
				with := func(key, value string) map[string]string { return map[string]string{key: value} }
				run(t, base, []row{
					{"nothing there matches", "PUT", path, `{"n":0}`, with("If-Match", "*"), 412, "~have changed"},
					{"delete nothing", "DELETE", path, "", with("If-Match", "*"), map[bool]int{true: 404, false: 412}[strings.HasPrefix(path, "/reg")], "~"},
				})
				status, _, head := ask(t, "PUT", base+path, `{"n":1}`, with("If-None-Match", "*"))
				first := head.Get("ETag")
				if status != http.StatusCreated || !strings.HasPrefix(first, `"`) {
					t.Fatalf("PUT: %d, ETag %s", status, first)
				}
				_, _, head = ask(t, "GET", base+path, "", nil)
				if head.Get("ETag") != first {
					t.Errorf("ETag of GET is %s, of PUT %s", head.Get("ETag"), first)
				}
				run(t, base, []row{
					{"there already", "PUT", path, `{"n":2}`, with("If-None-Match", "*"), 412, "~there already"},
					{"another tag", "PUT", path, `{"n":2}`, with("If-Match", `"abc"`), 412, "~read them again"},
					{"a weak tag", "PUT", path, `{"n":2}`, with("If-Match", "W/"+first), 412, "~read them again"},
					{"not modified", "GET", path, "", with("If-None-Match", `"abc", `+first), 304, ""},
					{"unchanged", "GET", path, "", nil, 200, `{"settings":"{\"n\":1}","status":"ok"}`},
				})
				status, _, head = ask(t, "PUT", base+path, `{"n":2}`, with("If-Match", `"abc" , `+first))
				if status/100 != 2 || head.Get("ETag") == first {
					t.Errorf("PUT with the right tag: %d, ETag %s", status, head.Get("ETag"))
				}
				run(t, base, []row{
					{"the old tag", "PUT", path, `{"n":3}`, with("If-Match", first), 412, "~read them again"},
					{"delete by the old tag", "DELETE", path, "", with("If-Match", first), 412, "~read them again"},
					{"modified", "GET", path, "", with("If-None-Match", first), 200, `{"settings":"{\"n\":2}","status":"ok"}`},
				})
			}
		})
	}
}

// Whoever has read an answer to his PUT reads nothing older, however many others read meanwhile; what is kept in
// memory must never outlive what is on disk.
func TestReadersSeeNothingOld(t *testing.T) {
	url := start(t, server.Config{Store: stores["journal"](t)}) + "/instances/a/settings"
	ask(t, "PUT", url, `{"n":0}`, nil)
	done := make(chan struct{})
	var reading sync.WaitGroup
	for range 8 {
		reading.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					ask(t, "GET", url, "", nil)
				}
			}
		})
	}
	for n := 1; n <= 300; n++ {
		ask(t, "PUT", url, fmt.Sprintf(`{"n":%d}`, n), nil)
		if _, body, _ := ask(t, "GET", url, "", nil); !strings.Contains(body, fmt.Sprintf(`{\"n\":%d}`, n)) {
			t.Fatalf("after PUT %d: %s", n, body)
		}
	}
	ask(t, "DELETE", url, "", nil)
	if status, body, _ := ask(t, "GET", url, "", nil); status != 404 {
		t.Errorf("after DELETE: %d %s", status, body)
	}
	close(done)
	reading.Wait()
}

// More than is kept: all is answered, and memory stays bounded.
func TestMoreThanIsKept(t *testing.T) {
	base := start(t, server.Config{Store: stores["journal"](t)})
	text := func(n int) string { return fmt.Sprintf(`{"n": %d, "x": %q}`, n, strings.Repeat("x", 300<<10)) }
	for n := range 40 {
		ask(t, "PUT", fmt.Sprintf("%s/instances/vm-%d/settings", base, n), text(n), nil)
	}
	for range 2 {
		for n := range 40 {
			if _, body, _ := ask(t, "GET", fmt.Sprintf("%s/instances/vm-%d/settings", base, n), "", nil); !strings.Contains(body, fmt.Sprintf(`{\"n\": %d,`, n)) {
				t.Errorf("vm-%d: %.40s", n, body)
			}
		}
	}
}

// Read, add one, write if nobody else has: fifty at once lose nothing.
func TestIncrementsAtOnce(t *testing.T) {
	for name, store := range stores {
		t.Run(name, func(t *testing.T) {
			url := start(t, server.Config{Store: store(t)}) + "/instances/a/settings"
			ask(t, "PUT", url, `{"n":0}`, nil)
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() {
					for {
						_, body, head := ask(t, "GET", url, "", nil)
						var wrapper struct{ Settings string }
						var settings struct{ N int }
						if json.Unmarshal([]byte(body), &wrapper) != nil || json.Unmarshal([]byte(wrapper.Settings), &settings) != nil {
							t.Errorf("GET: %s", body)
							return
						}
						status, _, _ := ask(t, "PUT", url, fmt.Sprintf(`{"n":%d}`, settings.N+1), map[string]string{"If-Match": head.Get("ETag")})
						if status == http.StatusOK {
							return
						}
						if status != http.StatusPreconditionFailed {
							t.Errorf("PUT: %d", status)
							return
						}
					}
				})
			}
			all.Wait()
			if _, body, _ := ask(t, "GET", url, "", nil); !strings.Contains(body, `{\"n\":50}`) {
				t.Errorf("after 50 increments: %s", body)
			}
		})
	}
}

func TestCredentials(t *testing.T) {
	users, err := httpauth.New(httpauth.User{Name: "bosh", Password: secret.New("hunter2")})
	if err != nil {
		t.Fatal(err)
	}
	store := newMemory()
	store.texts["mine"] = []byte(`{"networks": {"a": {"ip": "10.0.0.9"}, "b": {"ip": "127.0.0.1"}}}`)
	store.texts["mine6"] = []byte(`{"networks": {"a": {"ip": "::ffff:127.0.0.1"}}}`)
	store.texts["theirs"] = []byte(`{"networks": {"a": {"ip": "10.0.0.9"}}, "ip": "127.0.0.1"}`)
	store.texts["odd"] = []byte(`{"networks": ["127.0.0.1"]}`)
	store.texts["empty"] = nil
	const right, wrong = "Basic Ym9zaDpodW50ZXIy", "Basic Ym9zaDp3cm9uZw=="
	paths := func(id string) []string {
		return []string{"/instances/" + id + "/settings", "/registry/instances/" + id + "/settings", "/registry/instances/" + id}
	}
	for _, own := range []bool{false, true} {
		base := start(t, server.Config{Store: store, Users: users, OwnAddress: own})
		tests := []struct {
			method, id, authorization string
			ok                        bool
		}{
			{"GET", "theirs", right, true},
			{"GET", "theirs", wrong, false},
			{"GET", "theirs", "", false},
			{"GET", "mine", "", own},
			{"HEAD", "mine", "", own},
			{"GET", "mine6", "", own},
			{"GET", "mine", wrong, false}, // who shows credentials is judged by them
			{"GET", "odd", "", false},
			{"GET", "empty", "", false},
			{"GET", "unknown", "", false},
			{"GET", "b.d", "", false},
			{"PUT", "mine", "", false},
			{"DELETE", "mine", "", false},
			{"POST", "mine", "", false},
			{"PATCH", "mine", "", false},
		}
		for _, tt := range tests {
			for _, path := range paths(tt.id) {
				status, body, head := ask(t, tt.method, base+path, `{}`, map[string]string{"Authorization": tt.authorization})
				if (status == http.StatusOK) != tt.ok || !tt.ok && (status != 401 || head.Get("WWW-Authenticate") == "") {
					t.Errorf("own %v: %s %s with %q: %d %s", own, tt.method, path, tt.authorization, status, body)
				}
			}
		}
		// The folder beside the settings is not the machine's to see.
		if status, _, _ := ask(t, "GET", base+"/registry/instances/mine/ec2", "", nil); status != 401 {
			t.Errorf("own %v: GET of something else: %d", own, status)
		}
	}
}

func TestErrorsOfTheStore(t *testing.T) {
	tests := []struct {
		err    error
		status int
		log    bool
	}{
		{syscall.ENOSPC, 507, true},
		{fmt.Errorf("x: %w", repository.ErrFull), 507, true},
		{fmt.Errorf("x: %w", repository.ErrUnavailable), 502, true},
		{repository.ErrUnauthorized, 502, true},
		{context.Canceled, 503, true},
		{errors.New("disk on fire"), 500, true},
	}
	for _, tt := range tests {
		var log strings.Builder
		store := newMemory()
		store.err = tt.err
		base := start(t, server.Config{Store: store, Log: slog.New(slog.NewTextHandler(&log, nil))})
		for _, path := range []string{"/instances/a/settings", "/registry/instances/a/settings"} {
			for _, method := range []string{"GET", "HEAD", "PUT", "DELETE"} {
				status, body, _ := ask(t, method, base+path, `{"password": "hunter2"}`, nil)
				if status != tt.status || strings.Contains(body, "fire") {
					t.Errorf("%v: %s %s: %d %s; want %d", tt.err, method, path, status, body, tt.status)
				}
			}
		}
		if !strings.Contains(log.String(), tt.err.Error()) || strings.Contains(log.String(), "hunter2") {
			t.Errorf("%v: log is %s", tt.err, log.String())
		}
	}
}
