package disk

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// A Device is one disk of a server. What is not known is zero. Its JSON is kept on nodes and must stay readable.
type Device struct {
	Name             string `json:"name,omitempty"`               // path, /dev/sda: may change from boot to boot
	WWN              string `json:"wwn,omitempty"`                // 0x5000c500a0000001; NVMe: eui.0025385b71b0f0f1
	WWNWithExtension string `json:"wwn_with_extension,omitempty"` // longer than WWN where one WWN has several units
	Serial           string `json:"serial,omitempty"`
	Vendor           string `json:"vendor,omitempty"`
	Model            string `json:"model,omitempty"`
	ByPath           string `json:"by_path,omitempty"` // /dev/disk/by-path/...
	ByID             string `json:"by_id,omitempty"`   // /dev/disk/by-id/..., as the operator declared it
	HCTL             string `json:"hctl,omitempty"`    // host:channel:target:lun
	SizeBytes        int64  `json:"size,omitempty"`
	Rotational       bool   `json:"rotational,omitempty"`
	Root             bool   `json:"root,omitempty"` // Ironic writes the image here
	Skipped          bool   `json:"-"`              // properties.skip_block_devices names it: cleaning spares it
}

const byIDFolder = "/dev/disk/by-id/"

// Hint is the path under which the agent finds the device: by-id where one is known, else by-path, else the
// name. It is empty only for a device of which nothing but a serial number is known.
//
// The by-id names are those of systemd's udev rules (60-persistent-storage.rules).
func (d Device) Hint() string {
	if link := wwnLink(cmp.Or(d.WWNWithExtension, d.WWN)); link != "" {
		return link
	}
	return cmp.Or(d.ByID, d.ByPath, d.Name)
}

func wwnLink(wwn string) string {
	if wwn == "" {
		return ""
	}
	lower := strings.ToLower(wwn)
	for _, nvme := range []string{"eui.", "nvme.", "uuid."} {
		if strings.HasPrefix(lower, nvme) {
			return byIDFolder + "nvme-" + wwn
		}
	}
	return byIDFolder + "wwn-" + wwn
}

// SkipHint is the device's entry for properties.skip_block_devices, and, as the same grammar serves there,
// for instance_info.root_device. ok is false when nothing stable is known: a name would spare, or overwrite,
// whatever has that name at the next boot.
func (d Device) SkipHint() (hint map[string]string, ok bool) {
	switch {
	case d.WWNWithExtension != "" && d.WWNWithExtension != d.WWN:
		return map[string]string{"wwn_with_extension": d.WWNWithExtension}, true
	case d.WWN != "":
		return map[string]string{"wwn": d.WWN}, true
	case d.Serial != "":
		return map[string]string{"serial": d.Serial}, true
	}
	return nil, false
}

// Is reports whether name means the device: its path, WWN, serial number, or a by-id or by-path link, with
// or without the folder. Upper and lower case are the same in WWNs and serial numbers, as in Ironic's hints.
func (d Device) Is(name string) bool {
	if name == "" {
		return false
	}
	for _, id := range []string{d.WWN, d.WWNWithExtension, d.Serial} {
		if strings.EqualFold(id, name) {
			return true
		}
	}
	links := []string{d.Name, d.ByID, d.ByPath, wwnLink(d.WWN), wwnLink(d.WWNWithExtension)}
	if slices.Contains(links, name) {
		return true
	}
	return !strings.Contains(name, "/") && slices.ContainsFunc(links, func(link string) bool {
		return link != "" && path.Base(link) == name
	})
}

// SizeMiB is the device's size in whole MiB, 0 when it is not known.
func (d Device) SizeMiB() int64 { return d.SizeBytes >> 20 }

// Label names the device for people.
func (d Device) Label() string { return cmp.Or(d.Name, d.Hint(), d.Serial, "a disk without a name") }

// same reports whether d and other are one disk of the same server.
func (d Device) same(other Device) bool {
	if a, b := cmp.Or(d.WWNWithExtension, d.WWN), cmp.Or(other.WWNWithExtension, other.WWN); a != "" && b != "" {
		return strings.EqualFold(a, b)
	}
	if d.Name != "" && other.Name != "" {
		return d.Name == other.Name
	}
	return d.Hint() == other.Hint() && d.Serial == other.Serial
}

// byName orders devices as people count them: /dev/sdb before /dev/sdaa.
func byName(a, b Device) int {
	return cmp.Or(cmp.Compare(len(a.Name), len(b.Name)), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Hint(), b.Hint()))
}

// Find gives the device that name means, see [Device.Is].
func Find(devices []Device, name string) (d Device, ok bool) {
	if i := slices.IndexFunc(devices, func(d Device) bool { return d.Is(name) }); i >= 0 {
		return devices[i], true
	}
	return Device{}, false
}
