// Package agentenv makes what the BOSH agent of a VM reads: its settings, its networks bound to the server's
// NICs, and the files that a bond or a VLAN needs.
//
// Start with [Assign], which binds networks to NICs; its result goes into [Settings], whose JSON is the whole of
// the agent's configuration (the agent's settings.Settings, bosh-agent v2.759.0, settings/settings.go).
// [Choose] decides how the settings reach the server. Everything here is pure: no file, no network, no clock,
// and equal input gives equal bytes.
//
// What it cannot do: the agent itself knows neither bonds nor VLANs nor two static networks on one NIC. Such
// servers get systemd-networkd files in /usr/lib/systemd/network (systemd.network(5), systemd 247 or newer), and
// all their networks are marked preconfigured, so that the agent leaves them alone. Those [File]s must be written
// into the image by whoever deploys it.
package agentenv
