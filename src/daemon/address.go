package daemon

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// An Address is where to listen: "127.0.0.1:25777", "http://[::1]:8081", "https://0.0.0.0:443".
type Address struct {
	HostPort string // as net.Listen takes it
	TLS      bool
}

// UnmarshalText reads an address; without http:// or https:// it is http.
func (a *Address) UnmarshalText(text []byte) error {
	rest := string(text)
	rest, secure := strings.CutPrefix(rest, "https://")
	if !secure {
		rest = strings.TrimPrefix(rest, "http://")
	}
	host, port, err := net.SplitHostPort(strings.TrimSuffix(rest, "/"))
	if err != nil || strings.ContainsAny(host, "/@?#") {
		return errors.New("want an address such as 127.0.0.1:25777, http://[::1]:8081 or https://0.0.0.0:443")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("port %q: want a number up to 65535", port)
	}
	*a = Address{HostPort: net.JoinHostPort(host, port), TLS: secure}
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// String writes the address with its scheme.
func (a Address) String() string {
	if a.TLS {
		return "https://" + a.HostPort
	}
	return "http://" + a.HostPort
}

// Loopback reports whether only this machine can reach the address.
func (a Address) Loopback() bool {
	host, _, _ := net.SplitHostPort(a.HostPort)
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
