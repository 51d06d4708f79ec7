package backend_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bosh-ironic-cpi/src/backend"
)

// A far end that counts what arrives whole and what breaks off.
type farEnd struct{ whole, broken atomic.Int64 }

func (f *farEnd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		f.broken.Add(n)
		return
	}
	f.whole.Add(1)
	w.Header().Set("X-Host", r.Host)
	_, _ = io.WriteString(w, "served")
}

func through(t *testing.T, p *backend.Proxy, method, path string, body io.Reader) (int, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

func TestProxyFaults(t *testing.T) {
	tests := []struct {
		name   string
		fault  backend.Fault
		status int // of the first request; 0: the connection is closed
		text   string
		whole  int64 // requests that reached the far end whole, of two
	}{
		{name: "status", fault: backend.Fault{Status: 503, Body: `{"a": 1}`, Times: 1}, status: 503, text: `{"a": 1}`, whole: 1},
		{name: "closed before", fault: backend.Fault{CloseBefore: true, Times: 1}, whole: 1},
		{name: "closed after", fault: backend.Fault{CloseAfter: true, Times: 1}, whole: 2},
		{name: "delay alone", fault: backend.Fault{Delay: time.Millisecond, Times: 1}, status: 200, text: "served", whole: 2},
		{name: "another method", fault: backend.Fault{Method: "GET", Status: 500}, status: 200, text: "served", whole: 2},
		{name: "another path", fault: backend.Fault{PathContains: "/b", Status: 500}, status: 200, text: "served", whole: 2},
		{name: "part of the query", fault: backend.Fault{PathContains: "q=1", Status: 500, Times: 1}, status: 500, whole: 1},
		{name: "the second only", fault: backend.Fault{Status: 500, Skip: 2}, status: 200, text: "served", whole: 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			far := &farEnd{}
			server := httptest.NewServer(far)
			defer server.Close()
			p := backend.NewProxy(t, server.URL)
			rule := p.Fail(tt.fault)
			status, text, err := through(t, p, http.MethodPut, "/a?q=1", strings.NewReader("body"))
			if (err != nil) != (tt.status == 0) || status != tt.status || err == nil && text != tt.text {
				t.Errorf("first: %d %q, %v; want %d %q", status, text, err, tt.status, tt.text)
			}
			if status, text, err := through(t, p, http.MethodPut, "/a?q=1", strings.NewReader("body")); status != 200 || text != "served" {
				t.Errorf("second: %d %q, %v; want it served", status, text, err)
			}
			if got := far.whole.Load(); got != tt.whole {
				t.Errorf("the far end served %d; want %d", got, tt.whole)
			}
			if list := p.Requests(); len(list) != 2 || list[0].Status != tt.status || list[0].Path != "/a" || list[1].Status != 200 {
				t.Errorf("requests = %+v", list)
			}
			if got := rule.Hits(); got > 1 || got == 0 && tt.fault.Times > 0 {
				t.Errorf("hits = %d", got)
			}
		})
	}
}

// TestProxyBrokenUpload: both ends see the connection die after some bytes, and nothing is served.
func TestProxyBrokenUpload(t *testing.T) {
	far := &farEnd{}
	server := httptest.NewServer(far)
	p := backend.NewProxy(t, server.URL)
	p.Fail(backend.Fault{Method: http.MethodPut, AfterBytes: 1 << 20, Times: 1})
	body := make([]byte, 8<<20)
	_, _ = rand.Read(body)
	if status, _, err := through(t, p, http.MethodPut, "/big", bytes.NewReader(body)); err == nil {
		t.Errorf("a broken upload answers %d", status)
	}
	server.Close() // waits for the handler
	if whole, broken := far.whole.Load(), far.broken.Load(); whole != 0 || broken > 1<<20 || broken == 0 {
		t.Errorf("the far end got %d whole and %d bytes of a broken one; want none and up to 1 MiB", whole, broken)
	}
}

// TestProxyStreams: the answer begins before the request's body has ended, so nothing is kept in memory.
func TestProxyStreams(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ends := http.NewResponseController(w)
		_ = ends.EnableFullDuplex()
		b := make([]byte, 5)
		if _, err := io.ReadFull(r.Body, b); err != nil {
			return
		}
		_, _ = w.Write(b)
		_ = ends.Flush()
		_, _ = io.Copy(w, r.Body)
	}))
	defer server.Close()
	p := backend.NewProxy(t, server.URL)
	reader, writer := io.Pipe()
	go func() { _, _ = writer.Write([]byte("first")) }()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, p.URL, reader)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b := make([]byte, 5)
	if _, err := io.ReadFull(resp.Body, b); err != nil || string(b) != "first" {
		t.Errorf("first part = %q, %v", b, err)
	}
	_ = writer.CloseWithError(errors.New("enough"))
}

func TestProxyReset(t *testing.T) {
	server := httptest.NewServer(&farEnd{})
	defer server.Close()
	p := backend.NewProxy(t, server.URL)
	p.Fail(backend.Fault{Status: 500}).Remove()
	p.Fail(backend.Fault{Match: func(r *http.Request) bool { return r.Header.Get("X-A") == "" }, Status: 501})
	if status, _, _ := through(t, p, http.MethodGet, "/x", nil); status != 501 {
		t.Errorf("status = %d; want 501", status)
	}
	if p.Count("GET", "/x") != 1 || p.Count("", "/x") != 1 || p.Count("PUT", "") != 0 {
		t.Errorf("counts are wrong: %+v", p.Requests())
	}
	p.Reset()
	if status, _, _ := through(t, p, http.MethodGet, "/x", nil); status != 200 || len(p.Requests()) != 1 {
		t.Errorf("after Reset: %d, %+v", status, p.Requests())
	}
}
