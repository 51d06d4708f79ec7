// Package inventory reads what ramdisks report about a server: disks, NICs, processors, memory, boot mode.
//
// It knows two forms: that of ironic-python-agent, as the ramdisk posts it and as Ironic answers it
// (GET /v1/nodes/ID/inventory), and that of ironic-discoverd's ramdisk of 2015. It is lenient: reports come
// from many versions and vendors, and a value that makes no sense is left out, not refused. It does not keep
// what nobody here uses (LLDP, PCI devices, logs).
//
// The forms are specified by ironic-python-agent ("Hardware Inventory") and by the diskimage-builder element
// ironic-discoverd-ramdisk. Start at [Decode].
package inventory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// ErrNotAnInventory means that the bytes are not a ramdisk's report.
var ErrNotAnInventory = errors.New("not an inventory")

// An Inventory is what a ramdisk found. What it did not say is zero.
type Inventory struct {
	Manufacturer string // of the server, with Product and Serial
	Product      string
	Serial       string
	Architecture string // as the kernel says: x86_64, aarch64
	CPUs         int    // logical processors
	MemoryMB     int    // MiB that are installed, else what the kernel sees
	LocalGB      int    // GiB of the first disk, less one; only the form of 2015
	BootMode     string // bios or uefi
	Disks        []Disk
	Interfaces   []Interface
	RootDisk     *Disk // where the ramdisk would write an image; nil: not said
}

// A Disk is one block device. Names and numbers are udev's and lsblk's.
type Disk struct {
	Name             string // /dev/sda: may change from boot to boot
	SizeBytes        int64
	WWN              string
	WWNWithExtension string // longer than WWN where one WWN has several units
	Serial           string
	Vendor           string
	Model            string
	Rotational       bool
	ByPath           string // /dev/disk/by-path/...
	HCTL             string // host:channel:target:lun
}

// An Interface is one NIC.
type Interface struct {
	Name string
	MAC  string // lower case, with colons
}

// Decode reads a report of either form. The error wraps [ErrNotAnInventory].
func Decode(report []byte) (Inventory, error) {
	decoder := json.NewDecoder(bytes.NewReader(report))
	decoder.UseNumber()
	var top object
	if err := decoder.Decode(&top); err != nil {
		return Inventory{}, fmt.Errorf("%w: %w", ErrNotAnInventory, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Inventory{}, fmt.Errorf("%w: more than one JSON document", ErrNotAnInventory)
	}
	if inventory := top.object("inventory"); inventory != nil {
		return agentForm(top, inventory), nil
	}
	if _, named := top["interfaces"].(map[string]any); named {
		return discoverdForm(top), nil
	}
	return Inventory{}, fmt.Errorf("%w: neither \"inventory\" nor named \"interfaces\" in it", ErrNotAnInventory)
}

// agentForm reads ironic-python-agent's inventory. top holds root_disk beside it, or in Ironic's plugin_data.
func agentForm(top, inventory object) Inventory {
	cpu, memory, vendor := inventory.object("cpu"), inventory.object("memory"), inventory.object("system_vendor")
	inv := Inventory{
		Manufacturer: vendor.text("manufacturer"),
		Product:      vendor.text("product_name"),
		Serial:       vendor.text("serial_number"),
		Architecture: cpu.text("architecture"),
		CPUs:         int(cpu.number("count")),
		MemoryMB:     int(memory.number("physical_mb")),
		BootMode:     strings.ToLower(inventory.object("boot").text("current_boot_mode")),
	}
	if inv.MemoryMB == 0 {
		inv.MemoryMB = int(memory.number("total") >> 20)
	}
	for _, d := range inventory.objects("disks") {
		if disk := agentDisk(d); disk.Name != "" {
			inv.Disks = append(inv.Disks, disk)
		}
	}
	for _, i := range inventory.objects("interfaces") {
		inv.Interfaces = append(inv.Interfaces, Interface{i.text("name"), strings.ToLower(i.text("mac_address"))})
	}
	for _, at := range []object{top, top.object("plugin_data")} {
		if root := agentDisk(at.object("root_disk")); root.Name != "" && inv.RootDisk == nil {
			inv.RootDisk = &root
		}
	}
	return inv
}

func agentDisk(o object) Disk {
	rotational, _ := o["rotational"].(bool)
	return Disk{
		Name:             o.text("name"),
		SizeBytes:        o.number("size"),
		WWN:              o.text("wwn"),
		WWNWithExtension: o.text("wwn_with_extension"),
		Serial:           o.text("serial"),
		Vendor:           o.text("vendor"),
		Model:            o.text("model"),
		Rotational:       rotational,
		ByPath:           o.text("by_path"),
		HCTL:             o.text("hctl"),
	}
}

// discoverdForm reads the report of 2015: no disks, and NICs by name.
func discoverdForm(top object) Inventory {
	inv := Inventory{
		Architecture: top.text("cpu_arch"),
		CPUs:         int(top.number("cpus")),
		MemoryMB:     int(top.number("memory_mb")),
		LocalGB:      int(top.number("local_gb")),
	}
	interfaces := top.object("interfaces")
	for name := range interfaces {
		mac := strings.ToLower(interfaces.object(name).text("mac"))
		inv.Interfaces = append(inv.Interfaces, Interface{name, mac})
	}
	slices.SortFunc(inv.Interfaces, func(a, b Interface) int { return strings.Compare(a.Name, b.Name) })
	return inv
}
