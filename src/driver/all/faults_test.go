package all_test

import (
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/all"
)

// nodes are driver_info for hardware at HOST:PORT, with what makes drivers impatient as far as operators can. Wake-on-LAN is
// left out: nobody answers it, and package wol tests what its socket may say.
var nodes = map[string]map[string]any{
	"amt": {"amt_address": "HOST", "amt_port": "PORT", "amt_username": "admin", "amt_password": "hunter2hunter2", "amt_awake_interval": 0, "amt_max_attempts": 1, "amt_action_wait": 0},
	"iboot": {
		"iboot_address": "HOST", "iboot_port": "PORT", "iboot_username": "admin", "iboot_password": "hunter2hunter2",
		"iboot_max_retry": 0, "iboot_retry_interval": 0,
	},
	"ilo":      {"ilo_address": "HOST", "client_port": "PORT", "ilo_username": "admin", "ilo_password": "hunter2hunter2", "client_timeout": 1},
	"ipmitool": {"ipmi_address": "HOST", "ipmi_port": "PORT", "ipmi_username": "admin", "ipmi_password": "hunter2hunter2"},
	"libvirt":  {"libvirt_uri": "qemu+tcp://HOST:PORT/system"},
	"redfish":  {"redfish_address": "https://HOST:PORT", "redfish_username": "admin", "redfish_password": "hunter2hunter2", "redfish_timeout": 1},
	"ssh":      {"ssh_address": "HOST", "ssh_port": "PORT", "ssh_username": "admin", "ssh_virt_type": "virsh", "ssh_password": "hunter2hunter2"},
}

// nodeAt is a node of a driver on hardware that listens there.
func nodeAt(name, address string, change map[string]any) *driver.Node {
	host, port, _ := net.SplitHostPort(address)
	n := &driver.Node{UUID: "9b1e0a52", Name: "rack1-7", MACs: []string{"52:54:00:aa:00:01"}, Info: map[string]any{}}
	for key, value := range nodes[name] {
		if text, ok := value.(string); ok {
			value = strings.NewReplacer("HOST", host, "PORT", port).Replace(text)
		}
		n.Info[key] = value
	}
	maps.Copy(n.Info, change)
	return n
}

// tells checks that an error says which node, which address and what to check, and no secret.
func tells(t *testing.T, err error, spec driver.Spec, address string, kind error) {
	t.Helper()
	if err == nil || kind != nil && !errors.Is(err, kind) {
		t.Fatalf("%v; want %v", err, kind)
	}
	text := err.Error()
	hint := strings.Contains(text, "check ") || strings.Contains(text, "look at ") || slices.ContainsFunc(spec.Keys, func(k driver.Key) bool { return strings.Contains(text, k.Name) })
	switch {
	case !strings.Contains(text, "rack1-7 (9b1e0a52)"):
		t.Errorf("%s; want the node in it", text)
	case !strings.Contains(text, address):
		t.Errorf("%s; want %s in it", text, address)
	case !hint:
		t.Errorf("%s; want something to check", text)
	case strings.Contains(text, "hunter2"), strings.Contains(text, "letmein"):
		t.Errorf("%s: holds a password", text)
	case len(text) > 700 || strings.Contains(text, "\n"):
		t.Errorf("%s: want a line that people read", text)
	}
}

// strangers are what may listen where hardware ought to, by TCP and by UDP.
var strangers = []struct {
	name string
	kind error // what drivers make of it; nil: not all the same
	tcp  func(net.Conn)
	udp  []byte // the answer to anything
}{
	{name: "nobody", kind: driver.ErrUnreachable},
	{name: "silent", kind: driver.ErrUnreachable, tcp: func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }},
	{name: "resets", kind: driver.ErrUnreachable, tcp: func(c net.Conn) {
		_, _ = c.Read(make([]byte, 1))
		_ = c.(*net.TCPConn).SetLinger(0)
	}},
	{name: "talks of something else", tcp: func(c net.Conn) { _, _ = io.WriteString(c, strings.Repeat("220 mail.example.com ESMTP\r\n", 20)) }, udp: []byte("220 mail.example.com ESMTP\r\n")},
}

// listen has one of them at an address of its own, until the test ends.
func listen(t *testing.T, udp bool, serve func(net.Conn), answer []byte) string {
	t.Helper()
	if udp {
		socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for packet := make([]byte, 2000); ; {
				_, from, err := socket.ReadFrom(packet)
				if err != nil {
					return
				}
				if answer != nil {
					_, _ = socket.WriteTo(answer, from)
				}
			}
		}()
		t.Cleanup(func() { socket.Close(); <-ended })
		return socket.LocalAddr().String()
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serve(c)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-ended })
	return l.Addr().String()
}

// Whatever is at the address, the error names it, the node, and what to check; nothing runs on afterwards.
func TestStrangersAtTheAddress(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	for _, s := range strangers {
		for _, spec := range all.Table().Specs {
			if nodes[spec.Name] == nil {
				continue
			}
			udp := spec.Name == "ipmitool"
			switch {
			case s.name == "silent" && testing.Short(): // it takes up to 20 s to find out
				continue
			case udp && s.name == "resets", spec.Name == "iboot" && s.name == "talks of something else": // DxP has nothing to know it by
				continue
			}
			t.Run(s.name+" "+spec.Name, func(t *testing.T) {
				t.Parallel()
				address := "127.0.0.1:1"
				if s.tcp != nil {
					address = listen(t, udp, s.tcp, s.udp)
				}
				began := time.Now()
				_, err := spec.New().(driver.Power).PowerState(t.Context(), nodeAt(spec.Name, address, nil))
				tells(t, err, spec, address, s.kind)
				if took := time.Since(began); took > 40*time.Second {
					t.Errorf("took %s", took)
				}
			})
		}
	}
}

// A certificate that nobody vouches for: the key that says whom to trust is named, and nothing is sent. libvirt has its own
// places for certificates; its package's tests have a daemon with wrong ones.
func TestCertificateOfNobody(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s %s was sent", r.Method, r.URL) }))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	defer server.Close()
	address := server.Listener.Addr().String()
	for name, trust := range map[string]struct {
		key    string
		change map[string]any
	}{
		"amt": {"amt_verify_ca", map[string]any{"amt_protocol": "https"}}, "ilo": {"ilo_verify_ca", nil}, "redfish": {"redfish_verify_ca", nil},
	} {
		t.Run(name, func(t *testing.T) {
			spec, _ := all.Table().Spec(name)
			_, err := spec.New().(driver.Power).PowerState(t.Context(), nodeAt(name, address, trust.change))
			tells(t, err, spec, address, nil)
			if !strings.Contains(err.Error(), trust.key) {
				t.Errorf("%v; want %s in it", err, trust.key)
			}
		})
	}
}
