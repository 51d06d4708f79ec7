package main

import (
	"context"

	"bosh-ironic-cpi/src/driver"
)

// bootDeviceGet is "boot-device get".
type bootDeviceGet struct {
	hardwareFlags
	ID string `arg:"" optional:"" name:"server" help:"Name or UUID in the inventory."`
}

// bootDeviceSet is "boot-device set".
type bootDeviceSet struct {
	hardwareFlags
	Device     string `arg:"" help:"What to boot from: pxe, disk, cdrom and so on, as far as the hardware can."`
	ID         string `arg:"" optional:"" name:"server" help:"Name or UUID in the inventory."`
	Persistent bool   `help:"From now on, not only at the next start."`
}

// Help is the end of the command's help.
func (bootDeviceGet) Help() string {
	return "Examples:\n  nodectl boot-device get rack-3-unit-7 --inventory nodes.yaml"
}

// Help is the end of the command's help.
func (bootDeviceSet) Help() string {
	return "Examples:\n  nodectl boot-device set pxe rack-3-unit-7 --inventory nodes.yaml\n" +
		"  nodectl boot-device set disk rack-3-unit-7 --inventory nodes.yaml --persistent"
}

// A bootChoice is what a server boots from.
type bootChoice struct {
	Node       string `json:"node"`
	Device     string `json:"boot_device"`
	Persistent bool   `json:"persistent"`
}

// Run shows what the hardware says.
func (b *bootDeviceGet) Run(ctx context.Context, c *console) error {
	return b.onServer(ctx, c, b.ID, func(ctx context.Context, s *server) error {
		able, err := can[driver.BootDevice](s, "management", "choice of boot devices")
		if err != nil {
			return err
		}
		device, persistent, err := able.BootDevice(ctx, s.Node)
		if err != nil {
			return err
		}
		return c.print(answer{
			head: []string{"NODE", "BOOT DEVICE", "PERSISTENT"}, names: []string{s.name},
			rows:  [][]string{{s.name, device, yes(persistent)}},
			value: bootChoice{s.name, device, persistent},
		})
	})
}

// Run chooses.
func (b *bootDeviceSet) Run(ctx context.Context, c *console) error {
	return b.onServer(ctx, c, b.ID, func(ctx context.Context, s *server) error {
		able, err := can[driver.BootDevice](s, "management", "choice of boot devices")
		if err != nil {
			return err
		}
		return able.SetBootDevice(ctx, s.Node, b.Device, b.Persistent)
	})
}
