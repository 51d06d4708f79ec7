package main

import (
	"slices"
	"strings"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
)

// abilities are what servers of a hardware type can be asked for, by its default interfaces. A single server may have less:
// no licence for virtual media, or a firmware without a boot device.
type abilities struct {
	PowerTargets  []baremetal.PowerTarget `json:"power_targets"`
	BootDevices   []string                `json:"boot_devices"`
	BootModes     []string                `json:"boot_modes"`
	MediaDevices  []string                `json:"media_devices"`
	Console       bool                    `json:"console"`
	Inspection    bool                    `json:"inspection"`
	VendorMethods []string                `json:"vendor_methods"`
}

func abilitiesOf(h driver.HardwareType) *abilities {
	can := abilities{
		PowerTargets: []baremetal.PowerTarget{}, BootDevices: []string{}, BootModes: []string{}, MediaDevices: []string{}, VendorMethods: []string{},
	}
	s := server{typ: h}
	power, management, vendor, inspect := s.hardware("power"), s.hardware("management"), s.hardware("vendor"), s.hardware("inspect")
	if p, ok := power.(driver.Power); ok {
		can.PowerTargets = p.PowerTargets()
	}
	_, can.Console = power.(driver.Console)
	if b, ok := management.(driver.BootDevice); ok {
		can.BootDevices = b.BootDevices()
	}
	if b, ok := management.(driver.BootMode); ok {
		can.BootModes = b.BootModes()
	}
	if m, ok := management.(driver.VirtualMedia); ok {
		can.MediaDevices = m.MediaDevices()
	}
	if v, ok := vendor.(driver.Vendor); ok {
		for _, m := range v.VendorMethods() {
			can.VendorMethods = append(can.VendorMethods, m.Name)
		}
	}
	_, can.Inspection = inspect.(driver.Inspector)
	return &can
}

// rows are lines for people, with the words that the commands take.
func (a *abilities) rows() [][]string {
	return [][]string{
		{"power", strings.Join(a.actions(), ", ")},
		{"boot-device", strings.Join(a.BootDevices, ", ")},
		{"boot modes", strings.Join(a.BootModes, ", ")},
		{"media", strings.Join(a.MediaDevices, ", ")},
		{"console", yes(a.Console)},
		{"inspect", yes(a.Inspection)},
		{"vendor", strings.Join(a.VendorMethods, ", ")},
	}
}

// actions are those of nodectl power.
func (a *abilities) actions() (words []string) {
	for _, word := range []string{"on", "off", "soft-off", "reset", "soft-reset", "cycle"} {
		lacks := func(t baremetal.PowerTarget) bool { return !slices.Contains(a.PowerTargets, t) }
		if !slices.ContainsFunc(switches[word], lacks) {
			words = append(words, word)
		}
	}
	return words
}
