package conductor

import (
	"context"
	"fmt"

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
		}),
		Plugin: rawJSON(map[string]any{}),
	}
}
