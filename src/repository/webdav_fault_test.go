package repository_test

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bosh-ironic-cpi/src/repository"
	"bosh-ironic-cpi/src/secret"
	"bosh-ironic-cpi/src/tlsclient"
)

// A front stands before a real server and answers some requests itself.
type front struct {
	URL string

	mu   sync.Mutex
	seen []string                                      // method and last element of the path
	take func(http.ResponseWriter, *http.Request) bool // true: answered here
}

// before starts a front of target.
func before(t *testing.T, target string, take func(http.ResponseWriter, *http.Request) bool) *front {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	f := &front{take: take}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		if d := r.In.Header.Get("Destination"); d != "" {
			r.Out.Header.Set("Destination", strings.Replace(d, f.URL, target, 1))
		}
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.seen = append(f.seen, r.Method)
		f.mu.Unlock()
		if !f.take(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	f.URL = server.URL
	return f
}

// methods returns the methods seen since the last call.
func (f *front) methods() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := strings.Join(f.seen, " ")
	f.seen = nil
	return s
}

// answer returns a front's rule: so many requests of a method get this status.
func answer(method string, status, times int, body string) func(http.ResponseWriter, *http.Request) bool {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if r.Method != method || times == 0 {
			return false
		}
		times--
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		return true
	}
}

func multistatus(status string) string {
	return `<?xml version="1.0"?><d:multistatus xmlns:d="DAV:"><d:response><d:href>/a</d:href>` +
		`<d:status>HTTP/1.1 ` + status + `</d:status></d:response></d:multistatus>`
}

