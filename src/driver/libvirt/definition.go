package libvirt

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// An element of a domain's definition, and where it stands in the text.
type element struct {
	path       string // domain/os/boot
	attributes []xml.Attr
	begin, end int // in bytes
	closing    int // where its end tag begins; begin if it has none: <os/>
}

func (e element) attribute(name string) string {
	for _, a := range e.attributes {
		if a.Name.Space == "" && a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// elements reads a definition, in the order in which elements begin.
func elements(definition string) ([]element, error) {
	decoder := xml.NewDecoder(strings.NewReader(definition))
	var all []element
	var open []int
	for {
		before := int(decoder.InputOffset())
		token, err := decoder.Token()
		after := int(decoder.InputOffset())
		switch {
		case errors.Is(err, io.EOF) && len(all) > 0:
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("the domain's definition is no XML that can be read: %w", err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			path := t.Name.Local
			if t.Name.Space != "" {
				path = t.Name.Space + " " + path
			}
			if len(open) > 0 {
				path = all[open[len(open)-1]].path + "/" + path
			}
			open = append(open, len(all))
			all = append(all, element{path: path, attributes: slices.Clone(t.Attr), begin: before})
		case xml.EndElement:
			e := &all[open[len(open)-1]]
			open = open[:len(open)-1]
			e.end, e.closing = after, before
			if before == after { // <os/>: the end is made up
				e.closing = e.begin
			}
		}
	}
}

// plainMAC is a MAC address as nobody writes it, to compare.
func plainMAC(mac string) string {
	return strings.ToLower(strings.NewReplacer(":", "", "-", "").Replace(mac))
}

// macs are the MAC addresses in a definition.
func macs(definition string) (found []string, err error) {
	all, err := elements(definition)
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		if strings.HasSuffix(e.path, "/mac") && e.attribute("address") != "" {
			found = append(found, plainMAC(e.attribute("address")))
		}
	}
	return found, nil
}

const osBoot = "domain/os/boot"

// isDeviceBoot finds <boot order='1'/> in a device.
func isDeviceBoot(e element) bool {
	parts := strings.Split(e.path, "/")
	return len(parts) == 4 && parts[0] == "domain" && parts[1] == "devices" && parts[3] == "boot"
}

// bootDevice is what a definition boots from, in libvirt's words: network, hd, cdrom, fd; empty: it does not say. Where
// devices have an order of their own, it is the first one's kind.
func bootDevice(definition string) (string, error) {
	all, err := elements(definition)
	if err != nil {
		return "", err
	}
	if i := slices.IndexFunc(all, func(e element) bool { return e.path == osBoot }); i >= 0 {
		return all[i].attribute("dev"), nil
	}
	lowest, name := 0, ""
	var device element
	for _, e := range all {
		if strings.Count(e.path, "/") == 2 {
			device = e
		}
		if !isDeviceBoot(e) {
			continue
		}
		if order, err := strconv.Atoi(e.attribute("order")); err == nil && (lowest == 0 || order < lowest) {
			lowest, name = order, deviceKind(device)
		}
	}
	return name, nil
}

func deviceKind(device element) string {
	switch {
	case device.path == "domain/devices/interface":
		return "network"
	case device.path != "domain/devices/disk":
		return ""
	case device.attribute("device") == "cdrom":
		return "cdrom"
	case device.attribute("device") == "floppy":
		return "fd"
	default:
		return "hd"
	}
}

// withBootDevice is the definition with that boot device, and no other; orders of single devices, beside which libvirt
// allows none, go. All else stays as it is, byte for byte.
func withBootDevice(definition, name string) (string, error) {
	all, err := elements(definition)
	if err != nil {
		return "", err
	}
	os := slices.IndexFunc(all, func(e element) bool { return e.path == "domain/os" })
	if os < 0 {
		return "", errors.New("the domain's definition has no element os")
	}
	boot := "<boot dev='" + name + "'/>"
	var out strings.Builder
	done, placed := 0, false
	for _, e := range all {
		if e.path != osBoot && !isDeviceBoot(e) {
			continue
		}
		until := e.begin
		if e.path == osBoot && !placed { // the new one takes the place of the first
			out.WriteString(definition[done:until] + boot)
			placed = true
		} else {
			out.WriteString(strings.TrimRight(definition[done:until], " \t\r\n"))
		}
		done = e.end
	}
	out.WriteString(definition[done:])
	if placed {
		return out.String(), nil
	}
	return appendTo(out.String(), boot)
}

// appendTo puts an element at the end of os.
func appendTo(definition, boot string) (string, error) {
	all, err := elements(definition)
	if err != nil {
		return "", err
	}
	os := all[slices.IndexFunc(all, func(e element) bool { return e.path == "domain/os" })]
	if os.closing == os.begin {
		tag := definition[os.begin:os.end]
		return definition[:os.begin] + strings.TrimRight(strings.TrimSuffix(tag, "/>"), " ") + ">" + boot + "</os>" + definition[os.end:], nil
	}
	inside := strings.TrimRight(definition[:os.closing], " \t\r\n")
	return inside + boot + definition[len(inside):], nil
}
