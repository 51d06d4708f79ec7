package conductor

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
)

func newUUID() string { return uuid.NewString() }

// A Request is the body of PUT states/provision.
type Request struct {
	Verb        baremetal.Verb
	ConfigDrive any // text (a URL, or base64 of a gzipped image) or an object to make one of; nil: none
	CleanSteps  []Step
	DeploySteps []Step
	Word        string // the verb as it was asked for, for texts
}

// Provision accepts a verb, and has a worker carry it on.
func (c *Conductor) Provision(ctx context.Context, ident string, r Request) error {
	if err := c.begin(); err != nil {
		return err
	}
	n, err := c.accept(ctx, ident, r)
	if err != nil || n.Reservation == "" { // a verb that is done at once
		c.end()
		return err
	}
	c.run(n, func(ctx context.Context, t *Task) { t.carryOn(ctx, r) })
	return nil
}

// accept takes the lock and enters the first state of a verb.
func (c *Conductor) accept(ctx context.Context, ident string, r Request) (*Node, error) {
	if err := c.allowed(ctx, ident, r); err != nil {
		return nil, err
	}
	return c.lock(ctx, ident, func(tx Tx, n *Node) error {
		way, ok := transition(n.ProvisionState, r.Verb)
		if !ok {
			return wrongState(n, r.Word)
		}
		if err := c.check(tx, n, r); err != nil {
			return err
		}
		n.LastError = ""
		if r.Verb == baremetal.VerbAbort {
			n.LastError = "By request, the clean operation was aborted"
			if n.ProvisionState == baremetal.InspectWait {
				n.LastError = "Inspection was aborted by request."
			}
		}
		target := way.target
		if way.enters.Failed() { // abort: where it wanted to go stays
			target = n.TargetProvisionState
		}
		n.enter(way.enters, target)
		if way.target == "" && r.Verb != baremetal.VerbAbort {
			n.LastError = keptError(n, way)
			return nil
		}
		c.hold(n)
		if r.Verb != baremetal.VerbAbort {
			n.Details.Work = nil // of a deployment that waits for its ramdisk, and is not to go on
		}
		c.arm(n, r)
		return nil
	})
}

// keptError: manage from clean failed leaves the error for the operator to read.
func keptError(n *Node, way move) string {
	if way.from == baremetal.CleanFailed {
		return n.MaintenanceReason
	}
	return ""
}

// allowed refuses without waiting for the lock what the state does not allow.
func (c *Conductor) allowed(ctx context.Context, ident string, r Request) error {
	return c.store.View(ctx, func(tx Tx) error {
		n, err := tx.Node(ident)
		if err != nil {
			return err
		}
		_, ok := transition(n.ProvisionState, r.Verb)
		switch {
		case ok:
			return nil
		case n.Reservation != "":
			return locked(n)
		}
		return wrongState(n, r.Word)
	})
}

func wrongState(n *Node, verb string) *Error {
	return refuse(baremetal.ErrWrongState, `The requested action "%s" can not be performed on node "%s" while it is in state "%s".`, verb, n.UUID, n.ProvisionState)
}

