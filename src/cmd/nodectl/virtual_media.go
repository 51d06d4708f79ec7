package main

import (
	"context"

	"bosh-ironic-cpi/src/driver"
)

// mediaList is "media list".
type mediaList struct {
	hardwareFlags
	ID string `arg:"" optional:"" name:"server" help:"Name or UUID in the inventory."`
}

// mediaInsert is "media insert".
type mediaInsert struct {
	hardwareFlags
	Image  string `arg:"" name:"url" help:"Address of the image, as the BMC reaches it."`
	ID     string `arg:"" optional:"" name:"server" help:"Name or UUID in the inventory."`
	Device string `default:"cdrom" help:"Which virtual drive: cdrom, floppy."`
}

// mediaEject is "media eject".
type mediaEject struct {
	hardwareFlags
	ID     string `arg:"" optional:"" name:"server" help:"Name or UUID in the inventory."`
	Device string `default:"cdrom" help:"Which virtual drive: cdrom, floppy."`
}

// Help is the end of the command's help.
func (mediaList) Help() string {
	return "Examples:\n  nodectl media list rack-3-unit-7 --inventory nodes.yaml"
}

// Help is the end of the command's help.
func (mediaInsert) Help() string {
	return "Examples:\n  nodectl media insert http://10.0.1.5/ramdisk.iso rack-3-unit-7 --inventory nodes.yaml"
}

// Help is the end of the command's help.
func (mediaEject) Help() string {
	return "Examples:\n  nodectl media eject rack-3-unit-7 --inventory nodes.yaml --device floppy"
}

// A drive is a virtual one.
type drive struct {
	Device string `json:"device"`
	Image  string `json:"image"` // empty: nothing is inserted, or the hardware does not tell
}

// onMedia carries something out on a server with virtual drives.
func (f *hardwareFlags) onMedia(
	ctx context.Context, c *console, id string, do func(context.Context, *server, driver.VirtualMedia) error,
) error {
	return f.onServer(ctx, c, id, func(ctx context.Context, s *server) error {
		able, err := can[driver.VirtualMedia](s, "management", "virtual media")
		if err != nil {
			return err
		}
		return do(ctx, s, able)
	})
}

// Run shows the drives, and what is in them as far as the hardware tells.
func (m *mediaList) Run(ctx context.Context, c *console) error {
	return m.onMedia(ctx, c, m.ID, func(ctx context.Context, s *server, able driver.VirtualMedia) error {
		a := answer{head: []string{"DEVICE", "IMAGE"}}
		drives := []drive{}
		for _, device := range able.MediaDevices() {
			d := drive{Device: device}
			if r, ok := able.(driver.MediaReader); ok {
				image, err := r.InsertedMedia(ctx, s.Node, device)
				if err != nil {
					return err
				}
				d.Image = redactURLs(image)
			}
			drives = append(drives, d)
			a.names = append(a.names, device)
			a.rows = append(a.rows, []string{device, d.Image})
		}
		a.value = drives
		return c.print(a)
	})
}

// Run inserts an image.
func (m *mediaInsert) Run(ctx context.Context, c *console) error {
	return m.onMedia(ctx, c, m.ID, func(ctx context.Context, s *server, able driver.VirtualMedia) error {
		return able.InsertMedia(ctx, s.Node, m.Device, m.Image)
	})
}

// Run ejects what is in the drive.
func (m *mediaEject) Run(ctx context.Context, c *console) error {
	return m.onMedia(ctx, c, m.ID, func(ctx context.Context, s *server, able driver.VirtualMedia) error {
		return able.EjectMedia(ctx, s.Node, m.Device)
	})
}
