package cpi

import (
	"context"
	"fmt"
	"time"

	"bosh-ironic-cpi/src/baremetal"
)

// move sends a verb and waits until the node rests in the state wanted.
func (c *CPI) move(ctx context.Context, v *vm, verb baremetal.Verb, limit time.Duration, want ...baremetal.ProvisionState) error {
	return c.provision(ctx, v, baremetal.Provision{Target: verb}, limit, want...)
}

// provision is move for verbs with arguments.
func (c *CPI) provision(ctx context.Context, v *vm, p baremetal.Provision, limit time.Duration, want ...baremetal.ProvisionState) error {
	if err := c.Nodes.Provision(ctx, v.node.UUID, p); err != nil {
		return fmt.Errorf("node %s: %w", v.node.Label(), err)
	}
	return c.settle(ctx, v, limit, want...)
}

// settle waits until the node rests in one of the states wanted.
func (c *CPI) settle(ctx context.Context, v *vm, limit time.Duration, want ...baremetal.ProvisionState) error {
	n, err := c.Nodes.Settle(ctx, v.node.UUID, limit, want...)
	if err != nil {
		return fmt.Errorf("node %s: %w", v.node.Label(), err)
	}
	v.node = n
	return nil
}
