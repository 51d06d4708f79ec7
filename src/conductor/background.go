package conductor

import (
	"context"
	"sync"
	"time"

	"bosh-ironic-cpi/src/baremetal"
)

// A Rhythm says how often the loops of a daemon turn. Zero: never.
type Rhythm struct {
	PowerSync time.Duration // ask every node's power state
	Abreast   int           // how many BMCs are asked at once; 0: 8
	Watch     time.Duration // look for deadlines and dead conductors
}

// Background turns the loops until ctx ends: power states, deadlines, nodes of conductors that are gone.
func (c *Conductor) Background(ctx context.Context, r Rhythm) {
	var loops sync.WaitGroup
	loop := func(every time.Duration, what string, turn func(context.Context) error) {
		if every <= 0 {
			return
		}
		loops.Go(func() {
			tick := time.NewTicker(every)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				if err := turn(ctx); err != nil && ctx.Err() == nil {
					c.log.ErrorContext(ctx, "a loop's turn failed", "loop", what, "err", err)
				}
			}
		})
	}
	loop(r.Watch, "deadlines", c.Expire)
	loop(r.Watch, "recovery", c.Recover)
	loop(r.PowerSync, "power", func(ctx context.Context) error { return c.SyncPower(ctx, r.Abreast) })
	loops.Wait()
}

// SyncPower asks the power state of every node that nobody works on, so many at once, and stores what has changed. Nodes
// in maintenance or not yet manageable are left alone.
func (c *Conductor) SyncPower(ctx context.Context, abreast int) error {
	if abreast <= 0 {
		abreast = 8
	}
	var nodes []*Node
	err := c.store.View(ctx, func(tx Tx) (err error) {
		nodes, err = tx.Nodes(NodeQuery{Where: []Condition{
			{"maintenance", "=", false},
			{"reservation", "=", ""},
			{"conductor_group", "=", c.cfg.Group},
			{"provision_state", "!=", string(baremetal.Enroll)},
		}, Brief: true})
		return err
	})
	if err != nil {
		return err
	}
	room := make(chan struct{}, abreast)
	var all sync.WaitGroup
	for _, n := range nodes {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			c.syncOne(ctx, n.UUID)
		})
		if ctx.Err() != nil {
			break
		}
	}
	all.Wait()
	return ctx.Err()
}

func (c *Conductor) syncOne(ctx context.Context, uuid string) {
	n, err := c.Node(ctx, uuid)
	if err != nil {
		return // gone meanwhile
	}
	if n.Maintenance || n.Reservation != "" {
		return // since the list was made
	}
	t := &Task{c: c, Node: n}
	state, err := t.PowerState(ctx)
	if err != nil {
		c.log.WarnContext(ctx, "asking for the power state", "node", uuid, "err", err)
		return
	}
	if state == n.PowerState {
		return
	}
	asked := n.UpdatedAt
	err = c.store.Update(ctx, func(tx Tx) error {
		n, err := tx.Node(uuid)
		if err != nil || n.Reservation != "" || n.UpdatedAt != asked {
			return err // somebody knows better
		}
		n.PowerState = state
		n.UpdatedAt = Now()
		return tx.PutNode(n)
	})
	if err != nil {
		c.log.WarnContext(ctx, "storing a power state", "node", uuid, "err", err)
	}
}
