package conductor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"bosh-ironic-cpi/src/baremetal"
)

// A Worker does a kind of work on nodes, step by step.
type Worker interface {
	// Needs are the power targets that it cannot do without, for the node as it is at present: one whose hardware does
	// not have them is refused before anything is touched. A deploy interface counts what ends an instance, too.
	Needs(n *Node) []baremetal.PowerTarget
	// Prepare comes before the first step. Whatever it does may be done again after a crash.
	Prepare(ctx context.Context, t *Task, kind string) error
	// Steps is the plan of a kind of work as far as it is known before the ramdisk runs. asked are the steps that the
	// operator gave. A step may add to the plan by [Task.Plan].
	Steps(t *Task, kind string, asked []Step) ([]Step, error)
	// Run carries a step out, or continues it: then the task has its Event. It may be repeated after a crash.
	Run(ctx context.Context, t *Task, s Step) (Result, error)
	// TakeOver makes good what only the process that began the work had, before another one goes on with it.
	TakeOver(ctx context.Context, t *Task) error
	// CleanUp follows work that failed, was aborted, or came to its end; a deployment's end needs none.
	CleanUp(ctx context.Context, t *Task, failed bool) error
}

// A Deployer is a deploy interface: it knows how an instance gets onto a node, and off it. Its work is deploying and
// cleaning.
type Deployer interface {
	Worker
	// Validate says before anything is done why a deployment could not work.
	Validate(n *Node) error
	// TearDown ends the instance.
	TearDown(ctx context.Context, t *Task) error
}

// A Result is how a step ended.
type Result struct {
	event string
	limit time.Duration
}

// Done ends a step.
var Done = Result{}

// Wait unlocks the node until the event comes. Zero limit: as long as the conductor lets nodes wait.
func Wait(event string, limit time.Duration) Result { return Result{event, limit} }

// The kinds of work.
const (
	WorkDeploy  = "deploy"
	WorkClean   = "clean"
	WorkInspect = "inspect"
)

// states of a kind of work: while a conductor is at it, while it waits, and how it failed.
var workStates = map[string]struct{ working, waiting, failed baremetal.ProvisionState }{
	WorkDeploy: {baremetal.Deploying, baremetal.WaitCallBack, baremetal.DeployFailed},
	WorkClean:  {baremetal.Cleaning, baremetal.CleanWait, baremetal.CleanFailed},

	WorkInspect: {baremetal.Inspecting, baremetal.InspectWait, baremetal.InspectFailed},
}

// worker is who does a kind of work on a node: its deploy interface, or its inspect interface.
func (c *Conductor) worker(n *Node, kind string) (Worker, error) {
	if kind == WorkInspect {
		return c.inspector(n)
	}
	return c.deployer(n)
}

// Plan adds steps to the work under way, behind the present one and by priority, highest first.
func (t *Task) Plan(ctx context.Context, more []Step) error {
	return t.Save(ctx, func(n *Node) {
		w := n.Details.Work
		done := w.Index + 1
		rest := append(slices.Clone(w.Steps[done:]), more...)
		slices.SortStableFunc(rest, func(a, b Step) int { return b.Priority - a.Priority })
		w.Steps = append(w.Steps[:done:done], rest...)
	})
}

// Remember sets an entry of the work's own data; nil removes it.
func (t *Task) Remember(ctx context.Context, key string, value any) error {
	return t.Save(ctx, func(n *Node) {
		w := n.Details.Work
		if w.Data == nil {
			w.Data = map[string]any{}
		}
		if value == nil {
			delete(w.Data, key)
		} else {
			w.Data[key] = value
		}
	})
}

// start plans a kind of work, and goes through it.
func (t *Task) start(ctx context.Context, kind string, asked []Step) {
	w, err := t.c.worker(t.Node, kind)
	if err != nil {
		t.fail(ctx, err)
		return
	}
	if err := w.Prepare(ctx, t, kind); err != nil {
		t.fail(ctx, unprepared(t.Node, kind, err))
		return
	}
	manual := kind == WorkClean && len(asked) > 0
	steps, err := w.Steps(t, kind, asked)
	if err != nil {
		t.fail(ctx, err)
		return
	}
	if kind == WorkDeploy {
		slices.SortStableFunc(steps, func(a, b Step) int { return b.Priority - a.Priority })
	}
	work := &Work{Kind: kind, Index: -1, Steps: steps, Manual: manual, Data: map[string]any{}}
	if len(asked) > 0 {
		work.Data["asked"] = asked
	}
	// The first step is stored together with the plan.
	t.Node.Details.Work = work
	t.next(ctx, w)
}

