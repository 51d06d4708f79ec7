package inventory_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bosh-ironic-cpi/src/inventory"
)

func read(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func ipa1() inventory.Inventory {
	ssd := inventory.Disk{
		Name: "/dev/sda", SizeBytes: 480103981056, WWN: "0x55cd2e404b600001", WWNWithExtension: "0x55cd2e404b600001",
		Serial: "BTWL00000001", Vendor: "ATA", Model: "INTEL SSDSC2BB48",
		ByPath: "/dev/disk/by-path/pci-0000:00:17.0-ata-1", HCTL: "0:0:0:0",
	}
	hdd := inventory.Disk{
		Name: "/dev/sdb", SizeBytes: 2000398934016, WWN: "0x5000c500a0000001", WWNWithExtension: "0x5000c500a0000001",
		Serial: "W46000000001", Vendor: "ATA", Model: "ST2000NX0253", Rotational: true,
		ByPath: "/dev/disk/by-path/pci-0000:00:17.0-ata-2", HCTL: "1:0:0:0",
	}
	return inventory.Inventory{
		Manufacturer: "Dell Inc.", Product: "PowerEdge R640", Serial: "SN000001",
		Architecture: "x86_64", CPUs: 32, MemoryMB: 65536, BootMode: "uefi", Disks: []inventory.Disk{ssd, hdd},
		Interfaces: []inventory.Interface{{"eth0", "52:54:00:aa:00:01"}, {"eth1", "52:54:00:bb:00:01"}},
		RootDisk:   &ssd,
	}
}

func TestDecode(t *testing.T) {
	tests := []struct {
		file string
		want inventory.Inventory
	}{
		{"ipa-1.json", ipa1()},
		{"discoverd-1.json", inventory.Inventory{
			Architecture: "x86_64", CPUs: 16, MemoryMB: 65536, LocalGB: 464,
			Interfaces: []inventory.Interface{{"em1", "52:54:00:aa:00:01"}, {"em2", "52:54:00:bb:00:01"}},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			got, err := inventory.Decode(read(t, tt.file))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Decode(%s), want -, got +:\n%s", tt.file, diff)
			}
		})
	}
}

// Ironic answers what the ramdisk sent, but all beside "inventory" in "plugin_data".
func TestDecodeWhatIronicAnswers(t *testing.T) {
	var report map[string]any
	if err := json.Unmarshal(read(t, "ipa-1.json"), &report); err != nil {
		t.Fatal(err)
	}
	answer := map[string]any{"inventory": report["inventory"], "plugin_data": report}
	delete(report, "inventory")
	b, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	got, err := inventory.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ipa1(), got); diff != "" {
		t.Errorf("Decode(), want -, got +:\n%s", diff)
	}
}

func TestDecodeIsLenient(t *testing.T) {
	tests := []struct {
		name, report string
		want         inventory.Inventory
	}{
		{"nothing in it", `{"inventory": {}}`, inventory.Inventory{}},
		{
			"nulls", `{"inventory": {"disks": null, "cpu": null, "interfaces": [null], "memory": {"physical_mb": null}}}`,
			inventory.Inventory{},
		},
		{
			"other types", `{"inventory": {"disks": [7, {"name": "/dev/sda", "size": "1000", "wwn": 5, "rotational": "yes"}],
			"cpu": {"count": "8"}, "boot": {"current_boot_mode": "BIOS"}}}`,
			inventory.Inventory{CPUs: 8, BootMode: "bios", Disks: []inventory.Disk{{Name: "/dev/sda", SizeBytes: 1000}}},
		},
		{
			"memory that the kernel sees", `{"inventory": {"memory": {"total": 67192545280}}}`,
			inventory.Inventory{MemoryMB: 64079},
		},
		{
			"numbers out of range",
			`{"inventory": {"memory": {"physical_mb": -5}, "cpu": {"count": 1e400}, "disks": [{"name": "a", "size": 1.5e3}]}}`,
			inventory.Inventory{Disks: []inventory.Disk{{Name: "a", SizeBytes: 1500}}},
		},
		{
			"texts of 2015", `{"cpus": "4", "memory_mb": " 12288", "interfaces": {"em1": {"mac": "11:22:33:AA:55:66"}, "em0": null}}`,
			inventory.Inventory{CPUs: 4, MemoryMB: 12288, Interfaces: []inventory.Interface{{"em0", ""}, {"em1", "11:22:33:aa:55:66"}}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := inventory.Decode([]byte(tt.report))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Decode(%s), want -, got +:\n%s", tt.report, diff)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, report := range []string{"", "null", "7", "[]", "{}", `{"inventory": []}`, `{"interfaces": []}`, `{"inventory": {}} x`, "{"} {
		if got, err := inventory.Decode([]byte(report)); !errors.Is(err, inventory.ErrNotAnInventory) {
			t.Errorf("Decode(%q) = %+v, %v; want %v", report, got, err, inventory.ErrNotAnInventory)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, file := range []string{"ipa-1.json", "ipa-2.json", "discoverd-1.json"} {
		f.Add(read(f, file))
	}
	f.Add([]byte(`{"inventory": {"disks": [{"name": "/dev/sda", "size": 1e300}], "memory": {"total": -1}}}`))
	f.Fuzz(func(t *testing.T, report []byte) {
		inv, err := inventory.Decode(report)
		if err != nil {
			if !errors.Is(err, inventory.ErrNotAnInventory) {
				t.Errorf("Decode() error = %v; want %v", err, inventory.ErrNotAnInventory)
			}
			return
		}
		if inv.CPUs < 0 || inv.MemoryMB < 0 || inv.LocalGB < 0 {
			t.Errorf("negative numbers in %+v", inv)
		}
		for _, d := range inv.Disks {
			if d.Name == "" || d.SizeBytes < 0 {
				t.Errorf("disk %+v", d)
			}
		}
		if again, err := inventory.Decode(bytes.TrimSpace(report)); err != nil || !cmp.Equal(inv, again) {
			t.Errorf("a second Decode() = %+v, %v; want %+v", again, err, inv)
		}
	})
}
