package main

import (
	"context"
	"fmt"
	"time"

	"bosh-ironic-cpi/src/baremetal"
)

// nodePower is "node power".
type nodePower struct {
	ID     string        `arg:"" name:"node" help:"UUID or name."`
	Switch string        `arg:"" enum:"on,off,reboot" help:"${enum}."`
	Soft   bool          `help:"Ask the operating system to shut down; with off and reboot."`
	Wait   bool          `help:"Wait until it is so."`
	Limit  time.Duration `default:"5m" help:"How long to wait."`
}

// Help is the end of the command's help.
func (nodePower) Help() string {
	return "Examples:\n  nodectl node power rack-3-unit-7 on --wait\n  nodectl node power rack-3-unit-7 reboot --soft"
}

var powerTargets = map[string]baremetal.PowerTarget{
	"on": baremetal.TargetOn, "off": baremetal.TargetOff, "reboot": baremetal.TargetReboot,
}

var softTargets = map[string]baremetal.PowerTarget{
	"off": baremetal.TargetSoftOff, "reboot": baremetal.TargetSoftReboot,
}

// Run asks for a power state.
func (p *nodePower) Run(ctx context.Context, c *console) error {
	if p.Soft && p.Switch == "on" {
		return wrong(fmt.Errorf("node %s: --soft goes with off and reboot", p.ID))
	}
	service, err := c.connect()
	if err != nil {
		return err
	}
	defer service.Close()
	n, err := service.Node(ctx, p.ID)
	if err != nil {
		return err
	}
	target := powerTargets[p.Switch]
	if p.Soft {
		target = softTargets[p.Switch]
	}
	if err := service.Power(ctx, n.UUID, target); err != nil {
		return about(n, err)
	}
	if !p.Wait {
		c.note("node %s: asked for %s", n.Label(), target)
		return nil
	}
	_, err = c.follow(ctx, service, n, func(ctx context.Context) (baremetal.Node, error) {
		return service.WaitPower(ctx, n.UUID, target.End(), p.Limit)
	})
	return about(n, err)
}
