package cpi

import (
	"context"
	"fmt"

	"bosh-ironic-cpi/src/baremetal"
)

// RebootVM switches a VM off and on again, or on if it is off, and returns when it is on.
func (c *CPI) RebootVM(ctx context.Context, cid string) error {
	v, err := c.find(ctx, cid)
	if err != nil {
		return err
	}
	if err := c.Nodes.Power(ctx, v.node.UUID, baremetal.TargetReboot); err != nil {
		return fmt.Errorf("reboot node %s: %w", v.node.Label(), err)
	}
	if _, err := c.Nodes.WaitPower(ctx, v.node.UUID, baremetal.PowerOn, c.Options.Timeouts.Power); err != nil {
		return fmt.Errorf("reboot node %s: %w", v.node.Label(), err)
	}
	return nil
}
