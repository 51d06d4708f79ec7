package ipmi

import (
	"context"
	"fmt"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
)

// Chassis commands (IPMI 2.0, 28).
const (
	netFnChassis      = 0x00
	cmdChassisStatus  = 0x01
	cmdChassisControl = 0x02
	cmdSetBootOptions = 0x08
	cmdGetBootOptions = 0x09
)

// controls are the actions of Chassis Control. A reboot is a hard reset, which every BMC has; a power cycle is optional, and
// so is doing nothing about a server that is off.
var controls = map[baremetal.PowerTarget]byte{
	baremetal.TargetOff:     0,
	baremetal.TargetOn:      1,
	baremetal.TargetReboot:  3,
	baremetal.TargetSoftOff: 5,
}

// PowerState implements driver.Power.
func (d Driver) PowerState(ctx context.Context, n *driver.Node) (state baremetal.PowerState, err error) {
	err = d.with(ctx, n, func(b *bmc) error {
		data, err := b.send(ctx, netFnChassis, cmdChassisStatus)
		switch {
		case err != nil:
			return err
		case len(data) == 0:
			return fmt.Errorf("chassis status without a byte: %w", driver.ErrUnsupported)
		case data[0]&1 != 0:
			state = baremetal.PowerOn
		default:
			state = baremetal.PowerOff
		}
		return nil
	})
	return state, err
}

// PowerTargets implements driver.Power.
func (Driver) PowerTargets() []baremetal.PowerTarget {
	return []baremetal.PowerTarget{
		baremetal.TargetOn, baremetal.TargetOff, baremetal.TargetReboot, baremetal.TargetSoftReboot, baremetal.TargetSoftOff,
	}
}

// Switch implements driver.Power. IPMI has no soft reboot: it is a soft power off, and power on.
func (d Driver) Switch(ctx context.Context, n *driver.Node, target baremetal.PowerTarget) error {
	control, ok := controls[target]
	switch {
	case target == baremetal.TargetSoftReboot:
		return driver.ErrOffThenOn
	case !ok:
		return fmt.Errorf("power target %q: %w", target, driver.ErrUnsupported)
	}
	return d.with(ctx, n, func(b *bmc) error {
		if target.End() == baremetal.PowerOn {
			if err := b.tellBootDeviceAgain(ctx, n); err != nil {
				return err
			}
		}
		_, err := b.send(ctx, netFnChassis, cmdChassisControl, control)
		return err
	})
}
