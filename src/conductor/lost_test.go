package conductor_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
)

// A conductor that was thought dead, and whose node another one has brought to its end, touches it no more: whether its
// step works or fails, and although it has taken the same node's lock anew meanwhile.
func TestLostLock(t *testing.T) {
	tests := []struct {
		name   string
		result error
		anew   bool
	}{
		{name: "the step works"},
		{name: "the step fails", result: errors.New("the disk smokes")},
		{name: "the step works, and the lock was taken anew", anew: true},
		{name: "the step fails, and the lock was taken anew", anew: true, result: errors.New("the disk smokes")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			old, again := newGate(t), newGate(t)
			first := true
			stalled := &script{act: func(context.Context, *conductor.Task, conductor.Step) (conductor.Result, error) {
				if first {
					first = false
					old.deaf()
					return conductor.Done, tt.result
				}
				again.deaf()
				return conductor.Done, nil
			}}
			a := r.start("a", stalled, nil)
			r.put(conductor.Node{UUID: uuidOf(1), ProvisionState: baremetal.Available, InstanceUUID: uuidOf(100)})
			if err := a.Provision(t.Context(), uuidOf(1), conductor.Request{Verb: baremetal.VerbActive}); err != nil {
				t.Fatal(err)
			}
			old.wait(t)
			taker := &script{}
			b := r.start("b", taker, nil)
			r.outlived("a")
			if err := b.Recover(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.soon(uuidOf(1), baremetal.Active)
			if ran, _, _, _ := taker.book(); !slices.Equal(ran, []string{"one", "two", "three"}) {
				t.Errorf("the new conductor ran %v; want to go on at the first step", ran)
			}
			if tt.anew {
				if err := a.Provision(t.Context(), uuidOf(1), conductor.Request{Verb: baremetal.VerbRebuild}); err != nil {
					t.Fatal(err)
				}
				again.wait(t)
			}
			want := r.node(uuidOf(1))
			close(old.opened)
			if tt.anew {
				r.until("the old worker to end", func() (bool, string) {
					stalled.mu.Lock()
					defer stalled.mu.Unlock()
					return stalled.at[uuidOf(1)] == 1, ""
				})
			} else {
				r.idle(a)
			}
			if diff := cmp.Diff(want, r.node(uuidOf(1))); diff != "" {
				t.Errorf("the old worker wrote (-before +after):\n%s", diff)
			}
			close(again.opened)
			r.idle(a)
			n := r.node(uuidOf(1))
			ran, _, failed, _ := stalled.book()
			steps := map[bool][]string{false: {"one"}, true: {"one", "one", "two", "three"}}[tt.anew]
			if failed > 0 || !slices.Equal(ran, steps) || n.ProvisionState != baremetal.Active || n.LastError != "" {
				t.Errorf("steps %v, %d clean-ups, %s %q; want %v and nothing else", ran, failed, n.ProvisionState, n.LastError, steps)
			}
		})
	}
}

// A conductor whose lease ran out while it stood still does not take its own nodes over from itself, nor does one take
// over what is alive again.
func TestStalledConductorComesBack(t *testing.T) {
	r := newRig(t)
	g := newGate(t)
	s := &script{act: func(ctx context.Context, _ *conductor.Task, _ conductor.Step) (conductor.Result, error) {
		return conductor.Done, g.pass(ctx)
	}}
	c := r.start("here", s, nil)
	r.put(conductor.Node{UUID: uuidOf(1), ProvisionState: baremetal.Available})
	if err := c.Provision(t.Context(), uuidOf(1), conductor.Request{Verb: baremetal.VerbActive}); err != nil {
		t.Fatal(err)
	}
	g.wait(t)
	r.outlived("here")
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

// Between the look for dead conductors and the take-over the conductor may have come back: then its nodes are its own.
func TestBackBeforeTheTakeOver(t *testing.T) {
	r := newRig(t)
	r.start("other", &script{}, nil)
	r.put(conductor.Node{
		UUID: uuidOf(1), ProvisionState: baremetal.Deploying, TargetProvisionState: baremetal.Active, Reservation: "other",
		Details: conductor.Details{Work: workAt(conductor.WorkDeploy, 0)},
	})
	between := &between{Store: r.store}
	c := r.start("here", &script{}, func(cfg *conductor.Config) { cfg.Store = between })
	r.outlived("other")
	between.then = func() {
		r.update(func(tx conductor.Tx) error {
			reg, err := conductor.Get[conductor.Registration](tx, "other")
			if err != nil {
				return err
			}
			reg.Until = 1 << 60
			return conductor.Put(tx, reg)
		})
	}
	if err := c.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.idle(c)
	if n := r.node(uuidOf(1)); n.Reservation != "other" || n.ProvisionState != baremetal.Deploying {
		t.Errorf("the node is %s, held by %q; want it left to other", n.ProvisionState, n.Reservation)
	}
}

// A between store lets something happen after a look.
type between struct {
	conductor.Store
	then func()
}

func (b *between) View(ctx context.Context, read func(conductor.Tx) error) error {
	err := b.Store.View(ctx, read)
	if b.then != nil {
		b.then()
	}
	return err
}

// Two processes have the same name, as where two machines were made from one image: the newer one has it, takes up what the
// older one holds, also what that began afterwards, and the older one stops.
func TestNamesakes(t *testing.T) {
	r := newRig(t)
	begun, held := newGate(t), newGate(t)
	older := &script{act: func(context.Context, *conductor.Task, conductor.Step) (conductor.Result, error) {
		begun.deaf()
		return conductor.Done, nil
	}}
	lease := func(d time.Duration) func(*conductor.Config) { return func(cfg *conductor.Config) { cfg.Lease = d } }
	a := r.start("twin", older, lease(time.Hour)) // it does not look for long
	for i := 1; i <= 2; i++ {
		r.put(conductor.Node{UUID: uuidOf(i), ProvisionState: baremetal.Available})
	}
	deploy := func(c *conductor.Conductor, i int) error {
		return c.Provision(t.Context(), uuidOf(i), conductor.Request{Verb: baremetal.VerbActive})
	}
	if err := deploy(a, 1); err != nil {
		t.Fatal(err)
	}
	begun.wait(t)
	newer := &script{}
	b := r.start("twin", newer, nil)
	r.soon(uuidOf(1), baremetal.Active)
	if err := deploy(a, 2); err != nil { // it has not seen b yet
		t.Fatal(err)
	}
	begun.wait(t)
	if err := b.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.soon(uuidOf(2), baremetal.Active)
	if ran, most, _, _ := newer.book(); len(ran) != 6 || most > 1 {
		t.Errorf("the newer one ran %v", ran)
	}
	close(begun.opened)
	if err := a.Close(); err != nil { // and leaves the name to b
		t.Error(err)
	}
	all, err := b.Conductors(t.Context())
	if err != nil || len(all) != 1 || all[0].Hostname != "twin" {
		t.Errorf("conductors %v, %v; want the newer one", all, err)
	}

	// One that looks sees it.
	c := r.start("twin", &script{act: func(ctx context.Context, _ *conductor.Task, _ conductor.Step) (conductor.Result, error) {
		return conductor.Done, held.pass(ctx)
	}}, lease(30*time.Millisecond))
	r.start("twin", &script{}, nil)
	r.until("the older one to stop", func() (bool, string) {
		err := deploy(c, 1)
		return errors.Is(err, conductor.ErrBusy) && strings.Contains(err.Error(), "stopping"), fmt.Sprint(err)
	})
}
