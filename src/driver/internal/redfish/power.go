package redfish

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/stmcginnis/gofish/schemas"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/wait"
)

// powerState: a server that is still going off is on until it is off, unlike in Ironic: a command to start, sent too early,
// is refused. Empty: the BMC does not know.
func powerState(s *schemas.ComputerSystem) baremetal.PowerState {
	switch s.PowerState {
	case schemas.OnPowerState, schemas.PoweringOnPowerState, schemas.PoweringOffPowerState, schemas.PausedPowerState:
		return baremetal.PowerOn
	case schemas.OffPowerState:
		return baremetal.PowerOff
	default:
		return ""
	}
}

// resets are the ways to a power target, the best first. A soft reboot may also be a shutdown and a start.
var resets = map[baremetal.PowerTarget][]schemas.ResetType{
	baremetal.TargetOn:         {schemas.OnResetType, schemas.ForceOnResetType, schemas.PushPowerButtonResetType},
	baremetal.TargetOff:        {schemas.ForceOffResetType},
	baremetal.TargetReboot:     {schemas.ForceRestartResetType, schemas.PowerCycleResetType},
	baremetal.TargetSoftOff:    {schemas.GracefulShutdownResetType, schemas.PushPowerButtonResetType},
	baremetal.TargetSoftReboot: {schemas.GracefulRestartResetType},
}

// reset sends a power command. What BMCs take differs: an iLO 4 has no way to shut down but its button.
func (b *bmc) reset(ctx context.Context, target baremetal.PowerTarget) error {
	allowed, err := b.system.GetSupportedResetTypes()
	if err != nil && !refused(err) {
		return err
	}
	if target == baremetal.TargetOn || target == baremetal.TargetReboot || target == baremetal.TargetSoftReboot {
		if err := b.restoreBootDevice(ctx); err != nil {
			return err
		}
	}
	for _, kind := range resets[target] {
		if len(allowed) == 0 || slices.Contains(allowed, kind) {
			return b.patiently(ctx, func() error {
				_, err := b.system.Reset(kind)
				return err
			})
		}
	}
	if target == baremetal.TargetSoftReboot {
		return b.offAndOn(ctx)
	}
	names := []string{}
	for _, kind := range allowed {
		names = append(names, string(kind))
	}
	return fmt.Errorf("power target %q: %w: it takes %s", target, driver.ErrUnsupported, strings.Join(names, ", "))
}

// offAndOn is a soft reboot of hardware that has none: it waits for the operating system.
func (b *bmc) offAndOn(ctx context.Context) error {
	if err := b.reset(ctx, baremetal.TargetSoftOff); err != nil {
		return err
	}
	err := wait.Until(ctx, b.access.Patience.Off, "the operating system to shut down", func(context.Context) (bool, string, error) {
		if err := b.reread(); err != nil {
			return false, "", err
		}
		return powerState(b.system) == baremetal.PowerOff, string(b.system.PowerState), nil
	})
	if err != nil {
		return err
	}
	return b.reset(ctx, baremetal.TargetOn)
}

func (b *bmc) reread() error {
	s, err := schemas.GetComputerSystem(b.client, b.system.ODataID)
	if err == nil {
		b.system = s
	}
	return err
}
