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

// foreign are interfaces of Ironic that nothing here stands behind, or that the deploy interface sees to. They are
// accepted and shown; the first one is the default of hardware types other than fake-hardware.
var foreign = map[string][]string{
	"bios":    {"no-bios"},
	"boot":    {"ipxe", "pxe"},
	"console": {"no-console"},
	"network": {"noop", "flat"},
	"raid":    {"agent", "no-raid"},
	"rescue":  {"no-rescue", "agent"},
	"storage": {"noop", "external"},
}

// supported lists what a hardware type can have as interface of a kind, the default first.
func (c *Conductor) supported(h driver.HardwareType, kind string) []string {
	switch kind {
	case "power", "management", "vendor", "inspect":
		return h.Enabled[kind]
	case "deploy":
		names := slices.Sorted(maps.Keys(c.cfg.Deployers))
		if h.Name == "fake-hardware" { // its own first
			slices.SortStableFunc(names, func(a, b string) int { return rank(a) - rank(b) })
		}
		return names
	case "network", "storage":
		if h.Name == "fake-hardware" {
			return append(slices.Clone(foreign[kind]), "fake")
		}
	default:
		if h.Name == "fake-hardware" {
			return append([]string{"fake"}, foreign[kind]...)
		}
	}
	return foreign[kind]
}

func rank(name string) int {
	if name == "fake" {
		return 0
	}
	return 1
}

// Interfaces lists what a hardware type can have as interface of a kind, and the default.
func (c *Conductor) Interfaces(h driver.HardwareType, kind string) (enabled []string, otherwise string) {
	enabled = c.supported(h, kind)
	if d := c.cfg.Defaults[kind]; slices.Contains(enabled, d) {
		return enabled, d
	}
	if len(enabled) == 0 {
		return nil, ""
	}
	return enabled, enabled[0]
}

// Compose gives the node an interface of each kind: the ones that it names, if its hardware type can have them, else
// defaults. The name of a driver of Ironic before Ocata becomes hardware type and deploy interface.
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
func (c *Conductor) Validate(n *Node) map[string]Verdict {
	verdicts := map[string]Verdict{}
	for _, kind := range InterfaceKinds() {
		v := Verdict{Result: true}
		switch kind {
		case "power", "management", "vendor", "inspect":
			if spec, ok := c.cfg.Drivers.Spec(n.Interface(kind)); ok {
				if err := spec.Check(n.Details.DriverInfo.Map()); err != nil {
					v = Verdict{Result: false, Reason: err.Error()}
				}
			}
		case "deploy":
			d, err := c.deployer(n)
			if err == nil {
				err = d.Validate(n)
			}
			if err != nil {
				v = Verdict{Result: false, Reason: err.Error()}
			}
		case "bios", "console", "raid", "rescue":
			v = Verdict{Reason: "not supported"}
			if n.Interface(kind) == "fake" {
				v = Verdict{Result: true}
			}
		}
		verdicts[kind] = v
	}
	if c.hardware(n, "inspect") == nil {
		verdicts["inspect"] = Verdict{Reason: "not supported"}
	}
	delete(verdicts, "vendor") // its methods are validated when they are called
	return verdicts
}

// BootDevices are what the node's hardware can boot from.
func (c *Conductor) BootDevices(n *Node) []string {
	if b, ok := c.hardware(n, "management").(driver.BootDevice); ok {
		return b.BootDevices()
	}
	return []string{"pxe", "disk", "cdrom", "bios", "safe"}
}

// VendorMethods are the vendor methods of the node's hardware.
func (c *Conductor) VendorMethods(n *Node) []driver.VendorMethod {
	if v, ok := c.hardware(n, "vendor").(driver.Vendor); ok {
		return v.VendorMethods()
	}
	return nil
}

// CallVendor calls a vendor method: an asynchronous one goes on in the background, under the lock.
func (c *Conductor) CallVendor(ctx context.Context, ident string, m driver.VendorMethod, args map[string]any) (any, error) {
	for _, name := range m.Required {
		if _, ok := args[name]; !ok {
			return nil, invalid("Parameter '%s' not passed to method '%s'.", name, m.Name)
		}
	}
	if !m.Async {
		var answer any
		err := c.OnHardware(ctx, ident, "vendor", func(ctx context.Context, h any, n *driver.Node) (err error) {
			answer, err = h.(driver.Vendor).CallVendor(ctx, n, m.Name, args)
			return err
		})
		return answer, err
	}
	if err := c.begin(); err != nil {
		return nil, err
	}
	n, err := c.lock(ctx, ident, func(_ Tx, n *Node) error {
		c.hold(n)
		return nil
	})
	if err != nil {
		c.end()
		return nil, err
	}
	c.run(n, func(ctx context.Context, t *Task) {
		v, _ := c.hardware(n, "vendor").(driver.Vendor)
		failure := t.onHardware(ctx, func(n *driver.Node) error {
			_, err := v.CallVendor(ctx, n, m.Name, args)
			return err
		})
		t.unlock(ctx, failure)
	})
	return nil, nil
}

// unlock ends work that changes no state.
func (t *Task) unlock(ctx context.Context, failure error) {
	err := t.Save(ctx, func(n *Node) {
		n.Reservation = ""
		if failure != nil {
			n.LastError = failure.Error()
		}
	})
	if err != nil {
		t.drop(ctx, err)
	}
}
