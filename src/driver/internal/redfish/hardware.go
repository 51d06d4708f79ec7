package redfish

import (
	"context"
	"fmt"
	"slices"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/inventory"
)

// Hardware is a server with a BMC that speaks Redfish.
type Hardware struct {
	// Access reads driver_info. Its errors are [driver.ParameterError].
	Access func(n *driver.Node) (Access, error)
}

var (
	_ driver.Located      = Hardware{}
	_ driver.BootDevice   = Hardware{}
	_ driver.BootMode     = Hardware{}
	_ driver.VirtualMedia = Hardware{}
	_ driver.MediaReader  = Hardware{}
	_ driver.Inspector    = Hardware{}
	_ driver.Validator    = Hardware{}
)

func (h Hardware) do(ctx context.Context, n *driver.Node, act func(context.Context, *bmc) error) error {
	a, err := h.Access(n)
	if err != nil {
		return err
	}
	return a.do(ctx, n, act)
}

// Validate implements driver.Validator.
func (h Hardware) Validate(n *driver.Node) error {
	_, err := h.Access(n)
	return err
}

// Where implements driver.Located.
func (h Hardware) Where(n *driver.Node) string {
	a, _ := h.Access(n)
	return a.where()
}

// PowerTargets implements driver.Power.
func (Hardware) PowerTargets() []baremetal.PowerTarget {
	return []baremetal.PowerTarget{
		baremetal.TargetOn, baremetal.TargetOff, baremetal.TargetReboot, baremetal.TargetSoftOff, baremetal.TargetSoftReboot,
	}
}

// PowerState implements driver.Power.
func (h Hardware) PowerState(ctx context.Context, n *driver.Node) (state baremetal.PowerState, err error) {
	err = h.do(ctx, n, func(_ context.Context, b *bmc) error {
		state = powerState(b.system)
		return nil
	})
	return state, err
}

// Switch implements driver.Power. On hardware without a soft reboot that is a shutdown, which it waits for, and a start.
func (h Hardware) Switch(ctx context.Context, n *driver.Node, target baremetal.PowerTarget) error {
	return h.do(ctx, n, func(ctx context.Context, b *bmc) error { return b.reset(ctx, target) })
}

// BootDevices implements driver.BootDevice.
func (Hardware) BootDevices() []string { return []string{"pxe", "disk", "cdrom", "bios"} }

// BootDevice implements driver.BootDevice.
func (h Hardware) BootDevice(ctx context.Context, n *driver.Node) (device string, persistent bool, err error) {
	err = h.do(ctx, n, func(_ context.Context, b *bmc) (err error) {
		device, persistent, err = b.bootDevice()
		return err
	})
	return device, persistent, err
}

// SetBootDevice implements driver.BootDevice.
func (h Hardware) SetBootDevice(ctx context.Context, n *driver.Node, device string, persistent bool) error {
	if err := known("boot device", device, h.BootDevices()); err != nil {
		return err
	}
	return h.do(ctx, n, func(ctx context.Context, b *bmc) error { return b.setBootDevice(ctx, device, persistent) })
}

// BootModes implements driver.BootMode.
func (Hardware) BootModes() []string { return []string{"bios", "uefi"} }

// BootMode implements driver.BootMode.
func (h Hardware) BootMode(ctx context.Context, n *driver.Node) (mode string, err error) {
	err = h.do(ctx, n, func(_ context.Context, b *bmc) (err error) {
		mode, err = b.bootMode()
		return err
	})
	return mode, err
}

// SetBootMode implements driver.BootMode.
func (h Hardware) SetBootMode(ctx context.Context, n *driver.Node, mode string) error {
	if err := known("boot mode", mode, h.BootModes()); err != nil {
		return err
	}
	return h.do(ctx, n, func(ctx context.Context, b *bmc) error { return b.setBootMode(ctx, mode) })
}

// MediaDevices implements driver.VirtualMedia.
func (Hardware) MediaDevices() []string { return []string{"cdrom", "floppy"} }

// InsertMedia implements driver.VirtualMedia.
func (h Hardware) InsertMedia(ctx context.Context, n *driver.Node, device, url string) error {
	if err := known("media device", device, h.MediaDevices()); err != nil {
		return err
	}
	return h.do(ctx, n, func(ctx context.Context, b *bmc) error { return b.insert(ctx, device, url) })
}

// EjectMedia implements driver.VirtualMedia.
func (h Hardware) EjectMedia(ctx context.Context, n *driver.Node, device string) error {
	if err := known("media device", device, h.MediaDevices()); err != nil {
		return err
	}
	return h.do(ctx, n, func(ctx context.Context, b *bmc) error { return b.eject(ctx, device) })
}

// InsertedMedia implements driver.MediaReader. Not every BMC shows the whole of an address.
func (h Hardware) InsertedMedia(ctx context.Context, n *driver.Node, device string) (image string, err error) {
	if err := known("media device", device, h.MediaDevices()); err != nil {
		return "", err
	}
	err = h.do(ctx, n, func(_ context.Context, b *bmc) (err error) {
		image, err = b.inserted(device)
		return err
	})
	return image, err
}

// Inspect implements driver.Inspector.
func (h Hardware) Inspect(ctx context.Context, n *driver.Node) (found inventory.Inventory, err error) {
	err = h.do(ctx, n, func(_ context.Context, b *bmc) (err error) {
		found, err = b.inspect()
		return err
	})
	return found, err
}

func known(what, value string, values []string) error {
	if slices.Contains(values, value) {
		return nil
	}
	return fmt.Errorf("%s %q: %w", what, value, driver.ErrUnsupported)
}
