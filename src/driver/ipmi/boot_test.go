package ipmi_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	bmc "bosh-ironic-cpi/src/bmc/ipmi"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/ipmi"
)

// What a server boots from next is what it was told.
func TestServerBootsFromIt(t *testing.T) {
	m := &bmc.Memory{}
	b := start(t, bmc.Config{Machine: m})
	n := node(b)
	d := ipmi.Driver{}
	steps := []struct {
		device     string // to set; empty: none
		persistent bool
		mode       string // to set
		target     string
	}{
		{"cdrom", false, "", "power on"},
		{"", false, "", "rebooting"},
		{"disk", true, "bios", "rebooting"},
		{"", false, "", "rebooting"},
		{"pxe", false, "uefi", "rebooting"},
		{"", false, "", "power off"},
		{"", false, "", "power on"},
	}
	for _, s := range steps {
		if s.mode != "" {
			if err := d.SetBootMode(t.Context(), n, s.mode); err != nil {
				t.Fatal(err)
			}
		}
		if s.device != "" {
			if err := d.SetBootDevice(t.Context(), n, s.device, s.persistent); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := driver.SetPower(t.Context(), d, n, driverTarget(s.target), quick); err != nil {
			t.Fatal(err)
		}
	}
	_, boots := m.Done()
	want := []bmc.Boot{
		{Device: "cdrom", UEFI: true}, {}, {Device: "disk", Persistent: true}, {Device: "disk", Persistent: true}, {Device: "pxe", UEFI: true}, {},
	}
	if diff := cmp.Diff(want, boots); diff != "" {
		t.Errorf("booted from (-want +got):\n%s", diff)
	}
}

// A soft reboot is a soft power off, and power on.
func TestSoftReboot(t *testing.T) {
	m := &bmc.Memory{}
	n := node(start(t, bmc.Config{Machine: m}))
	for _, target := range []string{"power on", "soft rebooting", "soft power off"} {
		if _, err := driver.SetPower(t.Context(), ipmi.Driver{}, n, driverTarget(target), quick); err != nil {
			t.Fatal(err)
		}
	}
	done, _ := m.Done()
	if want := []bmc.Action{bmc.On, bmc.SoftOff, bmc.On, bmc.SoftOff}; !slices.Equal(done, want) {
		t.Errorf("BMC did %v; want %v", done, want)
	}
}

// The mode goes along with the device, and is changed in the one that is set already.
func TestBootMode(t *testing.T) {
	tests := []struct {
		name       string
		properties map[string]any
		set        string
		uefi       bool
	}{
		{"Ironic's default", nil, "", true},
		{"capabilities", map[string]any{"capabilities": "boot_option:local, boot_mode:bios"}, "", false},
		{"capabilities as an object", map[string]any{"capabilities": map[string]any{"boot_mode": "bios"}}, "", false},
		{"boot_mode", map[string]any{"boot_mode": "bios"}, "", false},
		{"what was set is stronger", map[string]any{"capabilities": "boot_mode:uefi"}, "bios", false},
		{"to the same", nil, "uefi", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := start(t, bmc.Config{})
			n := node(b)
			n.Properties = tt.properties
			if err := (ipmi.Driver{}).SetBootDevice(t.Context(), n, "pxe", true); err != nil {
				t.Fatal(err)
			}
			if tt.set != "" {
				if err := (ipmi.Driver{}).SetBootMode(t.Context(), n, tt.set); err != nil {
					t.Fatal(err)
				}
			}
			if got := b.Boot(); got != (bmc.Boot{Device: "pxe", Persistent: true, UEFI: tt.uefi}) {
				t.Errorf("flags ask for %+v; want UEFI %t", got, tt.uefi)
			}
			if mode, err := (ipmi.Driver{}).BootMode(t.Context(), n); err != nil || (mode == "uefi") != tt.uefi {
				t.Errorf("boot mode %s, %v", mode, err)
			}
		})
	}
}

// flagsTo passes on what is sent as Set System Boot Options.
func flagsTo(sent chan<- string, code byte) map[bmc.Command]bmc.Handler {
	return map[bmc.Command]bmc.Handler{{NetFn: 0, Cmd: 8}: func(_ bmc.Command, data []byte) (byte, []byte) {
		sent <- string(data)
		if data[0] == 3 {
			return code, nil
		}
		return 0, nil
	}}
}

