package redfish

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	bmc "bosh-ironic-cpi/src/bmc/redfish"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/vendorargs"
	"bosh-ironic-cpi/src/wait"
)

const iso = "http://192.0.2.1:8080/images/boot.iso?sig=5ecre7"

var pace = wait.Pace{Every: 5 * time.Millisecond, Limit: 10 * time.Second}

func power(t *testing.T, s *site, target baremetal.PowerTarget) {
	t.Helper()
	if _, err := driver.SetPower(t.Context(), quick, s.node, target, pace); err != nil {
		t.Fatalf("%s: %v", target, err)
	}
}

// started is what the machine started from, last.
func (s *site) started(t *testing.T) bmc.Boot {
	t.Helper()
	starts := s.machine.Starts()
	if len(starts) == 0 {
		t.Fatal("the machine never started")
	}
	return starts[len(starts)-1]
}

// What a deployment does, on every vendor's: an image in the drive, one start from it in the mode asked for, and then the disk.
func TestBootsFromVirtualMedia(t *testing.T) {
	for _, model := range bmc.Models() {
		if model.RIBCL {
			continue
		}
		for _, mode := range []string{"uefi", "bios"} {
			t.Run(model.Name+" "+mode, func(t *testing.T) {
				s := build(t, model, nil)
				if err := quick.SetBootMode(t.Context(), s.node, mode); err != nil {
					t.Fatal(err)
				}
				for range 2 { // an image is there already the second time
					if err := quick.InsertMedia(t.Context(), s.node, "cdrom", iso); err != nil {
						t.Fatal(err)
					}
				}
				stranger := driver.Node{UUID: s.node.UUID, Info: s.node.Info} // somebody else may have inserted it
				if image, err := quick.InsertedMedia(t.Context(), &stranger, "cdrom"); err != nil || image != iso {
					t.Errorf("in the drive is %q, %v; want %q", image, err, iso)
				}
				if err := quick.SetBootDevice(t.Context(), s.node, "cdrom", false); err != nil {
					t.Fatal(err)
				}
				if s.machine.Media("cdrom") != iso {
					t.Errorf("the drive holds %q; want %q", s.machine.Media("cdrom"), iso)
				}
				power(t, s, baremetal.TargetOn)
				if got := s.started(t); got != (bmc.Boot{Device: "cdrom", Mode: mode}) {
					t.Errorf("the machine started from %+v; want cdrom, %s", got, mode)
				}
				power(t, s, baremetal.TargetReboot)
				if got := s.started(t); got.Device != "" {
					t.Errorf("the second time it started from %+v; want its own order", got)
				}
				if err := quick.EjectMedia(t.Context(), s.node, "cdrom"); err != nil || s.machine.Media("cdrom") != "" {
					t.Errorf("ejecting: %v; the drive holds %q", err, s.machine.Media("cdrom"))
				}
				power(t, s, baremetal.TargetOff)
				if err := quick.SetBootDevice(t.Context(), s.node, "disk", true); err != nil {
					t.Fatal(err)
				}
				for _, target := range []baremetal.PowerTarget{baremetal.TargetOn, baremetal.TargetReboot, baremetal.TargetSoftReboot} {
					power(t, s, target)
					if got := s.started(t); got != (bmc.Boot{Device: "disk", Mode: mode}) {
						t.Errorf("%s: the machine started from %+v; want disk, %s", target, got, mode)
					}
				}
			})
		}
	}
}

// An old iDRAC's boot target Cd is a drive of metal: only with an image in the virtual one is that one booted from.
func TestOldDRACHasTwoKindsOfCD(t *testing.T) {
	s := build(t, find(t, "idrac8"), nil)
	imports := func() bool {
		return slices.ContainsFunc(s.bmc.Requests(), func(r string) bool { return strings.HasSuffix(r, "ImportSystemConfiguration") })
	}
	if err := quick.SetBootDevice(t.Context(), s.node, "cdrom", true); err != nil || imports() {
		t.Fatalf("without an image: %v, profile imported: %t; want false", err, imports())
	}
	if err := quick.InsertMedia(t.Context(), s.node, "cdrom", iso); err != nil {
		t.Fatal(err)
	}
	for _, persistent := range []bool{true, false} {
		if err := quick.SetBootDevice(t.Context(), s.node, "cdrom", persistent); err != nil || !imports() {
			t.Fatalf("with an image: %v, profile imported: %t; want true", err, imports())
		}
		if device, lasting, err := quick.BootDevice(t.Context(), s.node); device != "cdrom" || lasting != persistent || err != nil {
			t.Errorf("reads %s, %t, %v; want cdrom, %t", device, lasting, err, persistent)
		}
	}
}

