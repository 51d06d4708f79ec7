package disk_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bosh-ironic-cpi/src/disk"
	"bosh-ironic-cpi/src/inventory"
)

const gib = 1 << 30

// object decodes JSON as the client hands properties on.
func object(t *testing.T, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return m
}

// roles writes devices as a table reads them: "/dev/sda root, /dev/sdb".
func roles(devices []disk.Device) string {
	var list []string
	for _, d := range devices {
		role := d.Label()
		if d.Root {
			role += " root"
		}
		if d.Skipped {
			role += " skipped"
		}
		list = append(list, role)
	}
	return strings.Join(list, ", ")
}

func TestDevicesOfAReport(t *testing.T) {
	report, err := os.ReadFile(filepath.Join("..", "inventory", "testdata", "ipa-2.json"))
	if err != nil {
		t.Fatal(err)
	}
	inv, err := inventory.Decode(report)
	if err != nil {
		t.Fatal(err)
	}
	devices, source, err := disk.Devices(disk.Known{Inventory: &inv})
	if err != nil || source != disk.FromInventory {
		t.Fatalf("Devices() from %s: %v", source, err)
	}
	want := []disk.Device{
		{
			Name: "/dev/sda", WWN: "0x55cd2e404b600002", WWNWithExtension: "0x55cd2e404b600002", Serial: "BTWL00000002",
			Vendor: "ATA", Model: "INTEL SSDSC2BB48", ByPath: "/dev/disk/by-path/pci-0000:00:17.0-ata-1",
			HCTL: "0:0:0:0", SizeBytes: 480103981056, Root: true,
		},
		{
			Name: "/dev/sdb", WWN: "0x5000c500a0000002", WWNWithExtension: "0x5000c500a0000002", Serial: "W46000000002",
			Vendor: "ATA", Model: "ST2000NX0253", ByPath: "/dev/disk/by-path/pci-0000:00:17.0-ata-2",
			HCTL: "1:0:0:0", SizeBytes: 2000398934016, Rotational: true,
		},
	}
	if diff := cmp.Diff(want, devices); diff != "" {
		t.Errorf("Devices(), want -, got +:\n%s", diff)
	}
}

// three is a server that reports its disks out of order: two small alike and a large one.
func three() *inventory.Inventory {
	return &inventory.Inventory{Disks: []inventory.Disk{
		{Name: "/dev/sdc", SizeBytes: 2000 * gib, WWN: "0xc", Serial: "C", Rotational: true},
		{Name: "/dev/sdb", SizeBytes: 400 * gib, WWN: "0xb", Serial: "B"},
		{Name: "/dev/sdaa", SizeBytes: 2 * gib, WWN: "0xaa", Serial: "AA"},
		{Name: "/dev/sda", SizeBytes: 400 * gib, WWN: "0xa", Serial: "A"},
	}}
}

