package redfish

import (
	"testing"
	"time"

	bmc "bosh-ironic-cpi/src/bmc/redfish"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/drivertest"
	"bosh-ironic-cpi/src/wait"
)

// The same suite for every vendor.
func TestConformance(t *testing.T) {
	spec := Spec
	spec.New = func() any { return quick }
	for _, model := range bmc.Models() {
		if model.RIBCL {
			continue
		}
		t.Run(model.Name, func(t *testing.T) {
			sites := map[string]*site{}
			drivertest.Run(t, drivertest.Rig{
				Spec: spec,
				Node: func(t *testing.T) *driver.Node {
					s := build(t, model, nil)
					sites[s.server.URL] = s
					t.Cleanup(func() {
						if open, ever := s.bmc.Sessions(); open != 0 {
							t.Errorf("%d of %d sessions are left open", open, ever)
						}
					})
					return s.node
				},
				WrongPassword: func(n *driver.Node) { n.Info["redfish_password"] = "letmeinletmein" },
				Silent:        func(n *driver.Node) { sites[n.Info["redfish_address"].(string)].bmc.Break(bmc.Faults{Stuck: true}) },
				Unreachable:   func(n *driver.Node) { sites[n.Info["redfish_address"].(string)].server.Close() },
				Pace:          wait.Pace{Every: 5 * time.Millisecond, Limit: 10 * time.Second},
			})
		})
	}
}
