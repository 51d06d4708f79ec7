package amt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"

	bmc "bosh-ironic-cpi/src/bmc/amt"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/wait"
)

// A wire is a socket for ICMP on which nobody answers before the given ping.
type wire struct {
	net.PacketConn
	answers  int // 0: never
	sent     []time.Time
	deadline time.Time
	heard    [][]byte
}

func (w *wire) SetReadDeadline(at time.Time) error {
	w.deadline = at
	return nil
}

func (w *wire) WriteTo(packet []byte, _ net.Addr) (int, error) {
	w.sent = append(w.sent, time.Now())
	m, err := icmp.ParseMessage(ipv4.ICMPTypeEcho.Protocol(), packet)
	if err != nil {
		return 0, err
	}
	// On a raw socket one hears what others ask and what they are told.
	w.heard = append(w.heard, packet, []byte{0, 0, 0, 0, 1, 2, 0, 1, 'x'}, []byte{3})
	if len(w.sent) == w.answers {
		m.Type = ipv4.ICMPTypeEchoReply
		answer, err := m.Marshal(nil)
		if err != nil {
			return 0, err
		}
		w.heard = append(w.heard, answer)
	}
	return len(packet), nil
}

func (w *wire) ReadFrom(buffer []byte) (int, net.Addr, error) {
	if len(w.heard) > 0 {
		n := copy(buffer, w.heard[0])
		w.heard = w.heard[1:]
		return n, nil, nil
	}
	time.Sleep(time.Until(w.deadline)) //nolint:forbidigo // a socket, in a bubble
	return 0, nil, os.ErrDeadlineExceeded
}

func TestA14FivePings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, start := &wire{}, time.Now()
		if err := echo(t.Context(), w, nil, ipv4.ICMPTypeEcho); err == nil || len(w.sent) != 5 {
			t.Fatalf("echo = %v after %d pings; want an error after 5", err, len(w.sent))
		}
		for i, at := range w.sent {
			if got, want := at.Sub(start), time.Duration(i)*200*time.Millisecond; got != want {
				t.Errorf("ping %d after %s; want %s", i, got, want)
			}
		}
		if took := time.Since(start); took != 1800*time.Millisecond {
			t.Errorf("gave up after %s; want 1.8s", took)
		}
		w = &wire{answers: 3} // one answer is enough, and ends it
		if err := echo(t.Context(), w, nil, ipv4.ICMPTypeEcho); err != nil || len(w.sent) != 3 {
			t.Errorf("echo = %v after %d pings; want none after 3", err, len(w.sent))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		w = &wire{}
		if err := echo(ctx, w, nil, ipv4.ICMPTypeEcho); !errors.Is(err, context.DeadlineExceeded) || len(w.sent) != 2 {
			t.Errorf("echo = %v after %d pings; want the context's end after 2", err, len(w.sent))
		}
	})
}

func TestA15PingFails(t *testing.T) {
	b, n := newBMC(t, bmc.Config{}, nil)
	n.Info["amt_awake_interval"] = 60
	pings := &counter{err: errors.New("no answer to 5 pings")}
	h := newHardware(pings)
	for i := range 2 { // a failure is not remembered
		_, err := h.PowerState(t.Context(), n)
		if !errors.Is(err, driver.ErrUnreachable) || pings.count() != i+1 || len(b.Calls()) > 0 {
			t.Errorf("PowerState = %v with %d pings; want %v, and no call", err, pings.count(), driver.ErrUnreachable)
		}
		said(t, err, "3f2c", "127.0.0.1:", "no answer to 5 pings", "amt_address", "MEBx")
	}
}

func TestA16WithinInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pings := &counter{}
		a := &awake{prober: pings}
		i := info{address: "10.0.4.7", port: 16992, awakeInterval: time.Minute}
		steps := []struct {
			after time.Duration
			uuid  string
			want  int // pings so far
		}{
			{0, "a", 1},
			{30 * time.Second, "a", 1},
			{30 * time.Second, "a", 1}, // 60 s: not more than the interval
			{time.Second, "a", 2},
			{0, "b", 3}, // another node
			{0, "a", 3},
		}
		for _, s := range steps {
			time.Sleep(s.after) //nolint:forbidigo // in a bubble
			if err := a.ensure(t.Context(), s.uuid, i); err != nil || pings.count() != s.want {
				t.Errorf("ensure of %s = %v, with %d pings; want %d", s.uuid, err, pings.count(), s.want)
			}
		}
		i.address = "10.0.4.8" // the node has moved
		if err := a.ensure(t.Context(), "a", i); err != nil || pings.count() != 4 {
			t.Errorf("ensure = %v, with %d pings; want 4", err, pings.count())
		}
	})
}

func TestA17IntervalZero(t *testing.T) {
	_, n := newBMC(t, bmc.Config{}, nil)
	pings := &counter{err: errors.New("nobody asks me")}
	if err := newHardware(pings).Switch(t.Context(), n, on); err != nil || pings.count() != 0 {
		t.Errorf("Switch = %v, with %d pings; want none", err, pings.count())
	}
}

// A slow prober takes its time, as real engines do that wake up.
type slow struct{ counter }

func (s *slow) probe(ctx context.Context, host string, port int) error {
	if err := wait.Pause(ctx, time.Second); err != nil {
		return err
	}
	return s.counter.probe(ctx, host, port)
}

// Not covered upstream: many at once, on few nodes.
func TestAwakeIsSafeForMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pings := &slow{}
		a := &awake{prober: pings}
		start := time.Now()
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				at := info{address: "10.0.4.7", port: 16992, awakeInterval: time.Minute}
				if err := a.ensure(t.Context(), fmt.Sprint(i%10), at); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if pings.count() != 10 || time.Since(start) != time.Second {
			t.Errorf("%d pings in %s; want 10, one for each node, side by side", pings.count(), time.Since(start))
		}
	})
}

func TestAwakeIsBounded(t *testing.T) {
	a := &awake{}
	for i := range maxAwake + 5 {
		a.note(fmt.Sprint("node ", i))
	}
	if len(a.seen) > maxAwake || !a.fresh(fmt.Sprint("node ", maxAwake+4), time.Minute) {
		t.Errorf("%d are remembered; want at most %d, and the last of all", len(a.seen), maxAwake)
	}
}

// The real prober: loopback answers pings; where they are not allowed, a port that is open does.
func TestNetwork(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	if err := (network{}).probe(t.Context(), "127.0.0.1", port); err != nil {
		t.Errorf("probe of an open port = %v", err)
	}
	if err := (network{}).probe(t.Context(), "host.invalid", port); err == nil {
		t.Error("probe of a host that is not there: no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (network{}).probe(ctx, "127.0.0.1", port); !errors.Is(err, context.Canceled) {
		t.Errorf("probe with an ended context = %v", err)
	}
	for _, host := range []string{"127.0.0.1", "::1"} {
		here, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			t.Logf("no %s here: %v", host, err)
			continue
		}
		here.Close()
		to := net.IPAddr{IP: net.ParseIP(host)}
		conn, _, _, err := listen(to)
		if err != nil {
			t.Logf("no ICMP here for %s: %v", host, err)
			continue
		}
		conn.Close()
		if err := ping(t.Context(), host); err != nil {
			t.Errorf("ping %s = %v", host, err)
		}
	}
}
