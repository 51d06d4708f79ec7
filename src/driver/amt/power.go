package amt

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/wait"
)

// PowerState implements driver.Power. Neither on nor off, which is asleep mostly, is [driver.ErrOddState].
func (h *hardware) PowerState(ctx context.Context, n *driver.Node) (baremetal.PowerState, error) {
	c, err := h.open(n)
	if err != nil {
		return "", err
	}
	defer c.close()
	return c.powerState(ctx)
}

// PowerTargets implements driver.Power. AMT before 9 has no soft ones.
func (*hardware) PowerTargets() []baremetal.PowerTarget {
	return []baremetal.PowerTarget{baremetal.TargetOn, baremetal.TargetOff, baremetal.TargetReboot}
}

// Switch implements driver.Power.
//
// AMT takes commands that it does not follow, while the BIOS has not reported yet, and refuses some for no better reason.
// So this asks again, amt_max_attempts times, with amt_action_wait in between, as Ironic's driver does. By then the
// server is there or will not be, and the wait of [driver.SetPower] has one question left. A reboot is off and on, each in
// this way: there is no other way to tell a server that restarted from one that did not.
func (h *hardware) Switch(ctx context.Context, n *driver.Node, target baremetal.PowerTarget) error {
	if !slices.Contains(h.PowerTargets(), target) {
		return fmt.Errorf("node %s: power target %q: %w", n.Label(), target, driver.ErrUnsupported)
	}
	c, err := h.open(n)
	if err != nil {
		return err
	}
	defer c.close()
	if target != baremetal.TargetOn {
		if err := c.reach(ctx, baremetal.TargetOff); err != nil {
			return err
		}
	}
	if target == baremetal.TargetOff {
		return nil
	}
	if err := c.armBoot(ctx, n); err != nil {
		return err
	}
	return c.reach(ctx, baremetal.TargetOn)
}

// reach asks for a power state until the server is in it: at most maxAttempts requests, and a look before each and
// after the last.
func (c *client) reach(ctx context.Context, target baremetal.PowerTarget) error {
	var last baremetal.PowerState
	var doubt error // why the last look, or the request after it, said nothing good
	for sent := 0; ; sent++ {
		now, err := c.powerState(ctx)
		switch {
		case err == nil && now == target.End():
			return nil
		case err == nil:
			last = now
		case errors.Is(err, driver.ErrOddState):
			last, doubt = "", err
		case sent > 0 && errors.Is(err, driver.ErrUnreachable):
			doubt = err // the link goes down for some seconds when the host switches
		default:
			return err
		}
		if sent == c.info.maxAttempts {
			return &driver.PowerError{Target: target, Last: last, Cause: c.stuck(doubt)}
		}
		doubt = nil
		if err := c.requestPowerState(ctx, target); err != nil {
			if ctx.Err() != nil || errors.Is(err, driver.ErrAuthentication) {
				return err
			}
			doubt = err
		}
		if err := wait.Pause(ctx, c.info.actionWait); err != nil {
			return err
		}
	}
}

// stuck explains a server that stays as it is.
func (c *client) stuck(doubt error) error {
	if doubt != nil {
		return doubt
	}
	return c.errorf("asked %d times, the server did not follow; check that no session of SOL, IDE-R or KVM is open, and whether it hangs",
		c.info.maxAttempts)
}
