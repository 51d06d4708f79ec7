package wol

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/drivertest"
	"bosh-ironic-cpi/src/wait"
)

// Numbers are those of the checklist in the specification of ironic-staging-drivers' wol.

const (
	mac      = "52:54:00:cf:2d:31"
	otherMAC = "52:54:00:cf:2d:32"
	uuid     = "6f4e7e6c-0000-4000-8000-000000000001"
)

// everyone is the broadcast address of the loopback network, which never leaves this computer: sending there needs
// SO_BROADCAST, as 255.255.255.255 does.
const everyone = "127.255.255.255"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A listener is the network that the node's NICs are on.
type listener struct {
	t      *testing.T
	socket net.PacketConn
}

func listen(t *testing.T) listener {
	t.Helper()
	socket, err := net.ListenPacket("udp4", ":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	return listener{t, socket}
}

// node is one whose packets come to the listener.
func (l listener) node(macs ...string) *driver.Node {
	_, port, err := net.SplitHostPort(l.socket.LocalAddr().String())
	if err != nil {
		l.t.Fatal(err)
	}
	return &driver.Node{UUID: uuid, Name: "n1", MACs: macs, Info: map[string]any{"wol_host": everyone, "wol_port": port}}
}

// heard gives the packets that came since it was last called, and the sockets that they came from. A packet on loopback is
// there as soon as it has been sent.
func (l listener) heard() (packets [][]byte, from []string) {
	l.t.Helper()
	for {
		b := make([]byte, 2000)
		if err := l.socket.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
			l.t.Fatal(err)
		}
		n, sender, err := l.socket.ReadFrom(b)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return packets, from
		}
		if err != nil {
			l.t.Fatal(err)
		}
		packets, from = append(packets, b[:n]), append(from, sender.String())
	}
}

// quickly calls switch in a time of its own, in which pauses take none of ours, and says how long it took there.
func quickly(t *testing.T, n *driver.Node, target baremetal.PowerTarget) (took time.Duration, err error) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		err = hardware{}.Switch(t.Context(), n, target)
		took = time.Since(begin)
	})
	return took, err
}

// logged has the node log into a text.
func logged(n *driver.Node) *bytes.Buffer {
	var b bytes.Buffer
	n.Log = slog.New(slog.NewTextHandler(&b, nil))
	return &b
}

// wanted is the packet, put down byte for byte.
func wanted(t *testing.T, mac, password string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Repeat("ff", 6) + strings.Repeat(strings.ReplaceAll(mac, ":", ""), 16) + password)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWhereTo(t *testing.T) {
	tests := []struct {
		name string
		info map[string]any
		want string
		key  string // that the error names
	}{
		{name: "W1 defaults", want: "255.255.255.255:9"},
		{name: "W2 overrides", info: map[string]any{"wol_host": "1.2.3.4", "wol_port": 7}, want: "1.2.3.4:7"},
		{name: "W2 overrides, as text", info: map[string]any{"wol_host": "1.2.3.4", "wol_port": "7"}, want: "1.2.3.4:7"},
		{name: "a name", info: map[string]any{"wol_host": "localhost"}, want: "127.0.0.1:9"},
		{name: "a port that is none", info: map[string]any{"wol_port": "nine"}, key: "wol_port"},
		{name: "a port that is null", info: map[string]any{"wol_port": nil}, key: "wol_port"},
		{name: "a port out of range", info: map[string]any{"wol_port": 65536}, key: "wol_port"},
		{name: "IPv6", info: map[string]any{"wol_host": "ff02::1"}, key: "wol_host"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := &driver.Node{MACs: []string{mac}, Info: tt.info}
			c, err := plan(n)
			if wrong, _ := errors.AsType[*driver.ParameterError](err); tt.key != "" {
				if wrong == nil || wrong.Key != tt.key || (hardware{}).Validate(n) == nil {
					t.Errorf("%v; want a ParameterError for %s", err, tt.key)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if to, err := c.resolve(t.Context()); err != nil || to.String() != tt.want {
				t.Errorf("packets go to %v, %v; want %s", to, err, tt.want)
			}
		})
	}
}

// What the node lacks is said before anything is sent.
func TestPorts(t *testing.T) {
	tests := []struct {
		name string
		macs []string
		want string
	}{
		{"W3 no ports", nil, "at least one port"},
		{"a port without a MAC address", []string{mac, "none"}, "port none"},
		{"InfiniBand", []string{"00:00:00:00:fe:80:00:00:00:00:00:00:02:00:5e:10:00:00:00:01"}, "six bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := listen(t)
			n := l.node(tt.macs...)
			for what, err := range map[string]error{
				"Validate": hardware{}.Validate(n), "Switch": hardware{}.Switch(t.Context(), n, baremetal.TargetOn),
			} {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%s: %v; want %q", what, err, tt.want)
				}
			}
			if packets, _ := l.heard(); len(packets) > 0 || len(n.State) > 0 {
				t.Errorf("%d packets, state %v; want nothing", len(packets), n.State)
			}
		})
	}
}

