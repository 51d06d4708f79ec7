package conductor_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/driver/all"
	"bosh-ironic-cpi/src/driver/vendorargs"
	"bosh-ironic-cpi/src/store"
	"bosh-ironic-cpi/src/wait"
)

// A rig is a store that several conductors may share.
type rig struct {
	t     testing.TB
	store conductor.Store
}

func newRig(t testing.TB) *rig {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "state.sqlite"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &rig{t: t, store: s}
}

// start has a conductor work until the test ends, with d as deploy interface "script". change may edit its configuration.
func (r *rig) start(name string, d conductor.Deployer, change func(*conductor.Config)) *conductor.Conductor {
	r.t.Helper()
	cfg := conductor.Config{
		Hostname: name, Store: r.store, Drivers: all.Table(), VendorArguments: vendorargs.Check, Deployers: map[string]conductor.Deployer{"script": d},
		LockWait: time.Millisecond,
	}
	if change != nil {
		change(&cfg)
	}
	c, err := conductor.New(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := c.Start(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		if err := c.Close(); err != nil {
			r.t.Error(err)
		}
	})
	return c
}

func uuidOf(i int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", i) }

// put stores a node of fake hardware whose instances are deployed by the script.
func (r *rig) put(n conductor.Node) {
	r.t.Helper()
	n.Driver = "fake-hardware"
	n.Details.Interfaces = map[string]string{"power": "fake", "management": "fake", "inspect": "fake", "deploy": "script", "rescue": "no-rescue"}
	r.update(func(tx conductor.Tx) error { return tx.PutNode(&n) })
}

func (r *rig) update(change func(conductor.Tx) error) {
	r.t.Helper()
	if err := r.store.Update(r.t.Context(), change); err != nil {
		r.t.Fatal(err)
	}
}

// edit changes a node past its lock, as no conductor may.
func (r *rig) edit(uuid string, change func(*conductor.Node)) {
	r.t.Helper()
	r.update(func(tx conductor.Tx) error {
		n, err := tx.Node(uuid)
		if err != nil {
			return err
		}
		change(n)
		return tx.PutNode(n)
	})
}

func (r *rig) node(uuid string) *conductor.Node {
	r.t.Helper()
	var n *conductor.Node
	err := r.store.View(r.t.Context(), func(tx conductor.Tx) (err error) {
		n, err = tx.Node(uuid)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// soon waits until a node is in a state, unlocked.
func (r *rig) soon(uuid string, state baremetal.ProvisionState) *conductor.Node {
	r.t.Helper()
	r.until(fmt.Sprintf("node %s to be %s, unlocked", uuid, state), func() (bool, string) {
		n := r.node(uuid)
		return n.ProvisionState == state && n.Reservation == "", string(n.ProvisionState) + " " + n.Reservation + " " + n.LastError
	})
	return r.node(uuid)
}

func (r *rig) until(goal string, ask func() (bool, string)) {
	r.t.Helper()
	err := wait.Until(r.t.Context(), wait.Pace{First: time.Millisecond, Every: 10 * time.Millisecond, Limit: 10 * time.Second}, goal,
		func(context.Context) (bool, string, error) {
			done, now := ask()
			return done, now, nil
		})
	if err != nil {
		r.t.Fatal(err)
	}
}

// idle waits until a conductor's workers are done.
func (r *rig) idle(c *conductor.Conductor) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
	defer cancel()
	if err := c.Wait(ctx); err != nil {
		r.t.Fatal(err)
	}
}

// outlived makes a conductor look dead: its lease is over.
func (r *rig) outlived(name string) {
	r.t.Helper()
	r.update(func(tx conductor.Tx) error {
		reg, err := conductor.Get[conductor.Registration](tx, name)
		if err != nil {
			return err
		}
		reg.Until = 1
		return conductor.Put(tx, reg)
	})
}

// A script is a deploy interface whose steps do what a test says. It keeps book.
type script struct {
	act func(ctx context.Context, t *conductor.Task, s conductor.Step) (conductor.Result, error) // nil: steps are done at once

	mu     sync.Mutex
	ran    []string       // names of steps, in order
	at     map[string]int // how many workers are at a node
	most   int            // at one node at once
	failed int            // CleanUps after a failure
	ended  int            // CleanUps at the end of cleaning

	preparing error // what Prepare says

	takingOver error // what TakeOver says
	takenOver  int
}

// plan is what the script does to every node.
func plan() []conductor.Step {
	return []conductor.Step{{Interface: "deploy", Step: "one"}, {Interface: "deploy", Step: "two"}, {Interface: "deploy", Step: "three"}}
}

func (s *script) Prepare(context.Context, *conductor.Task, string) error { return s.preparing }

func (s *script) TakeOver(context.Context, *conductor.Task) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takenOver++
	return s.takingOver
}

func (s *script) Needs(*conductor.Node) []baremetal.PowerTarget { return nil }

func (s *script) Validate(*conductor.Node) error { return nil }

func (s *script) Steps(*conductor.Task, string, []conductor.Step) ([]conductor.Step, error) {
	return plan(), nil
}

func (s *script) Run(ctx context.Context, t *conductor.Task, step conductor.Step) (conductor.Result, error) {
	uuid := t.Node.UUID
	s.mu.Lock()
	if s.at == nil {
		s.at = map[string]int{}
	}
	s.ran = append(s.ran, step.Step)
	s.at[uuid]++
	s.most = max(s.most, s.at[uuid])
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.at[uuid]--
	}()
	if s.act == nil {
		return conductor.Done, nil
	}
	return s.act(ctx, t, step)
}

func (s *script) TearDown(context.Context, *conductor.Task) error { return nil }

func (s *script) CleanUp(ctx context.Context, _ *conductor.Task, failed bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if failed {
		s.failed++
	} else {
		s.ended++
	}
	return ctx.Err()
}

// book is what has been done so far.
func (s *script) book() (ran []string, most, failed, ended int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.ran...), s.most, s.failed, s.ended
}

// A gate holds a step until the test opens it, or ends.
type gate struct {
	reached, opened chan struct{}
	over            <-chan struct{}
}

func newGate(t testing.TB) gate {
	return gate{make(chan struct{}, 100), make(chan struct{}), t.Context().Done()}
}

// deaf passes when the gate is opened, and does not hear that the conductor ends.
func (g gate) deaf() {
	g.reached <- struct{}{}
	select {
	case <-g.opened:
	case <-g.over:
	}
}

// pass is deaf for steps that hear it.
func (g gate) pass(ctx context.Context) error {
	g.reached <- struct{}{}
	select {
	case <-g.opened:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wait returns when a step stands at the gate.
func (g gate) wait(t testing.TB) {
	t.Helper()
	select {
	case <-g.reached:
	case <-time.After(10 * time.Second):
		t.Fatal("no step came to the gate")
	}
}
