package deploy

import (
	"context"
	"errors"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
)

// A Ramdisk is how a server gets to the deploy ramdisk: by virtual media where there are media and the hardware has a
// drive for them, else from the network.
type Ramdisk struct {
	Media *Media // nil: none
}

// boot starts the server with the ramdisk. Repeated after a crash, it starts it again, or, where nobody can switch the
// server off, goes on with the ramdisk that may be running.
func (r Ramdisk) boot(ctx context.Context, t *conductor.Task) error {
	again := t.CanSwitchOff()
	if again {
		if err := t.SetPower(ctx, baremetal.TargetOff); err != nil {
			return err
		}
	}
	if again && t.Node.Details.Agent != nil { // repeated: the ramdisk of the boot before keeps nobody from being told a token
		if err := t.Save(ctx, func(n *conductor.Node) { n.Details.Agent = nil }); err != nil {
			return err
		}
	}
	device, err := r.insert(ctx, t)
	if err != nil {
		return err
	}
	if err := t.SetBootDevice(ctx, device, false); err != nil {
		return err
	}
	return t.SetPower(ctx, baremetal.TargetOn)
}

// insert puts the media in, and says what to boot from.
func (r Ramdisk) insert(ctx context.Context, t *conductor.Task) (device string, err error) {
	if r.Media == nil || !t.HasMedia(cdrom) {
		return "pxe", nil
	}
	if t.HasMedia(floppy) {
		if err := t.InsertMedia(ctx, floppy, r.Media.address(t.Node.UUID, parametersImage)); err != nil {
			return "", err
		}
	}
	return cdrom, t.InsertMedia(ctx, cdrom, r.Media.address(t.Node.UUID, bootISO))
}

// end switches the server off and takes the media out.
func (r Ramdisk) end(ctx context.Context, t *conductor.Task) error {
	err := t.SetPower(ctx, baremetal.TargetOff)
	if r.Media == nil {
		return err
	}
	for _, device := range []string{cdrom, floppy} {
		if t.HasMedia(device) {
			err = errors.Join(err, t.EjectMedia(ctx, device))
		}
	}
	return err
}

// The virtual drives.
const (
	cdrom  = "cdrom"
	floppy = "floppy"
)
