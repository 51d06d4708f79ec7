package fake

import (
	"testing"
	"time"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/drivertest"
	"bosh-ironic-cpi/src/wait"
)

func TestConformance(t *testing.T) {
	drivertest.Run(t, drivertest.Rig{
		Spec: Spec,
		Node: func(*testing.T) *driver.Node {
			return &driver.Node{UUID: "n1", Info: map[string]any{"fake_password": "hunter2", "fake_expects": "hunter2", "fake_delay": "1ms"}}
		},
		WrongPassword: func(n *driver.Node) { n.Info["fake_password"] = "letmein" },
		Silent:        func(n *driver.Node) { n.Info["fake_silent"] = true },
		Unreachable:   func(n *driver.Node) { n.Info["fake_unreachable"] = "true" },
		Pace:          wait.Pace{Every: 5 * time.Millisecond, Limit: 10 * time.Second},
	})
}