// unprepared says in Ironic's words that work could not even begin (ironic/conductor/deployments.py, cleaning.py).
func unprepared(n *Node, kind string, cause error) error {
	switch kind {
	case WorkDeploy:
		return fmt.Errorf("Failed to prepare to deploy: %w", cause)
	case WorkClean:
		return fmt.Errorf("Failed to prepare node %s for cleaning: %w", n.UUID, cause)
	}
	return cause
}

// Asked is what the operator gave with the verb: steps with arguments.
func (w *Work) Asked() []Step {
	switch asked := w.Data["asked"].(type) {
	case []Step:
		return asked
	case []any: // after a round through the store
		steps := make([]Step, 0, len(asked))
		for _, a := range asked {
			m, _ := a.(map[string]any)
			s := Step{}
			s.Interface, _ = m["interface"].(string)
			s.Step, _ = m["step"].(string)
			s.Args, _ = m["args"].(map[string]any)
			priority, _ := m["priority"].(float64)
			s.Priority = int(priority)
			steps = append(steps, s)
		}
		return steps
	}
	return nil
}

// next goes on with the step after the present one.
func (t *Task) next(ctx context.Context, w Worker) {
	for {
		work := t.Node.Details.Work
		work.Index++
		if work.step() == nil {
			t.finish(ctx, w)
			return
		}
		err := t.Save(ctx, func(n *Node) {
			if work.Kind == WorkInspect && work.Index == 0 {
				n.InspectionStartedAt = Now()
			}
			n.Details.Work = work
		})
		if err != nil {
			t.fail(ctx, err)
			return
		}
		if ctx.Err() != nil {
			return // stopped between two steps: the node stays locked, and is taken up from here
		}
		if waits := t.step(ctx, w); waits {
			return
		}
	}
}

// step runs or continues the present step. It reports whether the node waits now, or failed.
func (t *Task) step(ctx context.Context, w Worker) bool {
	work := t.Node.Details.Work
	s := *work.step()
	result, err := w.Run(ctx, t, s)
	t.Event = ""
	switch {
	case err != nil:
		t.failStep(ctx, s, err)
		return true
	case result == Done:
		return false
	}
	limit := result.limit
	if limit <= 0 {
		limit = t.c.cfg.WaitLimit
	}
	err = t.Save(ctx, func(n *Node) {
		n.Details.Work.Event = result.event
		n.Details.Work.Deadline = Now() + Time(limit.Microseconds())
		n.enter(workStates[work.Kind].waiting, n.TargetProvisionState)
		n.Reservation = ""
	})
	if err != nil {
		t.fail(ctx, err)
	}
	return true
}

// Continue gives a waiting node its event. Nothing happens when it waits for another one, or is locked: whoever sends
// events sends them again.
func (c *Conductor) Continue(ctx context.Context, ident, event string) error {
	if err := c.begin(); err != nil {
		return err
	}
	var taken *Node
	err := c.store.Update(ctx, func(tx Tx) error {
		taken = nil
		n, err := tx.Node(ident)
		if err != nil {
			return err
		}
		w := n.Details.Work
		if w == nil || w.Event != event || n.Reservation != "" || n.ProvisionState != workStates[w.Kind].waiting {
			return nil
		}
		c.wake(n)
		n.UpdatedAt = Now()
		taken = n
		return tx.PutNode(n)
	})
	if err != nil || taken == nil {
		c.end()
		return err
	}
	c.carryOnAfter(event, taken)
	return nil
}

// wake has a node that waits work again, under this conductor's lock.
func (c *Conductor) wake(n *Node) {
	w := n.Details.Work
	w.Event, w.Deadline = "", 0
	c.hold(n)
	n.enter(workStates[w.Kind].working, n.TargetProvisionState)
}

// carryOnAfter has a worker continue a node that an event has woken.
func (c *Conductor) carryOnAfter(event string, n *Node) {
	c.run(n, func(ctx context.Context, t *Task) {
		t.Event = event
		t.resume(ctx)
	})
}

// resume continues the present step, and those after it.
func (t *Task) resume(ctx context.Context) {
	w, err := t.c.worker(t.Node, t.Node.Details.Work.Kind)
	if err != nil {
		t.fail(ctx, err)
		return
	}
	if t.Node.Details.Work.step() != nil {
		if waits := t.step(ctx, w); waits {
			return
		}
	}
	t.next(ctx, w)
}

