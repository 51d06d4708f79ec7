package agentenv

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A Network is one network of create_vm as BOSH sends it. Keys that are not known here are kept.
type Network map[string]any

// Networks are the networks of one VM by name.
type Networks map[string]Network

// text returns a key that must be a string; absent and null are "".
func (n Network) text(key string) (string, error) {
	switch v := n[key].(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	default:
		return "", fmt.Errorf("%w: %s is a %T, not a string", ErrNetworks, key, v)
	}
}

// list returns a key that must be a list of strings; absent and null are nil.
func (n Network) list(key string) ([]string, error) {
	switch v := n[key].(type) {
	case nil:
		return nil, nil
	case []string:
		return v, nil
	case []any:
		var list []string
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil, fmt.Errorf("%w: %s holds a %T, not only strings", ErrNetworks, key, e)
			}
			list = append(list, s)
		}
		return list, nil
	default:
		return nil, fmt.Errorf("%w: %s is a %T, not a list", ErrNetworks, key, v)
	}
}

func (n Network) vip() bool { return n["type"] == "vip" }

// dhcp reports what the agent's Network.IsDHCP does: anything that has no address to be set.
func (n Network) dhcp() bool {
	ip, _ := n["ip"].(string)
	mask, _ := n["netmask"].(string)
	return n["type"] == "dynamic" || n["use_dhcp"] == true || ip == "" || mask == ""
}

// ipv6 reports whether n is of IPv6: by its address, else (dynamic) by its prefix.
func (n Network) ipv6() bool {
	ip, _ := n["ip"].(string)
	return strings.Contains(ip, ":") || (ip == "" && n["prefix"] == "128")
}

// normal returns a copy of n in the form that the agent reads: a type, prefix a string, a netmask beside every
// static address, mac in lower case with colons.
func (n Network) normal() (Network, error) {
	n = maps.Clone(n)
	if n == nil {
		n = Network{}
	}
	kind, err := n.text("type")
	if err != nil {
		return nil, err
	}
	ip, err := n.text("ip")
	if err != nil {
		return nil, err
	}
	switch {
	case kind == "" && ip != "":
		n["type"] = "manual"
	case kind == "":
		n["type"] = "dynamic"
	case !slices.Contains([]string{"manual", "dynamic", "vip"}, kind):
		return nil, fmt.Errorf("%w: type %q is none of manual, dynamic, vip", ErrNetworks, kind)
	}
	if err := n.normalPrefix(); err != nil {
		return nil, err
	}
	if n["type"] == "manual" && ip != "" {
		if err := n.normalNetmask(ip); err != nil {
			return nil, err
		}
	}
	mac, err := n.text("mac")
	if err != nil {
		return nil, err
	}
	if mac != "" {
		if n["mac"], err = canonicalMAC(mac); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// normalPrefix makes the prefix a string: a number there fails the agent's whole settings.
func (n Network) normalPrefix() error {
	switch v := n["prefix"].(type) {
	case nil, string:
	case json.Number:
		n["prefix"] = v.String()
	case float64:
		n["prefix"] = strconv.FormatFloat(v, 'f', -1, 64)
	case int:
		n["prefix"] = strconv.Itoa(v)
	default:
		return fmt.Errorf("%w: prefix is a %T, not a string", ErrNetworks, v)
	}
	return nil
}

// normalNetmask sets a netmask where none is given: the prefix's, else /24 for IPv4 and /64 for IPv6. Without one
// the agent would ask a DHCP server.
func (n Network) normalNetmask(ip string) error {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return fmt.Errorf("%w: ip: %w", ErrNetworks, err)
	}
	mask, err := n.text("netmask")
	if err != nil || mask != "" {
		return err
	}
	bits := 24
	if addr.Is6() {
		bits = 64
	}
	if prefix, _ := n["prefix"].(string); prefix != "" {
		if bits, err = strconv.Atoi(prefix); err != nil || bits < 0 || bits > addr.BitLen() {
			return fmt.Errorf("%w: prefix %q does not fit ip %s", ErrNetworks, prefix, ip)
		}
	}
	n["netmask"] = netmask(bits, addr.BitLen())
	return nil
}

// netmask writes a mask as the bosh CLI does: dotted for IPv4, eight long groups for IPv6.
func netmask(ones, bits int) string {
	mask := net.CIDRMask(ones, bits)
	if bits == 32 {
		return net.IP(mask).String()
	}
	var groups []string
	for i := 0; i < len(mask); i += 2 {
		groups = append(groups, fmt.Sprintf("%02x%02x", mask[i], mask[i+1]))
	}
	return strings.Join(groups, ":")
}

// prefixLength reads a netmask back.
func prefixLength(mask string) (int, error) {
	ip := net.ParseIP(mask)
	raw := net.IPMask(ip)
	if v4 := ip.To4(); v4 != nil && !strings.Contains(mask, ":") {
		raw = net.IPMask(v4)
	}
	ones, bits := raw.Size()
	if bits == 0 {
		return 0, fmt.Errorf("%w: netmask %q is none", ErrNetworks, mask)
	}
	return ones, nil
}

// canonicalMAC writes a MAC as sysfs does, which is what the agent compares with: lower case, colons.
func canonicalMAC(s string) (string, error) {
	hw, err := net.ParseMAC(strings.TrimSpace(s))
	if err != nil {
		return "", fmt.Errorf("%w: mac: %w", ErrNetworks, err)
	}
	return hw.String(), nil
}

func canonicalMACs(list []string) ([]string, error) {
	macs := make([]string, len(list))
	for i, s := range list {
		var err error
		if macs[i], err = canonicalMAC(s); err != nil {
			return nil, err
		}
	}
	return macs, nil
}
