package main

import (
	"context"
	"fmt"
	"strconv"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/inventory"
)

// inspect is "inspect".
type inspect struct {
	hardwareFlags
	ID string `arg:"" optional:"" name:"server" help:"Name or UUID in the inventory."`
}

// Help is the end of the command's help.
func (inspect) Help() string {
	return "Examples:\n  nodectl inspect rack-3-unit-7 --inventory nodes.yaml\n  nodectl inspect rack-3-unit-7 --inventory nodes.yaml -o json | jq .disks"
}

// Run shows what the hardware tells of itself, without a boot.
func (i *inspect) Run(ctx context.Context, c *console) error {
	return i.onServer(ctx, c, i.ID, func(ctx context.Context, s *server) error {
		able, err := can[driver.Inspector](s, "inspect", "inspection")
		if err != nil {
			return err
		}
		found, err := able.Inspect(ctx, s.Node)
		if err != nil {
			return err
		}
		return c.print(answer{rows: inventoryRows(found), value: inventoryValue(found), names: []string{s.name}})
	})
}

// inventoryRows are lines for people.
func inventoryRows(inv inventory.Inventory) [][]string {
	rows := [][]string{
		{"cpu architecture", inv.Architecture}, {"cpus", number(inv.CPUs)}, {"memory", number(inv.MemoryMB) + " MiB"}, {"boot mode", inv.BootMode},
	}
	for _, d := range inv.Disks {
		rows = append(rows, []string{"disk " + d.Name, fmt.Sprintf("%d GiB %s %s %s", d.SizeBytes>>30, d.Vendor, d.Model, d.Serial)})
	}
	for _, n := range inv.Interfaces {
		rows = append(rows, []string{"interface " + n.Name, n.MAC})
	}
	return rows
}

// inventoryValue is for scripts.
func inventoryValue(inv inventory.Inventory) map[string]any {
	disks, interfaces := []any{}, []any{}
	for _, d := range inv.Disks {
		disks = append(disks, map[string]any{
			"name": d.Name, "size": d.SizeBytes, "wwn": d.WWN, "serial": d.Serial, "vendor": d.Vendor, "model": d.Model, "rotational": d.Rotational,
		})
	}
	for _, n := range inv.Interfaces {
		interfaces = append(interfaces, map[string]any{"name": n.Name, "mac_address": n.MAC})
	}
	return map[string]any{
		"cpu_arch": inv.Architecture, "cpus": inv.CPUs, "memory_mb": inv.MemoryMB, "boot_mode": inv.BootMode, "disks": disks, "interfaces": interfaces,
	}
}

func number(n int) string { return strconv.Itoa(n) }
