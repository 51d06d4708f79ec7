package main

import (
	"context"
	"slices"

	"bosh-ironic-cpi/src/baremetal"
)

// nodeShow is "node show".
type nodeShow struct {
	ID string `arg:"" name:"node" help:"UUID or name."`
}

// Help is the end of the command's help.
func (nodeShow) Help() string {
	return "Examples:\n  nodectl node show rack-3-unit-7\n  nodectl node show rack-3-unit-7 -o json | jq .extra.bosh_cpi"
}

// Run shows all that the service tells of a node, and its ports. Secrets are masked.
func (s *nodeShow) Run(ctx context.Context, c *console) error {
	service, err := c.connect()
	if err != nil {
		return err
	}
	defer service.Close()
	n, err := service.Node(ctx, s.ID)
	if err != nil {
		return err
	}
	ports, err := service.Ports(ctx, n.UUID)
	if err != nil {
		return about(n, err)
	}
	return c.printNode(n, ports)
}

// nodeOrder is the order of a node's fields in a table; others follow by name, maps last.
var nodeOrder = []string{
	"uuid", "name", "driver", "provision_state", "target_provision_state", "power_state", "target_power_state",
	"last_error", "maintenance", "maintenance_reason", "fault", "instance_uuid", "reservation", "resource_class", "traits",
}

// printNode prints one node; ports may be nil.
func (c *console) printNode(n baremetal.Node, ports []baremetal.Port) error {
	shown, err := masked(n)
	if err != nil {
		return err
	}
	a := answer{value: shown, names: []string{reference(n)}}
	keys := sortedKeys(shown)
	slices.SortStableFunc(keys, func(a, b string) int { return place(shown, a) - place(shown, b) })
	for _, key := range keys {
		values, isMap := shown[key].(map[string]any)
		if !isMap {
			a.rows = append(a.rows, []string{key, words(shown[key])})
			continue
		}
		for _, inner := range sortedKeys(values) {
			a.rows = append(a.rows, []string{key + "/" + inner, words(values[inner])})
		}
	}
	for _, p := range ports {
		a.rows = append(a.rows, []string{"port", p.Address + pxe(p) + network(p)})
	}
	if ports != nil {
		shown["ports"] = ports
	}
	return c.print(a)
}

func place(shown map[string]any, key string) int {
	if i := slices.Index(nodeOrder, key); i >= 0 {
		return i
	}
	if _, isMap := shown[key].(map[string]any); isMap {
		return len(nodeOrder) + 1
	}
	return len(nodeOrder)
}

func pxe(p baremetal.Port) string {
	if p.PXEEnabled {
		return ", boots from the network"
	}
	return ""
}

func network(p baremetal.Port) string {
	if p.PhysicalNetwork == "" {
		return ""
	}
	return ", in " + p.PhysicalNetwork
}
