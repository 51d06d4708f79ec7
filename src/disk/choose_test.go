package disk_test

import (
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"bosh-ironic-cpi/src/disk"
)

const mac = "e4:1f:13:e6:33:3c"

func founding(t *testing.T, device string) disk.CID {
	t.Helper()
	c, err := disk.ParseCID("14738976001-e41f13e6333c-" + device)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func cidOf(t *testing.T, d disk.Device) disk.CID {
	t.Helper()
	c, err := disk.NewCID(mac, d)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// shelf is a server with a root disk and five others, of which one has no known size.
func shelf() []disk.Device {
	return []disk.Device{
		{Name: "/dev/sda", WWN: "0xa", SizeBytes: 100 * gib, Root: true},
		{Name: "/dev/sdb", WWN: "0xb", SizeBytes: 400 * gib},
		{Name: "/dev/sdc", WWN: "0xc", SizeBytes: 200 * gib},
		{Name: "/dev/sdd", WWN: "0xd", SizeBytes: 200 * gib},
		{Name: "/dev/sde", WWN: "0xe"},
		{Name: "/dev/sdf", WWN: "0xf", SizeBytes: 50 * gib, Skipped: true},
	}
}

func TestChoose(t *testing.T) {
	devices := shelf()
	b, c, d := cidOf(t, devices[1]), cidOf(t, devices[2]), cidOf(t, devices[3])
	tests := []struct {
		name string
		want disk.Want
		get  string
	}{
		{"the smallest", disk.Want{SizeMiB: 10 << 10}, "/dev/sdc"},
		{"exactly as large", disk.Want{SizeMiB: 200 << 10}, "/dev/sdc"},
		{"larger", disk.Want{SizeMiB: 200<<10 + 1}, "/dev/sdb"},
		{"unknown size last", disk.Want{SizeMiB: 401 << 10}, "/dev/sde"},
		{"not the ephemeral disk", disk.Want{SizeMiB: 1, Ephemeral: devices[2]}, "/dev/sdd"},
		{"not one in use", disk.Want{SizeMiB: 1, InUse: []disk.CID{c}}, "/dev/sdd"},
		{"not one in use by its path", disk.Want{SizeMiB: 1, InUse: []disk.CID{founding(t, "sdc")}}, "/dev/sdd"},
		{"clean ones first", disk.Want{SizeMiB: 1, Used: []disk.CID{c, d}}, "/dev/sdb"},
		{"clean ones first, also of unknown size", disk.Want{SizeMiB: 1, Used: []disk.CID{b, c, d}}, "/dev/sde"},
		{"used ones after all", disk.Want{SizeMiB: 300 << 10, Used: []disk.CID{b}, Ephemeral: devices[4]}, "/dev/sdb"},
		{"by path", disk.Want{SizeMiB: 1, Device: "/dev/sdd"}, "/dev/sdd"},
		{"by WWN", disk.Want{SizeMiB: 1, Device: "0xD"}, "/dev/sdd"},
		{"by link, though it is used and spared", disk.Want{Device: "/dev/disk/by-id/wwn-0xf", Used: []disk.CID{d}}, "/dev/sdf"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := disk.Choose(devices, tt.want)
			if err != nil || got.Name != tt.get {
				t.Errorf("Choose(%+v) = %s, %v; want %s", tt.want, got.Name, err, tt.get)
			}
		})
	}
}

func TestNoSpaceSaysWhyForEachDisk(t *testing.T) {
	devices := shelf()
	c := cidOf(t, devices[2])
	_, err := disk.Choose(devices, disk.Want{SizeMiB: 300 << 10, Ephemeral: devices[1], InUse: []disk.CID{c, founding(t, "sde")}})
	want := "no free disk is large enough (307200 MiB wanted): /dev/sda is the root disk; /dev/sdb is the VM's ephemeral " +
		"disk (an ephemeral disk on the root disk would free it); /dev/sdc holds the persistent disk " + c.String() +
		"; /dev/sdd has 204800 MiB; /dev/sde holds the persistent disk 14738976001-e41f13e6333c-sde; " +
		"/dev/sdf is spared by properties.skip_block_devices"
	if !errors.Is(err, disk.ErrNoSpace) || err.Error() != want {
		t.Errorf("Choose() error = %v\nwant %s", err, want)
	}
	_, err = disk.Choose(devices[:2], disk.Want{SizeMiB: 1, Device: "/dev/sdz"})
	want = "no free disk is large enough (1 MiB wanted on /dev/sdz): the server has no such disk, but /dev/sda, /dev/sdb"
	if !errors.Is(err, disk.ErrNoSpace) || err.Error() != want {
		t.Errorf("Choose() error = %v\nwant %s", err, want)
	}
	_, err = disk.Choose(devices[:2], disk.Want{SizeMiB: 1, Device: "/dev/sda"})
	want = "no free disk is large enough (1 MiB wanted on /dev/sda): /dev/sda is the root disk"
	if !errors.Is(err, disk.ErrNoSpace) || err.Error() != want {
		t.Errorf("Choose() error = %v\nwant %s", err, want)
	}
}

func TestB10TwoDisksNeverShareADevice(t *testing.T) {
	devices, _, err := disk.Devices(disk.Known{Paths: []string{"/dev/sda", "/dev/sdb", "/dev/sdc", "/dev/sdd"}})
	if err != nil {
		t.Fatal(err)
	}
	ephemeral, _, err := disk.Ephemeral(devices, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	var inUse []disk.CID
	for _, want := range []string{"/dev/sdc", "/dev/sdd"} {
		d, err := disk.Choose(devices, disk.Want{SizeMiB: 1 << 10, Ephemeral: ephemeral, InUse: inUse})
		if err != nil || d.Name != want {
			t.Fatalf("Choose() beside %v = %s, %v; want %s", inUse, d.Name, err, want)
		}
		inUse = append(inUse, cidOf(t, d))
	}
	for _, device := range []string{"", "/dev/sdc"} {
		if d, err := disk.Choose(devices, disk.Want{Device: device, Ephemeral: ephemeral, InUse: inUse}); !errors.Is(err, disk.ErrNoSpace) {
			t.Errorf("Choose(%q) a third disk = %s, %v; want %v", device, d.Name, err, disk.ErrNoSpace)
		}
	}
}

// The disk was known by its WWN, and then the inventory was lost: no path can be given away until it is known again.
func TestADiskThatNoDeviceMatchesCouldBeAny(t *testing.T) {
	devices, _, err := disk.Devices(disk.Known{})
	if err != nil {
		t.Fatal(err)
	}
	lost := cidOf(t, disk.Device{WWN: "0xc"})
	if d, err := disk.Choose(devices, disk.Want{InUse: []disk.CID{lost}}); !errors.Is(err, disk.ErrNoSpace) {
		t.Errorf("Choose() = %s, %v; want %v", d.Name, err, disk.ErrNoSpace)
	}
	if d, ok, err := disk.Ephemeral(devices, "", []disk.CID{lost}); ok || err != nil {
		t.Errorf("Ephemeral() = %s, %v, %v; want none", d.Name, ok, err)
	}
	if d, _, err := disk.Ephemeral(devices, "/dev/sdb", []disk.CID{lost}); !errors.Is(err, disk.ErrNoDevice) {
		t.Errorf("Ephemeral(/dev/sdb) = %s, %v; want %v", d.Name, err, disk.ErrNoDevice)
	}
	units := []disk.Device{{Name: "/dev/sdb", WWNWithExtension: "0xC01"}, {Name: "/dev/sdc", WWNWithExtension: "0xC02"}}
	if d, err := disk.Choose(units, disk.Want{InUse: []disk.CID{lost}}); !errors.Is(err, disk.ErrNoSpace) {
		t.Errorf("Choose() = %s, %v; want %v: either unit may be it", d.Name, err, disk.ErrNoSpace)
	}
	if d, err := disk.Choose(shelf(), disk.Want{InUse: []disk.CID{founding(t, "sdz")}}); !errors.Is(err, disk.ErrNoSpace) {
		t.Errorf("Choose() = %s, %v; want %v: paths change", d.Name, err, disk.ErrNoSpace)
	}
	if d, err := disk.Choose(shelf(), disk.Want{InUse: []disk.CID{cidOf(t, disk.Device{WWN: "0x99"})}}); err != nil {
		t.Errorf("Choose() = %s, %v; a disk with another WWN is on none of these", d.Name, err)
	}
}

func TestEphemeral(t *testing.T) {
	devices := shelf()
	b := cidOf(t, devices[1])
	tests := []struct {
		name    string
		devices []disk.Device
		asked   string
		inUse   []disk.CID
		want    string // empty: on the root disk
		err     error
	}{
		{"one disk", devices[:1], "", nil, "", nil},
		{"two disks: the second", devices[:2], "", nil, "/dev/sdb", nil},
		{"two disks, one persistent", devices[:2], "", []disk.CID{b}, "", nil},
		{"two disks, on the root disk", devices[:2], "root", nil, "", nil},
		{"no disks known", nil, "", nil, "", nil},
		{"the first", devices, "", nil, "/dev/sdb", nil},
		{"the first that holds nothing", devices, "", []disk.CID{b, founding(t, "sdc")}, "/dev/sdd", nil},
		{"none that is spared", devices[5:], "", nil, "", nil},
		{"asked by path", devices, "/dev/sdd", nil, "/dev/sdd", nil},
		{"asked by serial or WWN", devices, "0xE", nil, "/dev/sde", nil},
		{"asked, though spared", devices, "/dev/sdf", nil, "/dev/sdf", nil},
		{"asked for the root disk", devices, "/dev/sda", nil, "", disk.ErrNoDevice},
		{"asked for a persistent disk", devices, "wwn-0xb", []disk.CID{b}, "", disk.ErrNoDevice},
		{"asked for none", devices, "/dev/sdz", nil, "", disk.ErrNoDevice},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, ok, err := disk.Ephemeral(tt.devices, tt.asked, tt.inUse)
			if !errors.Is(err, tt.err) || d.Name != tt.want || ok != (tt.want != "") {
				t.Errorf("Ephemeral(%q) = %s, %v, %v; want %q, %v", tt.asked, d.Name, ok, err, tt.want, tt.err)
			}
		})
	}
}

