package redfish

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/stmcginnis/gofish/schemas"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/wait"
)

// usbCd is where a Supermicro X11 and X12 have virtual media; gofish has no name for it.
const usbCd = schemas.BootSource("UsbCd")

// targets are Ironic's boot devices.
var targets = map[string]schemas.BootSource{
	"pxe": schemas.PxeBootSource, "disk": schemas.HddBootSource, "cdrom": schemas.CdBootSource, "bios": schemas.BiosSetupBootSource,
}

// What is remembered of a node.
const (
	lastingWord = "redfish_boot_device" // one that the BMC keeps for one boot only, and we for all
	modeWord    = "redfish_boot_mode"   // what was last asked for, for BMCs that forget it
)

// bootDevice tells what is booted from next; empty: what the server's own order says.
func (b *bmc) bootDevice() (device string, persistent bool, err error) {
	if device = b.node.State[lastingWord]; device != "" {
		return device, true, nil
	}
	if b.isOldDRAC() {
		if device, persistent, err = b.bootsVirtualCD(); device != "" || err != nil {
			return device, persistent, err
		}
	}
	boot := b.system.Boot
	if boot.BootSourceOverrideEnabled == schemas.DisabledBootSourceOverrideEnabled {
		return "", false, nil
	}
	target := boot.BootSourceOverrideTarget
	if target == usbCd {
		target = schemas.CdBootSource
	}
	for name, source := range targets {
		if source == target {
			device = name
		}
	}
	return device, device != "" && boot.BootSourceOverrideEnabled == schemas.ContinuousBootSourceOverrideEnabled, nil
}

// setBootDevice overrides the server's own order. Newer versions of Redfish have no lasting override, and many BMCs
// refuse it: then it is set for one boot, and again before each start.
func (b *bmc) setBootDevice(ctx context.Context, device string, persistent bool) error {
	b.node.Remember(lastingWord, "")
	if device == "cdrom" && b.isOldDRAC() {
		inserted, err := b.holdsVirtualCD()
		if err != nil || inserted {
			if err == nil {
				err = b.bootVirtualCD(ctx, persistent)
			}
			return err
		}
	}
	target, err := b.target(device)
	if err != nil {
		return err
	}
	if !persistent {
		return b.override(ctx, target, schemas.OnceBootSourceOverrideEnabled)
	}
	err = b.override(ctx, target, schemas.ContinuousBootSourceOverrideEnabled)
	if !refused(err) {
		return err
	}
	if err := b.override(ctx, target, schemas.OnceBootSourceOverrideEnabled); err != nil {
		return err
	}
	b.node.Remember(lastingWord, device)
	return nil
}

// restoreBootDevice sets a lasting boot device again, before a start, where the BMC keeps it for one boot.
func (b *bmc) restoreBootDevice(ctx context.Context) error {
	device := b.node.State[lastingWord]
	if device == "" {
		return nil
	}
	target, err := b.target(device)
	if err != nil {
		return err
	}
	return b.override(ctx, target, schemas.OnceBootSourceOverrideEnabled)
}

func (b *bmc) target(device string) (schemas.BootSource, error) {
	target := targets[device]
	allowed := b.system.Boot.AllowableBootSourceOverrideTargetValues
	if target == schemas.CdBootSource && b.isVendor("supermicro") && slices.Contains(allowed, usbCd) {
		target = usbCd
	}
	if len(allowed) > 0 && !slices.Contains(allowed, target) {
		names := make([]string, 0, len(allowed))
		for _, t := range allowed {
			names = append(names, string(t))
		}
		return "", fmt.Errorf("boot device %q: %w: it takes %s", device, driver.ErrUnsupported, strings.Join(names, ", "))
	}
	return target, nil
}

// override tries the forms that BMCs want, one after the other. Most take target and enabled, some refuse an enabled that is so
// already (Ironic's story 2007355), AMI's MegaRAC wants the mode with it each time.
func (b *bmc) override(ctx context.Context, target schemas.BootSource, enabled schemas.BootSourceOverrideEnabled) error {
	mode := b.wantedMode()
	plain := schemas.Boot{BootSourceOverrideTarget: target, BootSourceOverrideEnabled: enabled}
	full := plain
	full.BootSourceOverrideMode = mode
	forms := []schemas.Boot{plain}
	if mode != "" {
		forms = append(forms, full)
		if b.isVendor("ami") || b.isVendor("asrock") {
			forms = []schemas.Boot{full, plain}
		}
	}
	if b.system.Boot.BootSourceOverrideEnabled == enabled {
		forms = append(forms, schemas.Boot{BootSourceOverrideTarget: target})
	}
	if err := b.patchBoot(ctx, forms...); err != nil {
		return err
	}
	if !b.isVendor("supermicro") || mode == "" {
		return nil
	}
	// It falls back to legacy with each new target (Ironic's story 2008712); an X10 refuses the mode, and has no other.
	if err := b.reread(); err != nil || b.system.Boot.BootSourceOverrideMode == mode {
		return err
	}
	if err := b.patchBoot(ctx, schemas.Boot{BootSourceOverrideMode: mode}); !refused(err) {
		return err
	}
	return nil
}

// patchBoot sends the first form that is not refused; its error is what the BMC has against the first one.
func (b *bmc) patchBoot(ctx context.Context, forms ...schemas.Boot) (refusal error) {
	for _, form := range forms {
		err := b.patchBootOnce(ctx, form)
		if !refused(err) {
			return err
		}
		if refusal == nil {
			refusal = err
		}
	}
	return refusal
}

// patchBootOnce waits for a server in its self test: an iLO refuses to change anything meanwhile.
func (b *bmc) patchBootOnce(ctx context.Context, form schemas.Boot) error {
	var last error
	err := wait.Until(ctx, b.access.Patience.POST, "the server's self test to end", func(context.Context) (bool, string, error) {
		last = b.patchSystem(form)
		if says(last, "UnableToModifyDuringSystemPOST") {
			return false, "in POST", nil
		}
		return true, "", last
	})
	if ctx.Err() == nil && err != nil && says(last, "UnableToModifyDuringSystemPOST") {
		return fmt.Errorf("%w: switch the server off first, or try later", err)
	}
	return err
}

// patchSystem sends it to the system, or, where that refuses, to its settings resource, which some BMCs have for what is
// for the next boot.
func (b *bmc) patchSystem(form schemas.Boot) error {
	send := func() error { return b.system.Patch(b.system.ODataID, map[string]any{"Boot": form}) }
	if b.hasSettings() {
		send = func() error { return b.system.SetBoot(&form) }
	}
	err := send()
	if status(err) != http.StatusPreconditionFailed {
		return err
	}
	if err := b.reread(); err != nil { // somebody was faster
		return err
	}
	return send()
}

func (b *bmc) hasSettings() bool {
	var s struct {
		Settings struct {
			SettingsObject schemas.Link
		} `json:"@Redfish.Settings"`
	}
	return json.Unmarshal(b.system.RawData, &s) == nil && s.Settings.SettingsObject != "" &&
		s.Settings.SettingsObject.String() != b.system.ODataID
}
