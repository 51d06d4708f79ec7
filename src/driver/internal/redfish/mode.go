package redfish

import (
	"context"
	"fmt"

	"github.com/stmcginnis/gofish/schemas"

	"bosh-ironic-cpi/src/driver"
)

var modes = map[string]schemas.BootSourceOverrideMode{
	"uefi": schemas.UEFIBootSourceOverrideMode, "bios": schemas.LegacyBootSourceOverrideMode,
}

// bootMode is bios or uefi; empty: the BMC does not tell.
func (b *bmc) bootMode() (string, error) {
	if b.isVendor("hpe") {
		return b.biosMode()
	}
	for name, mode := range modes {
		if b.system.Boot.BootSourceOverrideMode == mode {
			return name, nil
		}
	}
	return "", nil
}

func (b *bmc) setBootMode(ctx context.Context, mode string) error {
	if b.isVendor("hpe") { // its override cannot be written: the mode is a setting of the BIOS
		return b.setBIOSMode(mode)
	}
	boot := b.system.Boot
	alone := schemas.Boot{BootSourceOverrideMode: modes[mode]}
	full := alone
	full.BootSourceOverrideTarget, full.BootSourceOverrideEnabled = boot.BootSourceOverrideTarget, boot.BootSourceOverrideEnabled
	err := b.patchBoot(ctx, alone, full)
	if refused(err) && boot.BootSourceOverrideMode == "" {
		return fmt.Errorf("boot mode: %w: it has none in its boot override (%s): set it in the server's BIOS settings",
			driver.ErrUnsupported, b.access.say(err))
	}
	if err == nil {
		b.node.Remember(modeWord, mode)
	}
	return err
}

// wantedMode is what was last asked for, else what the BMC has; empty: it has none.
func (b *bmc) wantedMode() schemas.BootSourceOverrideMode {
	now := b.system.Boot.BootSourceOverrideMode
	if wanted := modes[b.node.State[modeWord]]; wanted != "" && now != "" {
		return wanted
	}
	return now
}