// Whatever is asked, a disk with data on it and the root disk are never given away.
func TestNothingIsGivenTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 6).Draw(t, "disks")
		known := rapid.Bool().Draw(t, "known")
		devices := make([]disk.Device, n)
		for i := range devices {
			devices[i] = disk.Device{Name: fmt.Sprintf("/dev/sd%c", 'a'+i), Root: i == 0}
			devices[i].SizeBytes = rapid.Int64Range(0, 4).Draw(t, "GiB") * gib
			if known {
				devices[i].WWN = fmt.Sprintf("0x%d", i)
			}
		}
		asked := rapid.SampledFrom([]string{"", "", "root", "/dev/sda", "/dev/sdb", "sdc"}).Draw(t, "asked")
		ephemeral, _, err := disk.Ephemeral(devices, asked, nil)
		if err != nil {
			t.Skip(err)
		}
		var inUse []disk.CID
		for range n + 1 {
			d, err := disk.Choose(devices, disk.Want{
				SizeMiB: rapid.Int64Range(0, 3<<10).Draw(t, "MiB"), Ephemeral: ephemeral, InUse: inUse,
				Device: rapid.SampledFrom([]string{"", "", "", "sdb", "sdc"}).Draw(t, "device"),
			})
			if err != nil {
				continue
			}
			if d.Root || d == ephemeral {
				t.Fatalf("%s was given away; ephemeral is %s", d.Name, ephemeral.Name)
			}
			for _, c := range inUse {
				if c.Matches(d) {
					t.Fatalf("%s holds %s and was given away", d.Name, c)
				}
			}
			c, err := disk.NewCID(mac, d)
			if err != nil {
				t.Fatal(err)
			}
			inUse = append(inUse, c)
			if e, ok, err := disk.Ephemeral(devices, asked, inUse); err == nil && ok && e == d {
				t.Fatalf("%s is the next VM's ephemeral disk, though it holds %s", d.Name, c)
			}
		}
	})
}
