package cpi

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"bosh-ironic-cpi/src/baremetal"
)

// DeleteDisk forgets a persistent disk, so that the next cleaning erases it. A server that was kept for its
// disks alone is cleaned and given back with the last of them. A disk that does not exist is no error.
func (c *CPI) DeleteDisk(ctx context.Context, cid string) error {
	v, err := c.findDisk(ctx, cid)
	if errors.Is(err, ErrDiskNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	record := v.document.disk(cid)
	if record == nil {
		return nil // a disk of the CPI of 2016, which kept no record
	}
	if record.Attached && v.document.vmCID() != "" {
		return fmt.Errorf("%w: %s, to VM %s", ErrDiskAttached, cid, v.document.vmCID())
	}
	if v.document.held() && len(v.document.Disks) == 1 {
		return c.giveBack(ctx, v)
	}
	changes := v.unprotect(func(r diskRecord) bool { return r.CID == cid })
	v.document.Disks = slices.DeleteFunc(v.document.Disks, func(r diskRecord) bool { return r.CID == cid })
	v.document.Used = append(v.document.Used, cid)
	if err := c.save(ctx, &v, changes...); err != nil {
		return fmt.Errorf("node %s: forget disk %s: %w", v.node.Label(), cid, err)
	}
	return nil
}

// giveBack ends the reservation of a server whose last disk goes. The disk's record stays until the server is
// clean, so that a call that was killed is repeated from here.
func (c *CPI) giveBack(ctx context.Context, v vm) error {
	limits, clean := c.Options.Timeouts, false
	switch v.node.ProvisionState {
	case baremetal.Cleaning, baremetal.CleanWait: // by an earlier call, or the operator; Ironic takes no change now
		if err := c.settle(ctx, &v, limits.Provide, baremetal.Available, baremetal.Manageable); err != nil {
			return err
		}
		clean = true
	}
	if changes := v.unprotectAll(); len(changes) > 0 {
		if err := c.save(ctx, &v, changes...); err != nil {
			return fmt.Errorf("node %s: %w", v.node.Label(), err)
		}
		clean = false
	}
	if v.node.ProvisionState == baremetal.CleanFailed {
		if err := c.recoverCleaning(ctx, &v); err != nil {
			return err
		}
	}
	if !clean && !v.document.Origin.Created && v.document.Origin.State == baremetal.Available { // nothing else would clean it
		if v.node.ProvisionState == baremetal.Available {
			if err := c.move(ctx, &v, baremetal.VerbManage, limits.Manage, baremetal.Manageable); err != nil {
				return err
			}
		}
		if v.node.ProvisionState == baremetal.Manageable && !v.node.Retired {
			if err := c.move(ctx, &v, baremetal.VerbProvide, limits.Provide, baremetal.Available); err != nil {
				return err
			}
		}
	}
	if v.document.Origin.Created {
		return c.deleteNode(ctx, &v)
	}
	return c.release(ctx, &v, []baremetal.Change{baremetal.Remove(documentPath), baremetal.Remove("/instance_uuid")})
}
