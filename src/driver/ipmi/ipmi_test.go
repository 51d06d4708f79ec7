package ipmi_test

import (
	"maps"
	"testing"

	bmc "bosh-ironic-cpi/src/bmc/ipmi"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/drivertest"
	"bosh-ironic-cpi/src/driver/ipmi"
)

func TestConformance(t *testing.T) {
	for name, change := range map[string]map[string]any{
		"2.0":     {},
		"suite 3": {"ipmi_cipher_suite": "3"},
		"1.5":     {"ipmi_protocol_version": "1.5"},
	} {
		t.Run(name, func(t *testing.T) {
			var b *bmc.BMC
			drivertest.Run(t, drivertest.Rig{
				Spec: ipmi.Spec,
				Node: func(t *testing.T) *driver.Node {
					b = start(t, bmc.Config{})
					n := node(b)
					maps.Copy(n.Info, change)
					return n
				},
				WrongPassword: func(n *driver.Node) { n.Info["ipmi_password"] = "letmein" },
				Silent:        func(*driver.Node) { b.Break(bmc.Fault{Stuck: true}) },
				Unreachable:   func(n *driver.Node) { n.Info["ipmi_address"] = "127.0.0.2" },
				Pace:          quick,
			})
		})
	}
}
