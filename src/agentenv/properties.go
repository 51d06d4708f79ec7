package agentenv

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
)

// networkProperties are the cloud properties of a network (or subnet) that bind it to NICs.
type networkProperties struct {
	MACs            []string `json:"macs"`             // NICs, of any servers, that are wired to this network
	PhysicalNetwork string   `json:"physical_network"` // only NICs whose port says the same
	Bond            string   `json:"bond"`             // the name of one of the VM type's bonds
	VLAN            int      `json:"vlan"`             // 1 to 4094, tagged on the bond or the NIC
}

// NetworkPropertyKeys lists the cloud properties of a network that are read here; others are kept and ignored.
func NetworkPropertyKeys() []string { return []string{"bond", "macs", "physical_network", "vlan"} }

func (n Network) properties() (p networkProperties, err error) {
	raw, ok := n["cloud_properties"]
	if !ok || raw == nil {
		return p, nil
	}
	text, err := json.Marshal(raw)
	if err != nil {
		return p, fmt.Errorf("%w: cloud_properties: %w", ErrNetworks, err)
	}
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&p); err != nil {
		return p, fmt.Errorf("%w: cloud_properties: %w", ErrNetworks, err)
	}
	if p.MACs, err = canonicalMACs(p.MACs); err != nil {
		return p, fmt.Errorf("cloud_properties.macs: %w", err)
	}
	if p.VLAN < 0 || p.VLAN > 4094 {
		return p, fmt.Errorf("%w: cloud_properties.vlan %d is not between 1 and 4094", ErrNetworks, p.VLAN)
	}
	return p, nil
}

// A Bond is one entry of the VM cloud property "bonds". A bond that no network names is not built.
type Bond struct {
	Name string `json:"name"` // at most 10 letters, digits, - and _, so that a VLAN's name fits behind it

	// Mode is the kernel's name of the mode, "802.3ad" when empty.
	Mode string `json:"mode"`

	// NICs lists MACs of any servers; those that this server has are bonded. Empty: the first free ones are.
	NICs []string `json:"nics"`

	// Count is how many NICs are bonded: with NICs, the least that the server must have (default 1); without, the
	// number that is taken (default 2).
	Count int `json:"count"`

	PhysicalNetwork string `json:"physical_network"` // only NICs whose port says the same
	MIIMonitorMS    int    `json:"miimon"`           // milliseconds between looks at the link, 100 when 0
	LACPRate        string `json:"lacp_rate"`        // "slow" or "fast"; 802.3ad only; the kernel's "slow" when empty
	TransmitHash    string `json:"xmit_hash_policy"` // "layer2", "layer3+4", …
	MTU             int    `json:"mtu"`              // bytes; 0: the kernel's
}

var (
	bondName   = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_-]{0,9}$`)
	bondModes  = []string{"balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"}
	lacpRates  = []string{"", "slow", "fast"}
	hashPolicy = []string{"", "layer2", "layer3+4", "layer2+3", "encap2+3", "encap3+4", "vlan+srcmac"}
)

// normal returns b with defaults filled in, or says what is wrong with it.
func (b Bond) normal() (Bond, error) {
	wrong := func(key string, value any, want any) error {
		return fmt.Errorf("%w: bond %q: %s %v is not one of %v", ErrNetworks, b.Name, key, value, want)
	}
	if !bondName.MatchString(b.Name) {
		return b, fmt.Errorf("%w: bond name %q: a letter and up to 9 letters, digits, - or _ are possible", ErrNetworks, b.Name)
	}
	if b.Mode == "" {
		b.Mode = "802.3ad"
	}
	if !slices.Contains(bondModes, b.Mode) {
		return b, wrong("mode", b.Mode, bondModes)
	}
	if !slices.Contains(lacpRates, b.LACPRate) {
		return b, wrong("lacp_rate", b.LACPRate, lacpRates[1:])
	}
	if b.LACPRate != "" && b.Mode != "802.3ad" {
		return b, fmt.Errorf("%w: bond %q: lacp_rate needs mode 802.3ad, not %s", ErrNetworks, b.Name, b.Mode)
	}
	if !slices.Contains(hashPolicy, b.TransmitHash) {
		return b, wrong("xmit_hash_policy", b.TransmitHash, hashPolicy[1:])
	}
	if b.Count < 0 || b.MIIMonitorMS < 0 || b.MTU < 0 {
		return b, fmt.Errorf("%w: bond %q: count, miimon and mtu cannot be negative", ErrNetworks, b.Name)
	}
	macs, err := canonicalMACs(b.NICs)
	if err != nil {
		return b, fmt.Errorf("bond %q: nics: %w", b.Name, err)
	}
	b.NICs = macs
	if b.MIIMonitorMS == 0 {
		b.MIIMonitorMS = 100 // the kernel's 0 would never notice a dead link
	}
	switch {
	case b.Count == 0 && len(b.NICs) == 0:
		b.Count = 2
	case b.Count == 0:
		b.Count = 1
	}
	return b, nil
}
