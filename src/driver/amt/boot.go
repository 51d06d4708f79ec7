package amt

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"bosh-ironic-cpi/src/driver"
)

// The keys of the node's own state, named as in Ironic's driver_internal_info.
const (
	stateDevice     = "amt_boot_device"
	statePersistent = "amt_boot_persistent"
)

// What a node boots that nobody has chosen a device for.
const defaultDevice = "disk"

// sources are AMT's names for boot devices.
var sources = map[string]string{
	"pxe":   "Intel(r) AMT: Force PXE Boot",
	"disk":  "Intel(r) AMT: Force Hard-drive Boot",
	"cdrom": "Intel(r) AMT: Force CD/DVD Boot",
}

// BootDevices implements driver.BootDevice.
func (*hardware) BootDevices() []string { return []string{"pxe", "disk", "cdrom"} }

// BootDevice implements driver.BootDevice: what will be asked of AMT at the next power on, from the node's state.
func (*hardware) BootDevice(_ context.Context, n *driver.Node) (device string, persistent bool, err error) {
	device, persistent = chosen(n)
	return device, persistent, nil
}

func chosen(n *driver.Node) (device string, persistent bool) {
	if n.State[stateDevice] == "" {
		return defaultDevice, true
	}
	return n.State[stateDevice], n.State[statePersistent] == "true"
}

// SetBootDevice implements driver.BootDevice. Nothing is sent: AMT keeps a device for its next boot alone, so this is
// remembered until power on.
func (h *hardware) SetBootDevice(_ context.Context, n *driver.Node, device string, persistent bool) error {
	if !slices.Contains(h.BootDevices(), device) {
		return fmt.Errorf("node %s: boot device %q: %w", n.Label(), device, driver.ErrUnsupported)
	}
	n.Remember(stateDevice, device)
	n.Remember(statePersistent, strconv.FormatBool(persistent))
	return nil
}

// armBoot has the next boot come from the chosen device. The disk is left to the BIOS, as Ironic's driver leaves it: to
// force it would override a boot order that the operator made.
//
// A device that was chosen for one boot is forgotten only when AMT has taken it. Ironic's driver forgets it before, and
// then a call that fails loses the deployment's network boot.
func (c *client) armBoot(ctx context.Context, n *driver.Node) error {
	device, persistent := chosen(n)
	if device == defaultDevice {
		return nil
	}
	if err := c.changeBootOrder(ctx, sources[device]); err != nil {
		return err
	}
	if err := c.setBootConfigRole(ctx); err != nil {
		return err
	}
	if !persistent {
		n.Remember(stateDevice, defaultDevice)
		n.Remember(statePersistent, "true")
	}
	return nil
}
