package conductor_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
)

func workAt(kind string, index int) *conductor.Work {
	return &conductor.Work{Kind: kind, Steps: plan(), Index: index}
}

func waiting(w *conductor.Work, until conductor.Time) *conductor.Work {
	w.Event, w.Deadline = "call", until
	return w
}

// Whatever a node was in the middle of when its conductor died, the next one brings it to an end.
func TestRecoverEveryState(t *testing.T) {
	const cannot = "The %s state can't be resumed by conductor here. Moving to fail state."
	const late = "Timeout reached while waiting for callback for node 00000000-0000-4000-8000-000000000001"
	tests := []struct {
		name   string
		state  baremetal.ProvisionState
		target baremetal.ProvisionState
		work   *conductor.Work
		end    baremetal.ProvisionState
		err    string
		ran    []string
		failed int // clean-ups after a failure
		taken  int // calls of TakeOver
	}{
		{name: "verifying", state: baremetal.Verifying, target: baremetal.Manageable, end: baremetal.Manageable},
		{name: "automated clean before its plan", state: baremetal.Cleaning, target: baremetal.Available, end: baremetal.Available, ran: []string{"one", "two", "three"}},
		{name: "manual clean before its plan", state: baremetal.Cleaning, target: baremetal.Manageable, end: baremetal.CleanFailed, err: fmt.Sprintf(cannot, "cleaning")},
		{
			name: "cleaning at its first step", state: baremetal.Cleaning, target: baremetal.Available, work: workAt(conductor.WorkClean, 0),
			end: baremetal.Available, ran: []string{"one", "two", "three"}, taken: 1,
		},
		{
			name: "cleaning at its second step", state: baremetal.Cleaning, target: baremetal.Manageable, work: workAt(conductor.WorkClean, 1),
			end: baremetal.Manageable, ran: []string{"two", "three"}, taken: 1,
		},
		{
			name: "cleaning behind its last step", state: baremetal.Cleaning, target: baremetal.Available, work: workAt(conductor.WorkClean, 3),
			end: baremetal.Available, taken: 1,
		},
		{name: "deploying before its plan", state: baremetal.Deploying, target: baremetal.Active, end: baremetal.DeployFailed, err: fmt.Sprintf(cannot, "deploying")},
		{
			name: "deploying at its last step", state: baremetal.Deploying, target: baremetal.Active, work: workAt(conductor.WorkDeploy, 2),
			end: baremetal.Active, ran: []string{"three"}, taken: 1,
		},
		{
			name: "about to fail for want of a call", state: baremetal.Deploying, target: baremetal.Active, work: waiting(workAt(conductor.WorkDeploy, 0), 1),
			end: baremetal.DeployFailed, err: late, failed: 1,
		},
		{name: "deleting", state: baremetal.Deleting, target: baremetal.Available, end: baremetal.Available, ran: []string{"one", "two", "three"}},
		{name: "inspecting", state: baremetal.Inspecting, target: baremetal.Manageable, end: baremetal.Manageable},
		{name: "adopting", state: baremetal.Adopting, target: baremetal.Active, end: baremetal.Active},
		{name: "rescuing", state: baremetal.Rescuing, target: baremetal.Rescue, end: baremetal.RescueFailed, err: fmt.Sprintf(cannot, "rescuing")},
		{name: "unrescuing", state: baremetal.Unrescuing, target: baremetal.Active, end: baremetal.UnrescueFailed, err: fmt.Sprintf(cannot, "unrescuing")},
		{
			name: "waiting, and switched", state: baremetal.WaitCallBack, target: baremetal.Active, work: waiting(workAt(conductor.WorkDeploy, 0), 1<<60),
			end: baremetal.WaitCallBack, err: "Conductor dead ended while it held the node's lock.",
		},
		{name: "switched", state: baremetal.Available, end: baremetal.Available, err: "Conductor dead ended while it held the node's lock."},
		{
			name: "aborted", state: baremetal.CleanFailed, target: baremetal.Manageable, work: waiting(workAt(conductor.WorkClean, 0), 1<<60),
			end: baremetal.CleanFailed, err: "By request, the clean operation was aborted", failed: 1,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			n := conductor.Node{
				UUID: uuidOf(1), ProvisionState: tt.state, TargetProvisionState: tt.target, TargetPowerState: baremetal.PowerOn, Reservation: "dead",
				Details: conductor.Details{Work: tt.work},
			}
			if tt.state.Failed() {
				n.LastError = tt.err
			}
			r.put(n)
			s := &script{}
			c := r.start("here", s, func(cfg *conductor.Config) { cfg.AutomatedClean = true })
			got := r.soon(uuidOf(1), tt.end)
			if got.LastError != tt.err || got.TargetPowerState != "" {
				t.Errorf("last_error %q, target_power_state %q; want %q and none", got.LastError, got.TargetPowerState, tt.err)
			}
			r.idle(c)
			ran, most, failed, _ := s.book()
			if !slices.Equal(ran, tt.ran) || most > 1 || failed != tt.failed {
				t.Errorf("steps %v by %d at once, %d clean-ups; want %v and %d", ran, most, failed, tt.ran, tt.failed)
			}
			if s.takenOver != tt.taken {
				t.Errorf("taken over %d times; want %d", s.takenOver, tt.taken)
			}
			if w := got.Details.Work; (w != nil) != (tt.end == baremetal.WaitCallBack) {
				t.Errorf("%s with the plan %v", got.ProvisionState, w)
			}
		})
	}
}

