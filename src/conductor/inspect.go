package conductor

import "bosh-ironic-cpi/src/inventory"

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
