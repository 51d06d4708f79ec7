package conductor

import (
	"context"
	"slices"

	"bosh-ironic-cpi/src/driver"
)

// HasMedia reports whether the node's hardware has a virtual drive of the kind: cdrom, floppy.
func (t *Task) HasMedia(device string) bool {
	v, ok := t.c.hardware(t.Node, "management").(driver.VirtualMedia)
	return ok && slices.Contains(v.MediaDevices(), device)
}

// InsertMedia shows the server an image in a virtual drive. Whatever was in there is taken out.
func (t *Task) InsertMedia(ctx context.Context, device, url string) error {
	return t.onMedia(ctx, func(v driver.VirtualMedia, n *driver.Node) error {
		if err := v.EjectMedia(ctx, n, device); err != nil {
			return err
		}
		return v.InsertMedia(ctx, n, device, url)
	})
}

// EjectMedia empties a virtual drive.
func (t *Task) EjectMedia(ctx context.Context, device string) error {
	return t.onMedia(ctx, func(v driver.VirtualMedia, n *driver.Node) error { return v.EjectMedia(ctx, n, device) })
}

func (t *Task) onMedia(ctx context.Context, call func(driver.VirtualMedia, *driver.Node) error) error {
	v, ok := t.c.hardware(t.Node, "management").(driver.VirtualMedia)
	if !ok {
		return invalid("Node %s has management interface %s, which has no virtual media.", t.Node.UUID, t.Node.Interface("management"))
	}
	return t.onHardware(ctx, func(n *driver.Node) error { return call(v, n) })
}
