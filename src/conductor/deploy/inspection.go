package deploy

import (
	"context"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
)

// An Inspection looks into a server by booting the ramdisk, which sends what it found to the machines' face: inspect
// interface agent (ironic/drivers/modules/inspector/agent.py).
type Inspection struct {
	Ramdisk Ramdisk
}

var _ conductor.Worker = Inspection{}

// Needs implements conductor.Worker: the ramdisk is booted, and nobody asks it to switch the server off again.
func (Inspection) Needs(*conductor.Node) []baremetal.PowerTarget {
	return []baremetal.PowerTarget{baremetal.TargetOn, baremetal.TargetOff}
}

// Prepare implements conductor.Worker.
func (Inspection) Prepare(context.Context, *conductor.Task, string) error { return nil }

// Steps implements conductor.Worker.
func (Inspection) Steps(*conductor.Task, string, []conductor.Step) ([]conductor.Step, error) {
	return []conductor.Step{{Interface: "inspect", Step: "inspect_hardware"}}, nil
}

// Run implements conductor.Worker. What the ramdisk found is stored by the conductor before the event comes.
func (i Inspection) Run(ctx context.Context, t *conductor.Task, _ conductor.Step) (conductor.Result, error) {
	if t.Event != conductor.EventInspected {
		return conductor.Wait(conductor.EventInspected, 0), i.Ramdisk.boot(ctx, t)
	}
	return conductor.Done, t.RamdiskError(ctx)
}

// TakeOver implements conductor.Worker: the step is run again, which boots the ramdisk again.
func (Inspection) TakeOver(context.Context, *conductor.Task) error { return nil }

// CleanUp implements conductor.Worker: nothing is left running.
func (i Inspection) CleanUp(ctx context.Context, t *conductor.Task, _ bool) error {
	return i.Ramdisk.end(ctx, t)
}
