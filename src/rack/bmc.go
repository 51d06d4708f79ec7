package rack

import (
	"context"

	"bosh-ironic-cpi/src/bmc/ipmi"
	"bosh-ironic-cpi/src/bmc/redfish"
)

// IPMI is the machine as an IPMI BMC switches it.
func (m *Machine) IPMI() ipmi.Machine { return byIPMI{m} }

type byIPMI struct{ *Machine }

// Powered implements ipmi.Machine.
func (m byIPMI) Powered(context.Context) (bool, error) { return m.PoweredOn(), nil }

// Do implements ipmi.Machine.
func (m byIPMI) Do(_ context.Context, a ipmi.Action, boot ipmi.Boot) error {
	from := Boot{Device: boot.Device}
	switch a {
	case ipmi.On:
		return m.Start(from)
	case ipmi.Off:
		return m.Stop(false)
	case ipmi.SoftOff:
		return m.Stop(true)
	case ipmi.Cycle, ipmi.Reset:
		return m.Restart(from)
	}
	return nil
}

// Redfish is the machine as a Redfish service switches it.
func (m *Machine) Redfish() redfish.Machine { return byRedfish{m} }

type byRedfish struct{ *Machine }

// PowerOn implements redfish.Machine.
func (m byRedfish) PowerOn(boot redfish.Boot) error { return m.Start(Boot{Device: boot.Device}) }

// PowerOff implements redfish.Machine.
func (m byRedfish) PowerOff(graceful bool) error { return m.Stop(graceful) }

// Restart implements redfish.Machine. A guest is not asked: it would start from where it did.
func (m byRedfish) Restart(boot redfish.Boot, _ bool) error {
	return m.Machine.Restart(Boot{Device: boot.Device})
}
