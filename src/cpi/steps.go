package cpi

import (
	"context"
	"fmt"
	"slices"
)

// The steps of create_vm and delete_vm, in order. Each stands in the log, in the node's document and in the
// messages of the undo; the kill test ends the process before and after every one.
const (
	stepDefine = "define node"
	stepClaim  = "claim node"
	stepReady  = "ready"
	stepHeld   = "held for disks"

	stepProvide = "provide node"
	stepStore   = "store settings"
	stepDeploy  = "deploy"
	stepFinish  = "finish"

	stepMark     = "mark for deletion"
	stepTearDown = "tear down"
	stepClean    = "clean by hand"
	stepRemove   = "remove settings"
	stepReturn   = "return node"
	stepForget   = "forget VM"
)

var (
	createSteps = []string{stepDefine, stepClaim, stepProvide, stepStore, stepDeploy, stepFinish}
	deleteSteps = []string{stepMark, stepTearDown, stepClean, stepRemove, stepReturn, stepForget}
)

// FaultPoints lists the places where a test may end the process: before and after each step of each action,
// in the form "create_vm/deploy/before". The program must be built with the tag faults to have them.
func FaultPoints() []string {
	var points []string
	for _, a := range []struct {
		action string
		steps  []string
	}{{"create_vm", createSteps}, {"delete_vm", deleteSteps}} {
		for _, s := range a.steps {
			points = append(points, a.action+"/"+s+"/before", a.action+"/"+s+"/after")
		}
	}
	return points
}

// step carries out one named step between its two fault points.
func (c *CPI) step(ctx context.Context, name, node string, do func(context.Context) error) error {
	action := "create_vm"
	if slices.Contains(deleteSteps, name) {
		action = "delete_vm"
	} else if !slices.Contains(createSteps, name) {
		return fmt.Errorf("step %q has no fault point: list it in steps.go", name)
	}
	c.Log.DebugContext(ctx, "step", "step", name, "node", node)
	faultPoint(action + "/" + name + "/before")
	if err := do(ctx); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	faultPoint(action + "/" + name + "/after")
	return nil
}
