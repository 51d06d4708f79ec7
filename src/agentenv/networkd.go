package agentenv

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// Why /usr/lib and 05-: the agent deletes what it does not know in /etc/systemd/network (v2.759.0 even files named
// unmanaged.network, which v2.874.0 spares), and its own files there are named 10_…; systemd-networkd takes the
// first that matches, by name and whatever the directory.
const networkdDir = "/usr/lib/systemd/network/05-"

// A unit is a systemd file in the making.
type unit struct{ strings.Builder }

func (u *unit) section(name string) { fmt.Fprintf(u, "\n[%s]\n", name) }

func (u *unit) set(key string, value any) { fmt.Fprintf(u, "%s=%v\n", key, value) }

func (u *unit) file(name string) File {
	return File{Path: networkdDir + name, Content: []byte(u.String()), Mode: 0o644}
}

// newUnit begins a file with a line for whoever finds it on a server.
func newUnit(about string) *unit {
	u := &unit{}
	fmt.Fprintf(u, "# Written by the BOSH Ironic CPI: %s\n", about)
	return u
}

// unmanagedFile keeps systemd-networkd off one NIC.
func unmanagedFile(mac string) File {
	u := newUnit("no network uses this NIC")
	u.matchNIC(mac)
	u.section("Link")
	u.set("Unmanaged", "yes")
	return u.file(dashes(mac) + ".unmanaged.network")
}

// matchNIC matches a physical NIC and nothing on top of it: VLANs and bonds bear the MAC of a NIC, and a NIC in a
// bond the MAC of the bond.
func (u *unit) matchNIC(mac string) {
	u.section("Match")
	u.set("PermanentMACAddress", mac)
}

