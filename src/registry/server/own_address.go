package server

import (
	"encoding/json"
	"net/http"
	"net/netip"
)

// isOwn reports whether the request comes from an address that the settings of id give to one of their networks.
func (s *Server) isOwn(r *http.Request, id string) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	text, err := s.settings(r, id)
	if err != nil {
		return false // the answer is the same for all
	}
	var settings struct {
		Networks map[string]struct {
			IP string `json:"ip"`
		} `json:"networks"`
	}
	if err := json.Unmarshal(text, &settings); err != nil {
		return false
	}
	client := peer.Addr().Unmap().WithZone("")
	for _, network := range settings.Networks {
		if ip, err := netip.ParseAddr(network.IP); err == nil && ip.Unmap().WithZone("") == client {
			return true
		}
	}
	return false
}