// check is what a verb asks of a node besides its state.
func (c *Conductor) check(tx Tx, n *Node, r Request) error {
	deploys := r.Verb == baremetal.VerbActive || r.Verb == baremetal.VerbRebuild
	switch {
	case n.Maintenance && (deploys || r.Verb == baremetal.VerbClean):
		operation := map[baremetal.Verb]string{baremetal.VerbClean: "cleaning", baremetal.VerbActive: "provisioning", baremetal.VerbRebuild: "rebuilding"}[r.Verb]
		return invalid("The %s operation can't be performed on node %s because it's in maintenance mode.", operation, n.UUID)
	case n.Retired && r.Verb == baremetal.VerbProvide:
		return invalid("The providing operation can't be performed on node %s because it is retired.", n.UUID)
	case n.Protected && (r.Verb == baremetal.VerbDeleted || r.Verb == baremetal.VerbRebuild):
		return refuse(ErrForbidden, "Node %s is protected and cannot be undeployed, rebuilt or deleted", n.UUID)
	}
	if r.Verb == baremetal.VerbInspect {
		if w, err := c.inspector(n); err == nil {
			return c.able(n, w, "inspect")
		}
		return nil // it fails with last_error, as in Ironic
	}
	cleans := r.Verb == baremetal.VerbClean || (r.Verb == baremetal.VerbProvide && c.cleansItself(n))
	if !deploys && !cleans && r.Verb != baremetal.VerbDeleted {
		return nil
	}
	d, err := c.deployer(n)
	if err == nil {
		err = c.able(n, d, "deploy")
	}
	if !deploys {
		return err
	}
	if wanted, ok := n.Details.InstanceInfo.Map()["traits"].([]any); ok {
		for _, trait := range wanted {
			if text, _ := trait.(string); !slices.Contains(n.Details.Traits, text) {
				return invalid("Failed to validate deploy or power info for node "+n.UUID+": Cannot specify instance traits that are not also set on the node. Node %s is missing traits %s", n.UUID, text)
			}
		}
	}
	if err == nil {
		err = c.wrong(tx, n, "power")
	}
	if err == nil {
		err = d.Validate(n)
	}
	if err != nil {
		return invalid("Failed to validate deploy or power info for node %s: %v", n.UUID, err)
	}
	return nil
}

// able says what a worker needs and the node's hardware cannot do: Wake-on-LAN cannot switch off.
func (c *Conductor) able(n *Node, w Worker, kind string) error {
	can := c.PowerTargets(n)
	for _, target := range w.Needs(n) {
		if slices.Contains(can, target) {
			continue
		}
		advice := "Give the node another one, or automated_clean false if only cleaning needs it."
		if _, blind := c.hardware(n, "power").(driver.Blind); blind && kind == "deploy" && target == baremetal.TargetOff {
			advice = "Shut the server down by hand, and say so: power off, in maintenance."
		}
		return invalid("Node %s has power interface %s, which cannot do '%s', and %s interface %s needs it. %s",
			n.UUID, n.Interface("power"), target, kind, n.Interface(kind), advice)
	}
	return nil
}

// cleansItself reports whether the node is cleaned on its way to available.
func (c *Conductor) cleansItself(n *Node) bool {
	if own := n.Details.AutomatedClean; own != nil {
		return *own
	}
	return c.cfg.AutomatedClean
}

// arm stores what came with a verb.
func (c *Conductor) arm(n *Node, r Request) {
	if r.ConfigDrive != nil {
		n.Details.InstanceInfo = n.Details.InstanceInfo.With(map[string]any{"configdrive": r.ConfigDrive})
	}
	if r.Verb != baremetal.VerbActive && r.Verb != baremetal.VerbRebuild {
		return
	}
	if info := n.Details.InstanceInfo.Map(); info["image_source"] != nil && info["image_type"] == nil {
		n.Details.InstanceInfo = n.Details.InstanceInfo.With(map[string]any{"image_type": "whole-disk"})
	}
}

// carryOn is the work of a verb.
func (t *Task) carryOn(ctx context.Context, r Request) {
	switch r.Verb {
	case baremetal.VerbManage:
		t.verify(ctx)
	case baremetal.VerbProvide:
		t.clean(ctx)
	case baremetal.VerbClean:
		t.start(ctx, WorkClean, r.CleanSteps)
	case baremetal.VerbActive, baremetal.VerbRebuild:
		t.start(ctx, WorkDeploy, r.DeploySteps)
	case baremetal.VerbDeleted:
		t.tearDown(ctx)
	case baremetal.VerbInspect:
		t.start(ctx, WorkInspect, nil)
	case baremetal.VerbAdopt:
		t.adopt(ctx)
	case baremetal.VerbAbort:
		t.aborted(ctx)
	case baremetal.VerbRescue:
		t.rescue(ctx, baremetal.Rescue)
	case baremetal.VerbUnrescue:
		t.rescue(ctx, baremetal.Active)
	}
}

