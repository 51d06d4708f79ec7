// Package wol wakes servers by Wake-on-LAN: a "magic packet" in a UDP broadcast, for each port of the node.
//
// It can do that one thing. Nothing answers a magic packet and nothing switches a server off, so the power state is
// what the node was last told, [driver.Blind], and power on is the only target that it offers. Asked all the same to
// switch off, it notes that and does nothing; asked to reboot, it wakes.
//
// Wire: AMD publication 20213, "Magic Packet Technology", in UDP over IPv4. There is no IPv6, and no frame of Ethernet's
// own type (0x0842). Keys and behaviour are those of ironic-staging-drivers' wol.
package wol

import (
	"context"
	"fmt"
	"slices"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
)

// Spec is the driver's line in the table.
var Spec = driver.Spec{
	Name:  "wol",
	About: "Wake-on-LAN: switches servers on, and cannot do more",
	Keys: []driver.Key{
		{Name: "wol_host", Meaning: "broadcast address that the packets go to: that of the node's own network (10.0.5.255) if it is not this computer's", Default: "255.255.255.255"},
		{Name: "wol_port", Meaning: "UDP port that the packets go to", Default: "9"},
		{Name: "wol_password", Meaning: "SecureOn password of the NIC, as six bytes (00:11:22:33:44:55) or four (192.0.2.1); empty: none", Secret: true},
	},
	New: func() any { return hardware{} },
}

type hardware struct{}

var (
	_ driver.Blind     = hardware{}
	_ driver.Validator = hardware{}
)

// power is the key of the node's own state: the power state that it was last told.
const power = "wol_power"

// taken are the targets that Switch takes, in the order in which ironic-staging-drivers lists them.
var taken = []baremetal.PowerTarget{baremetal.TargetOn, baremetal.TargetOff, baremetal.TargetReboot}

// Blind implements driver.Blind.
func (hardware) Blind() {}

// PowerTargets is what the hardware can honour: to be woken.
func (hardware) PowerTargets() []baremetal.PowerTarget {
	return []baremetal.PowerTarget{baremetal.TargetOn}
}

// PowerState is what the node was last told; before that it is taken to be off.
func (hardware) PowerState(_ context.Context, n *driver.Node) (baremetal.PowerState, error) {
	if told := n.State[power]; told != "" {
		return baremetal.PowerState(told), nil
	}
	return baremetal.PowerOff, nil
}

// Switch wakes the node, also for a reboot. To switch it off is left to whoever can, as driver.Blind has it: it is noted and
// logged.
func (hardware) Switch(ctx context.Context, n *driver.Node, target baremetal.PowerTarget) error {
	if !slices.Contains(taken, target) {
		return fmt.Errorf("power target %q on Wake-on-LAN hardware: %w", target, driver.ErrUnsupported)
	}
	if target == baremetal.TargetOff {
		n.Logger().InfoContext(ctx, "Wake-on-LAN cannot switch off: do it by hand or in the operating system")
		n.Remember(power, string(baremetal.PowerOff))
		return nil
	}
	if target == baremetal.TargetReboot {
		n.Logger().InfoContext(ctx, "Wake-on-LAN cannot reboot: only sending the packets that wake")
	}
	if err := wake(ctx, n); err != nil {
		return fmt.Errorf("wake node %s: %w", n.Label(), err)
	}
	n.Remember(power, string(baremetal.PowerOn))
	return nil
}

// Validate implements driver.Validator.
func (hardware) Validate(n *driver.Node) error {
	_, err := plan(n)
	return err
}
