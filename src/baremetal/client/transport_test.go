package client

import (
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/tlsclient"
)

// showNode answers every request with a node.
func showNode(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set(headerMaximum, "1.82")
	fmt.Fprint(w, `{"uuid": "x"}`)
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	var connections atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(showNode))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	c := must(t, Config{URL: s.URL})
	defer c.Close()
	for range 20 {
		if _, err := c.Node(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections for 20 requests; want 1", n)
	}
}

func TestTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(showNode))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	defer s.Close()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	tests := []struct {
		name string
		url  string
		tls  tlsclient.Config
		want error
	}{
		{"its CA", s.URL, tlsclient.Config{CA: ca}, nil},
		{"insecure", s.URL, tlsclient.Config{Insecure: true}, nil},
		{"unknown CA", s.URL, tlsclient.Config{}, baremetal.ErrUnauthorized},
		{"no TLS", strings.Replace(s.URL, "https", "http", 1), tlsclient.Config{}, baremetal.ErrInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := must(t, Config{URL: tt.url, TLS: tt.tls})
			defer c.Close()
			begun := time.Now()
			_, err := c.Node(t.Context(), "x")
			if !errors.Is(err, tt.want) || time.Since(begun) > 10*time.Second {
				t.Errorf("error = %v after %v; want %v at once", err, time.Since(begun), tt.want)
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) { // the token would go along
	var strangers atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strangers.Add(1) }))
	defer elsewhere.Close()
	s := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusMovedPermanently))
	defer s.Close()
	c := must(t, Config{URL: s.URL})
	defer c.Close()
	_, err := c.Node(t.Context(), "x")
	if !errors.Is(err, baremetal.ErrInvalid) || !strings.Contains(err.Error(), elsewhere.URL) || strangers.Load() != 0 {
		t.Errorf("error = %v, followed %d times; want ErrInvalid that names the other URL", err, strangers.Load())
	}
}

func TestEndlessRefusalsAreCut(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		for {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	}))
	defer s.Close()
	c := must(t, Config{URL: s.URL})
	defer c.Close()
	if _, err := c.Node(t.Context(), "x"); !errors.Is(err, baremetal.ErrInvalid) {
		t.Errorf("error = %v; want ErrInvalid", err)
	}
}

// A real connection tells whether a request was sent; the answer to "may it be repeated?" hangs on it.
func TestRefusedConnectionsWereNotSent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	l.Close()
	c := must(t, Config{URL: url, RetryLimit: never})
	defer c.Close()
	_, err = c.Patch(t.Context(), "x", baremetal.Patch{baremetal.Remove("/instance_uuid")})
	if !errors.Is(err, baremetal.ErrUnavailable) || errors.Is(err, baremetal.ErrAmbiguous) {
		t.Errorf("error = %v; want ErrUnavailable: nothing was sent", err)
	}
}

func TestSilentHandshakesSentNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts, nobody shakes hands
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := must(t, Config{URL: "https://" + l.Addr().String(), Timeout: 100 * time.Millisecond, RetryLimit: never})
	defer c.Close()
	_, err = c.Patch(t.Context(), "x", baremetal.Patch{baremetal.Remove("/instance_uuid")})
	if !errors.Is(err, baremetal.ErrUnavailable) || errors.Is(err, baremetal.ErrAmbiguous) {
		t.Errorf("error = %v; want ErrUnavailable: nothing was sent", err)
	}
}

func TestClosedConnectionsMayHaveBeenHeard(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer s.Close()
	c := must(t, Config{URL: s.URL, RetryLimit: never})
	defer c.Close()
	if _, err := c.Patch(t.Context(), "x", baremetal.Patch{baremetal.Remove("/instance_uuid")}); !errors.Is(err, baremetal.ErrAmbiguous) {
		t.Errorf("PATCH error = %v; want ErrAmbiguous", err)
	}
	if _, err := c.Node(t.Context(), "x"); !errors.Is(err, baremetal.ErrUnavailable) {
		t.Errorf("GET error = %v; want ErrUnavailable", err)
	}
}

func TestASilentServerIsGivenUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts, nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := must(t, Config{URL: "http://" + l.Addr().String(), Timeout: 100 * time.Millisecond, RetryLimit: never})
	defer c.Close()
	_, err = c.Node(t.Context(), "x")
	if !errors.Is(err, baremetal.ErrUnavailable) || !strings.Contains(err.Error(), "no answer within 100ms") {
		t.Errorf("error = %v; want ErrUnavailable that names the time", err)
	}
}
