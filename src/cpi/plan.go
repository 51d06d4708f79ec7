package cpi

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"bosh-ironic-cpi/src/agentenv"
	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/disk"
	"bosh-ironic-cpi/src/inventory"
	"bosh-ironic-cpi/src/placement"
)

// A plan is how a VM will stand on one node.
type plan struct {
	networks  agentenv.Assignment
	delivery  agentenv.Delivery
	system    string            // path of the root disk
	ephemeral string            // path of the ephemeral disk; empty: on the root disk
	rootHint  map[string]string // what the root disk is known by; empty: Ironic chooses
	macs      []string
}

// plan fits the VM onto a node without touching it. An error that wraps ErrUnsuitable means that another
// node may do.
func (c *CPI) plan(ctx context.Context, w wanted, node baremetal.Node, d document) (plan, error) {
	var p plan
	ports, err := c.Nodes.Ports(ctx, node.UUID)
	if err != nil {
		return p, fmt.Errorf("node %s: read its ports: %w", node.Label(), err)
	}
	for _, port := range ports {
		p.macs = append(p.macs, port.Address)
	}
	if p.networks, err = c.networks(w, node, ports); err != nil {
		return p, err
	}
	devices, source, err := c.devices(ctx, node)
	if err != nil {
		return p, err
	}
	inUse, err := d.inUse()
	if err != nil {
		return p, err
	}
	ephemeral, ok, err := disk.Ephemeral(devices, w.properties.EphemeralDevice, inUse)
	if err != nil {
		return p, unsuitable(node, err)
	}
	if ok {
		p.ephemeral = ephemeral.Hint()
	}
	ask := agentenv.Ask{
		Want:            cmp.Or(w.properties.SettingsDelivery, c.Options.Delivery),
		DeployInterface: node.DeployInterface, NoDeploySteps: !c.Nodes.DeploySteps(), BootMode: placement.BootMode(&node),
		EphemeralOnRoot: p.ephemeral == "", Files: len(p.networks.Files),
		StemcellAPIVersion: w.StemcellAPIVersion, ImageBootModes: w.stemcell.BootModes,
	}
	if source != disk.FromPaths {
		ask.Disks = len(devices)
	}
	for _, dev := range devices {
		if dev.Root {
			p.system, ask.RootDiskBytes = cmp.Or(dev.Name, dev.Hint()), dev.SizeBytes
			p.rootHint = rootHint(dev, node, d)
		}
	}
	if p.delivery, err = agentenv.Choose(ask); err != nil {
		return p, unsuitable(node, err)
	}
	if w.StemcellAPIVersion == 1 && c.Registry == nil {
		return p, fmt.Errorf("%w: a stemcell of API version 1 needs registry.url", ErrConfiguration)
	}
	return p, nil
}

// rootHint keeps Ironic from writing the image to another disk than the plan says: without hints it takes the
// smallest, and one of equals as it likes. What the operator has set on the node stays. A name may mean another
// disk after a boot, so it is only used where a persistent disk that is not in skip_block_devices could be taken.
func rootHint(root disk.Device, node baremetal.Node, d document) map[string]string {
	if node.Properties["root_device"] != nil {
		return nil
	}
	if hint, ok := root.SkipHint(); ok {
		return hint
	}
	if d.Saved.Clean && root.Name != "" {
		return map[string]string{"name": root.Name}
	}
	return nil
}

func unsuitable(node baremetal.Node, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrUnsuitable, node.Label(), err)
}

// networks binds the VM's networks to the node's ports.
func (c *CPI) networks(w wanted, node baremetal.Node, ports []baremetal.Port) (agentenv.Assignment, error) {
	var nics []agentenv.NIC
	for _, p := range ports {
		nics = append(nics, agentenv.NIC{MAC: p.Address, PXE: p.PXEEnabled, PhysicalNetwork: p.PhysicalNetwork})
	}
	options := agentenv.Options{Spare: cmp.Or(w.properties.SpareNICs, c.Options.SpareNICs), Bonds: w.properties.Bonds}
	a, err := agentenv.Assign(w.networks, nics, options)
	switch {
	case errors.Is(err, agentenv.ErrNetworks):
		return a, fmt.Errorf("%w: %w", ErrProperties, err)
	case err != nil:
		return a, unsuitable(node, err)
	}
	return a, nil
}

// devices lists a node's disks: from its inventory, else as its operator declared them, else by path.
func (c *CPI) devices(ctx context.Context, node baremetal.Node) ([]disk.Device, disk.Source, error) {
	known := disk.Known{
		Properties: node.Properties,
		Paths:      []string{c.Options.SystemPath, c.Options.EphemeralPath, c.Options.PersistentPath},
	}
	raw, err := c.Nodes.Inventory(ctx, node.UUID)
	switch {
	case err == nil:
		i, err := inventory.Decode(raw)
		if err != nil {
			return nil, "", fmt.Errorf("node %s: inventory: %w", node.Label(), err)
		}
		known.Inventory = &i
	case !errors.Is(err, baremetal.ErrNotFound):
		return nil, "", fmt.Errorf("node %s: read its inventory: %w", node.Label(), err)
	}
	devices, source, err := disk.Devices(known)
	if err != nil {
		return nil, source, unsuitable(node, err)
	}
	return devices, source, nil
}

// inUse gives the CIDs of the persistent disks on the node.
func (d document) inUse() ([]disk.CID, error) {
	return parseCIDs(d.diskCIDs())
}

func parseCIDs(texts []string) ([]disk.CID, error) {
	var cids []disk.CID
	for _, text := range texts {
		cid, err := disk.ParseCID(text)
		if err != nil {
			return nil, err
		}
		cids = append(cids, cid)
	}
	return cids, nil
}
