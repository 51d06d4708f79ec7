//go:build integration

package libvirt

import (
	"bytes"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
)

// Each mechanism against Cyrus SASL, on each transport that libvirt lets it have.
func TestSASL(t *testing.T) {
	const all = "digest-md5 scram-sha-256 scram-sha-1 plain"
	tests := []struct{ mechanisms, transports string }{
		{all, "unix tls tcp"},
		{"scram-sha-256", "unix tls"},
		{"scram-sha-1", "unix tls"},
		{"digest-md5", "unix tls tcp"},
		{"plain", "unix tls"},
	}
	for _, tt := range tests {
		t.Run("L5 "+tt.mechanisms, func(t *testing.T) {
			d := startDaemon(t, setting{unix: "sasl", mechanisms: tt.mechanisms})
			for transport := range strings.FieldsSeq(tt.transports) {
				n := d.saslNode(transport)
				for _, name := range []string{saslUser + "@elsewhere", saslUser} {
					n.Info["sasl_username"] = name
					if state, err := (hardware{}).PowerState(t.Context(), n); err != nil || state != baremetal.PowerOn {
						t.Errorf("%s by %s: PowerState = %s, %v", name, transport, state, err)
					}
				}
				n.Info["sasl_password"] = "letmein"
				_, err := hardware{}.PowerState(t.Context(), n)
				if !errors.Is(err, driver.ErrAuthentication) || !strings.Contains(err.Error(), "code 45") || strings.Contains(err.Error(), "letmein") {
					t.Errorf("by %s, wrong password: %v; want ErrAuthentication with code 45, and no password", transport, err)
				}
			}
		})
	}
}

// saslNode is a node reached by a transport, with SASL and certificates.
func (d *daemon) saslNode(transport string) *driver.Node {
	address := map[string]string{
		"unix": uri(d.socket),
		"tcp":  "test+tcp://127.0.0.1:" + d.tcp + "/default",
		"tls":  "test+tls://127.0.0.1:" + d.tls + "/default?pkipath=" + d.dir,
	}[transport]
	return &driver.Node{UUID: "n1", Name: "node-1", MACs: []string{testMAC}, Info: map[string]any{
		"libvirt_uri": address, "sasl_username": saslUser, "sasl_password": saslPassword,
	}}
}

func TestSASLRefused(t *testing.T) {
	d := startDaemon(t, setting{unix: "sasl", mechanisms: "scram-sha-256 plain"})
	// libvirt offers nothing on plain TCP that does not encrypt.
	t.Run("L5 no mechanism that encrypts", func(t *testing.T) {
		_, err := hardware{}.PowerState(t.Context(), d.saslNode("tcp"))
		if !errors.Is(err, driver.ErrAuthentication) || strings.Contains(err.Error(), "sesame") ||
			!strings.Contains(err.Error(), "libvirt at test+tcp://127.0.0.1:"+d.tcp+"/default") {
			t.Errorf("%v; want ErrAuthentication at that address", err)
		}
	})
	t.Run("L5 no user name", func(t *testing.T) {
		n := d.node(testMAC)
		_, err := hardware{}.PowerState(t.Context(), n)
		if !errors.Is(err, driver.ErrAuthentication) || !strings.Contains(err.Error(), "set sasl_username and sasl_password") {
			t.Errorf("%v; want ErrAuthentication", err)
		}
	})
	t.Run("L5 nobody of that name", func(t *testing.T) {
		n := d.saslNode("unix")
		n.Info["sasl_username"] = "nobody"
		if _, err := (hardware{}).PowerState(t.Context(), n); !errors.Is(err, driver.ErrAuthentication) {
			t.Errorf("%v; want ErrAuthentication", err)
		}
	})
}