// A job that fails is an error, with what the iDRAC says of it.
func TestOldDRACWithoutTheAction(t *testing.T) {
	model := find(t, "idrac8")
	model.OEM = "" // firmware before the action
	s := build(t, model, nil)
	if err := quick.InsertMedia(t.Context(), s.node, "cdrom", iso); err != nil {
		t.Fatal(err)
	}
	err := quick.SetBootDevice(t.Context(), s.node, "cdrom", false)
	if !errors.Is(err, driver.ErrUnsupported) || !strings.Contains(err.Error(), "update its firmware") {
		t.Errorf("%v; want %v, and what to do", err, driver.ErrUnsupported)
	}
}

// Drives that can be CD and stick: the one that holds the CD is not the one for the stick, and ejecting one leaves the other.
func TestTwoImagesAtOnce(t *testing.T) {
	const img = "http://192.0.2.1/config.img"
	for _, name := range []string{"plain", "idrac9", "xcc", "ilo5", "ilo4"} {
		t.Run(name, func(t *testing.T) {
			s := build(t, find(t, name), nil)
			holds := func(cdrom, floppy string) {
				t.Helper()
				if s.machine.Media("cdrom") != cdrom || s.machine.Media("floppy") != floppy {
					t.Errorf("the drives hold %q, %q; want %q, %q", s.machine.Media("cdrom"), s.machine.Media("floppy"), cdrom, floppy)
				}
				for device, want := range map[string]string{"cdrom": cdrom, "floppy": floppy} {
					if got, err := quick.InsertedMedia(t.Context(), s.node, device); err != nil || got != want {
						t.Errorf("in %s is %q, %v; want %q", device, got, err, want)
					}
				}
			}
			for device, image := range map[string]string{"cdrom": iso, "floppy": img} {
				if err := quick.InsertMedia(t.Context(), s.node, device, image); err != nil {
					t.Fatal(err)
				}
			}
			holds(iso, img)
			if err := quick.EjectMedia(t.Context(), s.node, "floppy"); err != nil {
				t.Fatal(err)
			}
			holds(iso, "")
			if err := quick.EjectMedia(t.Context(), s.node, "cdrom"); err != nil {
				t.Fatal(err)
			}
			holds("", "")
		})
	}
}

// An iDRAC 10 shows the server its first drive only: with a CD in it there is none for a stick.
func TestNewDRACHasOneDrive(t *testing.T) {
	s := build(t, find(t, "idrac10"), nil)
	if err := quick.InsertMedia(t.Context(), s.node, "cdrom", iso); err != nil {
		t.Fatal(err)
	}
	if err := quick.InsertMedia(t.Context(), s.node, "floppy", "http://192.0.2.1/a.img"); !errors.Is(err, driver.ErrUnsupported) {
		t.Errorf("a second image: %v; want %v", err, driver.ErrUnsupported)
	}
	if image, err := quick.InsertedMedia(t.Context(), s.node, "floppy"); err != nil || image != "" {
		t.Errorf("in the drive for a stick is %q, %v; want nothing: the CD has it", image, err)
	}
	if err := quick.EjectMedia(t.Context(), s.node, "floppy"); err != nil || s.machine.Media("cdrom") != iso {
		t.Errorf("ejecting nothing: %v; the drive holds %q; want %q", err, s.machine.Media("cdrom"), iso)
	}
}

// An iLO refuses to change the boot device in the server's self test: that is waited for, and not for ever.
func TestSelfTestIsWaitedFor(t *testing.T) {
	s := build(t, find(t, "ilo5"), func(c *bmc.Config) { c.POST = 60 * time.Millisecond })
	power(t, s, baremetal.TargetOn)
	if err := quick.SetBootDevice(t.Context(), s.node, "pxe", false); err != nil {
		t.Errorf("in POST: %v", err)
	}
	s = build(t, find(t, "ilo5"), func(c *bmc.Config) { c.POST = time.Hour })
	power(t, s, baremetal.TargetOn)
	err := quick.SetBootDevice(t.Context(), s.node, "pxe", true)
	if err == nil || !strings.Contains(err.Error(), "switch the server off first") {
		t.Errorf("POST without end: %v; want what to do", err)
	}
}

