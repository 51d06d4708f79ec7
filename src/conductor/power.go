package conductor

import (
	"context"
	"slices"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/wait"
)

// SetPower switches the node and stores its power state.
func (t *Task) SetPower(ctx context.Context, target baremetal.PowerTarget) error {
	p, ok := t.c.hardware(t.Node, "power").(driver.Power)
	if !ok {
		return invalid("Node %s has power interface %s, which switches nothing.", t.Node.UUID, t.Node.Interface("power"))
	}
	var state baremetal.PowerState
	err := t.onHardware(ctx, func(n *driver.Node) (err error) {
		state, err = driver.SetPower(ctx, p, n, target, t.c.cfg.PowerPace)
		return err
	})
	if err != nil {
		return err
	}
	return t.Save(ctx, func(n *Node) { n.PowerState, n.TargetPowerState = state, "" })
}

// PowerState asks the hardware.
func (t *Task) PowerState(ctx context.Context) (state baremetal.PowerState, err error) {
	p, ok := t.c.hardware(t.Node, "power").(driver.Power)
	if !ok {
		return t.Node.PowerState, nil
	}
	err = t.onHardware(ctx, func(n *driver.Node) (err error) {
		state, err = p.PowerState(ctx, n)
		return err
	})
	return state, err
}

// PowerTargets are those that the node's hardware can honour.
func (c *Conductor) PowerTargets(n *Node) []baremetal.PowerTarget {
	if p, ok := c.hardware(n, "power").(driver.Power); ok {
		return p.PowerTargets()
	}
	return nil
}

// CanSwitchOff reports whether the node's hardware can be switched off from here.
func (t *Task) CanSwitchOff() bool {
	return slices.Contains(t.c.PowerTargets(t.Node), baremetal.TargetOff)
}

// WentOff stores that the server is off, for somebody else has switched it off: the ramdisk, or a hand.
func (t *Task) WentOff(ctx context.Context) error {
	if err := t.noteOff(ctx); err != nil {
		return err
	}
	return t.Save(ctx, func(n *Node) { n.PowerState = baremetal.PowerOff })
}

// noteOff tells hardware that cannot be asked that its server is off.
func (t *Task) noteOff(ctx context.Context) error {
	b, ok := t.c.hardware(t.Node, "power").(driver.Blind)
	if !ok {
		return nil
	}
	return t.onHardware(ctx, func(n *driver.Node) error { return b.Switch(ctx, n, baremetal.TargetOff) })
}

// SetBootDevice chooses what the node boots from next; hardware without a choice (management noop) takes any.
func (t *Task) SetBootDevice(ctx context.Context, device string, persistent bool) error {
	b, ok := t.c.hardware(t.Node, "management").(driver.BootDevice)
	if !ok {
		return nil
	}
	return t.onHardware(ctx, func(n *driver.Node) error { return b.SetBootDevice(ctx, n, device, persistent) })
}

// ChangePower accepts a power change and has a worker carry it out. limit is how long the hardware may take to follow; 0:
// what the configuration says. Of hardware that can neither be asked nor switched off, power off says in maintenance that
// somebody has done it by hand.
func (c *Conductor) ChangePower(ctx context.Context, ident string, target baremetal.PowerTarget, limit time.Duration) error {
	if err := c.begin(); err != nil {
		return err
	}
	byHand := false
	n, err := c.lock(ctx, ident, func(_ Tx, n *Node) error {
		if n.ProvisionState == baremetal.Cleaning || n.ProvisionState == baremetal.CleanWait {
			return invalid(`The requested action "%s" can not be performed on node "%s" while it is in state "%s".`, target, n.UUID, n.ProvisionState)
		}
		p, ok := c.hardware(n, "power").(driver.Power)
		_, blind := p.(driver.Blind)
		byHand = ok && blind && n.Maintenance && target == baremetal.TargetOff && !slices.Contains(p.PowerTargets(), target)
		if !byHand && (!ok || !slices.Contains(p.PowerTargets(), target)) {
			return invalid("The driver %s does not support the power state: %s", n.Driver, target)
		}
		c.hold(n)
		n.TargetPowerState = baremetal.PowerState(target)
		n.LastError = ""
		return nil
	})
	if err != nil {
		c.end()
		return err
	}
	pace := c.cfg.PowerPace
	if limit > 0 {
		pace.Limit = limit
	}
	c.run(n, func(ctx context.Context, t *Task) {
		if byHand {
			t.powerChanged(ctx, baremetal.PowerOff, t.noteOff(ctx))
			return
		}
		t.changePower(ctx, target, pace)
	})
	return nil
}

func (t *Task) changePower(ctx context.Context, target baremetal.PowerTarget, pace wait.Pace) {
	var state baremetal.PowerState
	p, _ := t.c.hardware(t.Node, "power").(driver.Power)
	failure := t.onHardware(ctx, func(n *driver.Node) (err error) {
		state, err = driver.SetPower(ctx, p, n, target, pace)
		return err
	})
	t.powerChanged(ctx, state, failure)
}

// powerChanged ends a power change: state is what the server has now, failure why it is not what was asked for.
func (t *Task) powerChanged(ctx context.Context, state baremetal.PowerState, failure error) {
	err := t.save(ctx, func(tx Tx, n *Node) error {
		n.TargetPowerState, n.Reservation = "", ""
		if failure == nil {
			n.PowerState = state
			return nil
		}
		n.LastError = failure.Error()
		if state != "" {
			n.PowerState = state
		}
		return Put(tx, &Incident{
			UUID: newUUID(), NodeUUID: n.UUID, Conductor: t.c.cfg.Hostname, Severity: "ERROR", EventType: "error", Event: n.LastError, CreatedAt: Now(),
		})
	})
	if err != nil {
		t.drop(ctx, err)
	}
}

// OnHardware locks the node and calls the driver behind its interface of a kind while the caller waits: boot device, boot
// mode. call gets nil for an interface that has no driver.
func (c *Conductor) OnHardware(ctx context.Context, ident, kind string, call func(context.Context, any, *driver.Node) error) error {
	return c.holding(ctx, ident, func(t *Task) error {
		return t.onHardware(ctx, func(n *driver.Node) error { return call(ctx, c.hardware(t.Node, kind), n) })
	})
}

// holding locks the node for what is done while the caller waits.
func (c *Conductor) holding(ctx context.Context, ident string, act func(*Task) error) error {
	n, err := c.lock(ctx, ident, func(_ Tx, n *Node) error {
		c.hold(n)
		return nil
	})
	if err != nil {
		return err
	}
	t := &Task{c: c, Node: n}
	failure := act(t)
	err = t.Save(ctx, func(n *Node) { n.Reservation = "" })
	if err != nil {
		t.drop(ctx, err)
	}
	if failure != nil {
		return failure
	}
	return err
}
