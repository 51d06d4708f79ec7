package cpi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/baremetal/client"
	"bosh-ironic-cpi/src/disk"
	"bosh-ironic-cpi/src/placement"
)

// A pool is what a VM can choose from, as it stood when it was read.
type pool struct {
	ask   placement.Ask
	nodes map[string]baremetal.Node
	free  []placement.Candidate // with what is in use, and why: placement names it in its "no"
	stale []placement.Candidate // left by a process that is gone; free once vacated
}

// pool reads the nodes that may serve: those with the MACs asked for, or all.
func (c *CPI) pool(ctx context.Context, w wanted) (*pool, error) {
	ask, err := c.ask(ctx, w)
	if err != nil {
		return nil, err
	}
	founding, err := c.foundingDisks(ctx, w.DiskCIDs)
	if err != nil {
		return nil, err
	}
	p := &pool{ask: ask, nodes: map[string]baremetal.Node{}}
	add := func(n baremetal.Node) error {
		p.nodes[n.UUID] = n
		candidate, stale := c.candidate(n, w)
		candidate.HoldsDisks = append(candidate.HoldsDisks, founding[n.UUID]...)
		if stale {
			p.stale = append(p.stale, candidate)
		} else {
			p.free = append(p.free, candidate)
		}
		return nil
	}
	if ask.Nodes == nil {
		q := client.NodeQuery{Whole: ask.Zone.Field == "chassis"} // a list of single fields lacks it (Ironic 21.4)
		if err := c.Nodes.EachNode(ctx, q, add); err != nil {
			return nil, fmt.Errorf("list nodes: %w", err)
		}
		return p, nil
	}
	for _, uuid := range ask.Nodes {
		n, err := c.Nodes.Node(ctx, uuid)
		if errors.Is(err, baremetal.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		_ = add(n)
	}
	return p, nil
}

// ask puts the VM's wishes into placement's words.
func (c *CPI) ask(ctx context.Context, w wanted) (placement.Ask, error) {
	ask := placement.Ask{
		Properties: w.properties.IronicProperties, Traits: w.properties.Traits, ResourceClass: w.properties.ResourceClass,
		Capabilities: map[string]string{},
		Architecture: w.stemcell.Architecture, BootModes: w.stemcell.BootModes,
		DiskCIDs: w.DiskCIDs, Director: c.Director, Seed: w.AgentID,
	}
	for name, value := range w.properties.Capabilities {
		ask.Capabilities[name] = fmt.Sprint(value)
	}
	if zone := w.properties.AvailabilityZone; zone != "" && c.Options.ZoneField != "" {
		ask.Zone = placement.Zone{Field: c.Options.ZoneField, Value: zone}
	}
	if len(w.properties.MACs) > 0 {
		nodes, err := c.nodesByMAC(ctx, w.properties.MACs)
		if err != nil {
			return ask, err
		}
		ask.Nodes = nodes
	}
	return ask, nil
}

// nodesByMAC gives the UUIDs of the servers that have one of the MACs, in the MACs' order.
func (c *CPI) nodesByMAC(ctx context.Context, macs []string) ([]string, error) {
	nodes := []string{}
	for _, mac := range macs {
		port, err := c.Nodes.PortByMAC(ctx, strings.ToLower(mac))
		if errors.Is(err, baremetal.ErrNotFound) {
			c.Log.WarnContext(ctx, "no node has this MAC address", "mac", mac)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("find the node with MAC address %s: %w", mac, err)
		}
		if !slices.Contains(nodes, port.NodeUUID) {
			nodes = append(nodes, port.NodeUUID)
		}
	}
	if len(nodes) == 0 {
		return nil, fmt.Errorf("%w: macs: no node of this Ironic has one of %s", ErrProperties, strings.Join(macs, ", "))
	}
	return nodes, nil
}

// candidate puts a node into placement's words. stale says that a process that is gone has left it and this
// call may vacate it.
func (c *CPI) candidate(n baremetal.Node, w wanted) (candidate placement.Candidate, stale bool) {
	candidate = placement.Candidate{Node: n}
	d, err := documentOf(n)
	if err != nil {
		candidate.Claimed = err.Error()
		return candidate, false
	}
	candidate.HoldsDisks = d.diskCIDs()
	if f := d.Failed; f != nil && time.Since(f.At) < c.Options.FailedLast {
		candidate.FailedAt = f.At
	}
	if len(d.Claim) > 0 {
		candidate.HeldBy = d.Director
	}
	switch {
	case d.held():
		if n.InstanceUUID == holdID(n.UUID) {
			candidate.Node.InstanceUUID = ""
		}
		if len(w.DiskCIDs) > 0 && d.has(w.DiskCIDs) {
			candidate.HeldBy = c.Director // who knows a disk's CID owns the disk, also under a Director's new UUID
		}
	case d.inProgress():
		if c.abandoned(d, w) {
			return vacated(candidate), true
		}
		candidate.Claimed = fmt.Sprintf("VM %s, step %q", d.vmCID(), d.Step)
	case len(d.Claim) > 0:
		candidate.Claimed = "VM " + d.vmCID()
	}
	return candidate, false
}

// abandoned reports whether the process that works on the node must be gone: its deadline has passed, or the
// Director asks for the same agent again, which it does only after the first try ended. Another Director's nodes
// are its own: its settings may be in another repository, and its clock may differ.
func (c *CPI) abandoned(d document, w wanted) bool {
	return d.Director == c.Director && (d.expired(time.Now()) || d.AgentID != "" && d.AgentID == w.AgentID)
}

// vacated is the candidate as it will stand once what is on it is gone.
func vacated(candidate placement.Candidate) placement.Candidate {
	n := &candidate.Node
	n.InstanceUUID, n.Reservation, n.ProvisionState = "", "", baremetal.Available
	candidate.Claimed, candidate.HeldBy = "", ""
	return candidate
}

// recoverOwn vacates the nodes that an earlier try for the same agent left, before anything else: two servers
// with one agent's settings must never run.
func (c *CPI) recoverOwn(ctx context.Context, w wanted, p *pool) error {
	for i := 0; i < len(p.stale); i++ {
		n := p.nodes[p.stale[i].Node.UUID]
		d, _ := documentOf(n)
		if d.Director != c.Director || d.AgentID != w.AgentID {
			continue
		}
		if err := c.clear(ctx, p, n, d); err != nil {
			return err
		}
		i--
	}
	return nil
}

// takeOver vacates expired nodes that would fit, best first, until one is free.
func (c *CPI) takeOver(ctx context.Context, p *pool) ([]placement.Candidate, error) {
	nodes, err := placement.Candidates(p.stale, p.ask)
	if err != nil {
		return nil, err
	}
	var failed error
	for _, n := range nodes {
		node := p.nodes[n.Node.UUID]
		d, _ := documentOf(node)
		if err := c.clear(ctx, p, node, d); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		if free, err := placement.Candidates(p.free, p.ask); err == nil {
			return free, nil
		}
	}
	return nil, errors.Join(errBusyPool, failed)
}

// clear vacates a stale node and moves it to the free ones.
func (c *CPI) clear(ctx context.Context, p *pool, n baremetal.Node, d document) error {
	c.Log.InfoContext(ctx, "taking over a node that another process left", "node", n.UUID, "step", d.Step, "vm", d.vmCID())
	if err := c.vacate(ctx, vm{d.vmCID(), n, d}, ""); err != nil && !errors.Is(err, errOvertaken) {
		return fmt.Errorf("take over node %s: %w", n.Label(), err)
	}
	p.stale = slices.DeleteFunc(p.stale, func(s placement.Candidate) bool { return s.Node.UUID == n.UUID })
	now, err := c.Nodes.Node(ctx, n.UUID)
	if errors.Is(err, baremetal.ErrNotFound) {
		return nil // the CPI had made it
	}
	if err != nil {
		return err
	}
	p.nodes[n.UUID] = now
	candidate, _ := c.candidate(now, wanted{})
	p.free = append(p.free, candidate)
	return nil
}

// powerDownStale sends the servers home that expired claims left running: they may hold an address that a
// new VM gets. A later call waits for them and gives them back.
func (c *CPI) powerDownStale(ctx context.Context, p *pool) {
	for _, s := range p.stale {
		n := p.nodes[s.Node.UUID]
		switch n.ProvisionState {
		case baremetal.Active, baremetal.DeployFailed, baremetal.WaitCallBack:
			err := c.Nodes.Provision(ctx, n.UUID, baremetal.Provision{Target: baremetal.VerbDeleted})
			c.Log.InfoContext(ctx, "tearing down what a process left", "node", n.UUID, "err", err)
		}
	}
}

// explain tells a pool that is too small from one that is too busy, where waiting helps.
func (p *pool) explain(err error) error {
	if !errors.Is(err, placement.ErrNoneFits) {
		return err
	}
	idle := slices.Clone(p.stale)
	for _, f := range p.free {
		if f.HeldBy != "" && f.HeldBy != p.ask.Director && f.Claimed == "" { // kept for another Director's disks
			continue
		}
		if busy(f) {
			f = vacated(f)
		}
		idle = append(idle, f)
	}
	if _, none := placement.Candidates(idle, p.ask); none == nil {
		return fmt.Errorf("%w: %w", errBusyPool, err)
	}
	return err
}

// busy reports whether a node may be free after a while without anybody's doing.
func busy(f placement.Candidate) bool {
	n := f.Node
	onItsWay := n.TargetProvisionState != "" && !n.ProvisionState.Failed()
	return f.Claimed != "" || n.InstanceUUID != "" || n.Reservation != "" || onItsWay
}

// foundingDisks says in which servers the disks of the CPI of 2016 are: no node has a record of them, but
// their CIDs name a MAC.
func (c *CPI) foundingDisks(ctx context.Context, cids []string) (map[string][]string, error) {
	servers := map[string][]string{}
	for _, cid := range cids {
		parsed, err := disk.ParseCID(cid)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrDiskNotFound, err)
		}
		if parsed.Kind != "" {
			continue
		}
		port, err := c.Nodes.PortByMAC(ctx, parsed.MAC)
		if errors.Is(err, baremetal.ErrNotFound) {
			return nil, fmt.Errorf("%w: %s: no node has MAC address %s", ErrDiskNotFound, cid, parsed.MAC)
		}
		if err != nil {
			return nil, fmt.Errorf("find disk %s: %w", cid, err)
		}
		servers[port.NodeUUID] = append(servers[port.NodeUUID], cid)
	}
	return servers, nil
}