func TestLicence(t *testing.T) {
	for licence, want := range map[string]error{
		"iLO Standard": driver.ErrUnsupported, "iLO 5 Standard": driver.ErrUnsupported, "iLO Advanced": nil,
		"iLO Advanced for BladeSystem": nil, "": driver.ErrUnsupported, // that one the iLO says itself
	} {
		for _, name := range []string{"ilo4", "ilo5"} {
			model := find(t, name)
			model.License = licence
			s := build(t, model, nil)
			err := quick.InsertMedia(t.Context(), s.node, "cdrom", iso)
			if !errors.Is(err, want) {
				t.Errorf("%s, licence %q: %v; want %v", name, licence, err, want)
			}
			if want != nil && !strings.Contains(err.Error(), "iLO Advanced") {
				t.Errorf("%s, licence %q: %v; want what it needs", name, licence, err)
			}
			tried := slices.ContainsFunc(s.bmc.Requests(), func(r string) bool { return strings.Contains(r, "InsertMedia") || strings.Contains(r, "InsertV") })
			if known := want != nil && licence != ""; tried == known {
				t.Errorf("%s, licence %q: tried %t; want it said before", name, licence, tried)
			}
		}
	}
}

// A drive that says 200 and stays empty has no image, whatever it said.
func TestInsertedIsLookedAt(t *testing.T) {
	model := find(t, "ilo4")
	model.Pretends = true
	s := build(t, model, nil)
	err := quick.InsertMedia(t.Context(), s.node, "cdrom", iso)
	if err == nil || !strings.Contains(err.Error(), "reaches the image's server") || strings.Contains(err.Error(), "5ecre7") {
		t.Errorf("%v; want what to check, and no signature", err)
	}
}

func TestImageThatCannotBeFetched(t *testing.T) {
	s := build(t, find(t, "idrac9"), nil)
	s.bmc.Break(bmc.Faults{NoMedium: true})
	err := quick.InsertMedia(t.Context(), s.node, "cdrom", iso)
	if err == nil || !strings.Contains(err.Error(), "RAC0720") || strings.Contains(err.Error(), "5ecre7") {
		t.Errorf("%v; want what the iDRAC says, and no signature", err)
	}
}

// An image that cannot be had out stays, and is not taken for the new one.
func TestImageThatStays(t *testing.T) {
	s := build(t, find(t, "plain"), nil)
	if err := quick.InsertMedia(t.Context(), s.node, "cdrom", iso); err != nil {
		t.Fatal(err)
	}
	s.bmc.Break(bmc.Faults{NoEject: true})
	for _, err := range []error{
		quick.InsertMedia(t.Context(), s.node, "cdrom", "http://192.0.2.1/other.iso"), quick.EjectMedia(t.Context(), s.node, "cdrom"),
	} {
		if err == nil || !strings.Contains(err.Error(), "drive Cd1") || !strings.Contains(err.Error(), "ResourceInUse") {
			t.Errorf("%v; want which drive, and why", err)
		}
	}
}

// Ironic's vendor method.
func TestEjectVmedia(t *testing.T) {
	method := quick.VendorMethods()[0]
	for _, tt := range []struct {
		args map[string]any
		left []string // cdrom, floppy
	}{
		{nil, []string{"", ""}},
		{map[string]any{"boot_device": "cd"}, []string{"", "http://192.0.2.1/a.img"}},
		{map[string]any{"boot_device": "DVD"}, []string{"", "http://192.0.2.1/a.img"}},
		{map[string]any{"boot_device": "floppy"}, []string{iso, ""}},
		{map[string]any{"boot_device": "usb"}, []string{iso, ""}},
	} {
		s := build(t, find(t, "plain"), nil)
		if err := errors.Join(
			quick.InsertMedia(t.Context(), s.node, "cdrom", iso), quick.InsertMedia(t.Context(), s.node, "floppy", "http://192.0.2.1/a.img"),
			vendorargs.Check(method, tt.args),
		); err != nil {
			t.Fatal(err)
		}
		if _, err := quick.CallVendor(t.Context(), s.node, method.Name, tt.args); err != nil {
			t.Errorf("%v: %v", tt.args, err)
		}
		if left := []string{s.machine.Media("cdrom"), s.machine.Media("floppy")}; !slices.Equal(left, tt.left) {
			t.Errorf("%v leaves %q; want %q", tt.args, left, tt.left)
		}
	}
	for _, args := range []map[string]any{{"boot_device": "gramophone"}, {"device": "cd"}} {
		if vendorargs.Check(method, args) == nil {
			t.Errorf("%v: want an error", args)
		}
	}
	if _, err := quick.CallVendor(t.Context(), &driver.Node{}, "create_subscription", nil); !errors.Is(err, driver.ErrUnsupported) {
		t.Errorf("another method: %v; want %v", err, driver.ErrUnsupported)
	}
}
