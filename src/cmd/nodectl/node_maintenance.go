package main

import (
	"context"
	"fmt"
)

// nodeMaintenance is "node maintenance".
type nodeMaintenance struct {
	ID     string `arg:"" name:"node" help:"UUID or name."`
	Switch string `arg:"" enum:"on,off" help:"${enum}."`
	Reason string `placeholder:"TEXT" help:"Why, for whoever comes next; with on."`
}

// Help is the end of the command's help.
func (nodeMaintenance) Help() string {
	return "Examples:\n  nodectl node maintenance rack-3-unit-7 on --reason 'fan 2 is dead'\n  nodectl node maintenance rack-3-unit-7 off"
}

// Run switches maintenance. It is no error when it is so already.
func (m *nodeMaintenance) Run(ctx context.Context, c *console) error {
	on := m.Switch == "on"
	if m.Reason != "" && !on {
		return wrong(fmt.Errorf("node %s: --reason goes with on", m.ID))
	}
	service, err := c.connect()
	if err != nil {
		return err
	}
	defer service.Close()
	n, err := service.Node(ctx, m.ID)
	if err != nil {
		return err
	}
	if err := service.SetMaintenance(ctx, n.UUID, on, m.Reason); err != nil {
		return about(n, err)
	}
	c.note("node %s: maintenance is %s", n.Label(), m.Switch)
	return nil
}
