package libvirt

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
)

// Spec is the driver's line in the table.
var Spec = driver.Spec{
	Name:  "libvirt",
	About: "virtual machines, through the libvirt daemon of their hypervisor",
	Keys: []driver.Key{
		{Name: "libvirt_uri", Meaning: "libvirt's URI of the hypervisor, by unix, tcp, tls or ssh", Default: "qemu+unix:///system"},
		{Name: "sasl_username", Meaning: "user name, where the daemon asks for SASL"},
		{Name: "sasl_password", Meaning: "password, where the daemon asks for SASL", Secret: true},
		{Name: "ssh_key_filename", Meaning: "file with the private key for qemu+ssh; without it ssh-agent and the user's default keys"},
		{Name: "ssh_key_passphrase", Meaning: "what opens the private key, unless ssh-agent has it", Secret: true},
	},
	New: func() any { return hardware{} },
}

type hardware struct{}

var (
	_ driver.Located    = hardware{}
	_ driver.BootDevice = hardware{}
	_ driver.Validator  = hardware{}
)

// Validate implements driver.Validator.
func (hardware) Validate(n *driver.Node) error {
	if _, err := parse(n); err != nil {
		return err
	}
	return hasPort(n)
}

// Where implements driver.Located.
func (hardware) Where(n *driver.Node) string {
	p, _ := parse(n)
	return p.where()
}

func hasPort(n *driver.Node) error {
	if len(n.MACs) == 0 {
		return fmt.Errorf("node %s has no port: its domain is found by MAC address, so create a port with one", n.Label())
	}
	return nil
}

// PowerState implements driver.Power; a paused domain is on.
func (hardware) PowerState(ctx context.Context, n *driver.Node) (state baremetal.PowerState, err error) {
	err = onDomain(ctx, n, func(d *domain) error {
		active, err := d.active(ctx)
		switch {
		case err != nil:
			return err
		case active:
			state = baremetal.PowerOn
		default:
			state = baremetal.PowerOff
		}
		return nil
	})
	return state, err
}

func (hardware) PowerTargets() []baremetal.PowerTarget {
	return []baremetal.PowerTarget{
		baremetal.TargetOn, baremetal.TargetOff, baremetal.TargetReboot, baremetal.TargetSoftOff, baremetal.TargetSoftReboot,
	}
}

// Switch implements driver.Power. A reboot is off and on, so that a new boot device holds.
func (h hardware) Switch(ctx context.Context, n *driver.Node, target baremetal.PowerTarget) error {
	if !slices.Contains(h.PowerTargets(), target) {
		return fmt.Errorf("power target %q: %w", target, driver.ErrUnsupported)
	}
	return onDomain(ctx, n, func(d *domain) error {
		active, err := d.active(ctx)
		if err != nil {
			return err
		}
		switch {
		case active && target == baremetal.TargetReboot:
			if err := d.destroy(ctx); err != nil {
				return err
			}
			return d.create(ctx)
		case active && target == baremetal.TargetOff:
			return d.destroy(ctx)
		case active && target == baremetal.TargetSoftOff:
			return d.shutdown(ctx)
		case active && target == baremetal.TargetSoftReboot:
			return d.reboot(ctx)
		case !active && target.End() == baremetal.PowerOn:
			return d.create(ctx)
		}
		return nil
	})
}

// toLibvirt are Ironic's names of boot devices, and libvirt's.
var toLibvirt = map[string]string{"pxe": "network", "disk": "hd", "cdrom": "cdrom"}

func (hardware) BootDevices() []string { return slices.Sorted(maps.Keys(toLibvirt)) }

// BootDevice implements driver.BootDevice: what the next start will boot from, which is the inactive definition; empty
// if that names none, or one that Ironic has no name for. It always lasts.
func (hardware) BootDevice(ctx context.Context, n *driver.Node) (device string, persistent bool, err error) {
	err = onDomain(ctx, n, func(d *domain) error {
		definition, err := d.definition(ctx)
		if err != nil {
			return err
		}
		name, err := bootDevice(definition)
		if err != nil {
			return err
		}
		for ironic, libvirt := range toLibvirt {
			if libvirt == name {
				device, persistent = ironic, true
			}
		}
		return nil
	})
	return device, persistent, err
}

// SetBootDevice implements driver.BootDevice. libvirt has no boot device for one start only: it lasts until the next one is
// set, as with Ironic's staging driver.
func (hardware) SetBootDevice(ctx context.Context, n *driver.Node, device string, _ bool) error {
	name, ok := toLibvirt[device]
	if !ok {
		return fmt.Errorf("boot device %q: %w", device, driver.ErrUnsupported)
	}
	return onDomain(ctx, n, func(d *domain) error {
		definition, err := d.definition(ctx)
		if err != nil {
			return err
		}
		changed, err := withBootDevice(definition, name)
		if err != nil {
			return err
		}
		return d.define(ctx, changed)
	})
}

// firstKey is the entry of the node's own state with the key that the SSH host showed first.
const firstKey = "libvirt_ssh_host_key"

// onDomain connects to the node's hypervisor, finds its domain, and lets act do something with it.
func onDomain(ctx context.Context, n *driver.Node, act func(*domain) error) error {
	p, err := parse(n)
	if err != nil {
		return err
	}
	if err := hasPort(n); err != nil {
		return err
	}
	p.firstKey = n.State[firstKey]
	c, err := open(ctx, &p)
	if err != nil {
		return fmt.Errorf("node %s: %s: %w", n.Label(), p.where(), err)
	}
	defer c.close()
	n.Remember(firstKey, p.firstKey)
	d, err := c.find(ctx, n)
	if err == nil {
		err = act(d)
	}
	if err != nil {
		return fmt.Errorf("node %s: %s: %w", n.Label(), p.where(), err)
	}
	return nil
}
