package amt

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// How a host is pinged: `ping -i 0.2 -c 5`, which is what Ironic's driver runs.
const (
	pings        = 5
	pingInterval = 200 * time.Millisecond
	pingLinger   = time.Second     // for the answer to the last
	knockLimit   = 3 * time.Second // time for the kernel to send the first packet of a connection twice
)

// network is a prober that pings, and where it may not, or firewalls drop that, connects to the port of AMT.
type network struct{}

func (network) probe(ctx context.Context, host string, port int) error {
	if ping(ctx, host) == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	conn, err := (&net.Dialer{Timeout: knockLimit}).DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return err
	}
	return conn.Close()
}

// ping is nil as soon as the host has answered an ICMP echo.
func ping(ctx context.Context, host string) error {
	addresses, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil {
		return err
	}
	conn, to, kind, err := listen(addresses[0])
	if err != nil {
		return err
	}
	defer conn.Close()
	return echo(ctx, conn, to, kind)
}

// listen opens a socket for ICMP: one for everybody, where the kernel allows it (net.ipv4.ping_group_range), else a raw one,
// which root may have.
func listen(address net.IPAddr) (conn net.PacketConn, to net.Addr, kind icmp.Type, err error) {
	everybody, raw, here := "udp4", "ip4:icmp", "0.0.0.0"
	kind = ipv4.ICMPTypeEcho
	if address.IP.To4() == nil {
		everybody, raw, here, kind = "udp6", "ip6:ipv6-icmp", "::", ipv6.ICMPTypeEchoRequest
	}
	if conn, err := icmp.ListenPacket(everybody, here); err == nil {
		return conn, &net.UDPAddr{IP: address.IP, Zone: address.Zone}, kind, nil
	}
	conn, err = icmp.ListenPacket(raw, here)
	return conn, &address, kind, err
}

// echo sends echo requests until one is answered. A cancelled context is noticed within an interval.
func echo(ctx context.Context, conn net.PacketConn, to net.Addr, kind icmp.Type) error {
	token := []byte(rand.Text()) // raw sockets hear everybody's answers
	protocol, answer := ipv4.ICMPTypeEcho.Protocol(), icmp.Type(ipv4.ICMPTypeEchoReply)
	if kind != ipv4.ICMPTypeEcho {
		protocol, answer = ipv6.ICMPTypeEchoRequest.Protocol(), ipv6.ICMPTypeEchoReply
	}
	for n := 1; n <= pings; n++ {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		packet, err := (&icmp.Message{Type: kind, Body: &icmp.Echo{ID: os.Getpid() & 0xffff, Seq: n, Data: token}}).Marshal(nil)
		if err != nil {
			return err
		}
		if _, err := conn.WriteTo(packet, to); err != nil {
			return err
		}
		until := time.Now().Add(pingInterval)
		if n == pings {
			until = time.Now().Add(pingLinger)
		}
		answered, err := hear(conn, until, protocol, answer, token)
		if err != nil || answered {
			return err
		}
	}
	return fmt.Errorf("no answer to %d pings", pings)
}

// hear reports whether an answer with the token comes in time.
func hear(conn net.PacketConn, until time.Time, protocol int, answer icmp.Type, token []byte) (bool, error) {
	if err := conn.SetReadDeadline(until); err != nil {
		return false, err
	}
	buffer := make([]byte, 1500)
	for {
		n, _, err := conn.ReadFrom(buffer)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		m, err := icmp.ParseMessage(protocol, buffer[:n])
		if err != nil || m.Type != answer {
			continue
		}
		if e, ok := m.Body.(*icmp.Echo); ok && bytes.Equal(e.Data, token) {
			return true, nil
		}
	}
}
