//go:build integration

package wol

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
)

// inNetwork runs a test in a network of its own, on an Ethernet between wake0 and wake1: packets to everybody there are
// real, and stay there. The thread that went there ends with the test.
func inNetwork(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	missing := func(what string) {
		if os.Getenv("CI") == "true" {
			t.Fatalf("missing: %s", what)
		}
		t.Skipf("missing: %s", what)
	}
	if os.Geteuid() != 0 {
		missing("root, to make a network")
	}
	for program, debian := range map[string]string{"tshark": "tshark", "ip": "iproute2"} {
		if _, err := exec.LookPath(program); err != nil {
			missing("apt-get install " + debian)
		}
	}
	done := make(chan struct{})
	go func() { // of its own, so that the thread is not given back
		defer close(done)
		runtime.LockOSThread()
		if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
			t.Errorf("make a network: %v", err)
			return
		}
		test(t)
	}()
	<-done
}

// run runs a program in the network that the caller is in.
func run(t *testing.T, line string) {
	t.Helper()
	words := strings.Fields(line)
	if out, err := exec.CommandContext(t.Context(), words[0], words[1:]...).CombinedOutput(); err != nil {
		t.Errorf("%s: %v: %s", line, err, out)
	}
}

// What the driver sends, as Wireshark's dissector of Wake-on-LAN reads it: by default, to the broadcast address of a
// network, to another port, and with passwords.
func TestTshark(t *testing.T) {
	type seen struct{ ethernet, host, port, size string }
	tests := []struct {
		info map[string]any
		want seen
	}{
		{nil, seen{"ff:ff:ff:ff:ff:ff", "255.255.255.255", "9", "102"}}, // W1
		{map[string]any{"wol_host": "192.0.2.255", "wol_port": "40009"}, seen{"ff:ff:ff:ff:ff:ff", "192.0.2.255", "40009", "102"}},
		{map[string]any{"wol_host": "192.0.2.7"}, seen{"02:00:00:00:00:07", "192.0.2.7", "9", "102"}},
		{map[string]any{"wol_password": "00:11:22:33:44:55"}, seen{"ff:ff:ff:ff:ff:ff", "255.255.255.255", "9", "108"}},
		{map[string]any{"wol_password": "192.0.2.1"}, seen{"ff:ff:ff:ff:ff:ff", "255.255.255.255", "9", "106"}},
	}
	inNetwork(t, func(t *testing.T) {
		for _, line := range []string{
			"ip link set lo up", // tshark's plug-ins ask there for telephones, and wait
			"ip link add wake0 type veth peer name wake1", "ip link set wake1 up", "ip link set wake0 up",
			"ip address add 192.0.2.1/24 broadcast + dev wake0", "ip route add default dev wake0",
			"ip neighbor add 192.0.2.7 lladdr 02:00:00:00:00:07 dev wake0",
		} {
			run(t, line)
		}
		if t.Failed() {
			return
		}
		next := shark(t, "wake1")
		for _, tt := range tests {
			n := &driver.Node{Name: "n1", MACs: []string{mac}, Info: tt.info}
			if err := (hardware{}).Switch(t.Context(), n, baremetal.TargetOn); err != nil {
				t.Errorf("%v: %v", tt.info, err)
				return
			}
			f := next()
			if len(f) != 6 {
				t.Errorf("%v: tshark saw %q", tt.info, f)
				return
			}
			got := seen{f[0], f[1], f[2], f[5]}
			if sixteen := strings.Repeat(","+mac, 16)[1:]; got != tt.want || f[3] != "ffffffffffff" || f[4] != sixteen {
				t.Errorf("%v: tshark saw %+v, sync %s, %s; want %+v", tt.info, got, f[3], f[4], tt.want)
			}
		}
	})
}

// shark has tshark listen, and returns once it does. next gives the fields of the next magic packet: where the frame and
// the packet went to, the port, the synchronization stream, the MAC address, and the size.
func shark(t *testing.T, device string) (next func() []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	listening := exec.CommandContext(ctx, "tshark", "-l", "-n", "-i", device, "-f", "udp", "-Y", "wol", "-T", "fields", "-E", "separator=;",
		"-e", "eth.dst", "-e", "ip.dst", "-e", "udp.dstport", "-e", "wol.sync", "-e", "wol.mac", "-e", "udp.length")
	listening.Cancel = func() error { return listening.Process.Signal(os.Interrupt) } // it ends its dumpcap
	listening.WaitDelay = 5 * time.Second
	out, err := listening.StdoutPipe()
	if err == nil {
		err = listening.Start()
	}
	if err != nil {
		t.Errorf("start tshark: %v", err)
		return func() []string { return nil }
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for text := bufio.NewScanner(out); text.Scan(); {
			lines <- text.Text()
		}
	}()
	t.Cleanup(func() {
		cancel()
		for range lines { // until tshark is gone
		}
		_ = listening.Wait()
	})
	// It says that it listens before it does. So it is shown packets for nobody until it sees one.
	const nobody = "02:00:00:00:00:00"
	probe(t, lines, nobody)
	return func() []string {
		for line := range lines {
			if !strings.Contains(line, nobody) {
				f := strings.Split(line, ";")
				f[len(f)-1] = map[string]string{"110": "102", "114": "106", "116": "108"}[f[len(f)-1]] // less UDP's header
				return f
			}
		}
		return nil
	}
}

func probe(t *testing.T, lines <-chan string, nobody string) {
	t.Helper()
	socket, err := net.ListenPacket("udp4", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		if _, err := socket.WriteTo(wanted(t, nobody, ""), &net.UDPAddr{IP: net.IPv4bcast, Port: 9}); err != nil {
			t.Errorf("send a packet for nobody: %v", err)
			return
		}
		select {
		case _, ok := <-lines:
			if !ok {
				t.Error("tshark ended before it saw anything")
			}
			return
		case <-again.C:
		}
	}
}

// A computer without a route says so at the first packet.
func TestW5NoRoute(t *testing.T) {
	inNetwork(t, func(t *testing.T) {
		n := &driver.Node{Name: "n1", MACs: []string{mac, otherMAC}}
		begin := time.Now()
		err := hardware{}.Switch(t.Context(), n, baremetal.TargetOn)
		if !errors.Is(err, syscall.ENETUNREACH) || !strings.Contains(err.Error(), mac) || !strings.Contains(err.Error(), "n1") || n.State != nil {
			t.Errorf("%v, remembered %v; want %v, node and port", err, n.State, syscall.ENETUNREACH)
		}
		if took := time.Since(begin); took > pause {
			t.Errorf("took %s; want no pause", took)
		}
	})
}
