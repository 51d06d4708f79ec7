package redfish

import (
	"fmt"
	"net/http"
)

// Hardware is what inspection finds.
type Hardware struct {
	Serial   string
	CPUs     int // logical processors
	MemoryMB int
	MACs     []string
	Disks    []Disk
}

// A Disk is a drive of the server.
type Disk struct {
	Model, Serial, WWN string
	SizeBytes          int64
	Rotational         bool
}

var someHardware = Hardware{
	Serial: "CZ1234567A", CPUs: 32, MemoryMB: 64 << 10, MACs: []string{"52:54:00:00:00:01", "52:54:00:00:00:02"},
	Disks: []Disk{
		{Model: "MZ7LH480", Serial: "S45PNA0M500001", WWN: "5002538E40A0B0C1", SizeBytes: 480_103_981_056},
		{Model: "ST2000NX", Serial: "Z4Z00001", WWN: "5000C500A0B0C0D0", SizeBytes: 2_000_398_934_016, Rotational: true},
	},
}

// routeHardware has what is looked at only.
func (b *BMC) routeHardware() {
	at, h := b.system(), b.cfg.Hardware
	const cpus = 2
	var processors, modules, nics, drives []string
	for i := range cpus {
		processors = append(processors, b.fixed(fmt.Sprintf("%s/Processors/CPU%d", at, i+1), "Processor.v1_10_0.Processor", object{
			"ProcessorArchitecture": "x86", "InstructionSet": "x86-64", "ProcessorType": "CPU", "TotalCores": h.CPUs / cpus / 2,
			"TotalThreads": h.CPUs / cpus, "Status": object{"State": "Enabled"},
		}))
		modules = append(modules, b.fixed(fmt.Sprintf("%s/Memory/DIMM%d", at, i+1), "Memory.v1_10_0.Memory", object{
			"CapacityMiB": h.MemoryMB / cpus, "MemoryDeviceType": "DDR4", "Status": object{"State": "Enabled"},
		}))
	}
	for i, mac := range h.MACs {
		nics = append(nics, b.fixed(fmt.Sprintf("%s/EthernetInterfaces/%d", at, i+1), "EthernetInterface.v1_6_0.EthernetInterface", object{
			"MACAddress": mac, "PermanentMACAddress": mac, "SpeedMbps": 10000, "Status": object{"State": "Enabled", "Health": "OK"},
		}))
	}
	var links []object
	for i, d := range h.Disks {
		kind := "SSD"
		if d.Rotational {
			kind = "HDD"
		}
		drives = append(drives, b.fixed(fmt.Sprintf("%s/Storage/1/Drives/%d", at, i), "Drive.v1_11_0.Drive", object{
			"CapacityBytes": d.SizeBytes, "MediaType": kind, "Model": d.Model, "SerialNumber": d.Serial, "Manufacturer": "Somebody",
			"Identifiers": []object{{"DurableName": d.WWN, "DurableNameFormat": "NAA"}}, "Status": object{"State": "Enabled"},
		}))
		links = append(links, link(drives[i]))
	}
	storage := b.fixed(at+"/Storage/1", "Storage.v1_9_0.Storage", object{"Drives": links, "Drives@odata.count": len(links)})
	b.handle("GET "+at+"/Processors", b.list("ProcessorCollection", processors...))
	b.handle("GET "+at+"/Memory", b.list("MemoryCollection", modules...))
	if b.cfg.Model.OEM == "Hp" {
		return // an iLO 4 has NICs and disks elsewhere
	}
	b.handle("GET "+at+"/EthernetInterfaces", b.list("EthernetInterfaceCollection", nics...))
	b.handle("GET "+at+"/Storage", b.list("StorageCollection", storage))
}

// fixed is a resource that never changes; it returns its path.
func (b *BMC) fixed(path, kind string, body object) string {
	body["@odata.id"], body["@odata.type"] = path, "#"+kind
	if body["Id"] == nil {
		body["Id"] = path[lastSlash(path)+1:]
	}
	if body["Name"] == nil {
		body["Name"] = body["Id"]
	}
	b.handle("GET "+path, func(*http.Request, object) answer { return ok(body) })
	return path
}

func lastSlash(path string) int {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return i
		}
	}
	return -1
}