// networkdFiles writes the whole network configuration of a server whose networks the agent must leave alone.
func (p *plan) networkdFiles(links []*link, spare []string) ([]File, error) {
	var files []File
	gatewayKnown := slices.ContainsFunc(p.wishes, func(w *wish) bool { return w.gateway })
	if len(p.wishes) == 1 {
		p.wishes[0].gateway, gatewayKnown = true, true // as the agent has it: a lone network is the default one
	}
	parents := map[int][]*link{} // by NIC, untagged first
	for _, l := range links {
		parents[l.nic] = append(parents[l.nic], l)
	}
	for _, nic := range slices.Sorted(maps.Keys(parents)) {
		more, err := p.parentFiles(nic, parents[nic], gatewayKnown)
		if err != nil {
			return nil, err
		}
		files = append(files, more...)
	}
	for _, mac := range spare {
		if p.spare != SpareDHCP {
			files = append(files, unmanagedFile(mac))
			continue
		}
		u := newUnit("a spare NIC")
		u.matchNIC(mac)
		u.section("Link")
		u.set("RequiredForOnline", "no")
		u.section("Network")
		u.set("DHCP", "yes")
		u.dhcpRoutes(gatewayKnown)
		files = append(files, u.file(dashes(mac)+".network"))
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files, nil
}

// parentFiles writes a NIC or a bond, and the VLANs on it.
func (p *plan) parentFiles(nic int, links []*link, gatewayKnown bool) ([]File, error) {
	mac := p.nics[nic].MAC
	about, name := "NIC "+mac, dashes(mac)
	device := fmt.Sprintf("nic%d", nic) // only for names of VLANs: the kernel's name is not known before the boot
	var files []File
	if bond := links[0].bond; bond != "" {
		about, name, device = "bond "+bond, bond, bond
		files = p.bondFiles(p.bonds[bond], mac)
	}
	u := newUnit(about)
	if links[0].bond != "" {
		u.section("Match")
		u.set("Name", device)
	} else {
		u.matchNIC(mac)
	}
	untagged := &link{}
	var vlans []string
	for _, l := range links {
		if l.vlan == 0 {
			untagged = l
			continue
		}
		vlan := fmt.Sprintf("%s.%d", device, l.vlan)
		vlans = append(vlans, vlan)
		more, err := l.vlanFiles(vlan, gatewayKnown)
		if err != nil {
			return nil, err
		}
		files = append(files, more...)
	}
	if err := u.network(untagged, vlans, gatewayKnown); err != nil {
		return nil, err
	}
	return append(files, u.file(name+".network")), nil
}

// bondFiles writes the bond itself and its NICs. The bond bears the MAC of its first NIC, so that it is the same
// at each boot and the one that the Director sees.
func (p *plan) bondFiles(b Bond, mac string) []File {
	u := newUnit("bond " + b.Name)
	u.section("NetDev")
	u.set("Name", b.Name)
	u.set("Kind", "bond")
	u.set("MACAddress", mac)
	if b.MTU > 0 {
		u.set("MTUBytes", b.MTU)
	}
	u.section("Bond")
	u.set("Mode", b.Mode)
	u.set("MIIMonitorSec", fmt.Sprintf("%dms", b.MIIMonitorMS))
	if b.LACPRate != "" {
		u.set("LACPTransmitRate", b.LACPRate)
	}
	if b.TransmitHash != "" {
		u.set("TransmitHashPolicy", b.TransmitHash)
	}
	files := []File{u.file(b.Name + ".netdev")}
	for _, nic := range p.bondNICs(b.Name) {
		mac := p.nics[nic].MAC
		u := newUnit("a NIC of bond " + b.Name)
		u.matchNIC(mac)
		u.section("Link")
		u.set("RequiredForOnline", "no") // the boot must not wait for a dead cable: that is what the bond is for
		u.section("Network")
		u.set("Bond", b.Name)
		u.set("LinkLocalAddressing", "no")
		files = append(files, u.file(dashes(mac)+".network"))
	}
	return files
}

func (l *link) vlanFiles(name string, gatewayKnown bool) ([]File, error) {
	device := newUnit(fmt.Sprintf("VLAN %d", l.vlan))
	device.section("NetDev")
	device.set("Name", name)
	device.set("Kind", "vlan")
	device.section("VLAN")
	device.set("Id", l.vlan)
	u := newUnit(fmt.Sprintf("VLAN %d", l.vlan))
	u.section("Match")
	u.set("Name", name)
	err := u.network(l, nil, gatewayKnown)
	return []File{device.file(name + ".netdev"), u.file(name + ".network")}, err
}

// network writes what follows [Match]: VLANs on top, then addresses, name servers and routes of the link's networks.
func (u *unit) network(l *link, vlans []string, gatewayKnown bool) error {
	u.section("Network")
	for _, vlan := range vlans {
		u.set("VLAN", vlan)
	}
	if len(l.networks) == 0 {
		u.set("LinkLocalAddressing", "no")
		return nil
	}
	dhcp, gateway := false, false
	for _, w := range l.networks {
		dhcp = dhcp || w.net.dhcp()
		gateway = gateway || w.gateway
	}
	if dhcp {
		u.set("DHCP", "yes")
	}
	if !dhcp && l.hasIPv6() {
		u.set("IPv6AcceptRA", "yes") // as the agent sets it
	}
	if err := u.nameServers(l); err != nil {
		return err
	}
	for _, w := range l.networks {
		if err := u.addresses(w, l); err != nil {
			return fmt.Errorf("network %q: %w", w.name, err)
		}
	}
	if dhcp {
		u.dhcpRoutes(gatewayKnown && !gateway)
	}
	return nil
}

// dhcpRoutes keeps a DHCP server from handing out a second default route.
func (u *unit) dhcpRoutes(unwanted bool) {
	if unwanted {
		u.section("DHCPv4")
		u.set("UseRoutes", "no")
	}
}

func (u *unit) nameServers(l *link) error {
	var known []string
	for _, w := range l.networks {
		servers, err := w.net.list("dns")
		if err != nil {
			return fmt.Errorf("network %q: %w", w.name, err)
		}
		for _, server := range servers {
			addr, err := netip.ParseAddr(server)
			if err != nil {
				return fmt.Errorf("network %q: %w: dns: %w", w.name, ErrNetworks, err)
			}
			if !slices.Contains(known, server) {
				known = append(known, server)
				u.set("DNS", addr)
			}
		}
	}
	return nil
}

// addresses writes a static network's address, its gateway if it is a default one, and any network's routes.
func (u *unit) addresses(w *wish, l *link) error {
	if !w.net.dhcp() {
		if err := u.address(w, l); err != nil {
			return err
		}
	}
	routes, err := w.net.routes()
	if err != nil {
		return err
	}
	for _, r := range routes {
		u.section("Route")
		u.set("Destination", r.to)
		u.set("Gateway", r.via)
	}
	return nil
}

func (u *unit) address(w *wish, l *link) error {
	ip, _ := w.net.text("ip")
	mask, _ := w.net.text("netmask")
	prefix, err := parsePrefix(ip, mask)
	if err != nil {
		return err
	}
	u.section("Address")
	u.set("Address", prefix)
	gateway, err := w.net.text("gateway")
	if err != nil || gateway == "" || !l.defaultRoute(w) {
		return err
	}
	via, err := netip.ParseAddr(gateway)
	if err != nil {
		return fmt.Errorf("%w: gateway: %w", ErrNetworks, err)
	}
	u.section("Route")
	u.set("Gateway", via)
	if !prefix.Contains(via) {
		u.set("GatewayOnLink", "yes")
	}
	return nil
}

// defaultRoute reports whether the gateway of w is to be used: w is the default network, or the only one of its
// IP version beside the default network on this link (BOSH names one default for both versions).
func (l *link) defaultRoute(w *wish) bool {
	if w.gateway {
		return true
	}
	beside, rival := false, false
	for _, other := range l.networks {
		beside = beside || other.gateway
		rival = rival || (other.gateway && other.net.ipv6() == w.net.ipv6())
	}
	return beside && !rival
}

type route struct {
	to  netip.Prefix
	via netip.Addr
}

// routes decodes the key routes: a list of {destination, netmask, gateway}.
func (n Network) routes() ([]route, error) {
	list, ok := n["routes"].([]any)
	if !ok && n["routes"] != nil {
		return nil, fmt.Errorf("%w: routes is a %T, not a list", ErrNetworks, n["routes"])
	}
	var routes []route
	for _, entry := range list {
		fields, ok := entry.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%w: routes holds a %T, not objects", ErrNetworks, entry)
		}
		var text [3]string
		for i, key := range []string{"destination", "netmask", "gateway"} {
			var err error
			if text[i], err = Network(fields).text(key); err != nil {
				return nil, fmt.Errorf("routes: %w", err)
			}
		}
		to, err := parsePrefix(text[0], text[1])
		if err != nil {
			return nil, fmt.Errorf("routes: %w", err)
		}
		via, err := netip.ParseAddr(text[2])
		if err != nil {
			return nil, fmt.Errorf("%w: routes: gateway: %w", ErrNetworks, err)
		}
		routes = append(routes, route{to.Masked(), via})
	}
	return routes, nil
}

// parsePrefix joins an address and its netmask.
func parsePrefix(ip, mask string) (netip.Prefix, error) {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%w: ip: %w", ErrNetworks, err)
	}
	ones, err := prefixLength(mask)
	if err != nil {
		return netip.Prefix{}, err
	}
	prefix := netip.PrefixFrom(addr.WithZone(""), ones)
	if !prefix.IsValid() {
		return prefix, fmt.Errorf("%w: netmask %s does not fit ip %s", ErrNetworks, mask, ip)
	}
	return prefix, nil
}
