package daemon_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"bosh-ironic-cpi/src/daemon"
	"bosh-ironic-cpi/src/httpauth"
	"bosh-ironic-cpi/src/secret"
)

// A part is what a test makes of it.
type part struct {
	routes map[string]http.Handler
	run    func(context.Context) error
	ready  func(context.Context) error
}

func (p part) Routes() map[string]http.Handler { return p.routes }

func (p part) Run(ctx context.Context) error {
	if p.run != nil {
		return p.run(ctx)
	}
	<-ctx.Done()
	return nil
}

func (p part) Ready(ctx context.Context) error {
	if p.ready != nil {
		return p.ready(ctx)
	}
	return nil
}

// serving is a part with one path.
func serving(path string, h http.HandlerFunc) part {
	return part{routes: map[string]http.Handler{path: h}}
}

func address(t testing.TB, text string) daemon.Address {
	t.Helper()
	var a daemon.Address
	if err := a.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return a
}

// A running daemon.
type running struct {
	t     testing.TB
	urls  []string // of its addresses, in their order
	log   *buffer
	stop  context.CancelFunc
	ended chan error
}

// buffer is a log that can be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// start runs c; addresses that end in :0 get a port.
func start(t testing.TB, c daemon.Config) *running {
	t.Helper()
	r := &running{t: t, log: &buffer{}, ended: make(chan error, 1)}
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
	c.Log = slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	open := make(chan string, 10)
	c.Listening = func(a daemon.Address, at net.Addr) {
		open <- map[bool]string{false: "http://", true: "https://"}[a.TLS] + at.String()
	}
	seen := map[string]bool{}
	count := 0
	for _, s := range c.Services {
		for _, a := range s.Addresses {
			if !seen[a.HostPort] || strings.HasSuffix(a.HostPort, ":0") {
				count++
			}
			seen[a.HostPort] = true
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	r.stop = stop
	go func() { r.ended <- daemon.Run(ctx, c) }()
	for range count {
		select {
		case url := <-open:
			r.urls = append(r.urls, url)
		case err := <-r.ended:
			t.Fatalf("the daemon ended at its start: %v", err)
		}
	}
	t.Cleanup(func() {
		stop()
		r.end()
		if t.Failed() {
			t.Log(r.log)
		}
	})
	return r
}

// end waits for the daemon's end and returns its error.
func (r *running) end() error {
	err := <-r.ended
	r.ended <- err
	return err
}

func ask(t testing.TB, method, url string, headers ...string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body), resp.Header
}

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s at %s", text, r.URL.Path) }
}

func one(name string, p daemon.Part, addresses ...daemon.Address) []daemon.Service {
	return []daemon.Service{{Name: name, Part: p, Addresses: addresses}}
}

func TestAddress(t *testing.T) {
	tests := []struct {
		text, want string
		loopback   bool
	}{
		{"127.0.0.1:25777", "http://127.0.0.1:25777", true},
		{"http://[::1]:8081", "http://[::1]:8081", true},
		{"http://[::ffff:127.0.0.1]:8081/", "http://[::ffff:127.0.0.1]:8081", true},
		{"https://localhost:443", "https://localhost:443", true},
		{"https://0.0.0.0:443", "https://0.0.0.0:443", false},
		{":80", "http://:80", false},
		{"10.0.0.5:80", "http://10.0.0.5:80", false},
		{"[2001:db8::1]:80", "http://[2001:db8::1]:80", false},
		{"127.0.0.1.example.com:80", "http://127.0.0.1.example.com:80", false},
	}
	for _, tt := range tests {
		a := address(t, tt.text)
		if a.String() != tt.want || a.Loopback() != tt.loopback {
			t.Errorf("%s is %s, loopback %v; want %s, %v", tt.text, a, a.Loopback(), tt.want, tt.loopback)
		}
	}
	for _, text := range []string{"", "localhost", "10.0.0.5", "ftp://h:80", "http://u@h:80", "h:80/path", "h:port", "h:70000", "h:-1"} {
		if err := new(daemon.Address).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is an address", text)
		}
	}
}

