package conductor_test

import (
	"context"
	"slices"
	"testing"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
)

// A conductor that ends in order in the middle of steps leaves its nodes to another one, which goes on at once: at the
// step that was cut off, or behind the one that came to its end.
func TestCloseHandsOver(t *testing.T) {
	tests := []struct {
		name string
		verb baremetal.Verb
		from baremetal.ProvisionState
		end  baremetal.ProvisionState
		stop string // the step in which the conductor is closed
		deaf bool   // and which comes to its end all the same
		then []string
	}{
		{name: "deployment, cut off", verb: baremetal.VerbActive, from: baremetal.Available, end: baremetal.Active, stop: "two", then: []string{"two", "three"}},
		{name: "deployment, step done", verb: baremetal.VerbActive, from: baremetal.Available, end: baremetal.Active, stop: "two", deaf: true, then: []string{"three"}},
		{name: "cleaning, cut off", verb: baremetal.VerbProvide, from: baremetal.Manageable, end: baremetal.Available, stop: "one", then: []string{"one", "two", "three"}},
		{name: "cleaning, step done", verb: baremetal.VerbProvide, from: baremetal.Manageable, end: baremetal.Available, stop: "one", deaf: true, then: []string{"two", "three"}},
		{name: "cleaning, last step done", verb: baremetal.VerbProvide, from: baremetal.Manageable, end: baremetal.Available, stop: "three", deaf: true, then: []string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			g := newGate(t)
			first := &script{act: func(ctx context.Context, _ *conductor.Task, s conductor.Step) (conductor.Result, error) {
				switch {
				case s.Step != tt.stop:
					return conductor.Done, nil
				case tt.deaf:
					g.reached <- struct{}{}
					<-ctx.Done()
					return conductor.Done, nil
				}
				return conductor.Done, g.pass(ctx)
			}}
			cleaning := func(cfg *conductor.Config) { cfg.AutomatedClean = true }
			a := r.start("a", first, cleaning)
			r.put(conductor.Node{UUID: uuidOf(1), ProvisionState: tt.from})
			if err := a.Provision(t.Context(), uuidOf(1), conductor.Request{Verb: tt.verb}); err != nil {
				t.Fatal(err)
			}
			g.wait(t)
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
			second := &script{}
			b := r.start("b", second, cleaning)
			n := r.soon(uuidOf(1), tt.end)
			r.idle(b)
			ran, _, failed, _ := second.book()
			_, _, failedBefore, _ := first.book()
			if !slices.Equal(ran, tt.then) || failed+failedBefore > 0 || n.LastError != "" {
				t.Errorf("then %v, %d clean-ups, last_error %q; want %v", ran, failed+failedBefore, n.LastError, tt.then)
			}
			left, err := b.Conductors(t.Context())
			if err != nil || len(left) != 1 {
				t.Errorf("%d conductors are registered, %v; want b", len(left), err)
			}
		})
	}
}

// What is asked of a conductor that has ended is refused, and holds no lock.
func TestClosedRefuses(t *testing.T) {
	r := newRig(t)
	c := r.start("here", &script{}, nil)
	r.put(conductor.Node{UUID: uuidOf(1), ProvisionState: baremetal.Available})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for what, ask := range map[string]func() error{
		"active": func() error {
			return c.Provision(t.Context(), uuidOf(1), conductor.Request{Verb: baremetal.VerbActive})
		},
		"power on": func() error { return c.ChangePower(t.Context(), uuidOf(1), baremetal.TargetOn, 0) },
	} {
		err := ask()
		if n := r.node(uuidOf(1)); err == nil || n.Reservation != "" || n.ProvisionState != baremetal.Available {
			t.Errorf("%s: %v, then the node is %s, held by %q", what, err, n.ProvisionState, n.Reservation)
		}
	}
}