func TestDevicesFindsTheRootDisk(t *testing.T) {
	reported := three()
	reported.RootDisk = &reported.Disks[0]
	tests := []struct {
		name       string
		inventory  *inventory.Inventory
		paths      []string
		properties string
		want       string
		source     disk.Source
	}{
		{"founding paths", nil, nil, `{}`, "/dev/sda root, /dev/sdb, /dev/sdc", disk.FromPaths},
		{"an inventory without disks", &inventory.Inventory{}, nil, `{}`, "/dev/sda root, /dev/sdb, /dev/sdc", disk.FromPaths},
		{"own paths, in their order", nil, []string{"/dev/vdc", "/dev/vda"}, `{}`, "/dev/vdc root, /dev/vda", disk.FromPaths},
		{"no disks", nil, []string{}, `{}`, "", disk.FromPaths},
		{
			"paths and a hint for another", nil, nil, `{"root_device": {"name": "/dev/sdb"}}`,
			"/dev/sda, /dev/sdb root, /dev/sdc", disk.FromPaths,
		},
		{
			"paths and a hint for none", nil, nil, `{"root_device": {"name": "s== /dev/nvme0n1"}}`,
			"/dev/nvme0n1 root, /dev/sdb, /dev/sdc", disk.FromPaths,
		},
		{
			"paths and a hint that says nothing of them", nil, nil, `{"root_device": {"wwn": "0xa"}}`,
			"/dev/sda root, /dev/sdb, /dev/sdc", disk.FromPaths,
		},
		{
			"the smallest of 4 GiB, then by name", three(), nil, `{}`,
			"/dev/sda root, /dev/sdb, /dev/sdc, /dev/sdaa", disk.FromInventory,
		},
		{
			"spared disks are not the root disk", three(), nil, `{"skip_block_devices": [{"wwn": "0xA"}, {"volume_name": "raid"}]}`,
			"/dev/sda skipped, /dev/sdb root, /dev/sdc, /dev/sdaa", disk.FromInventory,
		},
		{
			"nor by a hint", three(), nil, `{"skip_block_devices": [{"serial": "b"}], "root_device": {"size": "== 400"}}`,
			"/dev/sda root, /dev/sdb skipped, /dev/sdc, /dev/sdaa", disk.FromInventory,
		},
		{
			"of several that fit, the first reported", three(), nil, `{"root_device": {"size": 400}}`,
			"/dev/sda, /dev/sdb root, /dev/sdc, /dev/sdaa", disk.FromInventory,
		},
		{
			"the ramdisk's word", reported, nil, `{"root_device": {}}`,
			"/dev/sda, /dev/sdb, /dev/sdc root, /dev/sdaa", disk.FromInventory,
		},
		{
			"nor by the ramdisk's word", reported, nil, `{"skip_block_devices": [{"rotational": true}]}`,
			"/dev/sda root, /dev/sdb, /dev/sdc skipped, /dev/sdaa", disk.FromInventory,
		},
		{
			"nor by the operator's word", nil, nil, `{"disks": [{"name": "/dev/sda", "root": true}, {"name": "/dev/sdb"}], "skip_block_devices": [{"name": "/dev/sda"}]}`,
			"/dev/sda skipped, /dev/sdb root", disk.FromProperties,
		},
		{
			"hints before the ramdisk's word", reported, nil, `{"root_device": {"rotational": false, "size": "< 10"}}`,
			"/dev/sda, /dev/sdb, /dev/sdc, /dev/sdaa root", disk.FromInventory,
		},
		{
			"the inventory before the operator's word", three(), nil, `{"disks": [{"name": "/dev/vda"}]}`,
			"/dev/sda root, /dev/sdb, /dev/sdc, /dev/sdaa", disk.FromInventory,
		},
		{
			"declared, in their order", nil, nil, `{"disks": [{"name": "/dev/sdb"}, {"by_id": "wwn-0xa", "root": true}]}`,
			"/dev/sdb, /dev/disk/by-id/wwn-0xa root", disk.FromProperties,
		},
		{
			"declared with sizes", nil, nil, `{"disks": [{"name": "/dev/sda", "size_gb": "800"}, {"wwn": "0xb", "size": 8589934592}]}`,
			"/dev/sda, /dev/disk/by-id/wwn-0xb root", disk.FromProperties,
		},
		{
			"declared with some sizes", nil, nil, `{"disks": [{"name": "/dev/sda"}, {"name": "/dev/sdb", "size_gb": 8}]}`,
			"/dev/sda root, /dev/sdb", disk.FromProperties,
		},
		{
			"declared and hints", nil, nil, `{"disks": [{"name": "/dev/sda"}, {"name": "/dev/sdb", "serial": "B"}], "root_device": {"serial": "b"}}`,
			"/dev/sda, /dev/sdb root", disk.FromProperties,
		},
		{
			"hints on what was not declared", nil, nil, `{"disks": [{"name": "/dev/sda"}, {"name": "/dev/sdb", "root": true}], "root_device": {"serial": "s!= x"}}`,
			"/dev/sda, /dev/sdb root", disk.FromProperties,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			known := disk.Known{Inventory: tt.inventory, Properties: object(t, tt.properties), Paths: tt.paths}
			devices, source, err := disk.Devices(known)
			if err != nil {
				t.Fatal(err)
			}
			if got := roles(devices); got != tt.want || source != tt.source {
				t.Errorf("Devices() = %s from %s; want %s from %s", got, source, tt.want, tt.source)
			}
		})
	}
}

