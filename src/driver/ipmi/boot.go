package ipmi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"bosh-ironic-cpi/src/driver"
)

// Parameters of the boot options (IPMI 2.0, table 28-14), and the bits of the boot flags.
const (
	parameterKeepValid = 3 // when the flags lose their validity
	parameterBootFlags = 5
	keepAfterTimeout   = 0x08
	flagsValid         = 0x80
	flagsPersistent    = 0x40
	flagsEFI           = 0x20
)

// selectors are the boot devices, as they stand in the second byte of the boot flags.
var selectors = []struct {
	device   string
	selector byte
}{
	{"pxe", 1 << 2},
	{"disk", 2 << 2},
	{"cdrom", 5 << 2},
	{"bios", 6 << 2},
	{"safe", 3 << 2},
	{"disk", supermicroDisk},
	{"cdrom", 8 << 2}, // as virtual media
}

// supermicroDisk is what Supermicro's BMCs want for the disk in UEFI mode; elsewhere it is a remote disk (Ironic 21.4,
// _vendor_aware_boot_device_map; Supermicro FAQ 25559).
const supermicroDisk = 9 << 2

// BootDevices implements driver.BootDevice: those of Ironic.
func (Driver) BootDevices() []string { return []string{"pxe", "disk", "cdrom", "bios", "safe"} }

// BootDevice implements driver.BootDevice; empty: the BMC has none set, or one that has no name in Ironic. Flags that
// are not marked valid count too: OpenIPMI marks none, and a boot that is over leaves its device behind.
func (d Driver) BootDevice(ctx context.Context, n *driver.Node) (device string, persistent bool, err error) {
	err = d.with(ctx, n, func(b *bmc) error {
		if told := n.State[stateBootDevice]; b.force && told != "" && n.State[stateBootOnce] == "" {
			device, persistent = told, true
			return nil
		}
		flags, err := b.bootFlags(ctx)
		if err != nil {
			return err
		}
		for _, s := range selectors {
			if flags[1]&0x3c == s.selector {
				device, persistent = s.device, flags[0]&flagsPersistent != 0
				break
			}
		}
		return nil
	})
	return device, persistent, err
}

// SetBootDevice implements driver.BootDevice.
func (d Driver) SetBootDevice(ctx context.Context, n *driver.Node, device string, persistent bool) error {
	if !slices.Contains(d.BootDevices(), device) {
		return fmt.Errorf("boot device %q: %w", device, driver.ErrUnsupported)
	}
	return d.with(ctx, n, func(b *bmc) error {
		// A device that we tell at every power on need not stay with the BMC, which may not be able to keep it.
		if err := b.setBootDevice(ctx, n, device, persistent && !b.force); err != nil || !b.force {
			return err
		}
		if persistent {
			n.Remember(stateBootDevice, device)
			n.Remember(stateBootOnce, "")
		} else {
			n.Remember(stateBootOnce, "true")
		}
		return nil
	})
}

// tellBootDeviceAgain is ipmi_force_boot_device, before a server starts.
func (b *bmc) tellBootDeviceAgain(ctx context.Context, n *driver.Node) error {
	device := n.State[stateBootDevice]
	if !b.force || device == "" {
		return nil
	}
	if n.State[stateBootOnce] != "" { // this start has a device of its own, which the BMC knows
		n.Remember(stateBootOnce, "")
		return nil
	}
	return b.setBootDevice(ctx, n, device, false)
}

func (b *bmc) setBootDevice(ctx context.Context, n *driver.Node, device string, persistent bool) error {
	flags := [5]byte{flagsValid}
	for _, s := range selectors {
		if s.device == device {
			flags[1] = s.selector
			break
		}
	}
	if persistent {
		flags[0] |= flagsPersistent
	}
	if bootMode(n) == "uefi" {
		flags[0] |= flagsEFI
		if vendor, _ := n.Properties["vendor"].(string); device == "disk" && strings.EqualFold(vendor, "supermicro") {
			flags[1] = supermicroDisk
		}
	}
	return b.setBootFlags(ctx, flags)
}

func (b *bmc) setBootFlags(ctx context.Context, flags [5]byte) error {
	if !b.keepTimeout {
		// OpenBMC and others have no such parameter; there the device is good for a minute, or for ever.
		_, err := b.send(ctx, netFnChassis, cmdSetBootOptions, parameterKeepValid, keepAfterTimeout)
		if _, refused := errors.AsType[*CompletionError](err); err != nil && !refused {
			return err
		}
	}
	_, err := b.send(ctx, netFnChassis, cmdSetBootOptions, append([]byte{parameterBootFlags}, flags[:]...)...)
	return err
}

func (b *bmc) bootFlags(ctx context.Context) (flags [5]byte, err error) {
	data, err := b.send(ctx, netFnChassis, cmdGetBootOptions, parameterBootFlags, 0, 0)
	if err != nil {
		return flags, err
	}
	if len(data) < 4 { // version, parameter, flags: some BMCs leave the last ones out
		return flags, fmt.Errorf("boot flags of %d bytes: %w", len(data), driver.ErrUnsupported)
	}
	copy(flags[:], data[2:])
	return flags, nil
}

// BootModes implements driver.BootMode.
func (Driver) BootModes() []string { return []string{"bios", "uefi"} }

// BootMode implements driver.BootMode. IPMI cannot ask a server for it: it is what was set here, or what the node's
// properties say.
func (Driver) BootMode(_ context.Context, n *driver.Node) (string, error) { return bootMode(n), nil }

// SetBootMode implements driver.BootMode: it goes along with each boot device from now on, and is changed in the one
// that the BMC has.
func (d Driver) SetBootMode(ctx context.Context, n *driver.Node, mode string) error {
	if !slices.Contains(d.BootModes(), mode) {
		return fmt.Errorf("boot mode %q: %w", mode, driver.ErrUnsupported)
	}
	err := d.with(ctx, n, func(b *bmc) error {
		flags, err := b.bootFlags(ctx)
		if _, refused := errors.AsType[*CompletionError](err); refused {
			return nil
		}
		if err != nil || flags[0]&flagsValid == 0 || (flags[0]&flagsEFI != 0) == (mode == "uefi") {
			return err
		}
		flags[0] ^= flagsEFI
		return b.setBootFlags(ctx, flags)
	})
	if err == nil {
		n.Remember(stateBootMode, mode)
	}
	return err
}

// bootMode is the mode set here, else that of properties (capabilities, or boot_mode), else Ironic's default.
func bootMode(n *driver.Node) string {
	for _, mode := range []string{n.State[stateBootMode], capability(n, "boot_mode"), fmt.Sprint(n.Properties["boot_mode"])} {
		if mode == "bios" || mode == "uefi" {
			return mode
		}
	}
	return "uefi"
}

// capability reads properties.capabilities, which is text such as boot_mode:uefi,boot_option:local, or an object.
func capability(n *driver.Node, name string) string {
	switch all := n.Properties["capabilities"].(type) {
	case string:
		for pair := range strings.SplitSeq(all, ",") {
			if key, value, ok := strings.Cut(pair, ":"); ok && strings.TrimSpace(key) == name {
				return strings.TrimSpace(value)
			}
		}
	case map[string]any:
		value, _ := all[name].(string)
		return value
	}
	return ""
}