func TestServicesShareAddresses(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	first, second := address(t, "127.0.0.1:0"), address(t, "127.0.0.2:0")
	both := part{routes: map[string]http.Handler{"/b/": says("b"), "/b/deep/": says("deep"), "/exact": says("exact")}}
	d := start(t, daemon.Config{Services: []daemon.Service{
		{Name: "a", Part: serving("/a/", says("a")), Addresses: []daemon.Address{first}},
		{Name: "b", Part: both, Addresses: []daemon.Address{second}},
	}})
	tests := []struct {
		at     int
		path   string
		status int
		body   string
	}{
		{0, "/a/x", 200, "a at /a/x"},
		{0, "/a", 200, "a at /a"},
		{0, "/ab", 404, "nothing is served here\n"},
		{0, "/b/x", 404, "nothing is served here\n"},
		{1, "/b/x", 200, "b at /b/x"},
		{1, "/b/deep", 200, "deep at /b/deep"},
		{1, "/b/deep/x", 200, "deep at /b/deep/x"},
		{1, "/exact", 200, "exact at /exact"},
		{1, "/exact/", 404, "nothing is served here\n"},
		{1, "/healthz", 200, "ok\n"},
		{0, "/readyz", 200, "ok\n"},
		{0, "/", 200, "/a/\n"},
	}
	for _, tt := range tests {
		status, body, _ := ask(t, "GET", d.urls[tt.at]+tt.path)
		if status != tt.status || body != tt.body && !strings.Contains(body, "/a/\n") {
			t.Errorf("GET %s: %d %q; want %d %q", tt.path, status, body, tt.status, tt.body)
		}
	}
	d.stop()
	if err := d.end(); err != nil {
		t.Errorf("Run = %v", err)
	}
}

func TestStartErrors(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	busy := address(t, taken.Addr().String())
	free := address(t, "127.0.0.1:25")
	tests := []struct {
		services []daemon.Service
		want     string
	}{
		{one("a", serving("/", says("a")), busy), "listen on http://" + busy.HostPort + ": .*in use.*; stop who uses it, or configure another address"},
		{append(one("a", serving("/x/", says("a")), free), one("b", serving("/x/", says("b")), free)...), "a and b both serve /x/"},
		{one("a", serving("/healthz", says("a")), free), "a and daemon both serve /healthz"},
		{append(one("a", serving("/a/", says("a")), free), one("b", serving("/b/", says("b")), daemon.Address{HostPort: free.HostPort, TLS: true})...), "both as http and as https"},
		{one("a", serving("/", says("a")), daemon.Address{HostPort: "127.0.0.1:0", TLS: true}), "certificate: no file named"},
	}
	for _, tt := range tests {
		err := daemon.Run(t.Context(), daemon.Config{Services: tt.services, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler)})
		if err == nil || !regexp.MustCompile(tt.want).MatchString(err.Error()) {
			t.Errorf("Run = %v; want %s", err, tt.want)
		}
	}
}

func TestPathsThatMeanTwoThings(t *testing.T) {
	d := start(t, daemon.Config{Services: one("a", serving("/", says("a")), address(t, "127.0.0.1:0"))})
	tests := []struct {
		target string
		status string
	}{
		{"/fine/..x/x../.hidden", "200"},
		{"/a/../b", "400"},
		{"/a/%2e%2E/b", "400"},
		{"/a/..%2fb", "400"},
		{"/./a", "400"},
		{"/a/.", "400"},
		{"//a", "400"},
		{"/a//b", "400"},
		{"/a%00b", "400"},
		{"/a%0ab", "400"},
		{"/a%ffb", "400"},
		{"/" + strings.Repeat("x", 5000), "414"},
		{"*", "400"},
	}
	for _, tt := range tests {
		if got := raw(t, d.urls[0], "GET "+tt.target+" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 "+tt.status) {
			t.Errorf("GET %.40s: %.60q; want %s", tt.target, got, tt.status)
		}
	}
	if got := raw(t, d.urls[0], "OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("OPTIONS *: %.60q", got)
	}
}

// raw sends bytes as they are and returns all that comes back until the daemon closes.
func raw(t testing.TB, url, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(conn)
	if err != nil {
		t.Errorf("the daemon keeps the connection: %v", err)
	}
	return string(all)
}

