package cpi

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/baremetal/client"
	"bosh-ironic-cpi/src/disk"
)

// A vm is a VM as it stands on its node.
type vm struct {
	cid      string
	node     baremetal.Node
	document document
}

// find looks a VM up by its CID; ErrVMNotFound when it is certainly gone.
//
// The CID is the node's instance_uuid from the claim to the tear-down. After the tear-down only the document
// still has it, and Ironic cannot search there, so all nodes are read. CIDs of the CPI of 2016 are the node's
// own UUID.
func (c *CPI) find(ctx context.Context, cid string) (vm, error) {
	if uuid.Validate(cid) != nil { // Ironic would take it for a node's name
		return vm{}, fmt.Errorf("%w: %q is no CID of this CPI", ErrVMNotFound, cid)
	}
	node, err := c.Nodes.NodeByInstance(ctx, cid)
	switch {
	case err == nil:
		return c.standing(cid, node)
	case !errors.Is(err, baremetal.ErrNotFound):
		return vm{}, fmt.Errorf("find VM %s: %w", cid, err)
	}
	node, err = c.Nodes.Node(ctx, cid)
	switch {
	case err == nil:
		return c.legacy(cid, node)
	case !errors.Is(err, baremetal.ErrNotFound):
		return vm{}, fmt.Errorf("find VM %s: %w", cid, err)
	}
	return c.search(ctx, cid)
}

// standing takes a node that has the CID as its instance_uuid.
func (c *CPI) standing(cid string, node baremetal.Node) (vm, error) {
	d, err := documentOf(node)
	if err != nil {
		return vm{}, err
	}
	if d.Claim[cid] == 0 {
		return vm{}, fmt.Errorf("node %s has instance_uuid %s, but extra.%s does not name that VM: not this CPI's; look who claimed it",
			node.Label(), cid, documentKey)
	}
	return vm{cid, node, d}, nil
}

// legacy takes a node whose own UUID is asked for: a VM of the CPI of 2016, unless a VM of ours is on it now.
// That CPI took its marks off before the tear-down, so a node that runs for nobody is a VM of its too.
func (c *CPI) legacy(cid string, node baremetal.Node) (vm, error) {
	d, err := documentOf(node)
	if err != nil {
		return vm{}, err
	}
	if d.Claim[cid] != 0 { // adopted by an earlier call
		return vm{cid, node, d}, nil
	}
	defined, marked := node.InstanceInfo["bosh_defined"]
	left := node.ProvisionState == baremetal.Active && node.InstanceUUID == ""
	if len(d.Claim) > 0 || !marked && !left {
		return vm{}, fmt.Errorf("%w: %s", ErrVMNotFound, cid)
	}
	d = document{Version: documentVersion, Director: c.Director, Claim: map[string]int{cid: 1}, Step: stepReady, Deployed: true}
	if _, named := node.InstanceInfo["bosh_director"]; named {
		d.GivenName = node.Name
	}
	attached, _ := node.InstanceInfo["disks"].([]any)
	for _, text := range attached {
		if parsed, err := disk.ParseCID(fmt.Sprint(text)); err == nil {
			d.Disks = append(d.Disks, diskRecord{CID: parsed.String(), Device: parsed.Device(), Attached: true})
			d.Saved = saved{Clean: true, Was: node.AutomatedClean}
		}
	}
	switch fmt.Sprint(defined) {
	case "1":
		d.Origin.State = baremetal.Manageable
	case "2":
		d.Origin.Created = true
	default:
		d.Origin.State = baremetal.Available
	}
	return vm{cid, node, d}, nil
}

// search reads all nodes' documents for the CID.
func (c *CPI) search(ctx context.Context, cid string) (vm, error) {
	var found *baremetal.Node
	err := c.Nodes.EachNode(ctx, client.NodeQuery{}, func(n baremetal.Node) error {
		if d, err := documentOf(n); err == nil && d.Claim[cid] != 0 {
			found = &n
		}
		return nil
	})
	if err != nil {
		return vm{}, fmt.Errorf("find VM %s: %w", cid, err)
	}
	if found == nil {
		return vm{}, fmt.Errorf("%w: %s", ErrVMNotFound, cid)
	}
	node, err := c.Nodes.Node(ctx, found.UUID)
	if err != nil && !errors.Is(err, baremetal.ErrNotFound) {
		return vm{}, fmt.Errorf("find VM %s: %w", cid, err)
	}
	d, err := documentOf(node)
	if err == nil && d.Claim[cid] == 0 { // another process has just ended its deletion
		err = fmt.Errorf("%w: %s", ErrVMNotFound, cid)
	}
	return vm{cid, node, d}, err
}

// save writes the VM's document. A legacy VM gets its first one here, and its disks their protection.
func (c *CPI) save(ctx context.Context, v *vm, more ...baremetal.Change) error {
	var n baremetal.Node
	var err error
	if _, has := v.node.Extra[documentKey]; has {
		n, err = c.write(ctx, v.node.UUID, v.cid, v.document, more...)
	} else {
		if v.document.Saved.Clean {
			more = append(more, baremetal.Add("/automated_clean", false))
		}
		n, err = c.Nodes.Patch(ctx, v.node.UUID, append(baremetal.Patch{baremetal.Add(documentPath, v.document)}, more...))
	}
	if err != nil {
		return err
	}
	v.node = n
	return nil
}
