// Package fake is a driver without hardware: what it is told it remembers, in the node's own state. Delays, silence and
// failures can be asked for by driver_info, for tests and for trying things out.
package fake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/inventory"
	"bosh-ironic-cpi/src/wait"
)

// Spec is the driver's line in the table.
var Spec = driver.Spec{
	Name:  "fake",
	About: "no hardware: remembers what it is told",
	Keys: []driver.Key{
		{Name: "fake_delay", Meaning: "how long each command takes, such as 2s", Default: "0s"},
		{Name: "fake_error", Meaning: "what each command fails with"},
		{Name: "fake_silent", Meaning: "true: commands are taken and not followed"},
		{Name: "fake_unreachable", Meaning: "true: nothing answers"},
		{Name: "fake_step_delay", Meaning: "how long each step of deploy interface fake takes, such as 2s", Default: "0s"},
		{Name: "fake_step_error", Meaning: "what each step of deploy interface fake fails with"},
		{Name: "fake_password", Meaning: "the password that the operator gives", Secret: true},
		{Name: "fake_expects", Meaning: "the password that the hardware wants; empty: any", Secret: true},
	},
	New: func() any { return hardware{} },
}

type hardware struct{}

var (
	_ driver.Power        = hardware{}
	_ driver.BootDevice   = hardware{}
	_ driver.BootMode     = hardware{}
	_ driver.VirtualMedia = hardware{}
	_ driver.MediaReader  = hardware{}
	_ driver.Vendor       = hardware{}
	_ driver.Inspector    = hardware{}
)

// The keys of the node's own state.
const (
	power          = "power"
	bootDevice     = "boot_device"
	bootPersistent = "boot_persistent"
	bootMode       = "boot_mode"
	media          = "media_"
)

// reach is what every command goes through first.
func reach(ctx context.Context, n *driver.Node) error {
	r := n.Reader()
	delay, err := time.ParseDuration(r.Text("fake_delay", "0s"))
	if err != nil {
		return &driver.ParameterError{Key: "fake_delay", Problem: "is no duration such as 2s or 50ms"}
	}
	if delay > 0 {
		if err := wait.Pause(ctx, delay); err != nil {
			return err
		}
	}
	unreachable, expects, says := r.Boolean("fake_unreachable", false), r.Text("fake_expects", ""), r.Text("fake_error", "")
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case unreachable:
		return fmt.Errorf("fake hardware of node %s: %w", n.Label(), driver.ErrUnreachable)
	case expects != "" && expects != r.Text("fake_password", ""):
		return fmt.Errorf("fake hardware of node %s: %w", n.Label(), driver.ErrAuthentication)
	case says != "":
		return errors.New(says)
	}
	return r.Err()
}

func silent(n *driver.Node) bool { return n.Reader().Boolean("fake_silent", false) }

// PowerState implements driver.Power: unknown until the first command, as with Ironic's own fake.
func (hardware) PowerState(ctx context.Context, n *driver.Node) (baremetal.PowerState, error) {
	if err := reach(ctx, n); err != nil {
		return "", err
	}
	return baremetal.PowerState(n.State[power]), nil
}

func (hardware) PowerTargets() []baremetal.PowerTarget {
	return []baremetal.PowerTarget{
		baremetal.TargetOn, baremetal.TargetOff, baremetal.TargetReboot, baremetal.TargetSoftOff, baremetal.TargetSoftReboot,
	}
}

func (hardware) Switch(ctx context.Context, n *driver.Node, target baremetal.PowerTarget) error {
	if err := reach(ctx, n); err != nil {
		return err
	}
	if !silent(n) {
		n.Remember(power, string(target.End()))
	}
	return nil
}

func (hardware) BootDevices() []string { return []string{"pxe", "disk", "cdrom"} }

func (hardware) BootDevice(ctx context.Context, n *driver.Node) (string, bool, error) {
	if err := reach(ctx, n); err != nil {
		return "", false, err
	}
	if n.State[bootDevice] == "" {
		return "pxe", false, nil
	}
	return n.State[bootDevice], n.State[bootPersistent] == "true", nil
}

