package redfish

import (
	"encoding/json"
	"net"
	"slices"
	"strings"

	"github.com/stmcginnis/gofish/schemas"

	"bosh-ironic-cpi/src/inventory"
)

// inspect gathers what the BMC knows of the server. What it does not know is left out; many know NICs and disks only after
// the server's first start.
func (b *bmc) inspect() (inventory.Inventory, error) {
	s := b.system
	found := inventory.Inventory{
		Manufacturer: strings.TrimSpace(s.Manufacturer), Product: strings.TrimSpace(s.Model), Serial: strings.TrimSpace(s.SerialNumber),
	}
	for _, look := range []func(*inventory.Inventory) error{b.inspectCPUs, b.inspectMemory, b.inspectDisks, b.inspectNICs} {
		if err := look(&found); err != nil && !refused(err) {
			return inventory.Inventory{}, err
		}
	}
	mode, err := b.bootMode()
	if err == nil {
		found.BootMode = mode
	}
	return found, nil
}

func (b *bmc) inspectCPUs(found *inventory.Inventory) error {
	processors, err := b.system.Processors()
	threads, cores, sockets := 0, 0, 0
	for _, p := range processors {
		if p.ProcessorType != "" && p.ProcessorType != schemas.CPUProcessorType || p.Status.State == schemas.AbsentState {
			continue // a GPU, an empty socket
		}
		sockets++
		threads += count(p.TotalThreads)
		cores += count(p.TotalCores)
		if found.Architecture == "" {
			found.Architecture = architecture(p)
		}
	}
	summary := b.system.ProcessorSummary
	for _, n := range []int{count(summary.LogicalProcessorCount), threads, count(summary.CoreCount), cores, count(summary.Count), sockets} {
		if n > 0 {
			found.CPUs = n
			break
		}
	}
	return unlessPartial(err, len(processors))
}

// architecture is as the kernel says it. x86 is what BMCs say of processors that nobody has made with 32 bits for years.
func architecture(p *schemas.Processor) string {
	switch {
	case p.InstructionSet == schemas.ARMA64InstructionSet:
		return "aarch64"
	case p.ProcessorArchitecture == schemas.X86ProcessorArchitecture:
		return "x86_64"
	case p.ProcessorArchitecture == schemas.ARMProcessorArchitecture:
		return "aarch64"
	}
	return ""
}

func (b *bmc) inspectMemory(found *inventory.Inventory) error {
	if size := b.system.MemorySummary.TotalSystemMemoryGiB; size != nil && *size > 0 {
		found.MemoryMB = int(*size * 1024)
		return nil
	}
	modules, err := b.system.Memory()
	for _, m := range modules {
		found.MemoryMB += count(m.CapacityMiB)
	}
	return unlessPartial(err, len(modules))
}

func (b *bmc) inspectDisks(found *inventory.Inventory) error {
	controllers, err := b.system.Storage()
	err = unlessPartial(err, len(controllers))
	for _, c := range controllers {
		drives, failed := c.Drives()
		if failed = unlessPartial(failed, len(drives)); failed != nil && !refused(failed) {
			return failed
		}
		for _, d := range drives {
			if d.CapacityBytes == nil || *d.CapacityBytes <= 0 || d.Status.State == schemas.AbsentState {
				continue
			}
			found.Disks = append(found.Disks, inventory.Disk{
				Name: d.ID, SizeBytes: int64(*d.CapacityBytes), Serial: strings.TrimSpace(d.SerialNumber), Model: strings.TrimSpace(d.Model),
				Vendor: strings.TrimSpace(d.Manufacturer), WWN: wwn(d.Identifiers), Rotational: d.MediaType == schemas.HDDMediaType,
			})
		}
	}
	if len(found.Disks) == 0 && (err == nil || refused(err)) {
		return b.inspectSmartStorage(found)
	}
	return err
}

// wwn is as udev writes it.
func wwn(names []schemas.Identifier) string {
	for _, n := range names {
		if n.DurableNameFormat == schemas.NAADurableNameFormat && n.DurableName != "" {
			plain := strings.NewReplacer(":", "", "-", "").Replace(strings.ToLower(n.DurableName))
			return "0x" + strings.TrimPrefix(plain, "0x")
		}
	}
	return ""
}

