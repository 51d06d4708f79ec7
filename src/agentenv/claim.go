package agentenv

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A claim needs one NIC for itself: a nic_group, a network without one, or one place in a bond.
type claim struct {
	wishes []*wish // who asks; the bond's networks for a place in a bond
	bond   string
	listed []int // NICs that are named for it, in order of preference; tried first
	others []int // NICs that would do
	only   bool  // listed or nothing
	nic    int   // the answer; -1: none yet
}

// claimNICs gives each claim its NIC: first to those who name NICs, then to the others.
func (p *plan) claimNICs() error {
	if err := p.makeClaims(); err != nil {
		return err
	}
	holder := make([]*claim, len(p.nics)) // by NIC
	named := slices.Clone(p.claims)
	slices.SortStableFunc(named, func(a, b *claim) int { // who can go nowhere else comes first
		switch {
		case a.only == b.only:
			return 0
		case a.only:
			return -1
		}
		return 1
	})
	for _, c := range named {
		augment(c, holder, func(c *claim) []int { return c.listed }, map[int]bool{})
	}
	fixed := map[int]bool{}
	for nic, c := range holder {
		fixed[nic] = c != nil
	}
	for _, c := range p.claims {
		if c.nic >= 0 {
			continue
		}
		if c.only || !augment(c, holder, func(c *claim) []int { return c.others }, maps.Clone(fixed)) {
			return p.noNIC(c, holder)
		}
	}
	return p.placeRiders()
}

// augment finds a NIC for c, moving earlier claims to other NICs that suit them as well (Kuhn's algorithm for
// bipartite matching); a free one is preferred to moving anybody.
func augment(c *claim, holder []*claim, choices func(*claim) []int, tried map[int]bool) bool {
	for _, nic := range choices(c) {
		if !tried[nic] && holder[nic] == nil {
			holder[nic], c.nic = c, nic
			return true
		}
	}
	for _, nic := range choices(c) {
		if tried[nic] {
			continue
		}
		tried[nic] = true
		if augment(holder[nic], holder, choices, tried) {
			holder[nic], c.nic = c, nic
			return true
		}
	}
	return false
}

func (p *plan) makeClaims() error {
	groups := map[string]*claim{}
	for _, w := range p.wishes {
		switch {
		case w.Bond != "":
			if err := p.claimBond(w); err != nil {
				return err
			}
		case w.VLAN != 0 && w.group == "":
			p.riders[w] = -1
		default:
			c := groups[w.group]
			if c == nil || w.group == "" {
				c = &claim{nic: -1}
				groups[w.group] = c
				p.claims = append(p.claims, c)
			}
			c.wishes = append(c.wishes, w)
		}
	}
	for _, c := range p.claims {
		if c.bond != "" {
			continue
		}
		if err := p.choices(c); err != nil {
			return err
		}
	}
	return nil
}

// claimBond claims the places of a bond when its first network comes by.
func (p *plan) claimBond(w *wish) error {
	bond := p.bonds[w.Bond]
	if w.mac != "" {
		return fmt.Errorf("%w: network %q: a network on a bond cannot have a mac of its own", ErrNetworks, w.name)
	}
	if i := slices.IndexFunc(p.claims, func(c *claim) bool { return c.bond == w.Bond }); i >= 0 {
		return nil
	}
	if len(bond.NICs) == 0 {
		fit := p.fitting(func(nic NIC) bool { return physical(bond.PhysicalNetwork, nic) })
		for range bond.Count {
			p.claims = append(p.claims, &claim{wishes: []*wish{w}, bond: bond.Name, others: fit, nic: -1})
		}
		return nil
	}
	found := 0
	for i, nic := range p.nics {
		if slices.Contains(bond.NICs, nic.MAC) && physical(bond.PhysicalNetwork, nic) {
			p.claims = append(p.claims, &claim{wishes: []*wish{w}, bond: bond.Name, listed: []int{i}, only: true, nic: -1})
			found++
		}
	}
	if found < bond.Count {
		return fmt.Errorf("%w: bond %q needs %d of the NICs %q; the server has %s", ErrNICs, bond.Name, bond.Count, bond.NICs, p.describe(nil))
	}
	return nil
}

