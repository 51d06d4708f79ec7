package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"bosh-ironic-cpi/src/baremetal"
)

// A release frees one node by hand, as the CPI's delete_vm would, where no Director will do it any more. It can be
// repeated from wherever it broke off.
type release struct {
	*claims
	*console
	service *api
	node    baremetal.Node
	held    holding

	unprotected bool // cleaning may erase its disks
	cleaned     bool // and has
}

// release frees the node that --release names.
func (k *claims) release(ctx context.Context, c *console, service *api) error {
	r := &release{claims: k, console: c, service: service}
	var err error
	if r.node, err = service.Node(ctx, k.Release); err != nil {
		return err
	}
	label := r.node.Label()
	if r.held, err = holdingOf(r.node); err != nil {
		return err
	}
	if _, has := r.node.Extra[documentKey]; !has {
		if r.node.InstanceUUID != "" {
			return fmt.Errorf("release node %s: %w: instance %s is not the CPI's: whoever claimed the node has to end it",
				label, baremetal.ErrAssociated, r.node.InstanceUUID)
		}
		c.note("node %s: nobody holds it", label)
		return nil
	}
	if err := r.allowed(time.Now()); err != nil {
		return fmt.Errorf("release node %s: %w", label, err)
	}
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"give up its disks", r.unprotect},
		{"tear down", r.tearDown},
		{"give up its disks", r.unprotect}, // where that was not possible before
		{"clean", r.clean},
		{"return it to where it came from", r.giveBack},
		{"end the claim", r.forget},
	} {
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("release node %s: %s: %w", label, step.name, err)
		}
	}
	c.note("node %s: released; it is %s", r.node.Label(), r.node.ProvisionState)
	if vm := r.held.vmCID(); vm != "" {
		c.note("what the agent of VM %s was given may still be in the repository and the registry", vm)
	}
	if r.held.Origin.Created {
		c.note("the CPI had made this node: nodectl node delete %s removes it", reference(r.node))
	}
	return nil
}

// allowed finds what speaks against it. Without --yes that is the end, with what would be done.
func (r *release) allowed(now time.Time) error {
	h := r.held
	if h.inProgress() && !h.expired(now) {
		until := "it does"
		if h.Deadline != nil {
			until = h.Deadline.UTC().Format(time.RFC3339)
		}
		return fmt.Errorf("%w: a process is at step %q of VM %s, and may be until %s", baremetal.ErrLocked, h.Step, h.vmCID(), until)
	}
	what := "what the CPI wrote on it is removed"
	if holder := h.holder(r.node); holder != "" {
		what = holder + "; the server is torn down and cleaned, and the claim ends"
	}
	disks := strings.Join(h.diskCIDs(), ", ")
	switch {
	case len(h.Disks) > 0 && !r.ForgetDisks:
		return fmt.Errorf("%w: %s; the persistent disks %s would be erased, which needs --forget-disks, too", errConfirm, what, disks)
	case !r.Yes:
		return fmt.Errorf("%w: %s", errConfirm, what)
	}
	return nil
}

// guard fails when the claim is another by now, and with it the whole patch.
func (r *release) guard(changes ...baremetal.Change) baremetal.Patch {
	claim := r.held.claim()
	if claim == "" {
		return changes
	}
	return append(baremetal.Patch{{Op: "replace", Path: "/extra/" + documentKey + "/claim/" + claim, Value: 1}}, changes...)
}

func (r *release) patch(ctx context.Context, changes ...baremetal.Change) error {
	n, err := r.service.Patch(ctx, r.node.UUID, r.guard(changes...))
	if errors.Is(err, baremetal.ErrInvalid) {
		return fmt.Errorf("somebody may have claimed the node meanwhile: %w", err)
	}
	if err == nil {
		r.node = n
	}
	return err
}

// tearDown brings the node to a state of rest.
func (r *release) tearDown(ctx context.Context) error {
	switch r.node.ProvisionState {
	case baremetal.Enroll, baremetal.Available, baremetal.Manageable:
		return nil
	case baremetal.Deleting, baremetal.Cleaning, baremetal.CleanWait:
		return r.settle(ctx, baremetal.VerbDeleted) // it is on its way
	case baremetal.CleanFailed:
		fault := r.node.Fault
		if err := r.move(ctx, baremetal.VerbManage); err != nil {
			return err
		}
		if fault != "clean failure" { // maintenance that an operator has set stays
			return nil
		}
		return r.service.SetMaintenance(ctx, r.node.UUID, false, "")
	}
	r.cleaned = r.unprotected
	return r.move(ctx, baremetal.VerbDeleted)
}

// clean has automated cleaning erase disks that were given up, where the tear-down has not.
func (r *release) clean(ctx context.Context) error {
	if len(r.held.Disks) == 0 || r.cleaned || r.node.Retired {
		return nil
	}
	if r.node.ProvisionState == baremetal.Available {
		if err := r.move(ctx, baremetal.VerbManage); err != nil {
			return err
		}
	}
	if r.node.ProvisionState == baremetal.Manageable {
		return r.move(ctx, baremetal.VerbProvide)
	}
	return nil
}

// giveBack brings the node to the state that it came from.
func (r *release) giveBack(ctx context.Context) error {
	switch from := r.held.Origin.State; {
	case from == baremetal.Manageable && r.node.ProvisionState == baremetal.Available:
		return r.move(ctx, baremetal.VerbManage)
	case from == baremetal.Available && r.node.ProvisionState == baremetal.Manageable && !r.node.Retired:
		return r.move(ctx, baremetal.VerbProvide)
	}
	return nil
}

// forget ends the claim, with the operator's name for the node if that is free.
func (r *release) forget(ctx context.Context) error {
	end := []baremetal.Change{baremetal.Remove("/extra/" + documentKey), baremetal.Remove("/instance_uuid")}
	if given := r.held.GivenName; given == "" || given != r.node.Name {
		return r.patch(ctx, end...)
	}
	if name := r.held.Origin.Name; name != "" {
		err := r.patch(ctx, append(end, baremetal.Add("/name", name))...)
		if !errors.Is(err, baremetal.ErrTaken) {
			return err
		}
		r.note("node %s: its own name %s is taken", r.node.Label(), name)
	}
	return r.patch(ctx, append(end, baremetal.Remove("/name"))...)
}

func (r *release) move(ctx context.Context, verb baremetal.Verb) error {
	if err := r.service.Provision(ctx, r.node.UUID, baremetal.Provision{Target: verb}); err != nil {
		return err
	}
	return r.settle(ctx, verb)
}

func (r *release) settle(ctx context.Context, verb baremetal.Verb) error {
	n, err := r.console.settle(ctx, r.service, r.node, verb, r.Limit)
	if n.UUID != "" {
		r.node = n
	}
	return err
}
