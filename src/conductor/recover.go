package conductor

import (
	"context"
	"errors"
	"fmt"

	"bosh-ironic-cpi/src/baremetal"
)

// Recover takes up nodes whose lock belongs to nobody alive, or to this conductor from before its restart. Work whose
// plan is known goes on at its step; everything else fails with a reason, unlocked. It returns when every node has been
// decided upon; workers carry on.
func (c *Conductor) Recover(ctx context.Context) error {
	var orphans []*Node
	err := c.store.View(ctx, func(tx Tx) error {
		living, err := alive(tx)
		if err != nil {
			return err
		}
		held, err := tx.Nodes(NodeQuery{Where: []Condition{{"reservation", "!=", ""}}, Brief: true})
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
	for _, n := range orphans {
		if err := c.takeOver(ctx, n.UUID, n.Reservation); err != nil {
			return fmt.Errorf("take over node %s: %w", n.UUID, err)
		}
	}
	return nil
}

// restarted is Recover for what this conductor held before it was started again under the same name.
func (c *Conductor) restarted(ctx context.Context) error {
	var own []*Node
	err := c.store.View(ctx, func(tx Tx) (err error) {
		own, err = tx.Nodes(NodeQuery{Where: []Condition{{"reservation", "=", c.cfg.Hostname}}, Brief: true})
		return err
	})
	for _, n := range own {
		if err == nil {
			err = c.takeOver(ctx, n.UUID, c.cfg.Hostname)
		}
	}
	return err
}

// takeOver makes a lock ours, if it is still the lost one's, and decides what becomes of the node.
func (c *Conductor) takeOver(ctx context.Context, uuid, lost string) error {
	if err := c.begin(); err != nil {
		return err
	}
	var taken *Node
	err := c.store.Update(ctx, func(tx Tx) error {
		taken = nil
		n, err := tx.Node(uuid)
		if errors.Is(err, baremetal.ErrNotFound) {
			return nil
		}
		if err != nil || n.Reservation != lost {
			return err
		}
		n.Reservation = c.cfg.Hostname
		n.TargetPowerState = ""
		if !Working(n.ProvisionState) { // a power change, or a moment between two states
			n.Reservation = ""
			if n.LastError == "" && !n.ProvisionState.Failed() {
				n.LastError = fmt.Sprintf("Conductor %s ended while it held the node's lock.", lost)
			}
		}
		n.UpdatedAt = Now()
		taken = n
		return tx.PutNode(n)
	})
	if err != nil || taken == nil || taken.Reservation == "" {
		c.end()
		return err
	}
	c.log.WarnContext(ctx, "taking a node over", "node", uuid, "from", lost, "state", taken.ProvisionState)
	c.run(taken, func(ctx context.Context, t *Task) { t.takeUp(ctx, lost) })
	return nil
}

// takeUp goes on where another conductor ended. What was begun without a plan is begun again where that does no harm.
func (t *Task) takeUp(ctx context.Context, lost string) {
	switch s := t.Node.ProvisionState; {
	case t.Node.Details.Work != nil:
		t.resume(ctx)
	case s == baremetal.Verifying:
		t.verify(ctx)
	case s == baremetal.Cleaning && t.Node.TargetProvisionState == baremetal.Available:
		t.clean(ctx)
	case s == baremetal.Deleting:
		t.tearDown(ctx)
	case s == baremetal.Inspecting:
		t.inspect(ctx)
	case s == baremetal.Adopting:
		t.adopt(ctx)
	default:
		t.fail(ctx, fmt.Errorf("The %s state can't be resumed by conductor %s after %s was gone. Moving to fail state.", s, t.c.cfg.Hostname, lost))
	}
}

// Expire fails nodes that have waited for an event past their deadline.
func (c *Conductor) Expire(ctx context.Context) error {
	for _, s := range workStates {
		var late []*Node
		err := c.store.View(ctx, func(tx Tx) error {
			waiting, err := tx.Nodes(NodeQuery{Where: []Condition{{"provision_state", "=", string(s.waiting)}, {"reservation", "=", ""}}})
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
		n.Reservation = c.cfg.Hostname
		n.enter(working, n.TargetProvisionState)
		taken = n
		return tx.PutNode(n)
	})
	if err != nil || taken == nil {
		c.end()
		return err
	}
	text := "Timeout reached while waiting for callback for node %s"
	if working == baremetal.Cleaning {
		text = "Timeout reached while cleaning the node %s. Please check if the ramdisk responsible for the cleaning is running on the node."
	}
	c.run(taken, func(ctx context.Context, t *Task) { t.fail(ctx, fmt.Errorf(text, uuid)) })
	return nil
}
