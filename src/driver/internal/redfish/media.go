package redfish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/stmcginnis/gofish/schemas"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/wait"
)

// kinds are the media types that will do for a device, the best first. Some drives are DVD only (Cisco); a stick is what
// servers of today know, a floppy what those of yesterday do.
var kinds = map[string][]schemas.VirtualMediaType{
	"cdrom":  {schemas.CDVirtualMediaType, schemas.DVDVirtualMediaType},
	"floppy": {schemas.USBStickVirtualMediaType, schemas.FloppyVirtualMediaType},
}

// mediaWord remembers which drive a device's image is in, for drives that can be several devices.
func mediaWord(device string) string { return "redfish_media_" + device }

// rank says how well a drive will do, 0 best; -1: not at all.
func rank(v *schemas.VirtualMedia, device string) int {
	for i, kind := range kinds[device] {
		if slices.Contains(v.MediaTypes, kind) {
			return i
		}
	}
	return -1
}

// drives are those that will do for a device, the best first.
func (b *bmc) drives(device string) ([]*schemas.VirtualMedia, error) {
	all, err := b.allDrives()
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(v *schemas.VirtualMedia) bool {
		holds := b.holds(v.ODataID)
		return rank(v, device) < 0 || holds != "" && holds != device && occupied(v)
	})
	remote := func(v *schemas.VirtualMedia) int { // an XCC's RDOC drives take uploads, its EXT and Remote drives addresses
		if strings.HasPrefix(v.ID, "RDOC") {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(all, func(x, y *schemas.VirtualMedia) int {
		return (rank(x, device) + 10*remote(x)) - (rank(y, device) + 10*remote(y))
	})
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: it has no virtual drive for a %s that is free", driver.ErrUnsupported, device)
	}
	return all, nil
}

// allDrives are the system's, where it has any, else its manager's, where they were until ComputerSystem 1.12.
func (b *bmc) allDrives() ([]*schemas.VirtualMedia, error) {
	all, err := b.system.VirtualMedia()
	if len(all) == 0 && (err == nil || refused(err)) {
		m, failed := b.theManager()
		if failed != nil {
			return nil, failed
		}
		all, err = m.VirtualMedia()
	}
	if err != nil && len(all) == 0 {
		return nil, first(err)
	}
	if b.isNewDRAC() { // an iDRAC 10 has two, and shows the server the first one only
		all = slices.DeleteFunc(all, func(v *schemas.VirtualMedia) bool { return v.ID != "1" })
	}
	return all, nil
}

// occupied tells whether there may be an image in a drive. Some have no Inserted, some show an image that was ejected (Supermicro).
func occupied(v *schemas.VirtualMedia) bool {
	return v.Inserted != nil && *v.Inserted || v.Image != "" && v.ConnectedVia != schemas.NotConnectedConnectedVia
}

// insert puts an image into the best drive that takes it. What was in a drive for the device is ejected first, also the
// same image: BMCs show media that is long gone.
func (b *bmc) insert(ctx context.Context, device, image string) error {
	if err := b.licensed(); err != nil {
		return err
	}
	drives, err := b.drives(device)
	if err != nil {
		return err
	}
	for _, v := range drives {
		if occupied(v) {
			if err := b.empty(ctx, v); err != nil {
				return fmt.Errorf("eject what is in drive %s: %w", v.ID, err)
			}
		}
	}
	var refusals []string
	for _, v := range drives {
		err := b.insertInto(ctx, v, image)
		if err == nil {
			b.node.Remember(mediaWord(device), v.ODataID)
			return nil
		}
		if !refused(err) && !errors.Is(err, errStaysEmpty) {
			return b.licence(err)
		}
		refusals = append(refusals, fmt.Sprintf("drive %s: %s", v.ID, b.access.say(err)))
	}
	return fmt.Errorf("no virtual drive takes %s: %s", shown(image), strings.Join(refusals, "; "))
}

// shown is an image's address without what opens it.
func shown(image string) string {
	u, err := url.Parse(image)
	if err != nil {
		return "the image"
	}
	u.RawQuery, u.User = "", nil
	return u.String()
}

var errStaysEmpty = errors.New("it takes the image, and stays empty: check that the BMC reaches the image's server")

