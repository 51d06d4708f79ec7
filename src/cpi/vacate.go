package cpi

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"bosh-ironic-cpi/src/baremetal"
)

// vacate takes a VM off its node and gives the node back as it came: the one way for delete_vm, for the undo
// of create_vm and for taking over what a killed process left.
//
// It may be repeated after any failure and begun in any state. why is empty unless the VM failed; then the
// node's document says so afterwards, and other nodes are preferred for a while.
func (c *CPI) vacate(ctx context.Context, v vm, why string) error {
	steps := []struct {
		name string
		do   func(context.Context, *vm) error
	}{
		{stepMark, c.mark},
		{stepTearDown, c.tearDown},
		{stepClean, c.cleanByHand},
		{stepRemove, c.removeSettings},
		{stepReturn, c.returnNode},
		{stepForget, func(ctx context.Context, v *vm) error { return c.forget(ctx, v, why) }},
	}
	for _, s := range steps {
		if err := c.step(ctx, s.name, v.node.UUID, func(ctx context.Context) error { return s.do(ctx, &v) }); err != nil {
			return err
		}
	}
	return nil
}

// mark writes into the document that the VM goes, and since when.
func (c *CPI) mark(ctx context.Context, v *vm) error {
	switch v.node.ProvisionState {
	case baremetal.Deploying, baremetal.WaitCallBack, baremetal.Deleting, baremetal.Cleaning, baremetal.CleanWait:
		return nil // Ironic takes no change now, and the state says enough
	}
	var changes []baremetal.Change
	if c.Options.ReleaseDisks {
		changes = v.unprotectAll()
	}
	limits := c.Options.Timeouts
	v.document = v.document.at(stepMark, limits.Delete+limits.Clean+limits.Claim)
	return c.save(ctx, v, changes...)
}

// tearDown brings the node to a state of rest without a VM, through automated cleaning.
func (c *CPI) tearDown(ctx context.Context, v *vm) error {
	limit := c.Options.Timeouts.Delete
	switch s := v.node.ProvisionState; s {
	case baremetal.Enroll, baremetal.Available, baremetal.Manageable:
		return nil
	case baremetal.Deleting, baremetal.Cleaning, baremetal.CleanWait, baremetal.Verifying:
		// on its way already
	case baremetal.CleanFailed:
		return c.recoverCleaning(ctx, v)
	default:
		if err := c.Nodes.Provision(ctx, v.node.UUID, baremetal.Provision{Target: baremetal.VerbDeleted}); err != nil {
			return fmt.Errorf("node %s: %w", v.node.Label(), err)
		}
	}
	err := c.settle(ctx, v, limit, baremetal.Available, baremetal.Manageable)
	if v.document.Origin.Created && errors.Is(err, baremetal.ErrFailed) {
		c.Log.WarnContext(ctx, "node did not come to rest before its deletion", "node", v.node.UUID, "err", err)
		v.node, err = c.Nodes.Node(ctx, v.node.UUID)
	}
	return err
}

// recoverCleaning brings a node back whose cleaning failed before; returnNode cleans it again.
func (c *CPI) recoverCleaning(ctx context.Context, v *vm) error {
	fault := v.node.Fault
	if err := c.move(ctx, v, baremetal.VerbManage, c.Options.Timeouts.Manage, baremetal.Manageable); err != nil {
		return err
	}
	if fault != "clean failure" { // maintenance that an operator has set stays
		return nil
	}
	return c.Nodes.SetMaintenance(ctx, v.node.UUID, false, "")
}

// cleanByHand runs the operator's manual clean steps on a node that was deployed.
func (c *CPI) cleanByHand(ctx context.Context, v *vm) error {
	if !c.Options.ManualClean || !v.document.Deployed || v.document.Origin.Created {
		return nil
	}
	if v.node.ProvisionState == baremetal.Available {
		if err := c.move(ctx, v, baremetal.VerbManage, c.Options.Timeouts.Manage, baremetal.Manageable); err != nil {
			return err
		}
	}
	steps := baremetal.Provision{Target: baremetal.VerbClean, CleanSteps: c.Options.CleanSteps}
	return c.provision(ctx, v, steps, c.Options.Timeouts.Clean, baremetal.Manageable)
}

// removeSettings deletes what machines could fetch: config drive, injected settings, registry entry.
func (c *CPI) removeSettings(ctx context.Context, v *vm) error {
	if err := c.Metadata.Delete(ctx, deliveryFolder(v.cid)); err != nil {
		return fmt.Errorf("delete the settings of VM %s: %w", v.cid, err)
	}
	if c.Registry == nil {
		return nil
	}
	return c.Registry.Delete(ctx, v.cid)
}

