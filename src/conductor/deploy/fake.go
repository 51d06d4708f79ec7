package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/wait"
)

// Fake deploys nothing. driver_info may slow its steps down (fake_step_delay) or break them (fake_step_error).
type Fake struct{}

var _ conductor.Deployer = Fake{}

// Needs implements conductor.Worker.
func (Fake) Needs(*conductor.Node) []baremetal.PowerTarget { return nil }

// Validate implements conductor.Deployer.
func (Fake) Validate(*conductor.Node) error { return nil }

// Steps implements conductor.Deployer.
func (Fake) Steps(t *conductor.Task, kind string, asked []conductor.Step) ([]conductor.Step, error) {
	for _, s := range asked {
		if s.Interface != "deploy" || s.Step != "deploy" {
			return nil, unknownStep(t.Node, kind, s)
		}
	}
	if kind == conductor.WorkClean {
		return asked, nil
	}
	return []conductor.Step{{Interface: "deploy", Step: "deploy", Priority: 100}}, nil
}

func unknownStep(n *conductor.Node, kind string, s conductor.Step) error {
	return fmt.Errorf("node does not support this %s step: %s.%s (node %s)", kind, s.Interface, s.Step, n.UUID)
}

// Run implements conductor.Deployer.
func (Fake) Run(ctx context.Context, t *conductor.Task, _ conductor.Step) (conductor.Result, error) {
	info := t.Node.Details.DriverInfo.Map()
	if text, ok := info["fake_step_delay"].(string); ok {
		delay, err := time.ParseDuration(text)
		if err != nil {
			return conductor.Done, errors.New(`driver_info "fake_step_delay" is no duration such as 2s`)
		}
		if err := wait.Pause(ctx, delay); err != nil {
			return conductor.Done, err
		}
	}
	if text, ok := info["fake_step_error"].(string); ok && text != "" {
		return conductor.Done, errors.New(text)
	}
	return conductor.Done, nil
}

// Prepare implements conductor.Worker.
func (Fake) Prepare(context.Context, *conductor.Task, string) error { return nil }

// TakeOver implements conductor.Worker.
func (Fake) TakeOver(context.Context, *conductor.Task) error { return nil }

// TearDown implements conductor.Deployer.
func (Fake) TearDown(context.Context, *conductor.Task) error { return nil }

// CleanUp implements conductor.Deployer.
func (Fake) CleanUp(context.Context, *conductor.Task, bool) error { return nil }
