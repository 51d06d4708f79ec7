package backend

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bosh-ironic-cpi/src/wait"
)

// A Proxy passes requests on to one server and keeps a list of them. Told to, it lets some go wrong. Bodies
// stream through it in both directions.
type Proxy struct {
	URL string // base, without a slash at its end

	mu       sync.Mutex
	rules    []*Rule
	requests []*Request
}

// A Fault describes requests and what shall happen to them. Without Status, CloseBefore, CloseAfter or
// AfterBytes they are served, after Delay. Of several faults that fit a request the first counts.
type Fault struct {
	Method       string                   // empty: any
	PathContains string                   // of path?query; empty: any
	Match        func(*http.Request) bool // nil: any; it must not read the body
	Skip         int                      // that many fitting requests pass first
	Times        int                      // that many go wrong; zero: all

	Delay       time.Duration // before anything else
	Status      int           // answer with it instead of the server
	Body        string        // of that answer; JSON if it begins with {
	CloseBefore bool          // end the connection without passing the request on
	CloseAfter  bool          // the server does it, and its answer never comes
	AfterBytes  int64         // pass that much of the request's body on, then end both connections
}

// A Rule is a fault in force.
type Rule struct {
	proxy *Proxy
	fault Fault
	seen  int
	hits  int
}

// A Request is one that has passed, or not.
type Request struct {
	Method, Path, Query string
	Status              int // 0: no answer so far, or the connection was closed instead
}

// NewProxy starts a proxy in front of the server at target; it ends with the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{}
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	forward := &httputil.ReverseProxy{
		Transport:     transport,
		FlushInterval: -1,
		ErrorLog:      slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // connections break on purpose here
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // WebDAV's Destination must name the same host
		},
		// Whoever could not be asked closes the connection, as without a proxy.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.serve(w, r, forward) }))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		transport.CloseIdleConnections()
	})
	p.URL = server.URL
	return p
}

// Fail lets requests go wrong from now on.
func (p *Proxy) Fail(f Fault) *Rule {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := &Rule{proxy: p, fault: f}
	p.rules = append(p.rules, r)
	return r
}

// Hits counts the requests that went wrong by this rule.
func (r *Rule) Hits() int {
	r.proxy.mu.Lock()
	defer r.proxy.mu.Unlock()
	return r.hits
}

// Remove ends the rule.
func (r *Rule) Remove() {
	r.proxy.mu.Lock()
	defer r.proxy.mu.Unlock()
	r.proxy.rules = slices.DeleteFunc(r.proxy.rules, func(x *Rule) bool { return x == r })
}

// Requests lists what has come since the start or the last Reset, in the order of arrival.
func (p *Proxy) Requests() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]Request, len(p.requests))
	for i, r := range p.requests {
		list[i] = *r
	}
	return list
}

// Count counts the requests with this method (empty: any) whose path?query contains part.
func (p *Proxy) Count(method, part string) int {
	n := 0
	for _, r := range p.Requests() {
		if (method == "" || r.Method == method) && strings.Contains(r.Path+"?"+r.Query, part) {
			n++
		}
	}
	return n
}

// Reset removes all rules and forgets the requests.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules, p.requests = nil, nil
}

// hit finds the fault for a request.
func (p *Proxy) hit(r *http.Request) (Fault, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, rule := range p.rules {
		f := rule.fault
		fits := (f.Method == "" || f.Method == r.Method) && strings.Contains(r.URL.RequestURI(), f.PathContains) &&
			(f.Match == nil || f.Match(r))
		if !fits || f.Times > 0 && rule.hits >= f.Times {
			continue
		}
		if rule.seen++; rule.seen <= f.Skip {
			continue
		}
		rule.hits++
		return f, true
	}
	return Fault{}, false
}

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request, forward http.Handler) {
	noted := &statusWriter{ResponseWriter: w, proxy: p, request: &Request{
		Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery,
	}}
	p.mu.Lock()
	p.requests = append(p.requests, noted.request)
	p.mu.Unlock()
	// An answer may come before the request's body has ended: 507 in the middle of an upload.
	_ = http.NewResponseController(w).EnableFullDuplex()
	f, ok := p.hit(r)
	if !ok {
		forward.ServeHTTP(noted, r)
		return
	}
	if wait.Pause(r.Context(), f.Delay) != nil {
		panic(http.ErrAbortHandler)
	}
	switch {
	case f.CloseBefore:
		panic(http.ErrAbortHandler)
	case f.CloseAfter:
		forward.ServeHTTP(&deafWriter{header: http.Header{}}, r)
		panic(http.ErrAbortHandler)
	case f.Status != 0:
		if r.Header.Get("Expect") == "" {
			// A small body that is left unread makes net/http panic after the answer (Go 1.26).
			_, _ = io.CopyN(io.Discard, r.Body, 64<<10)
		}
		if strings.HasPrefix(f.Body, "{") {
			noted.Header().Set("Content-Type", "application/json")
		}
		noted.WriteHeader(f.Status)
		_, _ = io.WriteString(noted, f.Body)
	case f.AfterBytes > 0:
		r.Body = &brokenBody{ReadCloser: r.Body, left: f.AfterBytes}
		forward.ServeHTTP(noted, r)
	default:
		forward.ServeHTTP(noted, r)
	}
}

// A statusWriter notes the status before the client can know it.
type statusWriter struct {
	http.ResponseWriter
	proxy   *Proxy
	request *Request
}

func (w *statusWriter) WriteHeader(status int) {
	w.proxy.mu.Lock()
	w.request.Status = status
	w.proxy.mu.Unlock()
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController flush.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// A deafWriter takes an answer that nobody gets.
type deafWriter struct{ header http.Header }

func (w *deafWriter) Header() http.Header         { return w.header }
func (w *deafWriter) WriteHeader(int)             {}
func (w *deafWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w *deafWriter) Flush()                      {}

var errBroken = errors.New("the connection dies here, as the test wants it")

// A brokenBody ends with an error after left bytes.
type brokenBody struct {
	io.ReadCloser
	left int64
}

func (b *brokenBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errBroken
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
