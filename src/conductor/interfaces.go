package conductor

import (
	"context"
	"maps"
	"slices"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
)

// InterfaceKinds are the kinds of interface that a node has, as the API orders them.
func InterfaceKinds() []string {
	return []string{
		"bios", "boot", "console", "deploy", "inspect", "management", "network", "power", "raid", "rescue", "storage", "vendor",
	}
}

// supported lists what a hardware type can have as interface of a kind, the default first.
func (c *Config) supported(h driver.HardwareType, kind string) []string {
	switch kind {
	case "power", "management", "vendor":
		return append(slices.Clone(h.Enabled[kind]), foreignNames(h.Name, kind)...)
	case "inspect":
		return slices.Concat(h.Enabled[kind], slices.Sorted(maps.Keys(c.Inspectors)))
	case "deploy":
		names := slices.Sorted(maps.Keys(c.Deployers))
		if h.Name == "fake-hardware" { // its own first
			slices.SortStableFunc(names, func(a, b string) int { return rank(a) - rank(b) })
		}
		return names
	case "network", "storage":
		if h.Name == "fake-hardware" {
			return append(foreignNames(h.Name, kind), "fake")
		}
	default:
		if h.Name == "fake-hardware" {
			return append([]string{"fake"}, foreignNames(h.Name, kind)...)
		}
	}
	return foreignNames(h.Name, kind)
}

func rank(name string) int {
	if name == "fake" {
		return 0
	}
	return 1
}

// Interfaces lists what a hardware type can have as interface of a kind, and the default.
func (c *Conductor) Interfaces(h driver.HardwareType, kind string) (enabled []string, otherwise string) {
	enabled = c.cfg.enabledOnes(kind, c.cfg.supported(h, kind))
	if d := c.cfg.Defaults[kind]; slices.Contains(enabled, d) {
		return enabled, d
	}
	if len(enabled) == 0 {
		return nil, ""
	}
	return enabled, enabled[0]
}

// Compose gives the node an interface of each kind: the ones that it names, if its hardware type can have them, else
// defaults. The name of a driver of Ironic before Ocata becomes hardware type and deploy interface, and the interfaces of
// Ironic's staging drivers become ours.
func (c *Conductor) Compose(n *Node) error {
	if hardwareType, deploy, classic := baremetal.ClassicDriver(n.Driver); classic {
		n.Driver = hardwareType
		if named := n.Details.Interfaces; deploy != "" && named["deploy"] == "" {
			n.Details.Interfaces = map[string]string{"deploy": deploy}
			maps.Copy(n.Details.Interfaces, named)
		}
	}
	h, ok := c.cfg.Drivers.Type(n.Driver)
	if !ok {
		return invalid(`No valid host was found. Reason: No conductor service registered which supports driver %s for conductor group "%s".`, n.Driver, n.ConductorGroup)
	}
	if n.ConductorGroup != c.cfg.Group {
		return invalid(`No valid host was found. Reason: No conductor service registered which supports driver %s for conductor group "%s".`, n.Driver, n.ConductorGroup)
	}
	composed := map[string]string{}
	for _, kind := range InterfaceKinds() {
		enabled, otherwise := c.Interfaces(h, kind)
		name := n.Details.Interfaces[kind]
		switch {
		case name == "":
			name = otherwise
		case !slices.Contains(enabled, name) && slices.Contains(enabled, baremetal.StagingInterface(kind, name)):
			name = baremetal.StagingInterface(kind, name)
		case !slices.Contains(enabled, name):
			return invalid("Could not find the following interface in the 'ironic.hardware.interfaces.%s' entrypoint: %s. Valid interfaces are %v.", kind, name, enabled)
		}
		composed[kind] = name
	}
	n.Details.Interfaces = composed
	return nil
}

// A Verdict is what validation found about one interface.
type Verdict struct {
	Result any    `json:"result"` // true, false; nil: not supported
	Reason string `json:"reason,omitempty"`
}

// Validate says of each of the node's interfaces whether it could work.
func (c *Conductor) Validate(ctx context.Context, n *Node) map[string]Verdict {
	verdicts := map[string]Verdict{}
	for _, kind := range InterfaceKinds() {
		v := Verdict{Result: true}
		if s, ok := standsFor(n.Driver, kind, n.Interface(kind)); ok {
			v = s.verdict()
		}
		switch kind {
		case "power", "management", "vendor", "inspect":
			if err := c.store.View(ctx, func(tx Tx) error { return c.wrong(tx, n, kind) }); err != nil {
				v = Verdict{Result: false, Reason: err.Error()}
			}
		case "deploy":
			d, err := c.deployer(n)
			if err == nil {
				err = d.Validate(n)
			}
			if err != nil {
				v = Verdict{Result: false, Reason: err.Error()}
			}
		}
		verdicts[kind] = v
	}
	if _, err := c.inspector(n); err != nil {
		verdicts["inspect"] = Verdict{Reason: "not supported"}
	}
	delete(verdicts, "vendor") // its methods are validated when they are called
	return verdicts
}

// wrong is what the driver behind an interface finds wrong with a node before the hardware is asked.
func (c *Conductor) wrong(tx Tx, n *Node, kind string) error {
	spec, ok := c.cfg.Drivers.Spec(n.Interface(kind))
	if !ok {
		return nil
	}
	if err := spec.Check(n.Details.DriverInfo.Map()); err != nil {
		return err
	}
	v, ok := spec.New().(driver.Validator)
	if !ok {
		return nil
	}
	ports, err := All[Port](tx, RowQuery{NodeUUID: n.UUID})
	if err != nil {
		return err
	}
	return v.Validate(c.seenByDriver(n, ports))
}

// seenByDriver is a node as drivers see it.
func (c *Conductor) seenByDriver(n *Node, ports []*Port) *driver.Node {
	seen := &driver.Node{
		UUID: n.UUID, Name: n.Name, Info: n.Details.DriverInfo.Map(), Properties: n.Details.Properties.Map(),
		State: maps.Clone(n.Details.DriverState), Log: c.log,
	}
	for _, p := range ports {
		seen.MACs = append(seen.MACs, p.Address)
	}
	return seen
}

// BootDevices are what the node's hardware can boot from.
func (c *Conductor) BootDevices(n *Node) []string {
	if b, ok := c.hardware(n, "management").(driver.BootDevice); ok {
		return b.BootDevices()
	}
	return []string{"pxe", "disk", "cdrom", "bios", "safe"}
}
