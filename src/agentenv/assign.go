package agentenv

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// A NIC is one port of the node. Order matters: it is the order in which NICs are taken.
type NIC struct {
	MAC             string // any case, colons or dashes
	PXE             bool   // pxe_enabled
	PhysicalNetwork string // physical_network; empty: not said
	Name            string // for people only
}

// SpareNICs says what becomes of NICs that no network uses.
type SpareNICs string

// The policies for spare NICs.
const (
	// SpareDHCP leaves them to the agent, which asks a DHCP server on each. It is the default.
	SpareDHCP SpareNICs = "dhcp"

	// SpareLoopback gives each an address from 127.0.0.100 on, as the CPI of 2016 did. Each must have a link: the
	// agent fails when a static address does not appear within 10 seconds.
	SpareLoopback SpareNICs = "loopback"

	// SpareUnmanaged injects a file that keeps systemd-networkd off them.
	SpareUnmanaged SpareNICs = "unmanaged"
)

// Options are the VM's wishes beside its networks.
type Options struct {
	Spare SpareNICs // empty is SpareDHCP
	Bonds []Bond
}

// An Assignment is networks bound to NICs.
type Assignment struct {
	// Networks are the networks asked for, every key kept, each with its mac unless it is a vip; what create_vm returns.
	Networks Networks

	// Settings are the networks that the agent reads: Networks and one for each spare NIC under SpareLoopback.
	Settings Networks

	// Files must be injected into the image; without them the networks do not work.
	Files []File

	// EnableIPv6 says that the env must ask for IPv6: the kernel of older stemcells boots with it switched off, and
	// the agent looks only at networks that it configures itself.
	EnableIPv6 bool
}

// A link is one device that gets addresses: a NIC or a bond, or a VLAN on it.
type link struct {
	nic      int    // the NIC, or the first one of the bond
	bond     string // empty: a plain NIC
	vlan     int    // 0: untagged
	networks []*wish
}

// Assign binds networks to NICs.
//
// Manual and dynamic networks need a NIC each, vip networks none. The network with the default gateway is served
// first, then the others by name. A network takes, in this order: the NIC of its own mac; a free NIC of its
// cloud property macs; a free NIC whose physical_network is the network's, where it names one; and of those one
// with pxe_enabled first (it is known to have a cable), else in port order. No network goes without a NIC because
// an earlier one could as well have taken another.
//
// Networks of one nic_group share a NIC. Networks with the cloud property bond share that bond. A network with
// vlan (and no nic_group) rides on the first NIC that fits, used or not. Two networks are never on the same NIC
// or bond with the same VLAN unless they are of one nic_group.
//
// The error wraps [ErrNetworks] when the request is wrong and [ErrNICs] when only this server does not fit.
func Assign(networks Networks, nics []NIC, opts Options) (Assignment, error) {
	p, err := newPlan(networks, nics, opts)
	if err != nil {
		return Assignment{}, err
	}
	if err := p.claimNICs(); err != nil {
		return Assignment{}, err
	}
	links, err := p.links()
	if err != nil {
		return Assignment{}, err
	}
	return p.assignment(links)
}

// A wish is one network on its way to a NIC.
type wish struct {
	name string
	net  Network
	networkProperties
	mac     string
	group   string
	gateway bool
}

// A plan is the work of one Assign.
type plan struct {
	wishes []*wish // without vips, in the order of service
	vips   Networks
	nics   []NIC // MACs in canonical form
	spare  SpareNICs
	bonds  map[string]Bond

	claims []*claim
	riders map[*wish]int // VLANs on a NIC that others may use: the NIC
}

func newPlan(networks Networks, nics []NIC, opts Options) (*plan, error) {
	p := &plan{vips: Networks{}, bonds: map[string]Bond{}, riders: map[*wish]int{}, nics: slices.Clone(nics)}
	p.spare = cmp.Or(opts.Spare, SpareDHCP)
	if !slices.Contains([]SpareNICs{SpareDHCP, SpareLoopback, SpareUnmanaged}, p.spare) {
		return nil, fmt.Errorf("%w: spare_nics %q is none of loopback, dhcp, unmanaged", ErrNetworks, p.spare)
	}
	seen := map[string]bool{}
	for i, nic := range nics {
		mac, err := canonicalMAC(nic.MAC)
		if err != nil {
			return nil, fmt.Errorf("%w: port %d: %w", ErrNICs, i, err)
		}
		if seen[mac] {
			return nil, fmt.Errorf("%w: two ports have the MAC %s", ErrNICs, mac)
		}
		seen[mac] = true
		p.nics[i].MAC = mac
	}
	for _, b := range opts.Bonds {
		b, err := b.normal()
		if err != nil {
			return nil, err
		}
		if _, twice := p.bonds[b.Name]; twice {
			return nil, fmt.Errorf("%w: bond %q is there twice", ErrNetworks, b.Name)
		}
		p.bonds[b.Name] = b
	}
	for name, network := range networks {
		if err := p.add(name, network); err != nil {
			return nil, fmt.Errorf("network %q: %w", name, err)
		}
	}
	slices.SortFunc(p.wishes, func(a, b *wish) int {
		if a.gateway != b.gateway {
			if a.gateway {
				return -1
			}
			return 1
		}
		return strings.Compare(a.name, b.name)
	})
	return p, nil
}