func TestW4TwoPorts(t *testing.T) {
	l := listen(t)
	n := l.node(mac, otherMAC)
	took, err := quickly(t, n, baremetal.TargetOn)
	if err != nil {
		t.Fatal(err)
	}
	packets, from := l.heard()
	if len(packets) != 2 || !bytes.Equal(packets[0], wanted(t, mac, "")) || !bytes.Equal(packets[1], wanted(t, otherMAC, "")) {
		t.Fatalf("%x; want one packet for each port", packets)
	}
	if from[0] != from[1] {
		t.Errorf("from %v; want one socket", from)
	}
	if took != 2*pause {
		t.Errorf("took %s; want half a second after each packet", took)
	}
	// The socket is closed: its address is free.
	again, err := net.ListenPacket("udp4", strings.Replace(from[0], "127.0.0.1", "", 1))
	if err != nil {
		t.Fatalf("the socket is still open: %v", err)
	}
	again.Close()
}

// A broken is a network that takes so many packets and no more.
type broken struct {
	net.PacketConn
	takes, sent int
}

func (b *broken) WriteTo(p []byte, _ net.Addr) (int, error) {
	if b.sent++; b.sent > b.takes {
		return 0, errors.New("network is unreachable")
	}
	return len(p), nil
}

// The real thing is in TestW5NoRoute.
func TestW5SendFails(t *testing.T) {
	c, err := plan(&driver.Node{MACs: []string{mac, otherMAC}})
	if err != nil {
		t.Fatal(err)
	}
	b := &broken{}
	err = c.send(t.Context(), b, &net.UDPAddr{IP: net.IPv4bcast, Port: 9})
	if err == nil || b.sent != 1 {
		t.Fatalf("%v after %d packets; want an error after the first", err, b.sent)
	}
	for _, part := range []string{mac, "network is unreachable", "255.255.255.255:9"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v: want %q in it", err, part)
		}
	}
}

func TestW6Packet(t *testing.T) {
	const secureOn = "0a0b0c0d0e0f"
	tests := []struct {
		name, password string
		want           string // what follows the addresses
		size           int
	}{
		{"without password", "", "", 102},
		{"six bytes", "0a:0b:0c:0d:0e:0f", secureOn, 108},
		{"six bytes with dashes", "0A-0B-0C-0D-0E-0F", secureOn, 108},
		{"six bytes plain", secureOn, secureOn, 108},
		{"four bytes", "192.0.2.1", "c0000201", 106},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := listen(t)
			n := l.node(mac)
			n.Info["wol_password"] = tt.password
			if _, err := quickly(t, n, baremetal.TargetOn); err != nil {
				t.Fatal(err)
			}
			packets, _ := l.heard()
			if len(packets) != 1 || !bytes.Equal(packets[0], wanted(t, mac, tt.want)) || len(packets[0]) != tt.size {
				t.Errorf("%x; want %x", packets, wanted(t, mac, tt.want))
			}
		})
	}
	for _, wrong := range []string{"hunter2", "0a:0b:0c", "0a:0b:0c:0d:0e:0f:10", "::1"} {
		n := &driver.Node{MACs: []string{mac}, Info: map[string]any{"wol_password": wrong}}
		err := hardware{}.Validate(n)
		if e, _ := errors.AsType[*driver.ParameterError](err); e == nil || e.Key != "wol_password" || strings.Contains(err.Error(), wrong) {
			t.Errorf("password %q: %v; want a ParameterError without it", wrong, err)
		}
	}
}

func TestW7Properties(t *testing.T) {
	got := map[string]string{}
	for _, k := range Spec.Keys {
		got[k.Name] = k.Default
		if k.Required || k.Secret != (k.Name == "wol_password") {
			t.Errorf("key %s: required %t, secret %t", k.Name, k.Required, k.Secret)
		}
	}
	if len(got) != 3 || got["wol_host"] != "255.255.255.255" || got["wol_port"] != "9" {
		t.Errorf("keys %v; want wol_host, wol_port and our own wol_password", got)
	}
}