// returnNode brings the node to the state that it came from.
func (c *CPI) returnNode(ctx context.Context, v *vm) error {
	origin, limits := v.document.Origin, c.Options.Timeouts
	switch {
	case origin.Created:
		return nil
	case origin.State == baremetal.Manageable && v.node.ProvisionState == baremetal.Available:
		return c.move(ctx, v, baremetal.VerbManage, limits.Manage, baremetal.Manageable)
	case origin.State == baremetal.Available && v.node.ProvisionState == baremetal.Manageable && !v.node.Retired:
		return c.move(ctx, v, baremetal.VerbProvide, limits.Provide, baremetal.Available)
	}
	return nil
}

// forget ends the claim: the node is free, or held for its disks, or deleted.
func (c *CPI) forget(ctx context.Context, v *vm, why string) error {
	d := v.document
	if len(d.Disks) > 0 && !c.Options.ReleaseDisks {
		return c.hold(ctx, v)
	}
	if d.Origin.Created {
		return c.deleteNode(ctx, v)
	}
	last := baremetal.Remove(documentPath)
	if why != "" {
		failed := document{Version: documentVersion, Failed: &failure{At: time.Now().UTC().Truncate(time.Second), Reason: shorten(why, 1000)}}
		last = baremetal.Add(documentPath, failed)
	}
	changes := append([]baremetal.Change{last, baremetal.Remove("/instance_uuid")}, d.restoreClean()...)
	return c.release(ctx, v, changes)
}

// hold keeps the server for its persistent disks: instance_uuid names nobody's VM, so that other users of the
// same Ironic leave the node alone too.
func (c *CPI) hold(ctx context.Context, v *vm) error {
	d := v.document
	held := document{
		Version: documentVersion, Director: d.Director, Claim: map[string]int{holdID(v.node.UUID): 1},
		Origin: d.Origin, Disks: d.Disks, Saved: d.Saved,
	}.rest(stepHeld)
	if off := v.node.AutomatedClean; off != nil && !*off { // nothing has erased them
		held.Used = d.Used
	}
	for i := range held.Disks {
		held.Disks[i].Attached = false
	}
	if err := c.release(ctx, v, []baremetal.Change{baremetal.Add(documentPath, held), baremetal.Remove("/instance_uuid")}); err != nil {
		return err
	}
	return c.reserve(ctx, v.node.UUID)
}

// release writes the end of a claim, with the operator's name for the node if that is free.
func (c *CPI) release(ctx context.Context, v *vm, changes []baremetal.Change) error {
	d := v.document
	if _, has := v.node.Extra[documentKey]; !has { // a legacy VM that was never adopted
		changes = changes[1:]
	} else {
		changes = append([]baremetal.Change{{Op: "replace", Path: documentPath + "/claim/" + v.cid, Value: 1}}, changes...)
	}
	if d.GivenName == "" || v.node.Name != d.GivenName {
		_, err := c.guarded(ctx, v.node.UUID, v.cid, changes)
		return err
	}
	if d.Origin.Name != "" {
		_, err := c.guarded(ctx, v.node.UUID, v.cid, append(changes, baremetal.Add("/name", d.Origin.Name)))
		if !errors.Is(err, baremetal.ErrTaken) {
			return err
		}
		c.Log.WarnContext(ctx, "the node's own name is taken", "node", v.node.UUID, "name", d.Origin.Name)
	}
	_, err := c.guarded(ctx, v.node.UUID, v.cid, append(changes, baremetal.Remove("/name")))
	return err
}

// deleteNode removes a node that the CPI made. Its document stays to the end, so that a repeated delete_vm
// finds it.
func (c *CPI) deleteNode(ctx context.Context, v *vm) error {
	if v.node.InstanceUUID != "" {
		if _, err := c.guarded(ctx, v.node.UUID, v.cid, baremetal.Patch{
			{Op: "replace", Path: documentPath + "/claim/" + v.cid, Value: 1}, baremetal.Remove("/instance_uuid"),
		}); err != nil {
			return err
		}
	}
	switch v.node.ProvisionState {
	case baremetal.Enroll, baremetal.Manageable, baremetal.Available:
	default: // elsewhere Ironic deletes nodes in maintenance only
		if err := c.Nodes.SetMaintenance(ctx, v.node.UUID, true, "deleted by the BOSH CPI"); err != nil {
			return err
		}
	}
	return c.Nodes.DeleteNode(ctx, v.node.UUID)
}

// holdID is the instance_uuid of a node that is held for its disks.
func holdID(node string) string {
	return uuid.NewSHA1(uuid.MustParse("5c1fd5b6-9d0b-4a8e-8f37-0d5f5b0b5c11"), []byte(node)).String()
}

func shorten(s string, limit int) string {
	if r := []rune(s); len(r) > limit {
		return string(r[:limit]) + "…"
	}
	return s
}