func TestReady(t *testing.T) {
	broken := errors.New("disk on fire")
	bad := serving("/bad/", says("bad"))
	bad.ready = func(context.Context) error { return broken }
	silent := serving("/silent/", says("silent"))
	silent.ready = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	at := address(t, "127.0.0.1:0")
	d := start(t, daemon.Config{Services: one("bad", bad, at)})
	if status, body, _ := ask(t, "GET", d.urls[0]+"/readyz"); status != 503 || body != "bad: disk on fire\n" {
		t.Errorf("/readyz: %d %q", status, body)
	}
	d = start(t, daemon.Config{Services: one("silent", silent, at)})
	if status, body, _ := ask(t, "GET", d.urls[0]+"/readyz"); status != 503 || body != "silent: no answer within 5s\n" {
		t.Errorf("/readyz: %d %q", status, body)
	}
	if status, _, _ := ask(t, "GET", d.urls[0]+"/healthz"); status != 200 {
		t.Errorf("/healthz: %d", status)
	}
}

func TestMetrics(t *testing.T) {
	users, err := httpauth.New(httpauth.User{Name: "prometheus", Password: secret.New("p")})
	if err != nil {
		t.Fatal(err)
	}
	d := start(t, daemon.Config{Services: one("a", serving("/a/", says("a")), address(t, "127.0.0.1:0")), MetricsUsers: users})
	ask(t, "GET", d.urls[0]+"/a/x")
	ask(t, "BREW", d.urls[0]+"/a/x")
	ask(t, "GET", d.urls[0]+"/none")
	if status, _, head := ask(t, "GET", d.urls[0]+"/metrics"); status != 401 || head.Get("WWW-Authenticate") == "" {
		t.Errorf("/metrics without credentials: %d", status)
	}
	_, text, _ := ask(t, "GET", d.urls[0]+"/metrics", "Authorization", "Basic cHJvbWV0aGV1czpw")
	for _, want := range []string{
		`bosh_ironic_http_requests_total{code="200",method="GET",part="a"} 1`,
		`bosh_ironic_http_requests_total{code="200",method="other",part="a"} 1`,
		`bosh_ironic_http_requests_total{code="404",method="GET",part="none"} 1`,
		`bosh_ironic_http_sent_bytes_total{part="a"} 18`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	var golden strings.Builder // names and types, which others build upon
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			golden.WriteString(line)
		}
	}
	const file = "testdata/metrics.txt"
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(golden.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), golden.String()); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

func TestAccessLogShowsNoSecret(t *testing.T) {
	refuse := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusUnauthorized)
	})
	p := part{routes: map[string]http.Handler{"/a/": says("a"), "/no/": refuse}}
	d := start(t, daemon.Config{Services: one("p", p, address(t, "127.0.0.1:0"))})
	ask(t, "GET", d.urls[0]+"/a/x?signature=hunter2", "Authorization", "Basic Ym9zaDpodW50ZXIy")
	ask(t, "GET", d.urls[0]+"/no/x", "Authorization", "Basic c3RyYW5nZXI6eA==")
	ask(t, "GET", d.urls[0]+"/healthz")
	log := d.log.String()
	for _, want := range []string{"level=INFO msg=request part=p method=GET path=/a/x status=200", "user=bosh", "level=DEBUG msg=request part=daemon", "bytes_out=9", "addr=127.0.0.1:"} {
		if !strings.Contains(log, want) {
			t.Errorf("no %s in the log", want)
		}
	}
	for _, secret := range []string{"hunter2", "signature", "Ym9zaD", "stranger"} {
		if strings.Contains(log, secret) {
			t.Errorf("%s is in the log", secret)
		}
	}
}

func TestTrustedProxies(t *testing.T) {
	who := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RemoteAddr) })
	for _, tt := range []struct {
		trusted, forwarded, want string
	}{
		{"", "10.0.0.9", "127.0.0.1:*"},
		{"192.0.2.0/24", "10.0.0.9", "127.0.0.1:*"},
		{"127.0.0.0/8", "10.0.0.9", "10.0.0.9:0"},
		{"127.0.0.0/8", "", "127.0.0.1:*"},
		{"127.0.0.0/8", "spoofed, 10.0.0.9", "10.0.0.9:0"},
		{"127.0.0.0/8", "10.6.6.6, 10.0.0.9", "10.0.0.9:0"},
		{"127.0.0.0/8", "10.0.0.9, 127.0.0.7", "10.0.0.9:0"},
		{"127.0.0.0/8", "10.0.0.9, nonsense", "127.0.0.1:*"},
		{"127.0.0.0/8", "::ffff:10.0.0.9", "10.0.0.9:0"},
		{"127.0.0.0/8", "2001:db8::1", "[2001:db8::1]:0"},
	} {
		c := daemon.Config{Services: one("a", serving("/", who), address(t, "127.0.0.1:0"))}
		if tt.trusted != "" {
			c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(tt.trusted)}
		}
		d := start(t, c)
		_, got, _ := ask(t, "GET", d.urls[0]+"/", "X-Forwarded-For", tt.forwarded)
		if want, port := strings.CutSuffix(tt.want, "*"); got != want && (!port || !strings.HasPrefix(got, want)) {
			t.Errorf("trusting %s, forwarded for %s: client is %s; want %s", tt.trusted, tt.forwarded, got, tt.want)
		}
	}
}

