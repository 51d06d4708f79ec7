package cpi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/disk"
	"bosh-ironic-cpi/src/registry"
)

// AttachDisk gives the agent the way to a persistent disk: a hint with the path of the device, by-id where
// that is known. It may be repeated. ErrDiskElsewhere when the disk is in another server.
func (c *CPI) AttachDisk(ctx context.Context, vmCID, diskCID string) (any, error) {
	v, err := c.find(ctx, vmCID)
	if err != nil {
		return nil, err
	}
	if v.document.disk(diskCID) == nil {
		if err := c.adoptDisk(ctx, &v, diskCID); err != nil {
			return nil, err
		}
	}
	record := v.document.disk(diskCID)
	hint := map[string]string{"path": record.Device.Hint()}
	if hint["path"] == "" {
		return nil, fmt.Errorf("node %s: no path to disk %s is known, only a serial number: declare its by_id or name in properties.disks", v.node.Label(), diskCID)
	}
	if err := c.registerDisk(ctx, vmCID, diskCID, hint); err != nil {
		return nil, err
	}
	if record.Attached {
		return hint, nil
	}
	v.confirm()
	record.Attached = true
	if err := c.save(ctx, &v); err != nil {
		return nil, fmt.Errorf("node %s: attach disk %s: %w", v.node.Label(), diskCID, err)
	}
	return hint, nil
}

// adoptDisk takes a disk of the CPI of 2016 into the document of the server that it is in.
func (c *CPI) adoptDisk(ctx context.Context, v *vm, cid string) error {
	at, err := c.findDisk(ctx, cid)
	if err != nil {
		return err
	}
	if at.node.UUID != v.node.UUID {
		return fmt.Errorf("%w: disk %s is in node %s, VM %s runs on node %s", ErrDiskElsewhere, cid, at.node.Label(), v.cid, v.node.Label())
	}
	changes, err := v.adopt([]string{cid})
	if err != nil {
		return err
	}
	return c.save(ctx, v, changes...)
}

// adopt takes disks of the server into the document that it has no record of, those of the CPI of 2016, and
// gives the changes of the node that keep cleaning off them.
func (v *vm) adopt(cids []string) ([]baremetal.Change, error) {
	var changes []baremetal.Change
	for _, cid := range cids {
		if v.document.disk(cid) != nil {
			continue
		}
		parsed, err := disk.ParseCID(cid)
		if err != nil {
			return nil, err
		}
		v.document.Disks = append(v.document.Disks, diskRecord{CID: cid, Device: parsed.Device()})
		protection, err := v.protect(cid)
		if err != nil {
			return nil, err
		}
		changes = append(changes, protection...)
	}
	return changes, nil
}

// DetachDisk is AttachDisk's reverse. A disk that is not attached, or not there, is no error.
func (c *CPI) DetachDisk(ctx context.Context, vmCID, diskCID string) error {
	v, err := c.find(ctx, vmCID)
	if errors.Is(err, ErrVMNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := c.registerDisk(ctx, vmCID, diskCID, nil); err != nil {
		return err
	}
	record := v.document.disk(diskCID)
	if record == nil || !record.Attached {
		return nil
	}
	record.Attached = false
	if err := c.save(ctx, &v); err != nil {
		return fmt.Errorf("node %s: detach disk %s: %w", v.node.Label(), diskCID, err)
	}
	return nil
}

// registerDisk changes disks.persistent in the registry's settings of a VM that has some there: agents of API
// version 1 read them again when a disk comes or goes. A nil hint removes the disk.
func (c *CPI) registerDisk(ctx context.Context, vmCID, diskCID string, hint map[string]string) error {
	if c.Registry == nil {
		return nil
	}
	text, err := c.Registry.Get(ctx, vmCID)
	if errors.Is(err, registry.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var settings map[string]any
	if err := json.Unmarshal(text, &settings); err != nil {
		return fmt.Errorf("VM %s: the registry's settings are not readable: %w", vmCID, err)
	}
	disks, _ := settings["disks"].(map[string]any)
	if disks == nil {
		disks = map[string]any{}
	}
	persistent, _ := disks["persistent"].(map[string]any)
	if persistent == nil {
		persistent = map[string]any{}
	}
	delete(persistent, diskCID)
	if hint != nil {
		persistent[diskCID] = hint
	}
	disks["persistent"], settings["disks"] = persistent, disks
	if text, err = json.Marshal(settings); err != nil {
		return err
	}
	return c.Registry.Put(ctx, vmCID, text)
}
