package conductor

import "slices"

// A standIn is an interface of Ironic that nothing here stands behind, or whose work somebody else does.
type standIn struct {
	name string
	does bool   // validation passes: what it is for is seen to
	here string // what it comes to here, after "accepted: " or "not supported: "
}

// What such interfaces come to.
const (
	bootsAnyway  = "the deploy interface boots the ramdisk, by virtual media or from the network"
	noBIOS       = "settings of the BIOS are left alone"
	noConsole    = "consoles are not served"
	noRAID       = "RAID is left alone"
	noPortMoves  = "no port is moved between networks"
	nobodyPowers = "no ramdisk is asked to switch a server off or on"
)

// foreign are such interfaces by kind. They are accepted and shown, and validation says what they do; the first one is
// the default of hardware types other than fake-hardware. Order and names are Ironic's (generic.py), but for the network
// interface, where flat and neutron are for those who have Neutron.
var foreign = map[string][]standIn{
	"bios":    {{"no-bios", false, noBIOS}},
	"boot":    {{"ipxe", true, bootsAnyway}, {"pxe", true, bootsAnyway}},
	"console": {{"no-console", false, noConsole}},
	"network": {{"noop", true, noPortMoves}, {"flat", true, noPortMoves}, {"neutron", false, noPortMoves + ": there is no Neutron"}},
	"raid":    {{"no-raid", false, noRAID}, {"agent", false, "RAID is built by clean steps of the ramdisk alone"}},
	"rescue":  {{"no-rescue", false, "servers are not rescued"}, {"agent", false, "servers are not rescued"}},
	"storage": {
		{"noop", true, "no volume is attached"},
		{"cinder", false, "no volume is attached: there is no Cinder"},
		{"external", true, "no volume is attached: whoever attaches them does it alone"},
	},
}

// variants are those that one hardware type of Ironic has besides: first comes what is its default. They are shown as
// they were given, so that nodes come over from an Ironic as they are.
var variants = map[string]struct{ first, more map[string][]standIn }{
	"ipmi": {more: map[string][]standIn{"console": {{"ipmitool-socat", false, noConsole}, {"ipmitool-shellinabox", false, noConsole}}}},
	"redfish": {
		first: map[string][]standIn{"bios": {{"redfish", false, noBIOS}}, "raid": {{"redfish", false, noRAID}}},
		more:  map[string][]standIn{"boot": {{"redfish-virtual-media", true, bootsAnyway}}},
	},
	"ilo": {
		first: map[string][]standIn{"boot": {
			{"ilo-virtual-media", true, bootsAnyway}, {"ilo-ipxe", true, bootsAnyway}, {"ilo-pxe", true, bootsAnyway}, {"ilo-uefi-https", true, bootsAnyway},
		}},
		more: map[string][]standIn{"bios": {{"ilo", false, noBIOS}}, "console": {{"ilo", false, noConsole}}, "raid": {{"ilo5", false, noRAID}}},
	},
	"manual-management": {more: map[string][]standIn{"power": {{"agent", false, nobodyPowers}}}},
}

// foreignOf are those of a kind that a hardware type can have, the default first.
func foreignOf(hardwareType, kind string) []standIn {
	v := variants[hardwareType]
	return slices.Concat(v.first[kind], foreign[kind], v.more[kind])
}

// foreignNames are their names.
func foreignNames(hardwareType, kind string) (names []string) {
	for _, s := range foreignOf(hardwareType, kind) {
		names = append(names, s.name)
	}
	return names
}

// standsFor finds one.
func standsFor(hardwareType, kind, name string) (standIn, bool) {
	all := foreignOf(hardwareType, kind)
	i := slices.IndexFunc(all, func(s standIn) bool { return s.name == name })
	if i < 0 {
		return standIn{}, false
	}
	return all[i], true
}

// verdict says what an interface of Ironic's comes to here.
func (s standIn) verdict() Verdict {
	if s.does {
		return Verdict{Result: true, Reason: "accepted: " + s.here}
	}
	return Verdict{Reason: "not supported: " + s.here}
}