// inspectSmartStorage reads disks where iLOs had them before they came into the standard.
func (b *bmc) inspectSmartStorage(found *inventory.Inventory) error {
	type linked struct{ Links map[string]schemas.Link }
	var system oem[linked]
	_ = json.Unmarshal(b.system.RawData, &system) // what cannot be read is not known
	storage := firstLink(system.Oem.Hp.Links["SmartStorage"], system.Oem.Hpe.Links["SmartStorage"])
	if storage == "" {
		return nil
	}
	var top linked
	if err := b.get(storage, &top); err != nil {
		return err
	}
	controllers, err := b.members(top.Links["ArrayControllers"].String())
	if err != nil {
		return err
	}
	for _, c := range controllers {
		var controller linked
		if err := b.get(c, &controller); err != nil {
			return err
		}
		paths, err := b.members(firstLink(controller.Links["PhysicalDrives"], controller.Links["DiskDrives"]))
		if err != nil {
			return err
		}
		for _, path := range paths {
			var d struct {
				Id, Model, SerialNumber, MediaType string
				CapacityMiB, CapacityLogicalBlocks int64
				BlockSizeBytes                     int64
			}
			if err := b.get(path, &d); err != nil {
				return err
			}
			size := d.CapacityLogicalBlocks * d.BlockSizeBytes
			if size == 0 {
				size = d.CapacityMiB << 20
			}
			found.Disks = append(found.Disks, inventory.Disk{
				Name: d.Id, SizeBytes: size, Serial: d.SerialNumber, Model: d.Model, Rotational: d.MediaType == "HDD",
			})
		}
	}
	return nil
}

func firstLink(links ...schemas.Link) string {
	for _, l := range links {
		if l != "" {
			return l.String()
		}
	}
	return ""
}

func (b *bmc) inspectNICs(found *inventory.Inventory) error {
	nics, err := b.system.EthernetInterfaces()
	err = unlessPartial(err, len(nics))
	for _, nic := range nics {
		if nic.Status.State == schemas.DisabledState || nic.Status.State == schemas.AbsentState {
			continue
		}
		mac := nic.PermanentMACAddress
		if mac == "" {
			mac = nic.MACAddress
		}
		addNIC(found, nic.ID, mac)
	}
	if len(found.Interfaces) > 0 || err != nil && !refused(err) {
		return err
	}
	return b.inspectAdapters(found)
}

// inspectAdapters reads NICs where an iLO has them.
func (b *bmc) inspectAdapters(found *inventory.Inventory) error {
	var system oem[struct {
		Links struct{ NetworkAdapters schemas.Link }
	}]
	_ = json.Unmarshal(b.system.RawData, &system) // what cannot be read is not known
	collection := firstLink(system.Oem.Hp.Links.NetworkAdapters, system.Oem.Hpe.Links.NetworkAdapters)
	if collection == "" {
		return nil
	}
	paths, err := b.members(collection)
	if err != nil {
		return err
	}
	for _, path := range paths {
		var adapter struct {
			Id            string
			PhysicalPorts []struct{ MacAddress string }
		}
		if err := b.get(path, &adapter); err != nil {
			return err
		}
		for _, port := range adapter.PhysicalPorts {
			addNIC(found, adapter.Id, port.MacAddress)
		}
	}
	return nil
}

// addNIC adds each MAC address once: partitions of a NIC share one.
func addNIC(found *inventory.Inventory, name, mac string) {
	address, err := net.ParseMAC(strings.TrimSpace(mac))
	if err != nil || len(address) != 6 {
		return
	}
	mac = address.String()
	if !slices.ContainsFunc(found.Interfaces, func(i inventory.Interface) bool { return i.MAC == mac }) {
		found.Interfaces = append(found.Interfaces, inventory.Interface{Name: name, MAC: mac})
	}
}

// unlessPartial forgets the errors of some members where others were read.
func unlessPartial(err error, read int) error {
	if read > 0 {
		return nil
	}
	if err == nil {
		return nil
	}
	return first(err)
}

func count[T int | uint](n *T) int {
	if n == nil {
		return 0
	}
	return int(*n)
}
