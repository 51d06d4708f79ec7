package amt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	bmc "bosh-ironic-cpi/src/bmc/amt"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/wait"
)

// impatient is the driver with a limit that tests can wait for.
func impatient() *hardware { return &hardware{awake: &awake{}, limit: 100 * time.Millisecond} }

// A silent engine takes connections and says nothing.
func silentAt(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String() // the kernel takes the connections
}

func TestSilent(t *testing.T) {
	n := nodeAt(t, silentAt(t))
	start := time.Now()
	_, err := impatient().PowerState(t.Context(), n)
	if !errors.Is(err, driver.ErrUnreachable) || time.Since(start) > 5*time.Second {
		t.Errorf("PowerState = %v after %s; want %v at the limit", err, time.Since(start), driver.ErrUnreachable)
	}
	said(t, err, "3f2c", "AMT at 127.0.0.1:", "no answer within 100ms", "MEBx")

	n.Info["amt_protocol"] = "https"
	_, err = impatient().PowerState(t.Context(), n)
	if !errors.Is(err, driver.ErrUnreachable) {
		t.Errorf("PowerState by https = %v; want %v", err, driver.ErrUnreachable)
	}
}

func TestCancelledWhileSilent(t *testing.T) {
	n := nodeAt(t, silentAt(t))
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	start := time.Now()
	_, err := newHardware(nil).PowerState(ctx, n) // whose limit is 5 s
	if !errors.Is(err, context.Canceled) || errors.Is(err, driver.ErrUnreachable) || time.Since(start) > 3*time.Second {
		t.Errorf("PowerState = %v after %s; want %v, and nothing else, at once", err, time.Since(start), context.Canceled)
	}
}

func TestRefusedConnection(t *testing.T) {
	n := nodeAt(t, "127.0.0.1:1")
	n.Name = "rack-7"
	_, err := impatient().PowerState(t.Context(), n)
	if !errors.Is(err, driver.ErrUnreachable) {
		t.Errorf("PowerState = %v; want %v", err, driver.ErrUnreachable)
	}
	said(t, err, "rack-7 (3f2c)", "127.0.0.1:1", "connection refused", "amt_port")
}

// late answers after the limit; reset ends the connection in the middle of an answer.
func TestFaultsInBetween(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	tests := []struct {
		name, says string
		wrap       func(http.Handler) http.Handler
	}{
		{"late", "no answer within", func(http.Handler) http.Handler {
			return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				select {
				case <-r.Context().Done():
				case <-release:
				}
			})
		}},
		{"reset mid-answer", "connection reset", func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") == "" {
					h.ServeHTTP(w, r)
					return
				}
				conn, out, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = out.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<?xml ")
				_ = out.Flush()
				_ = conn.(*net.TCPConn).SetLinger(0)
				conn.Close()
			})
		}},
		{"closed mid-answer", "unexpected EOF", func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") == "" {
					h.ServeHTTP(w, r)
					return
				}
				w.Header().Set("Content-Length", "1000")
				_, _ = io.WriteString(w, "<?xml ")
			})
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, n := newBMC(t, bmc.Config{}, tt.wrap)
			_, err := impatient().PowerState(t.Context(), n)
			if !errors.Is(err, driver.ErrUnreachable) {
				t.Errorf("PowerState = %v; want %v", err, driver.ErrUnreachable)
			}
			said(t, err, "3f2c", "127.0.0.1:", tt.says, "check")
		})
	}
}

// The link goes down while the host switches: that is not the end of it.
func TestSilentWhileSwitching(t *testing.T) {
	var asked atomic.Int32
	b, n := newBMC(t, bmc.Config{}, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if n := asked.Add(1); n == 4 || n == 5 { // after challenge, look and request
				panic(http.ErrAbortHandler)
			}
			h.ServeHTTP(w, r)
		})
	})
	if err := newHardware(nil).Switch(t.Context(), n, on); err != nil || b.PowerState() != bmc.On || asked.Load() < 6 {
		t.Errorf("Switch = %v after %d requests; want it to go on", err, asked.Load())
	}
	// But for ever silent is the cause of a PowerError.
	asked.Store(0)
	_, n = newBMC(t, bmc.Config{}, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if asked.Add(1) > 2 {
				panic(http.ErrAbortHandler)
			}
			h.ServeHTTP(w, r)
		})
	})
	err := newHardware(nil).Switch(t.Context(), n, on)
	if _, ok := errors.AsType[*driver.PowerError](err); !ok || !errors.Is(err, driver.ErrUnreachable) {
		t.Errorf("Switch = %v; want a PowerError because of %v", err, driver.ErrUnreachable)
	}
	said(t, err, "3f2c", "127.0.0.1:")
}

// A call leaves no connection behind: they would be as many as there are nodes.
func TestNoConnectionIsLeft(t *testing.T) {
	var mu sync.Mutex
	opened, closed := 0, 0
	server := httptest.NewUnstartedServer(bmc.New(bmc.Config{Username: "admin", Password: password}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		switch state {
		case http.StateNew:
			opened++
		case http.StateClosed:
			closed++
		}
	}
	server.Start()
	defer server.Close()
	n := nodeAt(t, server.Listener.Addr().String())
	if err := newHardware(nil).Switch(t.Context(), n, on); err != nil {
		t.Fatal(err)
	}
	err := wait.Until(t.Context(), pace, "connections to end", func(context.Context) (bool, string, error) {
		mu.Lock()
		defer mu.Unlock()
		return opened > 0 && closed == opened, fmt.Sprintf("%d of %d", closed, opened), nil
	})
	if err != nil || opened != 1 {
		t.Errorf("%v; %d connections for one call; want 1", err, opened)
	}
}