func TestBootFlagsOnTheWire(t *testing.T) {
	const keep = "\x03\x08"
	tests := []struct {
		name       string
		device     string
		persistent bool
		info       map[string]any
		properties map[string]any
		code       byte // of the answer to "keep them valid"
		want       []string
	}{
		{"UEFI", "disk", true, nil, nil, 0, []string{keep, "\x05\xe0\x08\x00\x00\x00"}},
		{"once", "pxe", false, nil, nil, 0, []string{keep, "\x05\xa0\x04\x00\x00\x00"}},
		{"BIOS", "cdrom", true, nil, map[string]any{"capabilities": "boot_mode:bios"}, 0, []string{keep, "\x05\xc0\x14\x00\x00\x00"}},
		{"setup", "bios", false, nil, nil, 0, []string{keep, "\x05\xa0\x18\x00\x00\x00"}},
		{"safe mode", "safe", false, nil, nil, 0, []string{keep, "\x05\xa0\x0c\x00\x00\x00"}},
		{"Supermicro", "disk", false, nil, map[string]any{"vendor": "Supermicro"}, 0, []string{keep, "\x05\xa0\x24\x00\x00\x00"}},
		{
			"Supermicro, BIOS", "disk", false, nil,
			map[string]any{"vendor": "supermicro", "capabilities": "boot_mode:bios"},
			0,
			[]string{keep, "\x05\x80\x08\x00\x00\x00"},
		},
		{"no word on the timeout", "pxe", false, map[string]any{"ipmi_disable_boot_timeout": false}, nil, 0, []string{"\x05\xa0\x04\x00\x00\x00"}},
		{"nor can it be told", "pxe", false, nil, nil, 0x80, []string{keep, "\x05\xa0\x04\x00\x00\x00"}}, // Ironic fails here
		{"forced", "disk", true, map[string]any{"ipmi_force_boot_device": "true"}, nil, 0, []string{keep, "\x05\xa0\x08\x00\x00\x00"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sent := make(chan string, 10)
			n := node(start(t, bmc.Config{Commands: flagsTo(sent, tt.code)}))
			maps.Copy(n.Info, tt.info)
			n.Properties = tt.properties
			if err := (ipmi.Driver{}).SetBootDevice(t.Context(), n, tt.device, tt.persistent); err != nil {
				t.Fatal(err)
			}
			var got []string
			for range len(sent) {
				got = append(got, <-sent)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("sent %q; want %q", got, tt.want)
			}
		})
	}
}

// ipmi_force_boot_device: for a BMC that keeps a device for one boot only.
func TestForcedBootDevice(t *testing.T) {
	m := &bmc.Memory{}
	b := start(t, bmc.Config{Machine: m})
	n := node(b)
	n.Info["ipmi_force_boot_device"] = true
	d := ipmi.Driver{}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(d.SetBootDevice(t.Context(), n, "disk", true))
	must(d.Switch(t.Context(), n, driverTarget("power on")))
	must(d.Switch(t.Context(), n, driverTarget("rebooting")))
	must(d.SetBootDevice(t.Context(), n, "pxe", false))
	if device, persistent, err := d.BootDevice(t.Context(), n); err != nil || device != "pxe" || persistent {
		t.Errorf("once: reads %s, %t, %v", device, persistent, err)
	}
	must(d.Switch(t.Context(), n, driverTarget("rebooting")))
	if device, persistent, err := d.BootDevice(t.Context(), n); err != nil || device != "disk" || !persistent {
		t.Errorf("after that boot: reads %s, %t, %v", device, persistent, err)
	}
	must(d.Switch(t.Context(), n, driverTarget("power off")))
	must(d.Switch(t.Context(), n, driverTarget("power on")))
	var from []string
	_, boots := m.Done()
	for _, boot := range boots {
		from = append(from, boot.Device)
	}
	if got := strings.Join(from, " "); got != "disk disk pxe disk" {
		t.Errorf("booted from %s; want disk disk pxe disk", got)
	}
}