// TestWebDAVStatuses: what becomes of the statuses that servers give, and which requests are repeated.
func TestWebDAVStatuses(t *testing.T) {
	base, folder := nginx(t)
	tests := []struct {
		name, method  string
		status, times int
		body          string
		want          error // nil: the whole round goes well
		methods       string
	}{
		{name: "all is well", method: "NONE", methods: "MKCOL PUT MOVE HEAD DELETE"},
		{name: "PUT full", method: "PUT", status: 507, times: 1, want: repository.ErrFull, methods: "MKCOL PUT DELETE DELETE"},
		{name: "PUT 413", method: "PUT", status: 413, times: 1, want: repository.ErrFull, methods: "MKCOL PUT DELETE DELETE"},
		{name: "PUT 401", method: "PUT", status: 401, times: 1, want: repository.ErrUnauthorized, methods: "MKCOL PUT"},
		{name: "PUT 403", method: "PUT", status: 403, times: 1, want: repository.ErrUnauthorized, methods: "MKCOL PUT"},
		{name: "PUT 503 is not repeated", method: "PUT", status: 503, times: 1, want: repository.ErrUnavailable, methods: "MKCOL PUT DELETE DELETE"},
		{name: "PUT redirected", method: "PUT", status: 307, times: 1, want: repository.ErrUnavailable, methods: "MKCOL PUT DELETE DELETE"},
		{name: "MKCOL 500 is repeated", method: "MKCOL", status: 500, times: 1, methods: "MKCOL MKCOL PUT MOVE HEAD DELETE"},
		{
			name: "MKCOL 500 for good", method: "MKCOL", status: 500, times: 9, want: repository.ErrUnavailable,
			methods: "MKCOL MKCOL MKCOL",
		},
		{name: "MKCOL not allowed", method: "MKCOL", status: 403, times: 9, methods: "MKCOL MKCOL PUT MOVE HEAD DELETE"},
		{name: "MKCOL unknown", method: "MKCOL", status: 501, times: 9, methods: "MKCOL PUT MOVE HEAD DELETE"},
		{name: "MKCOL 401", method: "MKCOL", status: 401, times: 9, want: repository.ErrUnauthorized, methods: "MKCOL"},
		{
			name: "MKCOL in parts", method: "MKCOL", status: 207, times: 9, body: multistatus("507 Insufficient Storage"),
			methods: "MKCOL PUT MOVE HEAD DELETE",
		},
		{name: "MOVE 503 once", method: "MOVE", status: 503, times: 1, methods: "MKCOL PUT MOVE MOVE HEAD DELETE"},
		{name: "MOVE 503 for good", method: "MOVE", status: 503, times: 9, want: repository.ErrUnavailable, methods: "MKCOL PUT MOVE MOVE"},
		{name: "MOVE 502, and it was done", method: "MOVE", status: 502, times: 1, methods: "MKCOL PUT MOVE MOVE HEAD DELETE"},
		{name: "MOVE unknown", method: "MOVE", status: 501, times: 9, methods: "MKCOL PUT MOVE GET PUT DELETE HEAD DELETE"},
		{name: "MOVE not allowed", method: "MOVE", status: 405, times: 9, methods: "MKCOL PUT MOVE GET PUT DELETE HEAD DELETE"},
		{
			name: "MOVE in parts", method: "MOVE", status: 207, times: 1, body: multistatus("507 Insufficient Storage"),
			want: repository.ErrFull, methods: "MKCOL PUT MOVE",
		},
		{name: "HEAD 503 twice", method: "HEAD", status: 503, times: 2, methods: "MKCOL PUT MOVE HEAD HEAD HEAD DELETE"},
		{name: "HEAD 404", method: "HEAD", status: 404, times: 1, want: repository.ErrNotFound, methods: "MKCOL PUT MOVE HEAD"},
		{name: "HEAD 410", method: "HEAD", status: 410, times: 1, want: repository.ErrNotFound, methods: "MKCOL PUT MOVE HEAD"},
		{name: "DELETE 404", method: "DELETE", status: 404, times: 1, methods: "MKCOL PUT MOVE HEAD DELETE"},
		{name: "DELETE 500", method: "DELETE", status: 500, times: 1, methods: "MKCOL PUT MOVE HEAD DELETE DELETE"},
		{
			name: "DELETE in parts", method: "DELETE", status: 207, times: 1, body: multistatus("403 Forbidden"),
			want: repository.ErrUnauthorized, methods: "MKCOL PUT MOVE HEAD DELETE",
		},
		{name: "DELETE in parts, all well", method: "DELETE", status: 207, times: 1, body: multistatus("204 No Content"), methods: "MKCOL PUT MOVE HEAD DELETE"},
		{
			name: "DELETE in parts that nobody can read", method: "DELETE", status: 207, times: 1, body: "<html>",
			want: repository.ErrUnavailable, methods: "MKCOL PUT MOVE HEAD DELETE",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			f := before(t, base, answer(tt.method, tt.status, tt.times, tt.body))
			if err := os.MkdirAll(filepath.Join(folder, "images", tt.name), 0o755); err != nil {
				t.Fatal(err)
			}
			w := openWebDAV(t, repository.WebDAVConfig{URL: f.URL + "/images/" + tt.name, Username: "u", Password: secret.New("hunter2")})
			err := round(t.Context(), w)
			if !errors.Is(err, tt.want) {
				t.Errorf("error = %v; want %v", err, tt.want)
			}
			if got := f.methods(); got != tt.methods {
				t.Errorf("requests were %s; want %s", got, tt.methods)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

// round uploads a file, looks at it and deletes it.
func round(ctx context.Context, s repository.Store) error {
	draft, err := s.Upload(ctx, strings.NewReader("hello"), 5)
	if err != nil {
		return err
	}
	if err := draft.Commit(ctx, "f"); err != nil {
		return err
	}
	if info, err := s.Stat(ctx, "f"); err != nil || info.Size != 5 {
		return errors.Join(err, errors.New("not 5 bytes"))
	}
	return s.Delete(ctx, "f")
}

// TestWebDAVAnswerLost: the server did it, and the connection broke before it could say so.
func TestWebDAVAnswerLost(t *testing.T) {
	base, _ := nginx(t)
	for _, method := range []string{"MOVE", "DELETE", "HEAD"} {
		lost := false
		f := before(t, base, func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != method || lost {
				return false
			}
			lost = true
			again := r.Clone(r.Context())
			again.RequestURI, again.URL.Scheme, again.URL.Host = "", "http", strings.TrimPrefix(base, "http://")
			again.Header.Set("Destination", strings.Replace(r.Header.Get("Destination"), "http://"+r.Host, base, 1))
			answer, err := http.DefaultClient.Do(again)
			if err != nil {
				t.Error(err)
			} else {
				_ = answer.Body.Close()
			}
			panic(http.ErrAbortHandler)
		})
		if err := round(t.Context(), openWebDAV(t, repository.WebDAVConfig{URL: f.URL + "/images"})); err != nil {
			t.Errorf("the answer to %s was lost: %v", method, err)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestWebDAVDiesInUpload: connections that break, and a server that is gone for good, in the middle of an upload.
func TestWebDAVDiesInUpload(t *testing.T) {
	base, folder := nginx(t)
	f := before(t, base, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut {
			_, _ = io.CopyN(io.Discard, r.Body, 1<<20)
			panic(http.ErrAbortHandler)
		}
		return false
	})
	w := openWebDAV(t, repository.WebDAVConfig{URL: f.URL + "/images"})
	for _, size := range []int64{64 << 20, -1} {
		r := &counter{left: 64 << 20}
		if _, err := w.Upload(t.Context(), r, size); !errors.Is(err, repository.ErrUnavailable) {
			t.Errorf("Upload over a connection that breaks: %v; want ErrUnavailable", err)
		}
		if r.left == 0 {
			t.Error("the reader was read to its end all the same")
		}
	}

	dir := filepath.Dir(folder)
	direct := openWebDAV(t, repository.WebDAVConfig{URL: base + "/images"})
	killer := &counter{left: 64 << 20}
	_, err := direct.Upload(t.Context(), io.MultiReader(io.LimitReader(killer, 1<<20), calls(func() { script(t, "webdav-down", dir) }), killer), -1)
	if !errors.Is(err, repository.ErrUnavailable) {
		t.Errorf("Upload to a server that ends: %v; want ErrUnavailable", err)
	}
	if again := script(t, "webdav-up", dir); again != base {
		t.Errorf("the server came back as %s; it was %s", again, base)
	}
	if left, err := os.ReadDir(filepath.Join(folder, "images")); err != nil || len(left) > 0 {
		t.Errorf("%v are left, %v", left, err)
	}
	store(t, direct, "f", "x")
}

// calls is an empty reader that does something.
type calls func()

// Read implements io.Reader.
func (c calls) Read([]byte) (int, error) {
	c()
	return 0, io.EOF
}

// TestWebDAVSilence: a server that takes the connection and then says nothing, reads nothing or stops sending.
func TestWebDAVSilence(t *testing.T) {
	const patience = 150 * time.Millisecond
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the kernel takes connections, and nobody reads
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	over := make(chan struct{})
	stuck := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			w.WriteHeader(http.StatusContinue)
			<-over // with the upload unread
			return
		}
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		<-over
	}))
	t.Cleanup(stuck.Close)
	t.Cleanup(func() { close(over) })

	start := time.Now()
	w := openWebDAV(t, repository.WebDAVConfig{URL: "http://" + silent.Addr().String(), Timeout: patience})
	if _, err := w.Stat(t.Context(), "f"); !errors.Is(err, repository.ErrUnavailable) {
		t.Errorf("Stat: %v; want ErrUnavailable", err)
	}
	w = openWebDAV(t, repository.WebDAVConfig{URL: stuck.URL, Timeout: patience})
	if _, err := w.Upload(t.Context(), &counter{left: 64 << 20}, 64<<20); !errors.Is(err, repository.ErrUnavailable) {
		t.Errorf("Upload that is not read: %v; want ErrUnavailable", err)
	}
	r, err := w.Open(t.Context(), "f", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); !errors.Is(err, repository.ErrUnavailable) {
		t.Errorf("reading a file that stops: %v; want ErrUnavailable", err)
	}
	_ = r.Close()
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("all that took %v", d)
	}
}

