package cpi

import (
	"context"
	"errors"
)

// DeleteVM takes a VM off its node and gives the node back in the state it came from, or deletes it if the
// CPI made it. A node with persistent disks stays reserved for them, unless disks.on_delete says otherwise.
//
// It may be repeated after any failure. Only a VM that is certainly gone counts as gone.
func (c *CPI) DeleteVM(ctx context.Context, cid string) error {
	v, err := c.find(ctx, cid)
	if errors.Is(err, ErrVMNotFound) {
		return c.removeSettings(ctx, &vm{cid: cid}) // what a killed create_vm may have left
	}
	if err != nil {
		return err
	}
	return c.vacate(ctx, v, "")
}
