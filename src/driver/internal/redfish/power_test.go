package redfish

import (
	"testing"

	"github.com/stmcginnis/gofish/schemas"

	"bosh-ironic-cpi/src/baremetal"
)

func TestPowerState(t *testing.T) {
	for state, want := range map[schemas.PowerState]baremetal.PowerState{
		"On": baremetal.PowerOn, "PoweringOn": baremetal.PowerOn, "Paused": baremetal.PowerOn, "Off": baremetal.PowerOff,
		// Ironic says power off, and sends the next command too early.
		"PoweringOff": baremetal.PowerOn,
		"":            "", "Molten": "",
	} {
		if got := powerState(&schemas.ComputerSystem{PowerState: state}); got != want {
			t.Errorf("powerState(%q) = %q; want %q", state, got, want)
		}
	}
}
