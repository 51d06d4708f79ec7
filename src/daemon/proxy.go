package daemon

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// clientOf is the address of the client, IP:PORT. Where a trusted proxy stands between, it is the last address of
// X-Forwarded-For that is no trusted proxy's, with port 0; whatever stands before it anybody may have written.
func clientOf(r *http.Request, trusted []netip.Prefix) string {
	if len(trusted) == 0 {
		return r.RemoteAddr
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !isIn(peer.Addr(), trusted) {
		return r.RemoteAddr
	}
	client := r.RemoteAddr
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		ip, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return client
		}
		client = net.JoinHostPort(ip.Unmap().String(), "0")
		if !isIn(ip, trusted) {
			return client
		}
	}
	return client
}

func isIn(ip netip.Addr, networks []netip.Prefix) bool {
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(ip) })
}
