package cpi

import (
	"context"
	"errors"
	"fmt"
)

// GetDisks lists the CIDs of the disks that are attached to a VM.
func (c *CPI) GetDisks(ctx context.Context, vmCID string) ([]string, error) {
	v, err := c.find(ctx, vmCID)
	if err != nil {
		return nil, err
	}
	cids := []string{}
	for _, r := range v.document.Disks {
		if r.Attached {
			cids = append(cids, r.CID)
		}
	}
	return cids, nil
}

// SetDiskMetadata keeps metadata with the disk's record on the node. Disks without a record have nowhere to
// keep it, which is no error.
func (c *CPI) SetDiskMetadata(ctx context.Context, cid string, m map[string]any) error {
	v, err := c.findDisk(ctx, cid)
	if errors.Is(err, ErrDiskNotFound) {
		return err
	}
	if err != nil {
		return err
	}
	record := v.document.disk(cid)
	if record == nil {
		return nil
	}
	record.Metadata = m
	if err := c.save(ctx, &v); err != nil {
		return fmt.Errorf("node %s: keep the metadata of disk %s: %w", v.node.Label(), cid, err)
	}
	return nil
}