func (b *bmc) insertInto(ctx context.Context, v *schemas.VirtualMedia, image string) error {
	if err := b.offer(ctx, v, image); err != nil {
		return err
	}
	last := v
	err := wait.Until(ctx, b.access.Patience.Media, "the image to be in its drive", func(context.Context) (done bool, now string, err error) {
		last, err = schemas.GetVirtualMedia(b.client, v.ODataID)
		return err == nil && occupied(last), "empty", err
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return errStaysEmpty
	}
	return err
}

// offer tries the forms that BMCs want. The address alone comes first: an X11 refuses whatever else is with it.
func (b *bmc) offer(ctx context.Context, v *schemas.VirtualMedia, image string) error {
	yes := true
	alone := schemas.VirtualMediaInsertMediaParameters{Image: image}
	protocol := alone
	if u, err := url.Parse(image); err == nil && u.Scheme != "" {
		p := schemas.TransferProtocolType(strings.ToUpper(u.Scheme))
		protocol.TransferProtocolType = &p
	}
	flags := alone
	flags.Inserted, flags.WriteProtected = &yes, &yes
	all := flags
	all.TransferProtocolType = protocol.TransferProtocolType
	forms := []schemas.VirtualMediaInsertMediaParameters{alone, protocol, flags, all}
	if !v.SupportsMediaInsert {
		if insert := b.oemAction(v, "InsertVirtualMedia"); insert != "" {
			return b.patiently(ctx, func() error { return v.Post(insert, map[string]any{"Image": image}) })
		}
		forms = []schemas.VirtualMediaInsertMediaParameters{flags} // PATCH, with an XCC
	}
	var refusal error
	for i, form := range forms {
		err := b.patiently(ctx, func() error { return b.withFreshTag(v, func() error { return b.send(v, &form) }) })
		switch {
		case err == nil:
			return nil
		case status(err) != http.StatusBadRequest:
			return err
		case i == 0 || says(err, "ActionParameterMissing"): // what it lacks tells more than what it does not know
			refusal = err
		}
	}
	if insert := b.oemAction(v, "InsertVirtualMedia"); insert != "" {
		return v.Post(insert, map[string]any{"Image": image})
	}
	return refusal
}

func (b *bmc) send(v *schemas.VirtualMedia, form *schemas.VirtualMediaInsertMediaParameters) error {
	_, err := v.InsertMedia(form)
	return err
}

// withFreshTag repeats a change that came with an ETag that is not the latest.
func (b *bmc) withFreshTag(v *schemas.VirtualMedia, change func() error) error {
	err := change()
	if status(err) != http.StatusPreconditionFailed {
		return err
	}
	now, err := schemas.GetVirtualMedia(b.client, v.ODataID)
	if err != nil {
		return err
	}
	*v = *now
	return change()
}

// empty ejects what is in a drive.
func (b *bmc) empty(ctx context.Context, v *schemas.VirtualMedia) error {
	return b.patiently(ctx, func() error {
		return b.withFreshTag(v, func() error {
			eject := b.oemAction(v, "EjectVirtualMedia")
			switch {
			case v.SupportsMediaEject:
				_, err := v.EjectMedia()
				if refused(err) && eject != "" {
					err = v.Post(eject, map[string]any{})
				}
				return err
			case eject != "":
				return v.Post(eject, map[string]any{})
			default: // an XCC; gofish would leave the image named
				return v.Patch(v.ODataID, map[string]any{"Image": nil, "Inserted": false})
			}
		})
	})
}

// eject empties every drive that may hold the device's image.
func (b *bmc) eject(ctx context.Context, device string) error {
	drives, err := b.drives(device)
	if errors.Is(err, driver.ErrUnsupported) {
		drives, err = nil, nil // the only one that would do holds something else
	}
	if err != nil {
		return err
	}
	for _, v := range drives {
		if !occupied(v) {
			continue
		}
		if err := b.empty(ctx, v); err != nil {
			return fmt.Errorf("eject what is in drive %s: %w", v.ID, err)
		}
	}
	b.node.Remember(mediaWord(device), "")
	return nil
}

// inserted is the image in a drive for the device: the one that was put there as such, else any that is not another's. A BMC
// that names none of what it holds has only the word for it.
func (b *bmc) inserted(device string) (image string, err error) {
	all, err := b.allDrives()
	if err != nil {
		return "", err
	}
	there := false
	for _, v := range all {
		if rank(v, device) < 0 {
			continue
		}
		there = true
		holds := b.holds(v.ODataID)
		if !occupied(v) || holds != "" && holds != device || image != "" && holds == "" {
			continue
		}
		image = cmp.Or(v.Image, v.ImageName, "an image that the BMC does not name")
	}
	if !there {
		return "", fmt.Errorf("%w: it has no virtual drive for a %s", driver.ErrUnsupported, device)
	}
	return image, nil
}

// holds is the device whose image was put into a drive; empty: not known.
func (b *bmc) holds(drive string) string {
	for device := range kinds {
		if b.node.State[mediaWord(device)] == drive {
			return device
		}
	}
	return ""
}
