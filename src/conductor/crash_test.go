package conductor_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/wait"
)

// A mortal store is one process's view of the store: with its last write, or just before it, the process is dead, and
// nothing that it does reaches the store or is answered any more.
type mortal struct {
	conductor.Store
	mu     sync.Mutex
	left   int  // writes until death; negative: it lives for ever
	after  bool // the last write is stored, and nobody hears of it
	writes int
}

var errDead = errors.New("this process is dead")

func (s *mortal) Update(ctx context.Context, change func(conductor.Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.left {
	case 0:
		return errDead
	case 1:
		s.left = 0
		if s.after {
			_ = s.Store.Update(ctx, change)
		}
		return errDead
	}
	s.left--
	s.writes++
	return s.Store.Update(ctx, change)
}

func (s *mortal) View(ctx context.Context, read func(conductor.Tx) error) error {
	if s.dead() {
		return errDead
	}
	return s.Store.View(ctx, read)
}

func (s *mortal) dead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left == 0
}

// A journey is a verb, or a power change, and where it may end if the conductor dies on the way.
type journey struct {
	name  string
	from  conductor.Node
	verb  baremetal.Verb // empty: power on
	steps []conductor.Step
	ends  []baremetal.ProvisionState // the first without a death
}

func journeys() []journey {
	held := func(s baremetal.ProvisionState) conductor.Node {
		return conductor.Node{ProvisionState: s, InstanceUUID: uuidOf(100)}
	}
	free := func(s baremetal.ProvisionState) conductor.Node { return conductor.Node{ProvisionState: s} }
	manual := []conductor.Step{{Interface: "deploy", Step: "one"}}
	return []journey{
		{name: "manage", from: free(baremetal.Enroll), verb: baremetal.VerbManage, ends: []baremetal.ProvisionState{baremetal.Manageable}},
		{name: "provide", from: free(baremetal.Manageable), verb: baremetal.VerbProvide, ends: []baremetal.ProvisionState{baremetal.Available}},
		{name: "clean", from: free(baremetal.Manageable), verb: baremetal.VerbClean, steps: manual, ends: []baremetal.ProvisionState{baremetal.Manageable, baremetal.CleanFailed}},
		{name: "deploy", from: held(baremetal.Available), verb: baremetal.VerbActive, ends: []baremetal.ProvisionState{baremetal.Active, baremetal.DeployFailed}},
		{name: "rebuild", from: held(baremetal.Active), verb: baremetal.VerbRebuild, ends: []baremetal.ProvisionState{baremetal.Active, baremetal.DeployFailed}},
		{name: "delete", from: held(baremetal.Active), verb: baremetal.VerbDeleted, ends: []baremetal.ProvisionState{baremetal.Available}},
		{name: "inspect", from: free(baremetal.Manageable), verb: baremetal.VerbInspect, ends: []baremetal.ProvisionState{baremetal.Manageable}},
		{name: "adopt", from: free(baremetal.Manageable), verb: baremetal.VerbAdopt, ends: []baremetal.ProvisionState{baremetal.Active}},
		{name: "rescue", from: held(baremetal.Active), verb: baremetal.VerbRescue, ends: []baremetal.ProvisionState{baremetal.Rescue, baremetal.RescueFailed}},
		{name: "unrescue", from: held(baremetal.Rescue), verb: baremetal.VerbUnrescue, ends: []baremetal.ProvisionState{baremetal.Active, baremetal.UnrescueFailed}},
		{
			name: "abort", from: conductor.Node{
				ProvisionState: baremetal.CleanWait, TargetProvisionState: baremetal.Manageable,
				Details: conductor.Details{Work: waiting(workAt(conductor.WorkClean, 1), 1<<60)},
			},
			verb: baremetal.VerbAbort, ends: []baremetal.ProvisionState{baremetal.CleanFailed, baremetal.Manageable},
		},
		{name: "power on", from: free(baremetal.Available), ends: []baremetal.ProvisionState{baremetal.Available}},
	}
}

// A conductor dies at each of its writes, before it is stored and after: the next one brings the node to rest, unlocked,
// never twice at the same work, and whatever failed says why.
func TestDeathAtEveryWrite(t *testing.T) {
	for _, j := range journeys() {
		t.Run(j.name, func(t *testing.T) {
			t.Parallel()
			for _, after := range []bool{false, true} {
				for writes := 1; ; writes++ {
					if !j.travel(t, writes, after) {
						if writes < 2 {
							t.Errorf("nobody died after %d writes", writes)
						}
						break
					}
				}
			}
		})
	}
}