// A conductor that starts again under its name takes up more than it has workers for, and takes it up itself.
func TestRestartWithFewWorkers(t *testing.T) {
	r := newRig(t)
	const nodes = 7
	for i := range nodes {
		r.put(conductor.Node{
			UUID: uuidOf(i), ProvisionState: baremetal.Deploying, TargetProvisionState: baremetal.Active, Reservation: []string{"here", "dead"}[i%2],
			Details: conductor.Details{Work: workAt(conductor.WorkDeploy, 2)},
		})
	}
	g := newGate(t)
	s := &script{act: func(ctx context.Context, _ *conductor.Task, _ conductor.Step) (conductor.Result, error) {
		return conductor.Done, g.pass(ctx)
	}}
	c := r.start("here", s, func(cfg *conductor.Config) { cfg.Workers = 1 })
	close(g.opened)
	r.idle(c)
	for i := range nodes {
		if n := r.node(uuidOf(i)); n.ProvisionState != baremetal.Active || n.Reservation != "" {
			t.Errorf("no worker is busy, and node %d is %s, locked by %q", i, n.ProvisionState, n.Reservation)
		}
	}
	if ran, _, _, _ := s.book(); len(ran) != nodes {
		t.Errorf("%d steps; want one for each of %d nodes", len(ran), nodes)
	}
}

