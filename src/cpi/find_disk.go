package cpi

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/baremetal/client"
	"bosh-ironic-cpi/src/disk"
)

// findDisk finds the server that a disk is in and its document. ErrDiskNotFound when the disk certainly does
// not exist. Disks of the CPI of 2016 have no record; their server is enough.
func (c *CPI) findDisk(ctx context.Context, cid string) (vm, error) {
	parsed, err := disk.ParseCID(cid)
	if err != nil {
		return vm{}, fmt.Errorf("%w: %w", ErrDiskNotFound, err)
	}
	port, err := c.Nodes.PortByMAC(ctx, parsed.MAC)
	switch {
	case errors.Is(err, baremetal.ErrNotFound):
		return c.searchDisk(ctx, cid) // the NIC may have been exchanged
	case err != nil:
		return vm{}, fmt.Errorf("find disk %s: %w", cid, err)
	}
	node, err := c.Nodes.Node(ctx, port.NodeUUID)
	if err != nil {
		return vm{}, fmt.Errorf("find disk %s: %w", cid, err)
	}
	d, err := documentOf(node)
	if err != nil {
		return vm{}, err
	}
	if d.disk(cid) == nil && parsed.Kind != "" {
		return c.searchDisk(ctx, cid)
	}
	return vm{d.claimKey(), node, d}, nil
}

// searchDisk reads all nodes' documents for the disk.
func (c *CPI) searchDisk(ctx context.Context, cid string) (vm, error) {
	var found *vm
	err := c.Nodes.EachNode(ctx, client.NodeQuery{}, func(n baremetal.Node) error {
		if d, err := documentOf(n); err == nil && slices.Contains(d.diskCIDs(), cid) {
			found = &vm{d.claimKey(), n, d}
		}
		return nil
	})
	if err != nil {
		return vm{}, fmt.Errorf("find disk %s: %w", cid, err)
	}
	if found == nil {
		return vm{}, fmt.Errorf("%w: %s", ErrDiskNotFound, cid)
	}
	return *found, nil
}

// claimKey is the key of the claim: a VM's CID or the node's holdID.
func (d document) claimKey() string {
	for key := range d.Claim {
		return key
	}
	return ""
}

// HasDisk reports whether a persistent disk exists.
func (c *CPI) HasDisk(ctx context.Context, cid string) (bool, error) {
	_, err := c.findDisk(ctx, cid)
	if errors.Is(err, ErrDiskNotFound) {
		return false, nil
	}
	return err == nil, err
}