func TestPanics(t *testing.T) {
	p := part{routes: map[string]http.Handler{
		"/before/": http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oh no") }),
		"/midst/": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
			panic("oh no")
		}),
		"/abort/": http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
		"/fine/":  says("fine"),
	}}
	d := start(t, daemon.Config{Services: one("a", p, address(t, "127.0.0.1:0"))})
	if status, body, _ := ask(t, "GET", d.urls[0]+"/before/?password=hunter2"); status != 500 || body != "internal error\n" {
		t.Errorf("before an answer: %d %s", status, body)
	}
	for _, path := range []string{"/midst/", "/abort/"} {
		resp, err := http.Get(d.urls[0] + path)
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			resp.Body.Close()
		}
		if err == nil {
			t.Errorf("%s: half an answer looks whole", path)
		}
	}
	ask(t, "GET", d.urls[0]+"/fine/")
	if log := d.log.String(); strings.Count(log, "oh no") < 2 || !strings.Contains(log, "daemon_test.go") || strings.Contains(log, "hunter2") {
		t.Errorf("log: %s", log)
	}
}

// A file goes out in slices, and arrives whole.
func TestFilesGoOut(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, bytes.Repeat([]byte("0123456789"), 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	var whole bool
	d := start(t, daemon.Config{Services: one("a", serving("/", func(w http.ResponseWriter, r *http.Request) {
		f, err := os.Open(name)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		_, whole = w.(io.ReaderFrom)
		http.ServeContent(w, r, "", time.Time{}, f)
	}), address(t, "127.0.0.1:0"))})
	if _, body, _ := ask(t, "GET", d.urls[0]+"/"); body != strings.Repeat("0123456789", 1<<20) {
		t.Errorf("%d bytes came, or others than were sent", len(body))
	}
	if _, body, _ := ask(t, "GET", d.urls[0]+"/", "Range", "bytes=4194299-4194308"); body != "9012345678" {
		t.Errorf("a range over the end of a slice: %q", body)
	}
	if !whole {
		t.Error("the answer cannot read from a file")
	}
}

// Who sends or takes too slowly is cut off; who is slow, but not too slow, is not.
func TestPace(t *testing.T) {
	got := make(chan error, 10)
	p := part{routes: map[string]http.Handler{
		"/take/": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(io.Discard, r.Body)
			got <- err
		}),
		"/give/": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, err := io.Copy(w, io.LimitReader(endless{}, 64<<20))
			got <- err
		}),
	}}
	d := start(t, daemon.Config{
		Services: one("a", p, address(t, "127.0.0.1:0")),
		Limits:   daemon.Limits{Stall: time.Second, MinRate: 200, Header: time.Second},
	})
	dial := func(request string) net.Conn {
		conn, err := net.Dial("tcp", strings.TrimPrefix(d.urls[0], "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	// every sends n bytes every 50 ms, for two seconds.
	every := func(conn net.Conn, n int) {
		ticks := time.NewTicker(50 * time.Millisecond)
		defer ticks.Stop()
		for range 40 {
			<-ticks.C
			if _, err := conn.Write(bytes.Repeat([]byte("x"), n)); err != nil {
				return
			}
		}
	}
	every(dial("PUT /take/ HTTP/1.1\r\nHost: h\r\nContent-Length: 4000\r\n\r\n"), 100) // 2,000 bytes a second
	if err := <-got; err != nil {
		t.Errorf("2,000 bytes a second: %v", err)
	}
	every(dial("PUT /take/ HTTP/1.1\r\nHost: h\r\nContent-Length: 4000\r\n\r\n"), 1) // 20
	if err := <-got; err == nil || !strings.Contains(err.Error(), "too slowly") {
		t.Errorf("20 bytes a second: %v", err)
	}
	dial("GET /give/ HTTP/1.1\r\nHost: h\r\n\r\n") // and nothing is read
	select {
	case err := <-got:
		if err == nil {
			t.Error("64 MiB went to somebody who reads nothing")
		}
	case <-time.After(10 * time.Second):
		t.Error("who reads nothing is waited for")
	}
	begun := time.Now()
	if _, err := bufio.NewReader(dial("GET / HTTP/1.1\r\nHost:")).ReadString('\n'); err == nil || time.Since(begun) > 5*time.Second {
		t.Errorf("half a head: %v after %v", err, time.Since(begun))
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestStop(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	ran := make(chan string, 2)
	p := serving("/", func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		ran <- "request"
	})
	p.run = func(ctx context.Context) error {
		<-ctx.Done()
		ran <- "background"
		return nil
	}
	d := start(t, daemon.Config{Services: one("a", p, address(t, "127.0.0.1:0"))})
	answered := make(chan error, 1)
	go func() {
		resp, err := http.Get(d.urls[0] + "/slow")
		if err == nil {
			resp.Body.Close()
		}
		answered <- err
	}()
	<-entered
	d.stop()
	select {
	case err := <-d.ended:
		t.Fatalf("Run returned %v with a request under way", err)
	case <-time.After(100 * time.Millisecond):
	}
	close(release)
	if err := <-answered; err != nil {
		t.Errorf("the request under way: %v", err)
	}
	if err := d.end(); err != nil {
		t.Errorf("Run = %v", err)
	}
	if first, second := <-ran, <-ran; first != "request" || second != "background" {
		t.Errorf("%s ended before %s", first, second)
	}
}

func TestStopHasALimit(t *testing.T) {
	entered := make(chan struct{})
	d := start(t, daemon.Config{
		Services: one("a", serving("/", func(w http.ResponseWriter, r *http.Request) {
			close(entered)
			<-r.Context().Done()
		}), address(t, "127.0.0.1:0")),
		StopTimeout: 50 * time.Millisecond,
	})
	go func() {
		resp, err := http.Get(d.urls[0] + "/for-ever")
		if err == nil {
			resp.Body.Close()
		}
	}()
	<-entered
	d.stop()
	if err := d.end(); err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("Run = %v; want what was cut off", err)
	}
}

func TestAPartThatFailsEndsTheDaemon(t *testing.T) {
	p := serving("/", says("a"))
	p.run = func(context.Context) error { return errors.New("disk on fire") }
	err := daemon.Run(t.Context(), daemon.Config{
		Services: one("a", p, address(t, "127.0.0.1:0")), Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	})
	if err == nil || err.Error() != "a: disk on fire" {
		t.Errorf("Run = %v", err)
	}
}

func TestSystemd(t *testing.T) {
	name := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", name)
	t.Setenv("WATCHDOG_USEC", "20000")
	hear := func() string {
		b := make([]byte, 100)
		if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := conn.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	d := start(t, daemon.Config{Services: one("a", serving("/", says("a")), address(t, "127.0.0.1:0"))})
	if got := hear(); got != "READY=1" {
		t.Errorf("first it said %s", got)
	}
	if got := hear(); got != "WATCHDOG=1" {
		t.Errorf("then it said %s", got)
	}
	d.stop()
	for got := hear(); got != "STOPPING=1"; got = hear() {
		if got != "WATCHDOG=1" {
			t.Fatalf("at the end it said %s", got)
		}
	}
}

func TestConnectionLimit(t *testing.T) {
	d := start(t, daemon.Config{
		Services: one("a", serving("/", says("a")), address(t, "127.0.0.1:0")),
		Limits:   daemon.Limits{Connections: 1, Idle: time.Minute},
	})
	first, err := net.Dial("tcp", strings.TrimPrefix(d.urls[0], "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	fmt.Fprint(first, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if _, err := bufio.NewReader(first).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	second, err := net.Dial("tcp", strings.TrimPrefix(d.urls[0], "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	fmt.Fprint(second, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if err := second.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := second.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a second connection was served: %v", err)
	}
	first.Close()
	if err := second.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := second.Read(make([]byte, 1)); err != nil {
		t.Errorf("once there is room: %v", err)
	}
}
