package disk

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// ErrBadCID means that a text is not a disk CID of this CPI, nor one can be made.
var ErrBadCID = errors.New("not a disk CID of this CPI")

// maxCID is the width of the Director's column disk_cid.
const maxCID = 255

// A CID names a persistent disk. It says on which server and on which device the disk is, so that it can be
// found when all records are lost, and is unique for each create_disk.
//
// As text it is disk-<MAC>-<kind>-<id>-<random>: disk-e41f13e6333c-wwn-0x5000c500a0000001-9f86d081884c7d65.
// It has only letters, digits, dot, dash and underscore, since the agent globs with it
// (/dev/disk/by-id/*<CID>, for CIDs of 20 characters and more) and the Director puts it into URLs; any other
// byte of the id, and the underscore, is written _XX. The CIDs of the first CPI, <time>-<MAC>-<device
// without /dev/>, are read as well.
//
// CIDs are comparable with ==.
type CID struct {
	MAC  string // of one of the server's NICs: lower case, with colons
	Kind Kind
	ID   string // what Kind says; a path is whole: /dev/sdc

	unique string // random hex digits; the time in a founding CID
}

// A Kind says by what a CID knows its device.
type Kind string

// The kinds, as [NewCID] prefers them: from a WWN and a link follows the path for the agent, from a serial
// number not, and a path may mean another disk after the next boot.
const (
	ByWWN      Kind = "wwn"
	ByLink     Kind = "id" // a link in /dev/disk/by-id
	BySerial   Kind = "serial"
	ByPath     Kind = "path"
	byFounding Kind = ""
)

// NewCID makes a CID for a new disk on device d of the server that has mac. Errors wrap [ErrBadCID]: mac is
// not a MAC, or d has nothing by which to know it that fits into 255 characters.
func NewCID(mac string, d Device) (CID, error) {
	parsed, err := net.ParseMAC(mac)
	if err != nil || len(parsed) != 6 {
		return CID{}, fmt.Errorf("%w: %q is not the MAC of a server", ErrBadCID, mac)
	}
	wwn := d.WWN
	if d.WWNWithExtension != "" {
		wwn = d.WWNWithExtension
	}
	var random [8]byte
	rand.Read(random[:]) // never fails (crypto/rand)
	for _, by := range []struct {
		kind Kind
		id   string
	}{
		{ByWWN, wwn},
		{ByLink, strings.TrimPrefix(d.ByID, byIDFolder)},
		{BySerial, d.Serial},
		{ByPath, d.Name},
		{ByPath, d.ByPath},
	} {
		c := CID{MAC: parsed.String(), Kind: by.kind, ID: by.id, unique: hex.EncodeToString(random[:])}
		if by.id != "" && len(c.String()) <= maxCID {
			return c, nil
		}
	}
	return CID{}, fmt.Errorf("%w: nothing short enough is known of disk %q to name it", ErrBadCID, d.Label())
}

// String is the CID as the Director keeps it.
func (c CID) String() string {
	mac := strings.ReplaceAll(c.MAC, ":", "")
	if c.Kind == byFounding {
		return c.unique + "-" + mac + "-" + strings.TrimPrefix(c.ID, "/dev/")
	}
	return "disk-" + mac + "-" + string(c.Kind) + "-" + escape(c.ID) + "-" + c.unique
}

var (
	newForm      = regexp.MustCompile(`^disk-([0-9a-f]{12})-(wwn|id|serial|path)-([A-Za-z0-9._-]+)-([0-9a-f]{16})$`)
	foundingForm = regexp.MustCompile(`^([0-9]+)-([0-9a-f]{12})-([[:graph:]]+)$`)
)

// ParseCID reads a CID of this CPI or of the first one. The error wraps [ErrBadCID] and names the text.
func ParseCID(text string) (CID, error) {
	if m := newForm.FindStringSubmatch(text); m != nil && len(text) <= maxCID {
		if id, ok := unescape(m[3]); ok {
			return CID{MAC: colons(m[1]), Kind: Kind(m[2]), ID: id, unique: m[4]}, nil
		}
	}
	if m := foundingForm.FindStringSubmatch(text); m != nil && len(text) <= maxCID && !strings.HasPrefix(m[3], "/") {
		return CID{MAC: colons(m[2]), ID: "/dev/" + m[3], unique: m[1]}, nil
	}
	return CID{}, fmt.Errorf("%w: %q", ErrBadCID, text)
}

// Device is what the CID alone tells of its device, for the time when the node tells nothing: its
// [Device.Hint] and [Device.SkipHint] hold if they are there.
func (c CID) Device() Device {
	switch c.Kind {
	case ByWWN:
		return Device{WWN: c.ID}
	case ByLink:
		return Device{ByID: path.Join(byIDFolder, c.ID)}
	case BySerial:
		return Device{Serial: c.ID}
	}
	return Device{Name: c.ID}
}

// Matches reports whether the disk is on d, a device of the CID's server.
func (c CID) Matches(d Device) bool {
	switch c.Kind {
	case ByWWN:
		return strings.EqualFold(c.ID, d.WWNWithExtension) || strings.EqualFold(c.ID, d.WWN) || d.ByID == wwnLink(c.ID)
	case ByLink:
		return d.Is(path.Join(byIDFolder, c.ID))
	case BySerial:
		return strings.EqualFold(c.ID, d.Serial)
	}
	return d.Is(c.ID)
}

// mayBe reports whether the disk, which matches no device of the server, could be on d for all that is known:
// d lacks what the CID goes by, or that is a path, which changes when a disk is added or removed.
func (c CID) mayBe(d Device) bool {
	switch c.Kind {
	case ByWWN: // that of a whole array, if its units showed later
		return d.WWN == "" && strings.HasPrefix(strings.ToLower(d.WWNWithExtension), strings.ToLower(c.ID)) ||
			d.WWN == "" && d.WWNWithExtension == ""
	case ByLink:
		return d.ByID == "" && d.WWN == "" && d.WWNWithExtension == ""
	case BySerial:
		return d.Serial == ""
	}
	return true
}

func colons(mac string) string {
	hardware, _ := hex.DecodeString(mac) // the caller's pattern lets only hex digits pass
	return net.HardwareAddr(hardware).String()
}

func escape(id string) string {
	var b strings.Builder
	for _, c := range []byte(id) {
		if plain(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "_%02x", c)
		}
	}
	return b.String()
}

// unescape accepts only what escape writes, so that no disk has two CIDs.
func unescape(text string) (id string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '_' {
			b.WriteByte(text[i])
			continue
		}
		if i+3 > len(text) {
			return "", false
		}
		c, err := strconv.ParseUint(text[i+1:i+3], 16, 8)
		if err != nil {
			return "", false
		}
		b.WriteByte(byte(c))
		i += 2
	}
	return b.String(), escape(b.String()) == text
}

func plain(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '.' || c == '-'
}