// Nodes of conductors that live are left alone, and those of another group.
func TestRecoverLeavesOthersAlone(t *testing.T) {
	r := newRig(t)
	r.start("other", &script{}, nil)
	r.start("far", &script{}, func(cfg *conductor.Config) { cfg.Group = "far" })
	r.outlived("far")
	put := func(i int, group, holder string) {
		r.put(conductor.Node{
			UUID: uuidOf(i), ConductorGroup: group, ProvisionState: baremetal.Deploying, TargetProvisionState: baremetal.Active, Reservation: holder,
			Details: conductor.Details{Work: workAt(conductor.WorkDeploy, 0)},
		})
	}
	put(1, "", "other")
	put(2, "far", "far")
	r.put(conductor.Node{
		UUID: uuidOf(3), ConductorGroup: "far", ProvisionState: baremetal.WaitCallBack, TargetProvisionState: baremetal.Active,
		Details: conductor.Details{Work: waiting(workAt(conductor.WorkDeploy, 0), 1)},
	})
	s := &script{}
	c := r.start("here", s, nil)
	for _, loop := range []func(context.Context) error{c.Recover, c.Expire} {
		if err := loop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r.idle(c)
	for i, holder := range map[int]string{1: "other", 2: "far", 3: ""} {
		if n := r.node(uuidOf(i)); n.Reservation != holder || n.ProvisionState.Failed() {
			t.Errorf("node %d is %s, held by %q; want it left to %q", i, n.ProvisionState, n.Reservation, holder)
		}
	}
	if ran, _, _, _ := s.book(); len(ran) > 0 {
		t.Errorf("steps %v were run", ran)
	}
}

// Where the ramdisk does not call in time the node fails, in Ironic's words; one that has time is left alone.
func TestExpire(t *testing.T) {
	tests := []struct {
		state, target, end baremetal.ProvisionState
		kind               string
		text               string
	}{
		{
			state: baremetal.WaitCallBack, target: baremetal.Active, end: baremetal.DeployFailed, kind: conductor.WorkDeploy,
			text: "Timeout reached while waiting for callback for node 00000000-0000-4000-8000-000000000001",
		},
		{
			state: baremetal.CleanWait, target: baremetal.Available, end: baremetal.CleanFailed, kind: conductor.WorkClean,
			text: "Timeout reached while cleaning the node 00000000-0000-4000-8000-000000000001. " +
				"Please check if the ramdisk responsible for the cleaning is running on the node.",
		},
	}
	for _, tt := range tests {
		t.Run(string(tt.state), func(t *testing.T) {
			r := newRig(t)
			for i, until := range map[int]conductor.Time{1: 1, 2: 1 << 60} {
				r.put(conductor.Node{
					UUID: uuidOf(i), ProvisionState: tt.state, TargetProvisionState: tt.target, InstanceUUID: uuidOf(100 + i),
					Details: conductor.Details{Work: waiting(workAt(tt.kind, 0), until), Agent: &conductor.Agent{Token: "t", Told: true}},
				})
			}
			s := &script{}
			c := r.start("here", s, nil)
			if err := c.Expire(t.Context()); err != nil {
				t.Fatal(err)
			}
			n := r.soon(uuidOf(1), tt.end)
			if n.LastError != tt.text || n.TargetProvisionState != tt.target || n.Maintenance || n.InstanceUUID == "" {
				t.Errorf("last_error %q, target %q, maintenance %t, instance %q; want %q", n.LastError, n.TargetProvisionState, n.Maintenance, n.InstanceUUID, tt.text)
			}
			if n.Details.Work != nil || n.Details.Agent != nil {
				t.Errorf("plan %v and ramdisk %v are left", n.Details.Work, n.Details.Agent)
			}
			if _, _, failed, _ := s.book(); failed != 1 {
				t.Errorf("%d clean-ups; want 1", failed)
			}
			if n := r.node(uuidOf(2)); n.ProvisionState != tt.state {
				t.Errorf("the node that has time is %s", n.ProvisionState)
			}
		})
	}
}

// There is no state on the way in which a node is left for ever, whether it was locked by somebody dead or waited for a
// ramdisk, with or without a plan.
func TestEveryStateOnTheWayEnds(t *testing.T) {
	for _, state := range conductor.StatesOnTheWay() {
		for _, lock := range []string{"", "dead"} {
			if lock == "" && conductor.Working(state) { // it is stored together with its lock
				continue
			}
			t.Run(string(state)+" "+lock, func(t *testing.T) {
				n := conductor.Node{UUID: uuidOf(1), ProvisionState: state, Reservation: lock}
				r := newRig(t)
				r.put(n)
				c := r.start("here", &script{}, nil)
				r.idle(c)
				for range 2 { // whose lock is gone may still wait
					if err := c.Expire(t.Context()); err != nil {
						t.Fatal(err)
					}
					r.idle(c)
				}
				if got := r.node(n.UUID); got.Underway() || got.Reservation != "" {
					t.Errorf("the node stays %s, locked by %q", got.ProvisionState, got.Reservation)
				}
			})
		}
	}
}

// A ramdisk that calls although its cleaning was aborted starts nothing.
func TestCallAfterAbort(t *testing.T) {
	r := newRig(t)
	s := &script{}
	c := r.start("here", s, nil)
	r.put(conductor.Node{
		UUID: uuidOf(1), ProvisionState: baremetal.CleanFailed, TargetProvisionState: baremetal.Manageable,
		Details: conductor.Details{Work: waiting(workAt(conductor.WorkClean, 0), 1<<60)},
	})
	if err := c.Continue(t.Context(), uuidOf(1), "call"); err != nil {
		t.Fatal(err)
	}
	r.idle(c)
	if n := r.node(uuidOf(1)); n.ProvisionState != baremetal.CleanFailed {
		t.Errorf("the node is %s", n.ProvisionState)
	}
}

// deleted while the ramdisk is waited for ends the deployment, also where the conductor dies in between.
func TestDeletedForgetsTheDeployment(t *testing.T) {
	r := newRig(t)
	s := &script{act: func(context.Context, *conductor.Task, conductor.Step) (conductor.Result, error) {
		return conductor.Wait("call", 0), nil
	}}
	c := r.start("here", s, nil)
	r.put(conductor.Node{UUID: uuidOf(1), ProvisionState: baremetal.Available, InstanceUUID: uuidOf(100)})
	if err := c.Provision(t.Context(), uuidOf(1), conductor.Request{Verb: baremetal.VerbActive}); err != nil {
		t.Fatal(err)
	}
	r.soon(uuidOf(1), baremetal.WaitCallBack)
	hold := newGate(t)
	torn := &tearing{script: s, gate: hold}
	other := r.start("other", torn, nil)
	if err := other.Provision(t.Context(), uuidOf(1), conductor.Request{Verb: baremetal.VerbDeleted}); err != nil {
		t.Fatal(err)
	}
	hold.wait(t)
	r.outlived("other")
	if err := c.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := r.soon(uuidOf(1), baremetal.Available)
	if n.InstanceUUID != "" || n.Details.Work != nil {
		t.Errorf("instance %q and plan %v are left", n.InstanceUUID, n.Details.Work)
	}
	if ran, _, _, _ := s.book(); !slices.Equal(ran, []string{"one"}) {
		t.Errorf("steps %v; want only the one before deleted", ran)
	}
	close(hold.opened)
	r.idle(other)
}

// A tearing script stands at a gate before it ends an instance.
type tearing struct {
	*script
	gate gate
}

func (s *tearing) TearDown(context.Context, *conductor.Task) error {
	s.gate.deaf()
	return nil
}