func TestWebDAVNobodyThere(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	w := openWebDAV(t, repository.WebDAVConfig{URL: "http://u:hunter2@" + closed.Addr().String() + "/x"})
	r := &counter{left: 1 << 20}
	_, uploadErr := w.Upload(t.Context(), r, 1<<20)
	_, openErr := w.Open(t.Context(), "f", 0, -1)
	for what, err := range map[string]error{"Upload": uploadErr, "Open": openErr, "Delete": w.Delete(t.Context(), "f")} {
		if !errors.Is(err, repository.ErrUnavailable) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v; want ErrUnavailable", what, err)
		}
	}
	if r.read > 0 {
		t.Errorf("%d bytes were read for nobody", r.read)
	}
}

// TestWebDAVWithoutRanges: a server that sends the whole file whatever part is asked for.
func TestWebDAVWithoutRanges(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "0123456789")
	}))
	t.Cleanup(server.Close)
	w := openWebDAV(t, repository.WebDAVConfig{URL: server.URL})
	tests := []struct {
		offset, length int64
		want           string
	}{{0, -1, "0123456789"}, {3, -1, "3456789"}, {3, 4, "3456"}, {0, 2, "01"}, {8, 5, "89"}, {10, 1, ""}, {20, -1, ""}}
	for _, tt := range tests {
		r, err := w.Open(t.Context(), "f", tt.offset, tt.length)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		_ = r.Close()
		if err != nil || string(got) != tt.want {
			t.Errorf("Open(%d, %d) reads %q, %v; want %q", tt.offset, tt.length, got, err, tt.want)
		}
	}
}

