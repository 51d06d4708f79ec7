package wol

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/wait"
)

// pause follows each packet, the last one too: a burst of broadcasts is what switches drop first.
const pause = 500 * time.Millisecond

// A call is what wakes a node: a packet for each of its ports.
type call struct {
	host    string
	port    uint16
	macs    []string
	packets [][]byte
}

// plan makes the packets, and says what the node lacks for it.
func plan(n *driver.Node) (call, error) {
	r := n.Reader()
	c := call{host: r.Text("wol_host", "255.255.255.255"), port: uint16(r.Port("wol_port", 9)), macs: n.MACs} //nolint:gosec // Port's range
	if r.Err() != nil {
		return call{}, r.Err()
	}
	if ip, err := netip.ParseAddr(c.host); err == nil && !ip.Unmap().Is4() {
		return call{}, &driver.ParameterError{Key: "wol_host", Problem: "is an IPv6 address: Wake-on-LAN broadcasts, which IPv4 alone can do"}
	}
	password, err := secureOn(r.Text("wol_password", ""))
	if err != nil {
		return call{}, err
	}
	if len(n.MACs) == 0 {
		return call{}, errors.New("Wake-on-LAN needs at least one port: register the MAC addresses of the node's NICs by baremetal port create")
	}
	for _, mac := range n.MACs {
		address, err := net.ParseMAC(mac)
		if err != nil || len(address) != 6 {
			return call{}, fmt.Errorf("port %s: Wake-on-LAN needs a MAC address of six bytes", mac)
		}
		c.packets = append(c.packets, magic(address, password))
	}
	return c, nil
}

// magic is the packet: six times FF, sixteen times the MAC address, and the password of those who have one.
func magic(mac net.HardwareAddr, password []byte) []byte {
	packet := append(bytes.Repeat([]byte{0xff}, 6), bytes.Repeat(mac, 16)...)
	return append(packet, password...)
}

// secureOn reads a SecureOn password. It is not in the error.
func secureOn(text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	if four, err := netip.ParseAddr(text); err == nil && four.Is4() {
		return four.AsSlice(), nil
	}
	six, err := hex.DecodeString(strings.NewReplacer(":", "", "-", "").Replace(text))
	if err != nil || len(six) != 6 {
		return nil, &driver.ParameterError{Key: "wol_password", Problem: "is neither six bytes such as 00:11:22:33:44:55 nor four such as 192.0.2.1"}
	}
	return six, nil
}

// wake sends the node's packets from one socket.
func wake(ctx context.Context, n *driver.Node) error {
	c, err := plan(n)
	if err != nil {
		return err
	}
	to, err := c.resolve(ctx)
	if err != nil {
		return err
	}
	var here net.ListenConfig // Go allows each UDP socket to broadcast
	socket, err := here.ListenPacket(ctx, "udp4", ":0")
	if err != nil {
		return fmt.Errorf("open a socket for Wake-on-LAN: %w", err)
	}
	defer socket.Close()
	return c.send(ctx, socket, to)
}

// resolve finds the IPv4 address that the packets go to.
func (c call) resolve(ctx context.Context) (net.Addr, error) {
	ip, err := netip.ParseAddr(c.host)
	if err != nil {
		found, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", c.host)
		if err != nil {
			return nil, fmt.Errorf("look up wol_host %q: %w", c.host, err)
		}
		ip = found[0]
	}
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip.Unmap(), c.port)), nil
}

// send sends one packet after the other, and gives up at the first that cannot be sent.
func (c call) send(ctx context.Context, socket net.PacketConn, to net.Addr) error {
	for i, packet := range c.packets {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := socket.WriteTo(packet, to); err != nil {
			return fmt.Errorf("send the packet for port %s to %s: %w: check wol_host, and this computer's routes", c.macs[i], to, err)
		}
		if err := wait.Pause(ctx, pause); err != nil {
			return err
		}
	}
	return nil
}