func TestPowerState(t *testing.T) {
	tests := []struct {
		name  string
		state map[string]string
		want  baremetal.PowerState
	}{
		{"W8 what is stored: on", map[string]string{power: "power on"}, baremetal.PowerOn},
		{"W8 what is stored: off", map[string]string{power: "power off"}, baremetal.PowerOff},
		{"W9 nothing is stored", nil, baremetal.PowerOff},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := hardware{}.PowerState(t.Context(), &driver.Node{State: tt.state})
			if err != nil || got != tt.want {
				t.Errorf("%q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestSwitch(t *testing.T) {
	tests := []struct {
		name    string
		target  baremetal.PowerTarget
		packets int
		log     string // a part of it
		state   string
		err     error
	}{
		{name: "W10 on", target: baremetal.TargetOn, packets: 1, state: "power on"},
		{name: "W12 off", target: baremetal.TargetOff, log: "level=INFO msg=\"Wake-on-LAN cannot switch off", state: "power off"},
		{name: "W13 wrong state", target: "wrong-state", err: driver.ErrUnsupported},
		{name: "W13 soft power off", target: baremetal.TargetSoftOff, err: driver.ErrUnsupported},
		{name: "W14 reboot", target: baremetal.TargetReboot, packets: 1, log: "level=INFO msg=\"Wake-on-LAN cannot reboot", state: "power on"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := listen(t)
			n := l.node(mac)
			log := logged(n)
			if _, err := quickly(t, n, tt.target); !errors.Is(err, tt.err) {
				t.Fatalf("%v; want %v", err, tt.err)
			}
			if packets, _ := l.heard(); len(packets) != tt.packets {
				t.Errorf("%d packets; want %d", len(packets), tt.packets)
			}
			if got := log.String(); !strings.Contains(got, tt.log) || (tt.log == "") != (got == "") || (tt.log != "" && !strings.Contains(got, "node="+uuid)) {
				t.Errorf("log %q; want %q, and the node", got, tt.log)
			}
			if n.State[power] != tt.state {
				t.Errorf("remembered %q; want %q", n.State[power], tt.state)
			}
		})
	}
}

// W11: upstream logs a warning that it ignores a timeout. Here it is the context's, or the pace's (TestIBootByAPI), and it
// counts: nothing to warn of.
func TestW11Timeout(t *testing.T) {
	l := listen(t)
	n := l.node(mac, otherMAC)
	log := logged(n)
	for limit, enough := range map[time.Duration]bool{time.Minute: true, pause + pause/2: false} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			delete(n.State, power)
			err := hardware{}.Switch(ctx, n, baremetal.TargetOn)
			if enough != (err == nil) || (!enough && !errors.Is(err, context.DeadlineExceeded)) || enough != (n.State[power] != "") {
				t.Errorf("in %s: %v, remembered %v", limit, err, n.State)
			}
		})
		if packets, _ := l.heard(); len(packets) != 2 {
			t.Errorf("%d packets; want 2", len(packets))
		}
	}
	if log.Len() > 0 {
		t.Errorf("log %s", log)
	}
}

// W15, and what we tell callers instead: that of these the hardware can honour one.
func TestW15States(t *testing.T) {
	want := []baremetal.PowerTarget{"power on", "power off", "rebooting"}
	if !slices.Equal(taken, want) {
		t.Errorf("Switch takes %v; want %v", taken, want)
	}
	if got := (hardware{}).PowerTargets(); !slices.Equal(got, want[:1]) {
		t.Errorf("PowerTargets() = %v; want %v", got, want[:1])
	}
}

// A server that was woken once may sleep again, and nobody can see it: it is woken again.
func TestWakesAgain(t *testing.T) {
	l := listen(t)
	n := l.node(mac)
	for range 2 {
		synctest.Test(t, func(t *testing.T) {
			state, err := driver.SetPower(t.Context(), hardware{}, n, baremetal.TargetOn, wait.Pace{Every: time.Second, Limit: time.Minute})
			if err != nil || state != baremetal.PowerOn {
				t.Errorf("%q, %v; want power on", state, err)
			}
		})
		if packets, _ := l.heard(); len(packets) != 1 {
			t.Errorf("%d packets; want 1", len(packets))
		}
	}
	for _, target := range []baremetal.PowerTarget{baremetal.TargetOff, baremetal.TargetReboot} {
		if _, err := driver.SetPower(t.Context(), hardware{}, n, target, wait.Pace{}); !errors.Is(err, driver.ErrUnsupported) {
			t.Errorf("%s: %v; want %v", target, err, driver.ErrUnsupported)
		}
	}
}

func TestConformance(t *testing.T) {
	drivertest.Run(t, drivertest.Rig{ // nothing answers: neither passwords nor silence can be told
		Spec: Spec,
		Node: func(t *testing.T) *driver.Node { return listen(t).node(mac) },
		Pace: wait.Pace{Every: 5 * time.Millisecond, Limit: 10 * time.Second},
	})
}