func TestWebDAVRedirects(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://u:hunter2@other.example.com"+r.URL.Path, http.StatusPermanentRedirect)
	}))
	t.Cleanup(server.Close)
	w := openWebDAV(t, repository.WebDAVConfig{URL: server.URL})
	_, err := w.Stat(t.Context(), "f")
	if !errors.Is(err, repository.ErrUnavailable) || !strings.Contains(err.Error(), "other.example.com") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Stat: %v; want ErrUnavailable that names the other address", err)
	}
}

// TestB12TLS: the founding CPI took its CA for a client certificate, and verified nothing without one.
func TestB12TLS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "x")
	}))
	t.Cleanup(server.Close)
	server.Config.ErrorLog = nil
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	tests := []struct {
		name string
		c    repository.WebDAVConfig
		want error
	}{
		{"unknown certificate", repository.WebDAVConfig{}, repository.ErrUnavailable},
		{"its CA", repository.WebDAVConfig{TLS: tlsclient.Config{CA: ca}}, nil},
		{"not verified", repository.WebDAVConfig{TLS: tlsclient.Config{Insecure: true}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.c.URL = server.URL
			if _, err := openWebDAV(t, tt.c).Stat(t.Context(), "f"); !errors.Is(err, tt.want) {
				t.Errorf("Stat: %v; want %v", err, tt.want)
			}
		})
	}
}

// TestWebDAVSendsCredentialsAtOnce: an upload cannot be repeated after a question for a password.
func TestWebDAVSendsCredentialsAtOnce(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		got = append(got, r.Method+" "+user+" "+password+" "+r.Header.Get("Destination"))
		w.WriteHeader(http.StatusCreated)
	}))
	t.Cleanup(server.Close)
	w := openWebDAV(t, repository.WebDAVConfig{URL: strings.Replace(server.URL, "//", "//bosh:p%40ss@", 1)})
	draft, err := w.Upload(t.Context(), strings.NewReader("x"), 1)
	if err == nil {
		err = draft.Commit(t.Context(), "a b")
	}
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"PUT bosh p@ss ", "MOVE bosh p@ss " + server.URL + "/a%20b"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("requests (-want +got):\n%s", d)
	}
}