func TestDevicesRefusesWrongProperties(t *testing.T) {
	tests := []struct {
		properties string
		inventory  *inventory.Inventory
		want       string
	}{
		{`{"disks": {"name": "/dev/sda"}}`, nil, "disks is not a list of objects"},
		{`{"disks": []}`, nil, "disks is an empty list; name the disks or remove it"},
		{`{"disks": ["/dev/sda"]}`, nil, "disks[0] is not an object"},
		{`{"disks": [{"name": "/dev/sda"}, {"size": 5}]}`, nil, "disks[1] has none of name, wwn, by_id, by_path"},
		{`{"disks": [{"name": "/dev/sda"}, {"name": "/dev/sda"}]}`, nil, "disks[1]: /dev/sda is there twice"},
		{`{"disks": [{"name": "/dev/sda", "wnn": "0x5"}]}`, nil, "disks[0].wnn is not known; known are name, wwn, " +
			"serial, model, by_id, by_path, size, size_gb, rotational, root"},
		{`{"disks": [{"name": 5}]}`, nil, "disks[0].name is not a text"},
		{`{"disks": [{"name": "/dev/sda", "size_gb": "big"}]}`, nil, "disks[0].size_gb is not a size"},
		{`{"disks": [{"name": "/dev/sda", "size_gb": 1e300}]}`, nil, "disks[0].size_gb is not a size"},
		{`{"disks": [{"name": "/dev/sda", "size": -1}]}`, nil, "disks[0].size is not a size"},
		{`{"disks": [{"name": "/dev/sda", "root": "perhaps"}]}`, nil, "disks[0].root: perhaps is not a boolean"},
		{`{"disks": [{"name": "/dev/sda", "root": true}, {"name": "/dev/sdb", "root": "yes"}]}`, nil, "disks has 2 root disks"},
		{
			`{"disks": [{"name": "/dev/sda", "root": true}, {"name": "/dev/sdb"}], "root_device": {"name": "/dev/sdb"}}`, nil,
			"disks says that /dev/sda is the root disk, the hints in root_device select /dev/sdb",
		},
		{`{"root_device": "sda"}`, nil, "root_device: not an object of hints"},
		{`{"root_device": {"colour": "red"}}`, nil, "root_device: colour is not a hint that Ironic knows"},
		{`{"root_device": {"wwn": 5}}`, nil, "root_device: wwn is not a text"},
		{`{"root_device": {"wwn": " "}}`, nil, "root_device: wwn: empty expression"},
		{`{"root_device": {"wwn": "s=="}}`, nil, "root_device: wwn: s== has no value"},
		{`{"root_device": {"model": "<all-in> a b"}}`, nil, "root_device: model: <all-in> is for lists, and a disk has none"},
		{`{"root_device": {"size": "large"}}`, nil, "root_device: size: large is not a positive number of GiB"},
		{`{"root_device": {"size": 0}}`, nil, "root_device: size: 0 is not a positive number of GiB"},
		{`{"root_device": {"rotational": "perhaps"}}`, nil, "root_device: rotational: perhaps is not a boolean"},
		{`{"root_device": {"serial": "x"}}`, three(), "no disk of the inventory fits the hints in root_device"},
		{`{"skip_block_devices": {"wwn": "0x5"}}`, nil, "skip_block_devices is not a list"},
		{`{"skip_block_devices": [{"wwn": "0x5"}, {"id": "x"}]}`, nil, "skip_block_devices[1]: id is not a hint that Ironic knows"},
		{`{"skip_block_devices": [{"size": ">= 4"}]}`, three(), "no disk of at least 4 GiB is left for the image"},
	}
	for _, tt := range tests {
		known := disk.Known{Inventory: tt.inventory, Properties: object(t, tt.properties)}
		devices, _, err := disk.Devices(known)
		want := disk.ErrProperties.Error() + ": " + tt.want
		if !errors.Is(err, disk.ErrProperties) || err.Error() != want {
			t.Errorf("Devices(%s) = %s, %v; want %s", tt.properties, roles(devices), err, want)
		}
	}
}

