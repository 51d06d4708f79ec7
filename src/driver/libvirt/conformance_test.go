//go:build integration

package libvirt

import (
	"maps"
	"testing"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/drivertest"
)

func TestConformance(t *testing.T) {
	d := startDaemon(t, setting{unix: "none", mechanisms: "digest-md5"})
	d.hold(t)
	f := newFaults(t, d)
	tcp := map[string]any{
		"libvirt_uri": "test+tcp://127.0.0.1:" + d.tcp + "/default", "sasl_username": saslUser, "sasl_password": saslPassword,
	}
	tests := []struct {
		name          string
		info          map[string]any
		wrongPassword func(*driver.Node)
		unreachable   string
	}{
		{"unix", map[string]any{"libvirt_uri": uri(d.socket)}, nil, uri("/nowhere/sock")},
		{
			"tcp with SASL", tcp, func(n *driver.Node) { n.Info["sasl_password"] = "letmein" },
			"test+tcp://127.0.0.1:" + freePort(t) + "/default",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			drivertest.Run(t, drivertest.Rig{
				Spec: Spec,
				Node: func(*testing.T) *driver.Node {
					return &driver.Node{UUID: "n1", Info: maps.Clone(tt.info), MACs: []string{testMAC}}
				},
				WrongPassword: tt.wrongPassword,
				Silent: func(n *driver.Node) { // libvirtd says that it is done, and nothing comes of it
					f.set(callCreate, fault{pretend: true})
					n.Info = map[string]any{"libvirt_uri": uri(f.socket)}
				},
				Unreachable:      func(n *driver.Node) { n.Info["libvirt_uri"] = tt.unreachable },
				AlwaysPersistent: true,
				Pace:             quick,
			})
		})
	}
}
