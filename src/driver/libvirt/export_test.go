//go:build integration

package libvirt

import "testing"

// A Daemon is a libvirtd with one domain, for tests of other packages' ways to it.
type Daemon struct {
	Info map[string]any // driver_info
	MAC  string
	d    *daemon
}

// StartDaemon starts one that wants SASL on TCP.
func StartDaemon(t testing.TB) Daemon {
	d := startDaemon(t, setting{unix: "none", mechanisms: "digest-md5"})
	d.hold(t)
	return Daemon{Info: d.saslNode("tcp").Info, MAC: testMAC, d: d}
}

// State is the domain's, in virsh's words.
func (d Daemon) State(t testing.TB) string { return d.d.virsh(t, "domstate", "test") }
