//go:build integration

package libvirt

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
)

// mute listens, and says nothing, or one thing.
func mute(t *testing.T, says string) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var open []net.Conn
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte(says))
			open = append(open, conn)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-ended
		for _, conn := range open {
			_ = conn.Close()
		}
	})
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

// Whatever falls silent, and whenever: the caller's deadline holds.
func TestSilence(t *testing.T) {
	d := startDaemon(t, setting{unix: "none", mechanisms: "digest-md5"})
	f := newFaults(t, d)
	home(t)
	port := mute(t, "")
	address := "127.0.0.1:" + port
	tests := []struct {
		name, uri string
		call      uint32
	}{
		{"tcp", "test+tcp://" + address + "/default", 0},
		{"tls", "test+tls://" + address + "/default?no_verify=1", 0},
		{"ssh", "test+ssh://op@" + address + "/default", 0},
		{"the hypervisor", uri(f.socket), callOpen},
		{"a call", uri(f.socket), callIsActive},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f.set(tt.call, fault{silent: tt.call != 0})
			n := d.node(testMAC)
			n.Info["libvirt_uri"] = tt.uri
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			begun := time.Now()
			_, err := hardware{}.PowerState(ctx, n)
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > 5*time.Second || !strings.Contains(err.Error(), "node-1") {
				t.Errorf("%v after %s; want the caller's deadline", err, time.Since(begun))
			}
		})
	}
}

// What answers is not always libvirt.
func TestStrangers(t *testing.T) {
	for name, says := range map[string]string{
		"an SSH server":   "SSH-2.0-OpenSSH_9.2p1\r\n",
		"a short packet":  "\x00\x00\x00\x04",
		"a long one":      "\x7f\xff\xff\xff" + strings.Repeat("\x00", 100),
		"another's reply": "\x00\x00\x00\x1c\x20\x00\x80\x86\x00\x00\x00\x01\x00\x00\x00\x42\x00\x00\x00\x01\x00\x00\x00\x09\x00\x00\x00\x00",
	} {
		t.Run(name, func(t *testing.T) {
			n := &driver.Node{UUID: "n1", MACs: []string{testMAC}, Info: map[string]any{"libvirt_uri": "test+tcp://127.0.0.1:" + mute(t, says) + "/default"}}
			if _, err := (hardware{}).PowerState(t.Context(), n); !errors.Is(err, errNoLibvirt) {
				t.Errorf("%v; want %v", err, errNoLibvirt)
			}
		})
	}
}

// A connection that breaks in a call is told as such, and the next call makes a new one.
func TestReset(t *testing.T) {
	d := startDaemon(t, setting{unix: "none", mechanisms: "digest-md5"})
	d.hold(t)
	f := newFaults(t, d)
	n := d.node(testMAC)
	n.Info["libvirt_uri"] = uri(f.socket)
	for range 20 {
		f.set(callIsActive, fault{hangUp: true})
		if _, err := (hardware{}).PowerState(t.Context(), n); !errors.Is(err, driver.ErrUnreachable) || !strings.Contains(err.Error(), "closed the connection") {
			t.Fatalf("%v; want ErrUnreachable", err)
		}
		f.set(0, fault{})
		wantOn(t, n)
	}
}

// Many nodes of one hypervisor, side by side.
func TestSideBySide(t *testing.T) {
	d := startDaemon(t, setting{unix: "none", mechanisms: "digest-md5"})
	d.hold(t)
	results := make(chan error)
	const many = 20 // libvirtd's own limit on clients that have not authenticated yet
	for range many {
		go func() {
			n := d.saslNode("tcp")
			_, err := driver.SetPower(t.Context(), hardware{}, n, baremetal.TargetOn, quick)
			results <- err
		}()
	}
	for range many {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}
