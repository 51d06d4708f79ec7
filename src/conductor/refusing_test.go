package conductor_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/wait"
)

// A refusing store takes no changes while it is told so, as one whose disk is full.
type refusing struct {
	conductor.Store
	full atomic.Bool
}

var errFull = errors.New("database or disk is full")

func (s *refusing) Update(ctx context.Context, change func(conductor.Tx) error) error {
	if s.full.Load() {
		return errFull
	}
	return s.Store.Update(ctx, change)
}

// While the store takes no changes requests are refused and keep no worker; once it does again, what was under way goes on
// without a restart.
func TestStoreRefuses(t *testing.T) {
	r := newRig(t)
	kept := &refusing{Store: r.store}
	r.store = kept
	g := newGate(t)
	s := &script{act: func(ctx context.Context, _ *conductor.Task, step conductor.Step) (conductor.Result, error) {
		if step.Step == "two" {
			return conductor.Done, g.pass(ctx)
		}
		return conductor.Done, nil
	}}
	const workers = 4
	c := r.start("here", s, func(cfg *conductor.Config) { cfg.Workers = workers })
	for i := 1; i <= 2; i++ {
		r.put(conductor.Node{UUID: uuidOf(i), ProvisionState: baremetal.Available})
	}
	r.edit(uuidOf(2), func(n *conductor.Node) {
		n.Details.DriverInfo = conductor.NewObject(map[string]any{"fake_delay": "50ms"})
	})
	if err := c.Provision(t.Context(), uuidOf(1), conductor.Request{Verb: baremetal.VerbActive}); err != nil {
		t.Fatal(err)
	}
	g.wait(t)
	if err := c.ChangePower(t.Context(), uuidOf(2), baremetal.TargetOn, 0); err != nil {
		t.Fatal(err)
	}
	kept.full.Store(true)
	close(g.opened)
	r.idle(c)
	for range workers + 1 {
		for what, err := range map[string]error{
			"manage":    c.Provision(t.Context(), uuidOf(2), conductor.Request{Verb: baremetal.VerbManage}),
			"power on":  c.ChangePower(t.Context(), uuidOf(2), baremetal.TargetOn, 0),
			"heartbeat": c.Continue(t.Context(), uuidOf(2), "call"),
			"recovery":  c.Recover(t.Context()),
		} {
			if !errors.Is(err, errFull) {
				t.Errorf("%s: %v; want %v", what, err, errFull)
			}
		}
	}
	kept.full.Store(false)
	if err := c.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.soon(uuidOf(1), baremetal.Active)
	r.soon(uuidOf(2), baremetal.Available)
	r.idle(c)
	if ran, most, failed, _ := s.book(); most != 1 || failed > 0 || !slices.Equal(ran, []string{"one", "two", "two", "three"}) {
		t.Errorf("steps %v by %d at once, %d clean-ups; want to go on at the second", ran, most, failed)
	}
	if err := c.Provision(t.Context(), uuidOf(2), conductor.Request{Verb: baremetal.VerbActive}); err != nil {
		t.Error(err)
	}
	r.soon(uuidOf(2), baremetal.Active)
}

// A lock that could be given back after all, and was taken anew, is not picked up from the one who has it.
func TestUnsureWhetherStored(t *testing.T) {
	r := newRig(t)
	unsure := &unsure{Store: r.store}
	g := newGate(t)
	s := &script{act: func(ctx context.Context, _ *conductor.Task, _ conductor.Step) (conductor.Result, error) {
		return conductor.Done, g.pass(ctx)
	}}
	c := r.start("here", s, func(cfg *conductor.Config) { cfg.Store = unsure })
	r.put(conductor.Node{UUID: uuidOf(1), ProvisionState: baremetal.Available})
	unsure.lose.Store(2) // the second change is stored, and nobody is told so
	if err := c.ChangePower(t.Context(), uuidOf(1), baremetal.TargetOn, 0); err != nil {
		t.Fatal(err)
	}
	r.idle(c)
	r.soon(uuidOf(1), baremetal.Available)
	if err := c.Provision(t.Context(), uuidOf(1), conductor.Request{Verb: baremetal.VerbActive}); err != nil {
		t.Fatal(err)
	}
	g.wait(t)
	if err := c.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(g.opened)
	r.soon(uuidOf(1), baremetal.Active)
	r.idle(c)
	if ran, most, _, _ := s.book(); most != 1 || !slices.Equal(ran, []string{"one", "two", "three"}) {
		t.Errorf("steps %v by %d at once; want each once, by one", ran, most)
	}
}

// An unsure store loses its answer to one change, which it has stored.
type unsure struct {
	conductor.Store
	lose atomic.Int64 // which one from now; 0: none
}

func (s *unsure) Update(ctx context.Context, change func(conductor.Tx) error) error {
	err := s.Store.Update(ctx, change)
	if s.lose.CompareAndSwap(1, 0) && err == nil {
		return errors.New("connection reset by peer")
	}
	s.lose.CompareAndSwap(2, 1)
	return err
}

// A store that takes longer than a request may wait for a lock is slow, and no reason to refuse what nobody has locked.
func TestSlowStore(t *testing.T) {
	r := newRig(t)
	c := r.start("here", &script{}, func(cfg *conductor.Config) { cfg.Store = slow{r.store} })
	r.put(conductor.Node{UUID: uuidOf(1), ProvisionState: baremetal.Available})
	r.put(conductor.Node{UUID: uuidOf(2), ProvisionState: baremetal.Available, Reservation: "other"})
	verb := func(i int, v baremetal.Verb) error {
		return c.Provision(t.Context(), uuidOf(i), conductor.Request{Verb: v})
	}
	if err := verb(1, baremetal.VerbActive); err != nil {
		t.Errorf("active: %v", err)
	}
	r.soon(uuidOf(1), baremetal.Active)
	if err := c.DeleteNode(t.Context(), uuidOf(1)); !errors.Is(err, conductor.ErrConflict) {
		t.Errorf("DELETE of an active node: %v; want %v", err, conductor.ErrConflict)
	}
	if err := verb(2, baremetal.VerbActive); !errors.Is(err, baremetal.ErrLocked) {
		t.Errorf("active on a locked node: %v; want %v", err, baremetal.ErrLocked)
	}
}

// A slow store takes longer for every change than requests wait for locks.
type slow struct{ conductor.Store }

func (s slow) Update(ctx context.Context, change func(conductor.Tx) error) error {
	if err := wait.Pause(ctx, 10*time.Millisecond); err != nil {
		return err
	}
	return s.Store.Update(ctx, change)
}
