package driver

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/wait"
)

// SetPower brings a server into the power state that target asks for, and waits, at the pace given, until the hardware
// says that it is there. A server that is there already is left alone, unless its hardware is [Blind]; one that is off is
// switched on by a reboot.
//
// Hardware that does not answer is asked again until the pace's limit: BMCs fall silent for seconds while they
// switch. A server that is neither on nor off ([ErrOddState]) is switched as one whose state is not known. Errors:
// [ErrUnsupported] before anything is sent, a [PowerError] when the hardware does not follow, and what the driver says.
func SetPower(ctx context.Context, p Power, n *Node, target baremetal.PowerTarget, pace wait.Pace) (baremetal.PowerState, error) {
	if !slices.Contains(p.PowerTargets(), target) {
		return "", fmt.Errorf("power target %q: %w", target, ErrUnsupported)
	}
	now, err := p.PowerState(ctx, n)
	if err != nil && !errors.Is(err, ErrOddState) {
		return "", err
	}
	end := target.End()
	_, blind := p.(Blind)
	reboots := target == baremetal.TargetReboot || target == baremetal.TargetSoftReboot
	switch {
	case !reboots && now == end && !blind:
		return now, nil
	case reboots && now != baremetal.PowerOn:
		target = baremetal.TargetOn
	}
	err = p.Switch(ctx, n, target)
	if refused, ok := errors.AsType[*PowerError](err); ok && refused.Last == "" {
		refused.Last = now
	}
	switch {
	case errors.Is(err, ErrOffThenOn):
		if now, err = SetPower(ctx, p, n, baremetal.TargetSoftOff, pace); err != nil {
			return now, err
		}
		return SetPower(ctx, p, n, baremetal.TargetOn, pace)
	case err != nil:
		return now, err
	}
	goal := fmt.Sprintf("node %s to be %s", n.Label(), end)
	var silent error
	err = wait.Until(ctx, pace, goal, func(ctx context.Context) (bool, string, error) {
		state, err := p.PowerState(ctx, n)
		if ctx.Err() == nil { // else it is the end of the wait that it tells
			silent = err
		}
		switch {
		case errors.Is(err, ErrUnreachable):
			return false, "no answer", nil
		case errors.Is(err, ErrOddState):
			return false, ErrOddState.Error(), nil
		case err != nil:
			return false, "", err
		}
		now = state
		return state == end, string(state), nil
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		if silent == nil {
			silent = stuck(p, n, target)
		}
		return now, &PowerError{Target: target, Last: now, Cause: silent}
	}
	return now, err
}

// stuck says what to look at when hardware has taken a command and the server does not follow.
func stuck(p Power, n *Node, target baremetal.PowerTarget) error {
	where := ""
	if l, ok := p.(Located); ok {
		where = l.Where(n) + ": "
	}
	look := "look at the server's console, and whether it hangs or somebody else switches it"
	if target == baremetal.TargetSoftOff || target == baremetal.TargetSoftReboot {
		look = "its operating system may need longer, or not listen to the power button"
	}
	return fmt.Errorf("node %s: %sthe command was taken and not followed: %s", n.Label(), where, look)
}
