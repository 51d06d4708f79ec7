//go:build integration

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"bosh-ironic-cpi/src/backend"
)

// connect sends text and returns what came back until the daemon closed, or the time was up.
func connect(t *testing.T, url, text string, limit time.Duration) (answer string, closed bool) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, text) // the answer may come before all is sent
	all, err := io.ReadAll(conn)
	return string(all), err == nil
}

// What no honest client sends is refused or cut off, and the next one is served.
func TestHostileClients(t *testing.T) {
	d := backend.StartDaemon(t, map[string]any{"limits": map[string]any{"header": "1s", "stall": "2s"}})
	put := "PUT /images/x HTTP/1.1\r\nHost: h\r\n"
	tests := []struct{ name, text, want string }{
		{"garbage", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\r\n\r\n", "HTTP/1.1 400"},
		{"no head's end", "GET /images/ HTTP/1.1\r\nHost: h\r\nX: ", ""},
		{"huge head", "GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 100<<10) + "\r\n\r\n", "HTTP/1.1 431"},
		{"two lengths", put + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", "HTTP/1.1 400"},
		{"negative length", put + "Content-Length: -1\r\n\r\n", "HTTP/1.1 400"},
		{"chunk size", put + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx", ""},
		{"strange coding", put + "Transfer-Encoding: chunked, identity\r\n\r\n", "HTTP/1.1 501"},
		{"body that stops", put + "Content-Length: 1000\r\n\r\nhalf", ""},
		{"up", "GET /images/../../../../etc/passwd HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "HTTP/1.1 400"},
		{"up, escaped", "GET /images/%2e%2e/%2E%2e/etc/passwd HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "HTTP/1.1 400"},
		{"up, slash escaped", "GET /images/..%2f..%2fetc%2fpasswd HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "HTTP/1.1 400"},
		{"NUL", "GET /images/x%00.png HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "HTTP/1.1 400"},
		{"long path", "GET /images/" + strings.Repeat("x", 5000) + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "HTTP/1.1 414"},
		{"long name", "PUT /images/" + strings.Repeat("x", 300) + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", "HTTP/1.1 400"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			answer, closed := connect(t, d.Repository, tt.text, 15*time.Second)
			if !closed || !strings.HasPrefix(answer, tt.want) || strings.Contains(answer, "root:") ||
				strings.HasPrefix(answer, "HTTP/1.1 2") || strings.Contains(answer, "\nok") {
				t.Errorf("closed %v, answer %.200q; want closed, %q", closed, answer, tt.want)
			}
		})
	}
	t.Run("length and chunks", func(t *testing.T) { // chunks count, for all of us alike (RFC 9112, 6.3)
		t.Parallel()
		answer, closed := connect(t, d.Repository, "PUT /images/both HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"+
			"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", 15*time.Second)
		if _, text := ask(t.Context(), http.MethodGet, d.Repository+"/images/both", ""); !closed || text != "a" {
			t.Errorf("closed %v, answer %.100q; the file holds %q", closed, answer, text)
		}
	})
	t.Cleanup(func() { // after the parallel ones
		if status, answer := ask(t.Context(), http.MethodGet, d.Repository+"/healthz", ""); status != 0 && status != http.StatusOK {
			t.Errorf("the daemon: %d %s", status, answer)
		}
	})
	t.Run("body byte by byte", func(t *testing.T) {
		t.Parallel()
		conn, err := net.Dial("tcp", strings.TrimPrefix(d.Repository, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		begun := time.Now()
		fmt.Fprintf(conn, "PUT /images/slow HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n")
		ticker := time.NewTicker(200 * time.Millisecond) // never silent for long
		defer ticker.Stop()
		for range ticker.C {
			if _, err := conn.Write([]byte("x")); err != nil {
				break
			}
			if time.Since(begun) > 20*time.Second {
				t.Fatal("five bytes in a second are taken for ever")
			}
		}
	})
	t.Run("answer that nobody reads", func(t *testing.T) {
		if status, _ := ask(t.Context(), http.MethodPut, d.Repository+"/images/large", strings.Repeat("x", 64<<20)); status != http.StatusCreated {
			t.Fatalf("PUT: %d", status)
		}
		conn, err := net.Dial("tcp", strings.TrimPrefix(d.Repository, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET /images/large HTTP/1.1\r\nHost: h\r\n\r\n")
		if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		left := func() bool {
			_, text := ask(t.Context(), http.MethodGet, d.Repository+"/metrics", "")
			return strings.Contains(text, `bosh_ironic_http_requests_in_flight{part="images"} 0`)
		}
		for begun := time.Now(); !left(); <-time.After(100 * time.Millisecond) {
			if time.Since(begun) > 20*time.Second {
				t.Fatal("the request goes on for ever")
			}
		}
	})
}

// manyConnections opens n idle ones and tells what they cost.
func manyConnections(t *testing.T, n int) {
	t.Helper()
	var files syscall.Rlimit // Go has raised the soft one already; the daemon inherits
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur < uint64(n+500) {
		t.Fatalf("%d open files are allowed, %v; %d are needed: raise ulimit -n", files.Cur, err, n+500)
	}
	d := backend.StartDaemon(t, map[string]any{"limits": map[string]any{"idle": "10m"}})
	before := memory(t, d.PID(), "VmRSS")
	begun := time.Now()
	conns := make([]net.Conn, n)
	for i := range conns {
		conn, err := net.Dial("tcp", strings.TrimPrefix(d.Registry, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
		if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
			t.Fatalf("connection %d: %q, %v", i, line, err)
		}
		conns[i] = conn
	}
	opened := time.Since(begun)
	begun = time.Now()
	const asked = 100
	for range asked {
		if status, answer := ask(t.Context(), http.MethodPut, d.Registry+"/instances/vm/settings", `{"a": 1}`); status/100 != 2 {
			t.Fatalf("PUT beside %d idle connections: %d %s", n, status, answer)
		}
	}
	each := time.Since(begun) / asked
	after := memory(t, d.PID(), "VmRSS")
	t.Logf("%d idle connections: opened in %v, %.1f MiB before, %.1f MiB with them (%.1f KiB each); a PUT beside them takes %v",
		n, opened.Round(time.Millisecond), before, after, (after-before)*1024/float64(n), each.Round(time.Microsecond))
	if perConnection := (after - before) * 1024 / float64(n); perConnection > 64 {
		t.Errorf("an idle connection costs %.1f KiB; want less than 64", perConnection)
	}
	for _, conn := range conns { // each is still served
		fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
	}
	if err := d.Stop(); err != nil {
		t.Errorf("stopping with idle connections: %v", err)
	}
}

func TestIdleConnections(t *testing.T) { manyConnections(t, 500) }