func (p *plan) add(name string, network Network) error {
	network, err := network.normal()
	if err != nil {
		return err
	}
	if network.vip() {
		p.vips[name] = network
		return nil
	}
	w := &wish{name: name, net: network}
	if w.networkProperties, err = network.properties(); err != nil {
		return err
	}
	if w.mac, err = network.text("mac"); err != nil {
		return err
	}
	if w.group, err = network.text("nic_group"); err != nil {
		return err
	}
	defaults, err := network.list("default")
	if err != nil {
		return err
	}
	w.gateway = slices.Contains(defaults, "gateway")
	if _, known := p.bonds[w.Bond]; w.Bond != "" && !known {
		return fmt.Errorf("%w: bond %q is not among the VM type's bonds %q", ErrNetworks, w.Bond, slices.Sorted(maps.Keys(p.bonds)))
	}
	p.wishes = append(p.wishes, w)
	return nil
}

// links puts each network on its link, in a stable order: by NIC, then VLAN.
func (p *plan) links() ([]*link, error) {
	type key struct{ nic, vlan int }
	byKey := map[key]*link{}
	for _, w := range p.wishes {
		nic, bond := p.nicOf(w)
		k := key{nic, w.VLAN}
		l, ok := byKey[k]
		if !ok {
			l = &link{nic: nic, bond: bond, vlan: w.VLAN}
			byKey[k] = l
		} else if other := l.networks[0]; w.group == "" || w.group != other.group {
			return nil, fmt.Errorf("%w: networks %q and %q would share %s (VLAN %d): give them one nic_group, or NICs of their own",
				ErrNetworks, other.name, w.name, cmp.Or(bond, "NIC "+p.nics[nic].MAC), w.VLAN)
		}
		l.networks = append(l.networks, w)
	}
	links := slices.Collect(maps.Values(byKey))
	slices.SortFunc(links, func(a, b *link) int { return cmp.Or(cmp.Compare(a.nic, b.nic), cmp.Compare(a.vlan, b.vlan)) })
	return links, nil
}

// assignment writes the result down.
func (p *plan) assignment(links []*link) (Assignment, error) {
	byFiles := slices.ContainsFunc(links, (*link).needsFiles)
	a := Assignment{Networks: maps.Clone(p.vips)}
	for _, l := range links {
		for _, w := range l.networks {
			w.net["mac"] = p.nics[l.nic].MAC
			if byFiles {
				w.net["preconfigured"] = true
			}
			a.Networks[w.name] = w.net
		}
	}
	a.Settings = maps.Clone(a.Networks)
	spare := p.spareNICs(links)
	if byFiles {
		files, err := p.networkdFiles(links, spare)
		if err != nil {
			return Assignment{}, err
		}
		a.Files, a.EnableIPv6 = files, slices.ContainsFunc(links, (*link).hasIPv6)
		return a, nil
	}
	address := netip.AddrFrom4([4]byte{127, 0, 0, 100})
	for _, mac := range spare {
		switch p.spare {
		case SpareLoopback:
			a.Settings[dashes(mac)] = Network{
				"type": "manual", "ip": address.String(), "netmask": "255.255.255.0", "mac": mac,
			}
			address = address.Next()
		case SpareUnmanaged:
			a.Files = append(a.Files, unmanagedFile(mac))
		case SpareDHCP: // the agent does that by itself
		}
	}
	return a, nil
}

// needsFiles reports what the agent cannot configure: tags, bonds, and a static network that shares its NIC (the
// agent would write both to the same file).
func (l *link) needsFiles() bool {
	static := func(w *wish) bool { return !w.net.dhcp() }
	return l.bond != "" || l.vlan != 0 || (len(l.networks) > 1 && slices.ContainsFunc(l.networks, static))
}

func (l *link) hasIPv6() bool {
	return slices.ContainsFunc(l.networks, func(w *wish) bool {
		return w.net.ipv6()
	})
}

func dashes(mac string) string { return strings.ReplaceAll(mac, ":", "-") }