func (h hardware) SetBootDevice(ctx context.Context, n *driver.Node, device string, persistent bool) error {
	if !slices.Contains(h.BootDevices(), device) {
		return fmt.Errorf("boot device %q: %w", device, driver.ErrUnsupported)
	}
	if err := reach(ctx, n); err != nil {
		return err
	}
	if !silent(n) {
		n.Remember(bootDevice, device)
		n.Remember(bootPersistent, fmt.Sprint(persistent))
	}
	return nil
}

func (hardware) BootModes() []string { return []string{"bios", "uefi"} }

func (hardware) BootMode(ctx context.Context, n *driver.Node) (string, error) {
	if err := reach(ctx, n); err != nil {
		return "", err
	}
	if n.State[bootMode] == "" {
		return "bios", nil
	}
	return n.State[bootMode], nil
}

func (h hardware) SetBootMode(ctx context.Context, n *driver.Node, mode string) error {
	if !slices.Contains(h.BootModes(), mode) {
		return fmt.Errorf("boot mode %q: %w", mode, driver.ErrUnsupported)
	}
	if err := reach(ctx, n); err != nil {
		return err
	}
	n.Remember(bootMode, mode)
	return nil
}

func (hardware) MediaDevices() []string { return []string{"cdrom", "floppy"} }

func (h hardware) InsertMedia(ctx context.Context, n *driver.Node, device, url string) error {
	if !slices.Contains(h.MediaDevices(), device) {
		return fmt.Errorf("media device %q: %w", device, driver.ErrUnsupported)
	}
	if err := reach(ctx, n); err != nil {
		return err
	}
	n.Remember(media+device, url)
	return nil
}

func (h hardware) EjectMedia(ctx context.Context, n *driver.Node, device string) error {
	if !slices.Contains(h.MediaDevices(), device) {
		return fmt.Errorf("media device %q: %w", device, driver.ErrUnsupported)
	}
	if err := reach(ctx, n); err != nil {
		return err
	}
	n.Remember(media+device, "")
	return nil
}

// InsertedMedia implements driver.MediaReader.
func (h hardware) InsertedMedia(ctx context.Context, n *driver.Node, device string) (string, error) {
	if !slices.Contains(h.MediaDevices(), device) {
		return "", fmt.Errorf("media device %q: %w", device, driver.ErrUnsupported)
	}
	return n.State[media+device], reach(ctx, n)
}

// VendorMethods are those of Ironic's fake vendor interface.
func (hardware) VendorMethods() []driver.VendorMethod {
	method := func(name, word string, async, shared bool) driver.VendorMethod {
		return driver.VendorMethod{
			Name: name, HTTPMethods: []string{"POST"}, Async: async, Shared: shared, Schema: `{"required": ["bar"]}`,
			Description: "Test if the value of bar is " + word,
		}
	}
	return []driver.VendorMethod{
		method("second_method", "kazoo", true, false),
		method("third_method_sync", "meow", false, false),
		method("fourth_method_shared_lock", "woof", true, true),
	}
}

func (hardware) CallVendor(ctx context.Context, n *driver.Node, method string, args map[string]any) (any, error) {
	if err := reach(ctx, n); err != nil {
		return nil, err
	}
	words := map[string]string{"second_method": "kazoo", "third_method_sync": "meow", "fourth_method_shared_lock": "woof"}
	return args["bar"] == words[method], nil
}

// Inspect finds what properties say.
func (hardware) Inspect(ctx context.Context, n *driver.Node) (inventory.Inventory, error) {
	if err := reach(ctx, n); err != nil {
		return inventory.Inventory{}, err
	}
	found := inventory.Inventory{Architecture: "x86_64", CPUs: 4, MemoryMB: 8192, LocalGB: 10, BootMode: "bios"}
	for _, mac := range n.MACs {
		found.Interfaces = append(found.Interfaces, inventory.Interface{Name: fmt.Sprintf("eth%d", len(found.Interfaces)), MAC: mac})
	}
	return found, nil
}
