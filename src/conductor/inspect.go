package conductor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/inventory"
)

// inspector is the node's inspect interface: one that boots a ramdisk, or hardware that can answer.
func (c *Conductor) inspector(n *Node) (Worker, error) {
	if w, ok := c.cfg.Inspectors[n.Interface("inspect")]; ok {
		return w, nil
	}
	if asks, ok := c.hardware(n, "inspect").(driver.Inspector); ok {
		return outOfBand{asks}, nil
	}
	return nil, fmt.Errorf("inspect interface %s of node %s inspects nothing", n.Interface("inspect"), n.UUID)
}

// An outOfBand asks the hardware itself, in one step.
type outOfBand struct{ driver.Inspector }

func (outOfBand) Needs(*Node) []baremetal.PowerTarget { return nil }

func (outOfBand) Prepare(context.Context, *Task, string) error { return nil }

func (outOfBand) Steps(*Task, string, []Step) ([]Step, error) {
	return []Step{{Interface: "inspect", Step: "inspect_hardware"}}, nil
}

func (o outOfBand) Run(ctx context.Context, t *Task, _ Step) (Result, error) {
	var found NodeInventory
	err := t.onHardware(ctx, func(n *driver.Node) error {
		inv, err := o.Inspect(ctx, n)
		found = inventoryOf(t.Node.UUID, inv)
		return err
	})
	if err != nil {
		return Done, err
	}
	return Done, t.save(ctx, func(tx Tx, _ *Node) error { return Put(tx, &found) })
}

func (outOfBand) TakeOver(context.Context, *Task) error { return nil }

func (outOfBand) CleanUp(context.Context, *Task, bool) error { return nil }

// Inspected takes what a ramdisk found, and continues the node that waits for it: the one with this UUID, if it is not
// empty, and one of these MACs. A stranger learns nothing of which nodes there are: whatever does not fit is
// [baremetal.ErrNotFound], at once. A node whose ramdisk is just being booted is [ErrBusy]: ramdisks call again after that.
func (c *Conductor) Inspected(ctx context.Context, uuid string, macs []string, found NodeInventory) (node string, err error) {
	if err := c.begin(); err != nil {
		return "", err
	}
	n, err := c.inspected(ctx, uuid, macs, found)
	if err != nil {
		c.end()
		return "", err
	}
	c.carryOnAfter(EventInspected, n)
	return n.UUID, nil
}

func (c *Conductor) inspected(ctx context.Context, uuid string, macs []string, found NodeInventory) (*Node, error) {
	err := c.store.View(ctx, func(tx Tx) error {
		byMAC, err := nodeByMAC(tx, macs)
		if err != nil {
			return err
		}
		n, err := tx.Node(byMAC)
		if errors.Is(err, baremetal.ErrNotFound) {
			return errNoLookup
		}
		if err != nil {
			return err
		}
		w := n.Details.Work
		inspects := w != nil && w.Kind == WorkInspect && (n.ProvisionState == baremetal.InspectWait || n.ProvisionState == baremetal.Inspecting)
		if !inspects || (uuid != "" && uuid != byMAC) { // the lock of any other node would tell that it is there
			return errNoLookup
		}
		uuid = byMAC
		return nil
	})
	if err != nil {
		return nil, err
	}
	n, err := c.lock(ctx, uuid, func(tx Tx, n *Node) error {
		if w := n.Details.Work; n.ProvisionState != baremetal.InspectWait || w == nil || w.Event != EventInspected {
			return errNoLookup
		}
		found.NodeUUID = n.UUID
		c.wake(n)
		return Put(tx, &found)
	})
	switch {
	case errors.Is(err, baremetal.ErrLocked):
		return nil, refuse(ErrBusy, "the node is being worked on; call again")
	case errors.Is(err, baremetal.ErrNotFound):
		return nil, errNoLookup
	}
	return n, err
}

// RamdiskError is what the ramdisk said went wrong in the inspection that it reported.
func (t *Task) RamdiskError(ctx context.Context) error {
	var found *NodeInventory
	err := t.c.store.View(ctx, func(tx Tx) (err error) {
		found, err = Get[NodeInventory](tx, t.Node.UUID)
		return err
	})
	if err != nil {
		return err
	}
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(found.Plugin, &said) == nil && said.Error != "" {
		return fmt.Errorf("Ramdisk reported error: %s", said.Error)
	}
	return nil
}

// inventoryOf writes what was found in ironic-python-agent's form, as the API answers it.
func inventoryOf(node string, inv inventory.Inventory) NodeInventory {
	interfaces := []map[string]any{}
	for _, i := range inv.Interfaces {
		interfaces = append(interfaces, map[string]any{"name": i.Name, "mac_address": i.MAC})
	}
	disks := []map[string]any{}
	for _, d := range inv.Disks {
		disks = append(disks, map[string]any{
			"name": d.Name, "size": d.SizeBytes, "wwn": d.WWN, "wwn_with_extension": d.WWNWithExtension, "serial": d.Serial,
			"vendor": d.Vendor, "model": d.Model, "rotational": d.Rotational, "by_path": d.ByPath, "hctl": d.HCTL,
		})
	}
	return NodeInventory{
		NodeUUID: node,
		Inventory: rawJSON(map[string]any{
			"interfaces": interfaces, "disks": disks,
			"cpu":    map[string]any{"count": inv.CPUs, "architecture": inv.Architecture},
			"memory": map[string]any{"physical_mb": inv.MemoryMB},
			"boot":   map[string]any{"current_boot_mode": inv.BootMode},
			"system_vendor": map[string]any{
				"manufacturer": inv.Manufacturer, "product_name": inv.Product, "serial_number": inv.Serial,
			},
		}),
		Plugin: rawJSON(map[string]any{}),
	}
}
