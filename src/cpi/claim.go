package cpi

import (
	"context"
	"errors"
	"fmt"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/placement"
)

// claim finds a node for the VM and makes it ours.
//
// What must fit the server itself (NICs, disks, settings delivery) is planned before the claim, so that a
// node that cannot do is never touched. Nodes that other processes claim meanwhile are passed over.
func (c *CPI) claim(ctx context.Context, w wanted, u *undo) (*build, error) {
	if w.properties.IronicParams != nil {
		if err := c.step(ctx, stepDefine, "", func(ctx context.Context) error { return c.define(ctx, w, u) }); err != nil {
			return nil, err
		}
	}
	p, err := c.pool(ctx, w)
	if err != nil {
		return nil, err
	}
	if err := c.recoverOwn(ctx, w, p); err != nil {
		return nil, err
	}
	nodes, err := placement.Candidates(p.free, p.ask)
	if errors.Is(err, placement.ErrNoneFits) {
		if taken, takeErr := c.takeOver(ctx, p); !errors.Is(takeErr, placement.ErrNoneFits) {
			nodes, err = taken, takeErr
		}
	}
	if err != nil {
		return nil, p.explain(err)
	}
	c.powerDownStale(ctx, p)

	var unsuitable []error
	for _, n := range nodes {
		b, err := c.claimNode(ctx, w, p, n.Node.UUID, u)
		switch {
		case err == nil:
			return b, nil
		case errors.Is(err, ErrUnsuitable):
			unsuitable = append(unsuitable, err)
		case errors.Is(err, baremetal.ErrAssociated), errors.Is(err, errOvertaken), errors.Is(err, errChanged), errors.Is(err, baremetal.ErrNotFound):
			c.Log.InfoContext(ctx, "node was taken by somebody else", "node", n.Node.UUID, "err", err)
		default:
			return nil, err
		}
	}
	if len(unsuitable) > 0 {
		return nil, errors.Join(unsuitable...)
	}
	return nil, fmt.Errorf("%w: other processes were faster on %d of them", errBusyPool, len(nodes))
}

// errChanged says that a node is not any more what the list said.
var errChanged = errors.New("node has changed")

// claimNode makes one node ours, if it can run the VM and is still free.
func (c *CPI) claimNode(ctx context.Context, w wanted, p *pool, uuid string, u *undo) (*build, error) {
	b, err := c.draft(ctx, w, p, uuid)
	if err != nil {
		return nil, err
	}
	if b.kept {
		u.add("hold node "+b.node.Label()+" for its disks", func(ctx context.Context) error { return c.reserve(ctx, uuid) })
		if err := c.unhold(ctx, uuid); err != nil {
			return nil, err
		}
	}
	u.add("release node "+b.node.Label(), func(ctx context.Context) error { return c.abandon(ctx, b.cid, uuid, b.why) })
	listed := b.node.ProvisionState
	err = c.step(ctx, stepClaim, uuid, func(ctx context.Context) (err error) {
		b.node, err = c.Nodes.Claim(ctx, uuid, b.cid, b.claim)
		return err
	})
	if errors.Is(err, baremetal.ErrAssociated) {
		u.dropLast() // it is somebody else's: nothing to undo
	}
	if err != nil {
		return nil, err
	}
	if n := b.node; n.Maintenance || n.Retired || n.ProvisionState != listed {
		if err := c.abandon(ctx, b.cid, uuid, ""); err != nil {
			return nil, err
		}
		u.dropLast()
		return nil, fmt.Errorf("node %s: %w: %s", n.Label(), errChanged, n.ProvisionState)
	}
	c.Log.InfoContext(ctx, "node claimed", "node", uuid, "name", b.node.Name, "vm", b.cid)
	return b, nil
}

// draft plans the VM for one node without touching it, and writes down what its claim will say.
func (c *CPI) draft(ctx context.Context, w wanted, p *pool, uuid string) (*build, error) {
	node, err := c.stillFree(ctx, w, p, uuid)
	if err != nil {
		return nil, err
	}
	found := vm{cid: w.vmCID, node: node}
	if found.document, err = documentOf(node); err != nil {
		return nil, err
	}
	protection, err := found.adopt(w.DiskCIDs) // before the server is cleaned
	if err != nil {
		return nil, err
	}
	b := &build{wanted: w, vm: found, kept: found.document.held()}
	if b.plan, err = c.plan(ctx, w, node, found.document); err != nil {
		return nil, err
	}
	b.document = c.claimed(w, node, found.document, b.plan)
	b.claim = append(baremetal.Patch{baremetal.Add(documentPath, b.document)}, protection...)
	return b, nil
}

// stillFree reads a node again before it is tried: in a crowd most of the list is taken by now, and to see
// that costs less than to lose a claim.
func (c *CPI) stillFree(ctx context.Context, w wanted, p *pool, uuid string) (baremetal.Node, error) {
	node, err := c.Nodes.Node(ctx, uuid)
	if err != nil {
		return node, err
	}
	if candidate, stale := c.candidate(node, w); stale || candidate.Claimed != "" || candidate.Node.InstanceUUID != "" {
		return node, fmt.Errorf("node %s: %w: instance %s", node.Label(), errChanged, node.InstanceUUID)
	}
	if listed := p.nodes[uuid].ProvisionState; node.ProvisionState != listed {
		return node, fmt.Errorf("node %s: %w: %s", node.Label(), errChanged, node.ProvisionState)
	}
	return node, nil
}

// claimed is the document of a node that the VM claims.
func (c *CPI) claimed(w wanted, node baremetal.Node, old document, p plan) document {
	d := document{
		Version: documentVersion, Director: c.Director, Claim: map[string]int{w.vmCID: 1},
		AgentID: w.AgentID, Stemcell: w.StemcellCID,
		Origin:    origin{State: node.ProvisionState, Name: node.Name, Created: old.Origin.Created},
		Ephemeral: p.ephemeral, Disks: old.Disks, Used: old.Used, Saved: old.Saved,
	}
	if old.held() {
		d.Origin = old.Origin
	}
	return d.at(stepClaim, c.Options.Timeouts.Claim)
}

// reserve puts the holding instance_uuid on a node that is kept for its disks, unless it is a VM again.
func (c *CPI) reserve(ctx context.Context, uuid string) error {
	_, err := c.Nodes.Claim(ctx, uuid, holdID(uuid), nil)
	if errors.Is(err, baremetal.ErrAssociated) {
		return nil
	}
	return err
}

// unhold takes the holding instance_uuid off a node that is kept for this VM's disks. The document goes on
// saying that it is kept.
func (c *CPI) unhold(ctx context.Context, uuid string) error {
	hold := holdID(uuid)
	_, err := c.guarded(ctx, uuid, hold, baremetal.Patch{
		{Op: "replace", Path: documentPath + "/claim/" + hold, Value: 1}, baremetal.Remove("/instance_uuid"),
	})
	return err
}

// abandon gives a node back whose VM did not come about. It may never have been ours.
func (c *CPI) abandon(ctx context.Context, cid, uuid, why string) error {
	node, err := c.Nodes.Node(ctx, uuid)
	if errors.Is(err, baremetal.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	d, err := documentOf(node)
	if err != nil || d.Claim[cid] == 0 {
		return err
	}
	return c.vacate(ctx, vm{cid, node, d}, why)
}