// The layer of plain TCP carries calls longer than a frame, and hides them.
func TestSASLLayer(t *testing.T) {
	d := startDaemon(t, setting{unix: "none", mechanisms: "digest-md5"})
	d.hold(t)
	definition := strings.Replace(twoNICs, "<os>", "<description>"+strings.Repeat("long ", 40_000)+"</description><os>", 1)
	before := d.define(t, uri(d.socket), "two", definition)
	w := newWiretap(t, d)
	n := d.saslNode("tcp")
	n.MACs = []string{"52:54:00:aa:00:01"}
	n.Info["libvirt_uri"] = "test+tcp://" + w.address + "/default"
	for _, device := range []string{"cdrom", "disk"} {
		if err := (hardware{}).SetBootDevice(t.Context(), n, device, true); err != nil {
			t.Fatal(err)
		}
	}
	if after := d.virsh(t, "dumpxml", "--inactive", "two"); after != before {
		t.Errorf("200 kB of definition came back as others, beginning %.300s", after)
	}
	heard := w.heard()
	if !bytes.Contains(heard, []byte(`cipher="rc4"`)) || bytes.Contains(heard, []byte("long long")) || len(heard) < 800_000 {
		t.Errorf("%d bytes went over the wire; want the cipher rc4, and nothing in the clear", len(heard))
	}
}

// A wiretap stands between client and daemon, and listens.
type wiretap struct {
	address string
	mu      sync.Mutex
	tape    bytes.Buffer
}

func newWiretap(t *testing.T, d *daemon) *wiretap {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wiretap{address: l.Addr().String()}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", "127.0.0.1:"+d.tcp)
			if err != nil {
				client.Close()
				continue
			}
			between := func(to, from net.Conn) {
				_, _ = io.Copy(to, io.TeeReader(from, w))
				to.Close()
			}
			all.Go(func() { between(server, client) })
			all.Go(func() { between(client, server) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return w
}

// Write records.
func (w *wiretap) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.tape.Write(b)
}

// heard is all that was said, without NULs: XDR has three of them before each byte of SASL's messages.
func (w *wiretap) heard() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return bytes.ReplaceAll(w.tape.Bytes(), []byte{0}, nil)
}

func TestTLS(t *testing.T) {
	d := startDaemon(t, setting{unix: "none", mechanisms: "scram-sha-256"})
	other := scratch(t)
	newPKI(t, other)
	noClient := scratch(t)
	write(t, filepath.Join(noClient, "cacert.pem"), read(t, filepath.Join(d.dir, "cacert.pem")))
	mixed := scratch(t)
	for _, name := range []string{"clientcert.pem", "clientkey.pem"} {
		write(t, filepath.Join(mixed, name), read(t, filepath.Join(d.dir, name)))
	}
	base := "test+tls://127.0.0.1:" + d.tls + "/default?pkipath="
	tests := []struct {
		name, uri string
		want      error  // nil: none, or a plain one with text
		text      string // empty: it works
	}{
		{name: "certificates of one CA", uri: base + d.dir},
		{name: "by name", uri: "test+tls://localhost:" + d.tls + "/default?pkipath=" + d.dir},
		{name: "any server", uri: base + mixed + "&no_verify=1"},
		{name: "a server of another CA", uri: base + other, want: driver.ErrUntrusted, text: "certificate"},
		{name: "no CA", uri: base + mixed, text: "cacert.pem"},
		{name: "a client without certificate", uri: base + noClient, want: driver.ErrAuthentication, text: "certificate"},
		{name: "a client of another CA", uri: base + other + "&no_verify=1", want: driver.ErrAuthentication, text: "certificate"},
		{name: "no TLS there", uri: "test+tls://127.0.0.1:" + d.tcp + "/default?pkipath=" + d.dir, want: driver.ErrUnreachable, text: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := d.saslNode("tls")
			n.Info["libvirt_uri"] = tt.uri
			_, err := hardware{}.PowerState(t.Context(), n)
			switch {
			case tt.text == "" && tt.want == nil:
				if err != nil {
					t.Error(err)
				}
			case err == nil || !strings.Contains(err.Error(), tt.text) || tt.want != nil && !errors.Is(err, tt.want):
				t.Errorf("%v; want %v with %q", err, tt.want, tt.text)
			}
		})
	}
}
