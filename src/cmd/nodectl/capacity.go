package main

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/baremetal/client"
	"bosh-ironic-cpi/src/placement"
)

// capacity is "capacity".
type capacity struct{}

// Help is the end of the command's help.
func (capacity) Help() string { return "Examples:\n  nodectl capacity\n  nodectl capacity -o json" }

// A classCount counts the nodes of one resource class. Each node counts once besides Nodes.
type classCount struct {
	ResourceClass string `json:"resource_class"`
	Nodes         int    `json:"nodes"`
	Free          int    `json:"free"` // a VM that asks for nothing could have it
	Used          int    `json:"used"` // a VM, of the CPI or of somebody else
	Kept          int    `json:"kept"` // for persistent disks
	Busy          int    `json:"busy"` // locked, or on its way to another state
	Out           int    `json:"out"`  // maintenance, failed, retired, protected, not enrolled to the end
}

// Run counts.
func (capacity) Run(ctx context.Context, c *console) error {
	service, err := c.connect()
	if err != nil {
		return err
	}
	defer service.Close()
	classes := map[string]*classCount{}
	err = service.EachNode(ctx, client.NodeQuery{}, func(n baremetal.Node) error {
		class := classes[n.ResourceClass]
		if class == nil {
			class = &classCount{ResourceClass: n.ResourceClass}
			classes[n.ResourceClass] = class
		}
		class.count(n)
		return nil
	})
	if err != nil {
		return err
	}
	a := answer{head: []string{"RESOURCE_CLASS", "NODES", "FREE", "USED", "KEPT", "BUSY", "OUT"}}
	list := []classCount{}
	for _, name := range slices.Sorted(maps.Keys(classes)) {
		class := *classes[name]
		list = append(list, class)
		a.names = append(a.names, name)
		row := []string{name}
		for _, number := range []int{class.Nodes, class.Free, class.Used, class.Kept, class.Busy, class.Out} {
			row = append(row, strconv.Itoa(number))
		}
		a.rows = append(a.rows, row)
	}
	a.value = list
	return c.print(a)
}

// count puts a node where it belongs.
func (k *classCount) count(n baremetal.Node) {
	k.Nodes++
	candidate := candidateOf(n, 0)
	_, err := placement.Candidates([]placement.Candidate{candidate}, placement.Ask{})
	h, unreadable := holdingOf(n)
	onItsWay := n.TargetProvisionState != "" && !n.ProvisionState.Failed()
	switch {
	case err == nil:
		k.Free++
	case h.vmCID() != "", unreadable != nil:
		k.Used++
	case len(h.Disks) > 0:
		k.Kept++
	case n.InstanceUUID != "":
		k.Used++
	case n.Maintenance, n.Retired, n.Protected, n.Fault != "":
		k.Out++
	case onItsWay, n.Reservation != "":
		k.Busy++
	default:
		k.Out++
	}
}
