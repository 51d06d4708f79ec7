package cpi

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/baremetal/client"
	"bosh-ironic-cpi/src/placement"
)

// VMResources are the least that a VM needs.
type VMResources struct {
	RAM               int `json:"ram"` // MiB
	CPU               int `json:"cpu"`
	EphemeralDiskSize int `json:"ephemeral_disk_size"` // MB
}

// CalculateVMCloudProperties turns sizes into cloud properties of servers that exist: each size becomes the
// smallest one of the pool that is large enough, which excludes no server that would do. Nodes in use count,
// nodes in maintenance do not. ErrResources when no server is large enough.
func (c *CPI) CalculateVMCloudProperties(ctx context.Context, r VMResources) (map[string]any, error) {
	asked := map[string]int{"memory_mb": r.RAM, "cpus": r.CPU, "local_gb": (r.EphemeralDiskSize + 1023) / 1024}
	ask := placement.Ask{Properties: map[string]any{}, Director: c.Director}
	for key, least := range asked {
		if least > 0 {
			ask.Properties[key] = least
		}
	}
	var pool []placement.Candidate
	err := c.Nodes.EachNode(ctx, client.NodeQuery{}, func(n baremetal.Node) error {
		pool = append(pool, vacated(placement.Candidate{Node: n}))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	fit, err := placement.Candidates(pool, ask)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrResources, err)
	}
	properties := map[string]any{}
	for key := range ask.Properties {
		sizes := make([]float64, 0, len(fit))
		for _, f := range fit {
			if size, err := strconv.ParseFloat(fmt.Sprint(f.Node.Properties[key]), 64); err == nil { // a number or its text
				sizes = append(sizes, size)
			}
		}
		properties[key] = slices.Min(sizes)
	}
	return map[string]any{"ironic_properties": properties}, nil
}