// verify finds out whether the node can be managed.
func (t *Task) verify(ctx context.Context) {
	err := t.c.store.View(ctx, func(tx Tx) error { return t.c.wrong(tx, t.Node, "power") })
	if err != nil {
		t.fail(ctx, fmt.Errorf("Failed to validate power driver interface for node %s. Error: %w", t.Node.UUID, err))
		return
	}
	state, err := t.PowerState(ctx)
	if err != nil {
		t.fail(ctx, fmt.Errorf("Failed to get power state for node %s. Error: %w", t.Node.UUID, err))
		return
	}
	t.Node.PowerState = state
	err = t.Save(ctx, func(n *Node) {
		n.enter(baremetal.Manageable, "")
		n.PowerState, n.Reservation = state, ""
	})
	if err != nil {
		t.fail(ctx, err)
	}
}

// clean goes through automated cleaning, if there is any, to the target.
func (t *Task) clean(ctx context.Context) {
	if t.c.cleansItself(t.Node) {
		t.start(ctx, WorkClean, nil)
		return
	}
	t.rest(ctx, t.Node.TargetProvisionState)
}

// tearDown ends the instance: what belonged to it goes, and the node is cleaned.
func (t *Task) tearDown(ctx context.Context) {
	d, err := t.c.deployer(t.Node)
	if err == nil {
		err = d.TearDown(ctx, t)
	}
	if err != nil {
		t.fail(ctx, fmt.Errorf("Failed to tear down. Error: %w", err))
		return
	}
	automated := t.c.cleansItself(t.Node)
	err = t.save(ctx, func(tx Tx, n *Node) error {
		if n.AllocationUUID != "" {
			if err := tx.DeleteRow(KindAllocation, n.AllocationUUID); err != nil {
				return err
			}
		}
		n.InstanceUUID, n.AllocationUUID = "", ""
		n.Details.InstanceInfo, n.Details.DriverInternalInfo = nil, nil
		n.Details.Work, n.Details.Agent = nil, nil
		n.enter(baremetal.Cleaning, baremetal.Available)
		if automated && n.Retired {
			n.TargetProvisionState = baremetal.Manageable
		}
		if !automated { // straight through: one write
			n.enter(baremetal.Available, "")
			n.Reservation = ""
		}
		return nil
	})
	switch {
	case err != nil:
		t.fail(ctx, err)
	case automated:
		t.start(ctx, WorkClean, nil)
	}
}

// adopt takes a server over as it is.
func (t *Task) adopt(ctx context.Context) {
	state, err := t.PowerState(ctx)
	if err != nil {
		t.fail(ctx, err)
		return
	}
	err = t.Save(ctx, func(n *Node) {
		n.enter(baremetal.Active, "")
		n.PowerState, n.Reservation = state, ""
	})
	if err != nil {
		t.fail(ctx, err)
	}
}

// aborted clears up after an abort; the state is the failed one already.
func (t *Task) aborted(ctx context.Context) {
	if work := t.Node.Details.Work; work != nil {
		w, err := t.c.worker(t.Node, work.Kind)
		if err == nil {
			err = w.CleanUp(ctx, t, true)
		}
		if err != nil {
			t.c.log.WarnContext(ctx, "after an abort", "node", t.Node.UUID, "err", err)
		}
	}
	err := t.Save(ctx, func(n *Node) {
		n.Details.Work, n.Details.Agent = nil, nil
		n.Reservation = ""
	})
	if err != nil {
		t.drop(ctx, err)
	}
}

// rescue is as far as fake hardware goes: real servers refuse it in check, because no interface can.
func (t *Task) rescue(ctx context.Context, ends baremetal.ProvisionState) {
	if t.Node.Interface("rescue") != "fake" {
		t.fail(ctx, fmt.Errorf("rescue interface %s of node %s rescues nothing", t.Node.Interface("rescue"), t.Node.UUID))
		return
	}
	t.rest(ctx, ends)
}

// CheckConfigDrive refuses what is no config drive: neither an object, nor a URL, nor base64.
func CheckConfigDrive(text string) error {
	if strings.Contains(text, "://") {
		return nil
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/= \t\r\n"
	if strings.Trim(text, alphabet) != "" || strings.ContainsFunc(text, func(r rune) bool { return !strings.ContainsRune(alphabet, r) }) {
		return invalid("Invalid configdrive: neither a JSON, nor a URL, nor a base64 string")
	}
	return nil
}

func rawJSON(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("{}")
	}
	return text
}