// finish ends the work.
func (t *Task) finish(ctx context.Context, w Worker) {
	work := t.Node.Details.Work
	if work.Kind != WorkDeploy {
		err := t.Save(ctx, func(n *Node) { n.Details.Work = work }) // no step is done twice because of what follows
		if err != nil {
			t.fail(ctx, err)
			return
		}
		if err := w.CleanUp(ctx, t, false); err != nil {
			t.fail(ctx, err)
			return
		}
	}
	t.rest(ctx, t.Node.TargetProvisionState)
}

// rest brings the node to a state in which nothing goes on, and unlocks it.
func (t *Task) rest(ctx context.Context, state baremetal.ProvisionState) {
	err := t.Save(ctx, func(n *Node) {
		if w := n.Details.Work; w != nil && w.Kind == WorkInspect {
			n.InspectionFinishedAt = Now()
		}
		n.enter(state, "")
		n.Details.Work, n.Details.Agent = nil, nil
		n.Reservation = ""
	})
	if err != nil {
		t.fail(ctx, err)
	}
}

// fail brings the node into the failed state that belongs to the present one, with last_error, and unlocks it.
func (t *Task) fail(ctx context.Context, cause error) { t.failed(ctx, cause, false) }

// failStep is fail for a step: in cleaning it also sets maintenance, because nobody knows what is on the disks.
func (t *Task) failStep(ctx context.Context, s Step, cause error) {
	kind := t.Node.Details.Work.Kind
	t.failed(ctx, fmt.Errorf("Node %s failed %s step %s.%s: %w", t.Node.UUID, kind, s.Interface, s.Step, cause), kind == WorkClean)
}

func (t *Task) failed(ctx context.Context, cause error, maintenance bool) {
	if errors.Is(cause, errLost) || ctx.Err() != nil { // whoever has the lock, or comes next, sees to it
		t.c.log.WarnContext(ctx, "left a node", "node", t.Node.UUID, "state", t.Node.ProvisionState, "err", cause)
		return
	}
	ctx = context.WithoutCancel(ctx)
	if t.Node.Details.Work != nil {
		// Before the server is switched off: is it ours still, and will it be known that it failed?
		if err := t.Save(ctx, func(*Node) {}); err != nil {
			t.drop(ctx, fmt.Errorf("store the failure %q: %w", cause.Error(), err))
			return
		}
		if w, err := t.c.worker(t.Node, t.Node.Details.Work.Kind); err == nil {
			if err := w.CleanUp(ctx, t, true); err != nil {
				t.c.log.WarnContext(ctx, "after a failure", "node", t.Node.UUID, "err", err)
			}
		}
	}
	err := t.save(ctx, func(tx Tx, n *Node) error {
		to := failsTo[n.ProvisionState]
		if to == "" {
			to = n.ProvisionState
		}
		target := n.TargetProvisionState
		if to == baremetal.Enroll || to == baremetal.AdoptFailed {
			target = ""
		}
		n.enter(to, target)
		n.LastError = cause.Error()
		n.Details.Work, n.Details.Agent = nil, nil
		n.Reservation = ""
		if maintenance {
			n.Maintenance, n.MaintenanceReason, n.Fault = true, n.LastError, "clean failure"
		}
		return Put(tx, &Incident{
			UUID: newUUID(), NodeUUID: n.UUID, Conductor: t.c.cfg.Hostname, Severity: "ERROR", EventType: eventType(to), Event: n.LastError, CreatedAt: Now(),
		})
	})
	if err != nil {
		t.drop(ctx, fmt.Errorf("store the failure %q: %w", cause.Error(), err))
		return
	}
	t.c.log.WarnContext(ctx, "node failed", "node", t.Node.UUID, "state", t.Node.ProvisionState, "err", cause)
}

func eventType(failed baremetal.ProvisionState) string {
	switch failed {
	case baremetal.DeployFailed:
		return "deploying"
	case baremetal.CleanFailed:
		return "cleaning"
	case baremetal.InspectFailed:
		return "introspection"
	case baremetal.Enroll:
		return "verify"
	case baremetal.AdoptFailed:
		return "adoption"
	case baremetal.RescueFailed, baremetal.UnrescueFailed:
		return "rescue"
	case baremetal.ErrorState:
		return "unprovision"
	}
	return "error"
}
