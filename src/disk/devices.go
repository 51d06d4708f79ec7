package disk

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"bosh-ironic-cpi/src/inventory"
)

// ErrProperties means that the node's properties about disks (disks, root_device, skip_block_devices) cannot
// be right: another node may do, this one needs its operator.
var ErrProperties = errors.New("node properties about disks are wrong")

// A Source says how a node's disks are known.
type Source string

// The sources, best first. FromPaths is a guess: also the number of disks is not known.
const (
	FromInventory  Source = "inventory"
	FromProperties Source = "properties.disks"
	FromPaths      Source = "paths"
)

// Known is what may be known of a node's disks.
type Known struct {
	Inventory  *inventory.Inventory // nil: never inspected
	Properties map[string]any       // the node's; of interest are disks, root_device, skip_block_devices
	Paths      []string             // assumed when neither tells, the root disk's first; nil: [FoundingPaths]
}

// FoundingPaths are the roles' paths of the first CPI: system, ephemeral, persistent.
func FoundingPaths() []string { return []string{"/dev/sda", "/dev/sdb", "/dev/sdc"} }

// minRootBytes is the smallest disk that Ironic writes an image to without being told (ironic-python-agent,
// utils.guess_root_disk).
const minRootBytes = 4 << 30

// Devices lists the disks of a node and marks the root disk and those that cleaning spares. Disks of an
// inventory come by name, others as the operator listed them: in this order [Ephemeral] and [Choose] take them.
//
// The root disk is the one that the hints in properties.root_device select; else the one that the operator
// or the ramdisk named; else Ironic's default, the smallest of at least 4 GiB. Without sizes it is the first.
// Errors wrap [ErrProperties].
func Devices(known Known) ([]Device, Source, error) {
	devices, source, err := list(known)
	if err != nil {
		return nil, source, err
	}
	if err := markSkipped(devices, known.Properties["skip_block_devices"], source); err != nil {
		return nil, source, err
	}
	root, err := findRoot(devices, known, source)
	if err != nil {
		return nil, source, err
	}
	for i := range devices {
		devices[i].Root = i == root
	}
	if source == FromInventory { // only now: of several that fit the hints, Ironic takes the first reported
		slices.SortStableFunc(devices, byName)
	}
	dropShared(devices)
	return devices, source, nil
}

func list(known Known) ([]Device, Source, error) {
	if known.Inventory != nil && len(known.Inventory.Disks) > 0 {
		var devices []Device
		for _, d := range known.Inventory.Disks {
			devices = append(devices, fromInventory(d))
		}
		return devices, FromInventory, nil
	}
	if declared, ok := known.Properties["disks"]; ok && declared != nil {
		devices, err := fromProperties(declared)
		return devices, FromProperties, err
	}
	paths := known.Paths
	if paths == nil {
		paths = FoundingPaths()
	}
	var devices []Device
	for i, p := range paths {
		devices = append(devices, Device{Name: p, Root: i == 0})
	}
	return devices, FromPaths, nil
}

func fromInventory(d inventory.Disk) Device {
	return Device{
		Name: d.Name, WWN: d.WWN, WWNWithExtension: d.WWNWithExtension, Serial: d.Serial, Vendor: d.Vendor,
		Model: d.Model, ByPath: d.ByPath, HCTL: d.HCTL, SizeBytes: d.SizeBytes, Rotational: d.Rotational,
	}
}

func markSkipped(devices []Device, property any, source Source) error {
	if property == nil {
		return nil
	}
	entries, ok := property.([]any)
	if !ok {
		return fmt.Errorf("%w: skip_block_devices is not a list", ErrProperties)
	}
	for i, entry := range entries {
		if m, ok := entry.(map[string]any); ok && m["volume_name"] != nil {
			continue // a RAID volume, spared while arrays are deleted; no disk is meant
		}
		hints, err := parseHints(entry)
		if err != nil {
			return fmt.Errorf("%w: skip_block_devices[%d]: %w", ErrProperties, i, err)
		}
		for j := range devices {
			devices[j].Skipped = devices[j].Skipped || hints.match(devices[j], source == FromInventory)
		}
	}
	return nil
}

// findRoot gives the index of the root disk. Devices that cleaning spares are never it: the deploy ramdisk
// does not offer them (ironic-python-agent, list_block_devices_check_skip_list).
func findRoot(devices []Device, known Known, source Source) (int, error) {
	if len(devices) == 0 {
		return -1, nil
	}
	said := slices.IndexFunc(devices, func(d Device) bool { return d.Root && !d.Skipped })
	if property := known.Properties["root_device"]; !empty(property) {
		hints, err := parseHints(property)
		if err != nil {
			return 0, fmt.Errorf("%w: root_device: %w", ErrProperties, err)
		}
		hinted := slices.IndexFunc(devices, func(d Device) bool {
			return !d.Skipped && hints.match(d, source == FromInventory)
		})
		switch {
		case hinted >= 0 && source == FromProperties && said >= 0 && said != hinted:
			return 0, fmt.Errorf("%w: disks says that %s is the root disk, the hints in root_device select %s",
				ErrProperties, devices[said].Label(), devices[hinted].Label())
		case hinted >= 0:
			return hinted, nil
		case source == FromInventory:
			return 0, fmt.Errorf("%w: no disk of the inventory fits the hints in root_device", ErrProperties)
		case source == FromPaths && said >= 0 && hints.name() != "":
			devices[said].Name = hints.name()
		}
	}
	if reported := known.Inventory; said < 0 && source == FromInventory && reported.RootDisk != nil {
		root := fromInventory(*reported.RootDisk)
		said = slices.IndexFunc(devices, func(d Device) bool { return !d.Skipped && d.same(root) })
	}
	if said >= 0 {
		return said, nil
	}
	return defaultRoot(devices)
}

func defaultRoot(devices []Device) (int, error) {
	root := -1
	for i, d := range devices {
		if d.Skipped || d.SizeBytes < minRootBytes && d.SizeBytes != 0 {
			continue
		}
		if d.SizeBytes == 0 { // Ironic will see sizes, we do not: the first is the custom
			return i, nil
		}
		if root < 0 || cmp.Or(cmp.Compare(d.SizeBytes, devices[root].SizeBytes), strings.Compare(d.Name, devices[root].Name)) < 0 {
			root = i
		}
	}
	if root < 0 {
		return 0, fmt.Errorf("%w: no disk of at least 4 GiB is left for the image", ErrProperties)
	}
	return root, nil
}

// dropShared forgets WWNs and serial numbers that several disks of the server report: LUNs of an array share
// a WWN, cheap enclosures a serial number, and neither tells the disks apart.
func dropShared(devices []Device) {
	seen := map[string]int{}
	for _, d := range devices {
		seen["wwn "+strings.ToLower(d.WWN)]++
		seen["ext "+strings.ToLower(d.WWNWithExtension)]++
		seen["serial "+strings.ToLower(d.Serial)]++
	}
	for i := range devices {
		d := &devices[i]
		if seen["wwn "+strings.ToLower(d.WWN)] > 1 {
			d.WWN = ""
		}
		if seen["ext "+strings.ToLower(d.WWNWithExtension)] > 1 {
			d.WWNWithExtension = ""
		}
		if seen["serial "+strings.ToLower(d.Serial)] > 1 {
			d.Serial = ""
		}
	}
}

func empty(property any) bool {
	m, ok := property.(map[string]any)
	return property == nil || ok && len(m) == 0 || property == ""
}
