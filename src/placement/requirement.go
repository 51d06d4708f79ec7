package placement

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"bosh-ironic-cpi/src/baremetal"
)

// ErrBadAsk means that the ask itself is wrong: another node would not help.
var ErrBadAsk = errors.New("request for a node cannot be understood")

// A requirement is one thing that a node must have. Its words are only asked for when no node fits.
type requirement struct {
	met    func(*Candidate) bool
	why    func(*Candidate) string // what is amiss: "memory_mb is 65536, 131072 wanted"
	detail func(*Candidate) string // what to add for a node that fails alone: why is the same for many; may be nil
}

// requirements puts ask into single requirements; those that say whether a node is free come first.
func (a Ask) requirements() ([]requirement, error) {
	list := a.free()
	for _, key := range slices.Sorted(maps.Keys(a.Properties)) {
		list = append(list, property(key, a.Properties[key]))
	}
	if a.ResourceClass != "" {
		list = append(list, requirement{
			met: func(c *Candidate) bool { return c.Node.ResourceClass == a.ResourceClass },
			why: func(c *Candidate) string { return is("resource_class", c.Node.ResourceClass, a.ResourceClass) },
		})
	}
	for _, trait := range slices.Sorted(slices.Values(a.Traits)) {
		list = append(list, requirement{
			met: func(c *Candidate) bool { return slices.Contains(c.Node.Traits, trait) },
			why: func(*Candidate) string { return "trait " + trait + " is missing" },
		})
	}
	for _, name := range slices.Sorted(maps.Keys(a.Capabilities)) {
		list = append(list, requirement{
			met: func(c *Candidate) bool { return capability(&c.Node, name) == a.Capabilities[name] },
			why: func(c *Candidate) string {
				return is("capability "+name, capability(&c.Node, name), a.Capabilities[name])
			},
		})
	}
	if a.Zone.Value != "" {
		if err := a.Zone.Check(); err != nil {
			return nil, err
		}
		list = append(list, a.Zone.requirement())
	}
	return append(list, a.bootable()...), nil
}

// free is what every VM asks of a node: that it is in order, and nobody's, or kept for this VM's disks.
func (a Ask) free() []requirement {
	list := []requirement{
		{
			met: func(c *Candidate) bool {
				return c.Node.ProvisionState == baremetal.Available || c.Node.ProvisionState == baremetal.Manageable
			},
			why: func(c *Candidate) string {
				return is("provision_state", string(c.Node.ProvisionState), "available or manageable")
			},
		},
		{
			met:    func(c *Candidate) bool { return !c.Node.Maintenance },
			why:    func(*Candidate) string { return "is in maintenance" },
			detail: func(c *Candidate) string { return after(": ", c.Node.MaintenanceReason) },
		},
		{
			met: func(c *Candidate) bool { return !c.Node.Retired },
			why: func(*Candidate) string { return "is retired" },
		},
		{
			met: func(c *Candidate) bool { return !c.Node.Protected },
			why: func(*Candidate) string { return "is protected" },
		},
		{
			met: func(c *Candidate) bool { return c.Node.Fault == "" },
			why: func(c *Candidate) string { return "has the fault " + c.Node.Fault },
		},
		{
			met: func(c *Candidate) bool { return c.Node.Reservation == "" },
			why: func(c *Candidate) string { return "is locked by the conductor " + c.Node.Reservation },
		},
		{
			met:    func(c *Candidate) bool { return c.Claimed == "" },
			why:    func(*Candidate) string { return "is not free" },
			detail: func(c *Candidate) string { return ": " + c.Claimed },
		},
		{
			met: func(c *Candidate) bool { return c.HeldBy == "" || c.HeldBy == a.Director },
			why: func(c *Candidate) string { return "is held by the Director " + c.HeldBy },
		},
		{
			met:    func(c *Candidate) bool { return c.Node.InstanceUUID == "" || a.keptForUs(c) },
			why:    func(*Candidate) string { return "is claimed" },
			detail: func(c *Candidate) string { return ", instance_uuid is " + c.Node.InstanceUUID },
		},
	}
	return append(list, a.disks()...)
}

// disks is what persistent disks ask: a node that has them belongs to VMs with one of them. Others on it may
// be there as well: the Director keeps the disk that a VM had before a migration for five days.
func (a Ask) disks() []requirement {
	if len(a.DiskCIDs) == 0 {
		return []requirement{{
			met:    func(c *Candidate) bool { return len(c.HoldsDisks) == 0 },
			why:    func(*Candidate) string { return "is kept for its persistent disks" },
			detail: func(c *Candidate) string { return ": " + strings.Join(c.HoldsDisks, ", ") },
		}}
	}
	var list []requirement
	for _, cid := range slices.Sorted(slices.Values(a.DiskCIDs)) {
		list = append(list, requirement{
			met: func(c *Candidate) bool { return slices.Contains(c.HoldsDisks, cid) },
			why: func(*Candidate) string { return "does not have the disk " + cid },
		})
	}
	return list
}

// keptForUs reports whether c is claimed only so that the VM's disks stay where they are.
func (a Ask) keptForUs(c *Candidate) bool {
	if len(a.DiskCIDs) == 0 || c.HeldBy == "" || c.HeldBy != a.Director {
		return false
	}
	for _, cid := range a.DiskCIDs {
		if !slices.Contains(c.HoldsDisks, cid) {
			return false
		}
	}
	return true
}

// bootable is what the stemcell asks for. A node that does not say what it is passes: most nodes that were
// enrolled by hand do not.
func (a Ask) bootable() []requirement {
	var list []requirement
	if a.Architecture != "" {
		want := architecture(a.Architecture)
		list = append(list, requirement{
			met: func(c *Candidate) bool {
				has := text(c.Node.Properties["cpu_arch"])
				return has == "" || has == want || architecture(has) == want
			},
			why: func(c *Candidate) string {
				return is("cpu_arch", text(c.Node.Properties["cpu_arch"]), a.Architecture+" for the stemcell")
			},
		})
	}
	if len(a.BootModes) > 0 {
		list = append(list, requirement{
			met: func(c *Candidate) bool {
				mode := BootMode(&c.Node)
				return mode == "" || slices.ContainsFunc(a.BootModes, func(m string) bool { return strings.EqualFold(m, mode) })
			},
			why: func(c *Candidate) string {
				return is("boot_mode", BootMode(&c.Node), strings.Join(a.BootModes, " or ")+" for the stemcell")
			},
		})
	}
	return list
}

// BootMode is what a node says of its boot mode, in capabilities or in properties.boot_mode: bios, uefi, or empty.
func BootMode(n *baremetal.Node) string {
	if mode := capability(n, "boot_mode"); mode != "" {
		return strings.ToLower(mode)
	}
	return strings.ToLower(text(n.Properties["boot_mode"]))
}

// architecture gives the kernel's name for an architecture that Debian or Go call otherwise.
func architecture(name string) string {
	switch name = strings.ToLower(name); name {
	case "amd64", "x86-64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	case "i386", "i486", "i586", "x86":
		return "i686"
	case "ppc64el":
		return "ppc64le"
	}
	return name
}

func is(what, has, want string) string {
	if has == "" {
		return what + " is not set, " + want + " wanted"
	}
	return what + " is " + has + ", " + want + " wanted"
}

func after(sign, text string) string {
	if text == "" {
		return ""
	}
	return sign + text
}
