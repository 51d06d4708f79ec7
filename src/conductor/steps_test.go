package conductor_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
)

// No step is run where Prepare fails, and the node says why in Ironic's words.
func TestPrepareFails(t *testing.T) {
	tests := []struct {
		verb       baremetal.Verb
		from, ends baremetal.ProvisionState
		want       string
	}{
		{baremetal.VerbActive, baremetal.Available, baremetal.DeployFailed, "Failed to prepare to deploy: no image"},
		{baremetal.VerbProvide, baremetal.Manageable, baremetal.CleanFailed, "Failed to prepare node " + uuidOf(1) + " for cleaning: no image"},
		{baremetal.VerbInspect, baremetal.Manageable, baremetal.InspectFailed, "no image"},
	}
	for _, tt := range tests {
		t.Run(string(tt.verb), func(t *testing.T) {
			r := newRig(t)
			s := &script{preparing: errors.New("no image")}
			c := r.start("here", s, inspectsBy(s))
			r.put(conductor.Node{UUID: uuidOf(1), ProvisionState: tt.from})
			r.provision(c, tt.verb)
			if n := r.soon(uuidOf(1), tt.ends); n.LastError != tt.want {
				t.Errorf("last_error %q; want %q", n.LastError, tt.want)
			}
			r.idle(c)
			if ran, _, _, _ := s.book(); len(ran) > 0 {
				t.Errorf("steps %v; want none", ran)
			}
		})
	}
}

// inspectsBy has a worker look into nodes, and automated cleaning on.
func inspectsBy(w conductor.Worker) func(*conductor.Config) {
	return func(cfg *conductor.Config) {
		cfg.AutomatedClean = true
		cfg.Inspectors = map[string]conductor.Worker{"fake": w}
	}
}

func (r *rig) provision(c *conductor.Conductor, verb baremetal.Verb) {
	r.t.Helper()
	if err := c.Provision(r.t.Context(), uuidOf(1), conductor.Request{Verb: verb, Word: string(verb)}); err != nil {
		r.t.Fatal(err)
	}
}

// waitsOnce is a script whose second step waits for an event.
func waitsOnce() *script {
	return &script{act: func(_ context.Context, t *conductor.Task, s conductor.Step) (conductor.Result, error) {
		if s.Step == "two" && t.Event == "" {
			return conductor.Wait("inventory", time.Hour), nil
		}
		return conductor.Done, nil
	}}
}

// An inspection waits for its event, which may come to another conductor.
func TestInspectionWaits(t *testing.T) {
	r := newRig(t)
	s := waitsOnce()
	first := r.start("first", s, inspectsBy(s))
	r.put(conductor.Node{UUID: uuidOf(1), ProvisionState: baremetal.Manageable})
	r.provision(first, baremetal.VerbInspect)
	n := r.soon(uuidOf(1), baremetal.InspectWait)
	if n.InspectionStartedAt == 0 || n.InspectionFinishedAt != 0 || n.TargetProvisionState != baremetal.Manageable {
		t.Errorf("inspection from %v to %v, target %q", n.InspectionStartedAt, n.InspectionFinishedAt, n.TargetProvisionState)
	}
	second := r.start("second", s, inspectsBy(s))
	if err := second.Continue(t.Context(), uuidOf(1), "something else"); err != nil || r.node(uuidOf(1)).ProvisionState != baremetal.InspectWait {
		t.Errorf("an event that nobody waits for moves the node: %s, %v", r.node(uuidOf(1)).ProvisionState, err)
	}
	if err := second.Continue(t.Context(), uuidOf(1), "inventory"); err != nil {
		t.Fatal(err)
	}
	if n := r.soon(uuidOf(1), baremetal.Manageable); n.InspectionFinishedAt == 0 || n.LastError != "" || n.Details.Work != nil {
		t.Errorf("finished at %v, last_error %q, work %v", n.InspectionFinishedAt, n.LastError, n.Details.Work)
	}
	if ran, _, failed, ended := s.book(); !slices.Equal(ran, []string{"one", "two", "two", "three"}) || failed != 0 || ended != 1 {
		t.Errorf("steps %v, %d clean-ups after failures, %d at the end", ran, failed, ended)
	}
}

// An inspection that waits can be given up, and ends by itself when nobody calls.
func TestInspectionGivenUp(t *testing.T) {
	for name, giveUp := range map[string]func(*rig, *conductor.Conductor){
		"Inspection was aborted by request.": func(r *rig, c *conductor.Conductor) { r.provision(c, baremetal.VerbAbort) },
		"timeout reached while inspecting": func(r *rig, c *conductor.Conductor) {
			r.edit(uuidOf(1), func(n *conductor.Node) { n.Details.Work.Deadline = 1 })
			if err := c.Expire(r.t.Context()); err != nil {
				r.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			s := waitsOnce()
			c := r.start("here", s, inspectsBy(s))
			r.put(conductor.Node{UUID: uuidOf(1), ProvisionState: baremetal.Manageable})
			r.provision(c, baremetal.VerbInspect)
			r.soon(uuidOf(1), baremetal.InspectWait)
			giveUp(r, c)
			if n := r.soon(uuidOf(1), baremetal.InspectFailed); !strings.Contains(n.LastError, name) {
				t.Errorf("last_error %q; want %q in it", n.LastError, name)
			}
			r.idle(c)
			if _, _, failed, _ := s.book(); failed != 1 {
				t.Errorf("%d clean-ups; want 1", failed)
			}
		})
	}
}

// A conductor that dies at any step of an inspection leaves it to the next one.
func TestInspectionTakenOver(t *testing.T) {
	for step := range plan() {
		r := newRig(t)
		r.put(conductor.Node{
			UUID: uuidOf(1), ProvisionState: baremetal.Inspecting, TargetProvisionState: baremetal.Manageable, Reservation: "dead",
			Details: conductor.Details{Work: workAt(conductor.WorkInspect, step)},
		})
		s := &script{}
		c := r.start("here", s, inspectsBy(s))
		r.soon(uuidOf(1), baremetal.Manageable)
		r.idle(c)
		if ran, _, _, _ := s.book(); len(ran) != 3-step || s.takenOver != 1 {
			t.Errorf("from step %d: ran %v, taken over %d times", step, ran, s.takenOver)
		}
	}
}

// A node that cannot be taken over fails, and is not gone on with.
func TestTakeOverFails(t *testing.T) {
	r := newRig(t)
	r.put(conductor.Node{
		UUID: uuidOf(1), ProvisionState: baremetal.Deploying, TargetProvisionState: baremetal.Active, Reservation: "dead",
		Details: conductor.Details{Work: workAt(conductor.WorkDeploy, 1)},
	})
	s := &script{takingOver: errors.New("the export is gone")}
	c := r.start("here", s, nil)
	if n := r.soon(uuidOf(1), baremetal.DeployFailed); n.LastError != "the export is gone" {
		t.Errorf("last_error %q", n.LastError)
	}
	r.idle(c)
	if ran, _, failed, _ := s.book(); len(ran) > 0 || failed != 1 {
		t.Errorf("steps %v, %d clean-ups; want none and 1", ran, failed)
	}
}