func TestDevicesForgetsWhatDisksShare(t *testing.T) {
	devices, _, err := disk.Devices(disk.Known{Inventory: &inventory.Inventory{Disks: []inventory.Disk{
		{Name: "/dev/sda", SizeBytes: 10 * gib, WWN: "0x6000", WWNWithExtension: "0x6000aa", Serial: "0000"},
		{Name: "/dev/sdb", SizeBytes: 20 * gib, WWN: "0x6000", WWNWithExtension: "0x6000bb", Serial: "0000"},
		{Name: "/dev/sdc", SizeBytes: 30 * gib, Serial: "0000"},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range devices {
		hint, _ := d.SkipHint()
		b, _ := json.Marshal(hint)
		got = append(got, d.Hint()+" "+string(b))
	}
	want := []string{
		`/dev/disk/by-id/wwn-0x6000aa {"wwn_with_extension":"0x6000aa"}`,
		`/dev/disk/by-id/wwn-0x6000bb {"wwn_with_extension":"0x6000bb"}`,
		"/dev/sdc null",
	}
	if !slices.Equal(got, want) {
		t.Errorf("hints %q; want %q", got, want)
	}
}

func TestHints(t *testing.T) {
	tests := []struct {
		device disk.Device
		path   string
		skip   string
	}{
		{disk.Device{Name: "/dev/sdb", WWN: "0x5000c500a0000001", WWNWithExtension: "0x5000c500a0000001", Serial: "W46", ByPath: "/p"}, "/dev/disk/by-id/wwn-0x5000c500a0000001", `{"wwn":"0x5000c500a0000001"}`},
		{disk.Device{WWN: "nvme.8086-50-49-00000001", Name: "/dev/nvme0n1"}, "/dev/disk/by-id/nvme-nvme.8086-50-49-00000001", `{"wwn":"nvme.8086-50-49-00000001"}`},
		{disk.Device{Name: "/dev/sdb", Serial: "W46", ByPath: "/dev/disk/by-path/x"}, "/dev/disk/by-path/x", `{"serial":"W46"}`},
		{disk.Device{Name: "/dev/sdb", ByID: "/dev/disk/by-id/y", ByPath: "/dev/disk/by-path/x"}, "/dev/disk/by-id/y", "null"},
		{disk.Device{Name: "/dev/sdb"}, "/dev/sdb", "null"},
	}
	for _, tt := range tests {
		skip, ok := tt.device.SkipHint()
		b, err := json.Marshal(skip)
		if err != nil {
			t.Fatal(err)
		}
		if got := tt.device.Hint(); got != tt.path || string(b) != tt.skip || ok != (tt.skip != "null") {
			t.Errorf("%+v: Hint() = %s, SkipHint() = %s, %v; want %s, %s", tt.device, got, b, ok, tt.path, tt.skip)
		}
	}
}

// What the nodes keep must still be read by a later version.
func TestDevicesAreKeptAsJSON(t *testing.T) {
	d := disk.Device{
		Name: "/dev/sdb", WWN: "0x6000", WWNWithExtension: "0x6000aa", Serial: "S", Vendor: "V", Model: "M", ByPath: "/p",
		ByID: "/i", HCTL: "0:0:0:0", SizeBytes: 5, Rotational: true, Root: true,
	}
	const kept = `{"name":"/dev/sdb","wwn":"0x6000","wwn_with_extension":"0x6000aa","serial":"S","vendor":"V","model":"M",` +
		`"by_path":"/p","by_id":"/i","hctl":"0:0:0:0","size":5,"rotational":true,"root":true}`
	if b, err := json.Marshal(d); err != nil || string(b) != kept {
		t.Errorf("Marshal() = %s, %v; want %s", b, err, kept)
	}
	var read disk.Device
	if err := json.Unmarshal([]byte(kept), &read); err != nil || read != d {
		t.Errorf("Unmarshal() = %+v, %v; want %+v", read, err, d)
	}
}

func TestFind(t *testing.T) {
	devices := []disk.Device{
		{Name: "/dev/sda", Serial: ""},
		{
			Name: "/dev/sdb", WWN: "0xAB", WWNWithExtension: "0xabcd", Serial: "S1",
			ByPath: "/dev/disk/by-path/pci-1", ByID: "/dev/disk/by-id/ata-x",
		},
	}
	for _, name := range []string{
		"/dev/sdb", "sdb", "0xab", "0xABCD", "s1", "/dev/disk/by-id/wwn-0xAB", "wwn-0xabcd", "ata-x",
		"/dev/disk/by-id/ata-x", "/dev/disk/by-path/pci-1", "pci-1",
	} {
		if d, ok := disk.Find(devices, name); !ok || d.Name != "/dev/sdb" {
			t.Errorf("Find(%s) = %s, %v; want /dev/sdb", name, d.Name, ok)
		}
	}
	for _, name := range []string{"", "/dev/sd", "/dev/sdc", ".", "/"} {
		if d, ok := disk.Find(devices, name); ok {
			t.Errorf("Find(%q) = %+v; want none", name, d)
		}
	}
}
