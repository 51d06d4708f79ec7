package disk

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

var (
	// ErrNoSpace means that no disk of the server can become the persistent disk (Bosh::Clouds::NoDiskSpace).
	ErrNoSpace = errors.New("no free disk is large enough")

	// ErrNoDevice means that the disk which was asked for as ephemeral cannot be it.
	ErrNoDevice = errors.New("disk cannot be the ephemeral disk")
)

// Want is what a new persistent disk needs.
type Want struct {
	SizeMiB int64  // 0: any
	Device  string // only this one: path, by-id link, WWN or serial number; empty: any

	Ephemeral Device // the VM's ephemeral disk; zero: none, or on the root disk
	InUse     []CID  // persistent disks that exist on the server, attached or not
	Used      []CID  // deleted disks: their content may still be there
}

// Choose picks the device for a new persistent disk: never the root disk, the ephemeral one, one that holds
// a persistent disk or could, or one that cleaning spares (unless Want.Device names it). Disks that held
// nothing before come first, then the smallest that is large enough, unknown sizes last, then the order of
// devices. The error wraps [ErrNoSpace] and says for each disk why not.
func Choose(devices []Device, want Want) (Device, error) {
	var free []Device
	var whyNot []string
	for _, d := range devices {
		if want.Device != "" && !d.Is(want.Device) {
			continue
		}
		if why := want.refuses(devices, d); why != "" {
			whyNot = append(whyNot, d.Label()+" "+why)
			continue
		}
		free = append(free, d)
	}
	if len(free) > 0 {
		return slices.MinFunc(free, func(a, b Device) int { // of equals the first
			return cmp.Or(
				order(want.dirty(a), want.dirty(b)),
				order(a.SizeBytes == 0, b.SizeBytes == 0),
				cmp.Compare(a.SizeBytes, b.SizeBytes),
			)
		}), nil
	}
	asked := fmt.Sprintf("%d MiB wanted", want.SizeMiB)
	if want.Device != "" {
		asked += " on " + want.Device
	}
	if len(whyNot) == 0 {
		whyNot = []string{"the server has no such disk, but " + labels(devices)}
	}
	return Device{}, fmt.Errorf("%w (%s): %s", ErrNoSpace, asked, strings.Join(whyNot, "; "))
}

// refuses says why d is not free, in words that follow its name; empty: it is.
func (w Want) refuses(devices []Device, d Device) string {
	if why := holds(devices, d, w.InUse); why != "" {
		return why
	}
	switch {
	case d.Root:
		return "is the root disk"
	case w.Ephemeral != (Device{}) && d.same(w.Ephemeral):
		return "is the VM's ephemeral disk (an ephemeral disk on the root disk would free it)"
	case d.Skipped && w.Device == "":
		return "is spared by properties.skip_block_devices"
	case d.SizeBytes != 0 && d.SizeMiB() < w.SizeMiB:
		return fmt.Sprintf("has %d MiB", d.SizeMiB())
	}
	return ""
}

func (w Want) dirty(d Device) bool {
	return slices.ContainsFunc(w.Used, func(c CID) bool { return c.Matches(d) })
}

// holds says which persistent disk is on d, or could be, since no device of the server matches it.
func holds(devices []Device, d Device, inUse []CID) string {
	for _, c := range inUse {
		if c.Matches(d) {
			return "holds the persistent disk " + c.String()
		}
	}
	for _, c := range inUse {
		if c.mayBe(d) && !slices.ContainsFunc(devices, c.Matches) {
			return "may hold the persistent disk " + c.String() + ", which no disk matches; inspect the node or declare its disks"
		}
	}
	return ""
}

// OnRoot is what a VM asks for to have its ephemeral data on the root disk.
const OnRoot = "root"

// Ephemeral finds the disk for a VM's ephemeral data, which the agent wipes. asked is [OnRoot], a disk's
// path, by-id link, WWN or serial number, or empty: then it is the first disk that is not the root disk,
// holds no persistent disk of inUse and is not spared by cleaning. ok is false when the data go to the
// root disk, because that was asked for or no disk is left.
//
// With exactly two disks the second one is ephemeral, as it was with the first CPI, and none is left for
// persistent disks, unless one is on it already; who wants one there asks for OnRoot.
//
// The error wraps [ErrNoDevice]: the disk asked for is not there, is the root disk, or holds a persistent disk.
func Ephemeral(devices []Device, asked string, inUse []CID) (d Device, ok bool, err error) {
	if asked == OnRoot {
		return Device{}, false, nil
	}
	for _, d := range devices {
		why := holds(devices, d, inUse)
		switch {
		case asked == "" && (why != "" || d.Root || d.Skipped):
			continue
		case asked != "" && !d.Is(asked):
			continue
		case d.Root:
			return Device{}, false, fmt.Errorf("%w: %s is the root disk; ask for %q", ErrNoDevice, asked, OnRoot)
		case why != "":
			return Device{}, false, fmt.Errorf("%w: %s %s", ErrNoDevice, asked, why)
		}
		return d, true, nil
	}
	if asked != "" {
		return Device{}, false, fmt.Errorf("%w: the server has no %s, but %s", ErrNoDevice, asked, labels(devices))
	}
	return Device{}, false, nil
}

func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

func labels(devices []Device) string {
	var names []string
	for _, d := range devices {
		names = append(names, d.Label())
	}
	return strings.Join(names, ", ")
}