// choices finds the NICs that suit all networks of a claim.
func (p *plan) choices(c *claim) error {
	given := ""
	for _, w := range c.wishes {
		if w.mac == "" {
			continue
		}
		if given != "" && given != w.mac {
			return fmt.Errorf("%w: nic_group %q names two MACs, %s and %s", ErrNetworks, w.group, given, w.mac)
		}
		given = w.mac
	}
	if given != "" {
		c.listed, c.only = p.fitting(func(nic NIC) bool { return nic.MAC == given }), true
		return nil
	}
	c.others = p.fitting(func(nic NIC) bool {
		return !slices.ContainsFunc(c.wishes, func(w *wish) bool { return !physical(w.PhysicalNetwork, nic) })
	})
	for _, i := range c.others {
		named, against := false, false
		for _, w := range c.wishes {
			in := slices.Contains(w.MACs, p.nics[i].MAC)
			named, against = named || in, against || (len(w.MACs) > 0 && !in)
		}
		if named && !against {
			c.listed = append(c.listed, i)
		}
	}
	return nil
}

// placeRiders finds the NIC under each VLAN that has no NIC of its own.
func (p *plan) placeRiders() error {
	for _, w := range p.wishes {
		if _, rides := p.riders[w]; !rides {
			continue
		}
		c := &claim{wishes: []*wish{w}, nic: -1}
		if err := p.choices(c); err != nil {
			return err
		}
		all := slices.Concat(c.listed, c.others)
		all = slices.DeleteFunc(all, func(nic int) bool {
			return slices.ContainsFunc(p.claims, func(c *claim) bool { return c.bond != "" && c.nic == nic })
		})
		if len(all) == 0 {
			holder := make([]*claim, len(p.nics))
			for _, c := range p.claims {
				holder[c.nic] = c
			}
			return p.noNIC(c, holder)
		}
		p.riders[w] = all[0]
	}
	return nil
}

// nicOf returns the NIC that carries w: for a bond the first in port order, whose MAC the bond bears.
func (p *plan) nicOf(w *wish) (nic int, bond string) {
	if nic, rides := p.riders[w]; rides {
		return nic, ""
	}
	if w.Bond != "" {
		return p.bondNICs(w.Bond)[0], w.Bond
	}
	i := slices.IndexFunc(p.claims, func(c *claim) bool { return slices.Contains(c.wishes, w) })
	return p.claims[i].nic, ""
}

// bondNICs returns the NICs of a bond in port order.
func (p *plan) bondNICs(bond string) []int {
	var nics []int
	for _, c := range p.claims {
		if c.bond == bond {
			nics = append(nics, c.nic)
		}
	}
	slices.Sort(nics)
	return nics
}

// spareNICs returns the MACs that nothing uses, in port order.
func (p *plan) spareNICs(links []*link) []string {
	used := map[int]bool{}
	for _, c := range p.claims {
		used[c.nic] = true
	}
	for _, l := range links {
		used[l.nic] = true
	}
	var spare []string
	for i, nic := range p.nics {
		if !used[i] {
			spare = append(spare, nic.MAC)
		}
	}
	return spare
}

// fitting lists NICs that pass, those with pxe_enabled first, else in port order.
func (p *plan) fitting(pass func(NIC) bool) []int {
	var pxe, rest []int
	for i, nic := range p.nics {
		switch {
		case !pass(nic):
		case nic.PXE:
			pxe = append(pxe, i)
		default:
			rest = append(rest, i)
		}
	}
	return append(pxe, rest...)
}

func physical(want string, nic NIC) bool { return want == "" || want == nic.PhysicalNetwork }

// noNIC says who went without and what the server has.
func (p *plan) noNIC(c *claim, holder []*claim) error {
	who := "network " + names(c.wishes)
	if c.bond != "" {
		who = fmt.Sprintf("bond %q of network %s", c.bond, names(c.wishes))
	}
	for _, w := range c.wishes {
		if w.mac != "" {
			who += " (mac " + w.mac + ")"
		}
		if w.PhysicalNetwork != "" {
			who += fmt.Sprintf(" (physical_network %q)", w.PhysicalNetwork)
		}
	}
	return fmt.Errorf("%w: no NIC left for %s; the server has %s: add ports to the node, or give networks that share a NIC one nic_group",
		ErrNICs, who, p.describe(holder))
}

// describe lists the server's NICs and who has them.
func (p *plan) describe(holder []*claim) string {
	if len(p.nics) == 0 {
		return "no NIC"
	}
	var list []string
	for i, nic := range p.nics {
		text := nic.MAC
		if nic.PhysicalNetwork != "" {
			text += fmt.Sprintf(" on physical_network %q", nic.PhysicalNetwork)
		}
		if holder != nil && holder[i] != nil {
			text += " for " + names(holder[i].wishes)
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

func names(wishes []*wish) string {
	var list []string
	for _, w := range wishes {
		list = append(list, fmt.Sprintf("%q", w.name))
	}
	return strings.Join(list, ", ")
}