// travel goes through a journey on which the conductor dies at one of its writes. It reports whether it came to that.
func (j journey) travel(t *testing.T, writes int, after bool) (died bool) {
	t.Helper()
	when := fmt.Sprintf("death at write %d, stored: %t", writes, after)
	r := newRig(t)
	n := j.from
	n.UUID, n.PowerState = uuidOf(1), baremetal.PowerOff
	r.put(n)
	r.edit(n.UUID, func(n *conductor.Node) {
		n.Details.Interfaces["rescue"] = "fake"
		n.Details.DriverState = map[string]string{"power": string(baremetal.PowerOff)}
	})
	s := &script{act: func(_ context.Context, t *conductor.Task, s conductor.Step) (conductor.Result, error) {
		if s.Step == "two" && t.Event == "" {
			return conductor.Wait("call", time.Hour), nil
		}
		return conductor.Done, nil
	}}
	start := func(name string, in conductor.Store) *conductor.Conductor {
		in, r.store = r.store, in
		defer func() { r.store = in }()
		return r.start(name, s, func(cfg *conductor.Config) {
			cfg.AutomatedClean = true
			cfg.Inspectors = map[string]conductor.Worker{"fake": s}
			cfg.Log = nil
		})
	}
	view := &mortal{Store: r.store, left: -1}
	first := start("first", view)
	t.Cleanup(func() { // for its orderly end
		view.mu.Lock()
		view.left = -1
		view.mu.Unlock()
	})
	view.mu.Lock()
	view.left, view.after = writes, after
	view.mu.Unlock()
	accepted := j.ask(t.Context(), first)
	calls(r, first, n.UUID, func(n *conductor.Node) bool { return view.dead() || rests(n) })
	r.idle(first)
	died = view.dead()
	planned := r.node(n.UUID).Details.Work != nil
	r.outlived("first")
	second := start("second", r.store)
	calls(r, second, n.UUID, rests)
	r.idle(second)

	got := r.node(n.UUID)
	begun := accepted == nil || after
	ends := j.ends
	if !died || planned { // what has a plan is gone on with
		ends = ends[:1]
	}
	switch {
	case !begun && got.ProvisionState != j.from.ProvisionState && !j.from.Underway(): // else its ramdisk goes on
		t.Errorf("%s: refused with %v, and the node is %s", when, accepted, got.ProvisionState)
	case begun && !slices.Contains(ends, got.ProvisionState):
		t.Errorf("%s: the node ends %s, %q; want %v", when, got.ProvisionState, got.LastError, ends)
	case begun && got.ProvisionState.Failed() && got.LastError == "":
		t.Errorf("%s: the node is %s, and nobody knows why", when, got.ProvisionState)
	}
	if got.Details.Work != nil || got.TargetPowerState != "" || (got.TargetProvisionState != "" && !got.ProvisionState.Failed()) {
		t.Errorf("%s: left over: work %v, target %q, power target %q", when, got.Details.Work, got.TargetProvisionState, got.TargetPowerState)
	}
	if held := j.from.InstanceUUID != "" && (j.verb != baremetal.VerbDeleted || !begun); (got.InstanceUUID != "") != held {
		t.Errorf("%s: the instance is %q", when, got.InstanceUUID)
	}
	if _, most, _, _ := s.book(); most > 1 {
		t.Errorf("%s: %d workers were at it at once", when, most)
	}
	return died
}

// ask has the conductor begin.
func (j journey) ask(ctx context.Context, c *conductor.Conductor) error {
	if j.verb == "" {
		return c.ChangePower(ctx, uuidOf(1), baremetal.TargetOn, 0)
	}
	return c.Provision(ctx, uuidOf(1), conductor.Request{Verb: j.verb, Word: string(j.verb), CleanSteps: j.steps})
}

// rests reports whether nothing goes on with a node.
func rests(n *conductor.Node) bool { return n.Reservation == "" && !n.Underway() }

// calls has a ramdisk call until the node is as wanted.
func calls(r *rig, c *conductor.Conductor, node string, done func(*conductor.Node) bool) {
	r.t.Helper()
	pace := wait.Pace{First: time.Millisecond, Every: 5 * time.Millisecond, Limit: 10 * time.Second}
	err := wait.Until(r.t.Context(), pace, "the node to rest", func(ctx context.Context) (bool, string, error) {
		_ = c.Continue(ctx, node, "call")
		n := r.node(node) //nolint:contextcheck // the test's own
		return done(n), fmt.Sprintf("%s, locked by %q, %s", n.ProvisionState, n.Reservation, n.LastError), nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
}
