package main

import (
	"context"
	"fmt"

	"bosh-ironic-cpi/src/baremetal"
)

// nodeDelete is "node delete".
type nodeDelete struct {
	ID string `arg:"" name:"node" help:"UUID or name."`
}

// Help is the end of the command's help.
func (nodeDelete) Help() string {
	return "Examples:\n  nodectl node delete rack-3-unit-7\n  nodectl node delete 1be26c0b-03f2-4d2e-ae87-c02d7f33c123"
}

// Run removes a node that nobody has. A VM or persistent disks on it are kept from that.
func (d *nodeDelete) Run(ctx context.Context, c *console) error {
	service, err := c.connect()
	if err != nil {
		return err
	}
	defer service.Close()
	n, err := service.Node(ctx, d.ID)
	if err != nil {
		return err
	}
	h, err := holdingOf(n)
	if err != nil {
		return err
	}
	if h.claim() != "" || len(h.Disks) > 0 {
		return fmt.Errorf("delete node %s: %w: %s", n.Label(), baremetal.ErrAssociated, h.holder(n))
	}
	if err := service.DeleteNode(ctx, n.UUID); err != nil {
		return about(n, err)
	}
	c.note("node %s: deleted", n.Label())
	return nil
}
