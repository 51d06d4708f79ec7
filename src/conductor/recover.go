package conductor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"bosh-ironic-cpi/src/baremetal"
)

// Recover takes up nodes whose lock belongs to nobody alive, or to this conductor though nobody works under it. Work whose
// plan is known goes on at its step; everything else fails with a reason, unlocked. It returns when every node has been
// decided upon; workers carry on.
func (c *Conductor) Recover(ctx context.Context) error {
	var orphans []*Node
	err := c.store.View(ctx, func(tx Tx) error {
		living, err := alive(tx)
		if err != nil {
			return err
		}
		held, err := tx.Nodes(NodeQuery{Where: []Condition{
			{"reservation", "!=", ""}, {"reservation", "!=", c.cfg.Hostname}, {"conductor_group", "=", c.cfg.Group},
		}, Brief: true})
		for _, n := range held {
			if !living[n.Reservation] {
				orphans = append(orphans, n)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	var errs []error
	for _, n := range orphans {
		errs = append(errs, c.takeOver(ctx, n.UUID, n.Reservation, 0))
	}
	return errors.Join(append(errs, c.pickUp(ctx), c.namesakes(ctx), c.forget(ctx))...)
}

// namesakes is Recover for locks of another process of our name: it was there before us, and stops when it sees us.
func (c *Conductor) namesakes(ctx context.Context) error {
	var held []*Node
	err := c.store.View(ctx, func(tx Tx) error {
		r, err := Get[Registration](tx, c.cfg.Hostname)
		if err != nil || r.Incarnation != c.incarnation { // it is we who are to stop
			return ignore(err, baremetal.ErrNotFound)
		}
		held, err = tx.Nodes(NodeQuery{Where: []Condition{{"reservation", "=", c.cfg.Hostname}}, OnlyDetails: []string{"locked_at", "locked_in"}})
		return err
	})
	errs := []error{err}
	for _, n := range held {
		if in := n.Details.LockedIn; in != "" && in != c.incarnation {
			errs = append(errs, c.takeOver(ctx, n.UUID, c.cfg.Hostname, n.Details.LockedAt))
		}
	}
	return errors.Join(errs...)
}

func ignore(err, kind error) error {
	if errors.Is(err, kind) {
		return nil
	}
	return err
}

// remembered is how long a conductor that is gone is still shown, as not alive.
const remembered = Time(time.Hour / time.Microsecond)

// forget removes the registrations of conductors that have been gone for long, and hold no node: each call of an embedded
// conductor that was killed left one.
func (c *Conductor) forget(ctx context.Context) error {
	gone := func(tx Tx) (names []string, err error) {
		all, err := All[Registration](tx, RowQuery{})
		for _, r := range all {
			if r.Until+remembered > Now() || err != nil {
				continue
			}
			var held []*Node
			held, err = tx.Nodes(NodeQuery{Where: []Condition{{"reservation", "=", r.Hostname}}, Brief: true, Limit: 1})
			if len(held) == 0 {
				names = append(names, r.Hostname)
			}
		}
		return names, err
	}
	var names []string
	err := c.store.View(ctx, func(tx Tx) (err error) {
		names, err = gone(tx)
		return err
	})
	if err != nil || len(names) == 0 {
		return err
	}
	return c.store.Update(ctx, func(tx Tx) error {
		names, err := gone(tx)
		for _, name := range names {
			err = errors.Join(err, tx.DeleteRow(KindConductor, name))
		}
		return err
	})
}

// pickUp is Recover for locks of ours that could not be given back.
func (c *Conductor) pickUp(ctx context.Context) error {
	c.mu.Lock()
	dropped := maps.Clone(c.dropped)
	c.mu.Unlock()
	var errs []error
	for uuid, since := range dropped {
		if err := c.takeOver(ctx, uuid, c.cfg.Hostname, since); err != nil {
			errs = append(errs, err)
			continue
		}
		c.mu.Lock()
		if c.dropped[uuid] == since { // else it was dropped again meanwhile
			delete(c.dropped, uuid)
		}
		c.mu.Unlock()
	}
	return errors.Join(errs...)
}

// restarted is Recover for what this conductor held before it was started again under the same name.
func (c *Conductor) restarted(ctx context.Context) error {
	var own []*Node
	err := c.store.View(ctx, func(tx Tx) (err error) {
		own, err = tx.Nodes(NodeQuery{Where: []Condition{{"reservation", "=", c.cfg.Hostname}}, Brief: true})
		return err
	})
	errs := []error{err}
	for _, n := range own {
		errs = append(errs, c.takeOver(ctx, n.UUID, c.cfg.Hostname, 0))
	}
	return errors.Join(errs...)
}

// takeOver makes a lock ours, if it is still the lost one's, and decides what becomes of the node. since is when the lock
// was taken; zero: at any time.
func (c *Conductor) takeOver(ctx context.Context, uuid, lost string, since Time) error {
	var taken *Node
	err := c.store.Update(ctx, func(tx Tx) error {
		taken = nil
		n, err := tx.Node(uuid)
		if errors.Is(err, baremetal.ErrNotFound) {
			return nil
		}
		if err != nil || n.Reservation != lost || (since != 0 && n.Details.LockedAt != since) {
			return err
		}
		if back, err := c.isBack(tx, lost); back || err != nil {
			return err
		}
		c.hold(n)
		n.TargetPowerState = ""
		aborted := n.ProvisionState.Failed() && n.Details.Work != nil
		if !Working(n.ProvisionState) && !aborted { // a power change, or a moment between two states
			n.Reservation = ""
			if n.LastError == "" && !n.ProvisionState.Failed() {
				n.LastError = fmt.Sprintf("Conductor %s ended while it held the node's lock.", lost)
			}
		}
		n.UpdatedAt = Now()
		taken = n
		return tx.PutNode(n)
	})
	switch {
	case err != nil:
		return fmt.Errorf("take over node %s: %w", uuid, err)
	case taken == nil || taken.Reservation == "":
		return nil
	}
	c.log.WarnContext(ctx, "taking a node over", "node", uuid, "from", lost, "state", taken.ProvisionState)
	c.queue(taken, func(ctx context.Context, t *Task) { t.takeUp(ctx) })
	return nil
}

// isBack reports whether a conductor that was thought dead has renewed its lease meanwhile.
func (c *Conductor) isBack(tx Tx, lost string) (bool, error) {
	if lost == c.cfg.Hostname {
		return false, nil
	}
	r, err := Get[Registration](tx, lost)
	if errors.Is(err, baremetal.ErrNotFound) {
		return false, nil
	}
	return err == nil && r.Alive(), err
}

// takeUp goes on where another conductor ended. What was begun without a plan is begun again where that does no harm.
func (t *Task) takeUp(ctx context.Context) {
	switch s := t.Node.ProvisionState; {
	case s.Failed():
		t.aborted(ctx)
	case t.Node.Details.Work != nil && t.Node.Details.Work.Event != "": // it waited, and was about to fail
		t.late(ctx)
	case t.Node.Details.Work != nil:
		t.goOn(ctx)
	case s == baremetal.Verifying:
		t.verify(ctx)
	case s == baremetal.Cleaning && t.Node.TargetProvisionState == baremetal.Available:
		t.clean(ctx)
	case s == baremetal.Deleting:
		t.tearDown(ctx)
	case s == baremetal.Inspecting:
		t.start(ctx, WorkInspect, nil)
	case s == baremetal.Adopting:
		t.adopt(ctx)
	default:
		t.fail(ctx, fmt.Errorf("The %s state can't be resumed by conductor %s. Moving to fail state.", s, t.c.cfg.Hostname))
	}
}

// goOn is resume for work that another process began.
func (t *Task) goOn(ctx context.Context) {
	w, err := t.c.worker(t.Node, t.Node.Details.Work.Kind)
	if err == nil {
		err = w.TakeOver(ctx, t)
	}
	if err != nil {
		t.fail(ctx, err)
		return
	}
	t.resume(ctx)
}

// waits are the states in which a ramdisk is waited for, and those that nodes go back to for their next step. There is no
// work for rescue here, so no node waits for one; one that another program left there would wait for ever.
var waits = []struct{ waiting, working baremetal.ProvisionState }{
	{baremetal.WaitCallBack, baremetal.Deploying},
	{baremetal.CleanWait, baremetal.Cleaning},
	{baremetal.InspectWait, baremetal.Inspecting},
	{baremetal.RescueWait, baremetal.Rescuing},
}

// Expire fails nodes that have waited for an event past their deadline.
func (c *Conductor) Expire(ctx context.Context) error {
	for _, s := range waits {
		var late []*Node
		err := c.store.View(ctx, func(tx Tx) error {
			waiting, err := tx.Nodes(NodeQuery{Where: []Condition{
				{"provision_state", "=", string(s.waiting)}, {"reservation", "=", ""}, {"conductor_group", "=", c.cfg.Group},
			}})
			for _, n := range waiting {
				if w := n.Details.Work; w == nil || (w.Deadline != 0 && w.Deadline < Now()) {
					late = append(late, n)
				}
			}
			return err
		})
		if err != nil {
			return err
		}
		for _, n := range late {
			if err := c.timeOut(ctx, n.UUID, s.waiting, s.working); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Conductor) timeOut(ctx context.Context, uuid string, waiting, working baremetal.ProvisionState) error {
	if err := c.begin(); err != nil {
		return nil //nolint:nilerr // the next round finds it again
	}
	var taken *Node
	err := c.store.Update(ctx, func(tx Tx) error {
		taken = nil
		n, err := tx.Node(uuid)
		if err != nil || n.Reservation != "" || n.ProvisionState != waiting {
			return err
		}
		if w := n.Details.Work; w != nil && w.Deadline >= Now() {
			return nil
		}
		c.hold(n)
		n.enter(working, n.TargetProvisionState)
		taken = n
		return tx.PutNode(n)
	})
	if err != nil || taken == nil {
		c.end()
		return err
	}
	c.run(taken, func(ctx context.Context, t *Task) { t.late(ctx) })
	return nil
}

// late fails a node whose ramdisk did not call in time.
func (t *Task) late(ctx context.Context) {
	text := "Timeout reached while waiting for callback for node %s"
	switch t.Node.ProvisionState {
	case baremetal.Inspecting:
		text = "timeout reached while inspecting the node %s"
	case baremetal.Cleaning:
		text = "Timeout reached while cleaning the node %s. Please check if the ramdisk responsible for the cleaning is running on the node."
	}
	t.fail(ctx, fmt.Errorf(text, t.Node.UUID))
}
