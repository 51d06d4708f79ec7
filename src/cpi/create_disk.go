package cpi

import (
	"context"
	"encoding/json"
	"fmt"

	"bosh-ironic-cpi/src/disk"
)

// CreateDisk picks a free disk of the VM's server for persistent data, records it on the node and keeps
// cleaning away from it. sizeMB is in MiB. Each call gives a new CID.
//
// disk.ErrNoSpace when no free disk is large enough. Local disks need a VM: an empty vmCID is an error.
func (c *CPI) CreateDisk(ctx context.Context, sizeMB int, properties json.RawMessage, vmCID string) (string, error) {
	var p diskProperties
	if err := c.decode(ctx, properties, &p); err != nil {
		return "", err
	}
	if vmCID == "" {
		return "", fmt.Errorf("%w: a disk of a server needs a VM to be created for", ErrNotSupported)
	}
	v, err := c.find(ctx, vmCID)
	if err != nil {
		return "", err
	}
	device, err := c.freeDisk(ctx, v, sizeMB, p.Device)
	if err != nil {
		return "", fmt.Errorf("node %s: %w", v.node.Label(), err)
	}
	mac, err := c.macOf(ctx, v)
	if err != nil {
		return "", err
	}
	cid, err := disk.NewCID(mac, device)
	if err != nil {
		return "", fmt.Errorf("node %s: %w", v.node.Label(), err)
	}
	v.confirm()
	v.document.Disks = append(v.document.Disks, diskRecord{CID: cid.String(), SizeMB: sizeMB, Device: device})
	changes, err := v.protect(cid.String())
	if err != nil {
		return "", err
	}
	if err := c.save(ctx, &v, changes...); err != nil {
		return "", fmt.Errorf("node %s: record disk %s: %w", v.node.Label(), cid, err)
	}
	return cid.String(), nil
}

// freeDisk chooses a device of the VM's server.
func (c *CPI) freeDisk(ctx context.Context, v vm, sizeMB int, asked string) (disk.Device, error) {
	devices, source, err := c.devices(ctx, v.node)
	if err != nil {
		return disk.Device{}, err
	}
	want := disk.Want{SizeMiB: int64(sizeMB), Device: asked}
	if want.InUse, err = v.document.inUse(); err != nil {
		return disk.Device{}, err
	}
	if want.Used, err = parseCIDs(v.document.Used); err != nil {
		return disk.Device{}, err
	}
	if e := v.document.Ephemeral; e != "" {
		if want.Ephemeral, _ = disk.Find(devices, e); want.Ephemeral == (disk.Device{}) {
			want.Ephemeral = disk.Device{Name: e}
		}
	}
	if _, known := disk.Find(devices, asked); source == disk.FromPaths && asked != "" && !known {
		devices = append(devices, disk.Device{Name: asked}) // nobody has listed this server's disks: the operator's word stands
	}
	device, err := disk.Choose(devices, want)
	if err != nil {
		return device, err
	}
	for _, used := range want.Used {
		if used.Matches(device) && !c.Options.ReuseDeleted {
			return device, fmt.Errorf("%w: %s still holds the data of the deleted disk %s: recreate the VM, so that cleaning erases it, or set disks.reuse_deleted",
				disk.ErrNoSpace, device.Label(), used)
		}
	}
	return device, nil
}

// macOf gives the MAC by which a disk CID names the server: the first port's.
func (c *CPI) macOf(ctx context.Context, v vm) (string, error) {
	ports, err := c.Nodes.Ports(ctx, v.node.UUID)
	if err != nil {
		return "", fmt.Errorf("node %s: read its ports: %w", v.node.Label(), err)
	}
	if len(ports) == 0 {
		return "", fmt.Errorf("node %s has no port: a disk CID names the server by a MAC address; add the node's ports", v.node.Label())
	}
	return ports[0].Address, nil
}
