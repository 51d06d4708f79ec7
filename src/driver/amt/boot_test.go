package amt

import (
	"errors"
	"net/http"
	"slices"
	"testing"

	bmc "bosh-ironic-cpi/src/bmc/amt"
	"bosh-ironic-cpi/src/driver"
)

func TestBootDevice(t *testing.T) {
	h := newHardware(nil)
	tests := []struct {
		name, device string
		persistent   bool
	}{
		{"A26 one-time", "pxe", false},
		{"A27 persistent", "pxe", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := given(nil) // nothing answers there
			if err := h.SetBootDevice(t.Context(), n, tt.device, tt.persistent); err != nil {
				t.Fatal(err)
			}
			device, persistent, err := h.BootDevice(t.Context(), n)
			if err != nil || device != tt.device || persistent != tt.persistent {
				t.Errorf("BootDevice = %s, %t, %v; want %s, %t", device, persistent, err, tt.device, tt.persistent)
			}
		})
	}
	t.Run("A25 devices", func(t *testing.T) {
		if got, want := h.BootDevices(), []string{"pxe", "disk", "cdrom"}; !slices.Equal(got, want) {
			t.Errorf("BootDevices = %q; want %q", got, want)
		}
	})
	t.Run("A28 bad device", func(t *testing.T) {
		n := given(nil)
		if err := h.SetBootDevice(t.Context(), n, "bios", false); !errors.Is(err, driver.ErrUnsupported) || len(n.State) > 0 {
			t.Errorf("SetBootDevice = %v, with state %v; want %v", err, n.State, driver.ErrUnsupported)
		}
	})
	t.Run("A31 default", func(t *testing.T) {
		if device, persistent, err := h.BootDevice(t.Context(), given(nil)); device != "disk" || !persistent || err != nil {
			t.Errorf("BootDevice = %s, %t, %v; want disk, true", device, persistent, err)
		}
	})
}

// A32: sensors are NotImplemented in Ironic's driver; here, what hardware cannot do it does not implement.
func TestA32NothingElse(t *testing.T) {
	var h any = newHardware(nil)
	_, vendor := h.(driver.Vendor)
	_, mode := h.(driver.BootMode)
	_, media := h.(driver.VirtualMedia)
	_, inspector := h.(driver.Inspector)
	if vendor || mode || media || inspector {
		t.Error("the driver promises more than power and boot device")
	}
}

// armed is a client at a fake, with a device chosen.
func armed(t *testing.T, device string, persistent bool) (*bmc.BMC, *driver.Node, *counter, func() error) {
	t.Helper()
	b, n := newBMC(t, bmc.Config{}, nil)
	n.Info["amt_awake_interval"] = 60
	pings := &counter{}
	h := newHardware(pings)
	if err := h.SetBootDevice(t.Context(), n, device, persistent); err != nil {
		t.Fatal(err)
	}
	return b, n, pings, func() error {
		c, err := h.open(n)
		if err != nil {
			return err
		}
		defer c.close()
		return c.armBoot(t.Context(), n)
	}
}

// A29 asserts the repaired behaviour: Ironic's driver forgets a one-time device before it calls AMT, and a call that
// fails loses the request. Ours forgets it when AMT has taken it.
func TestA29OneTime(t *testing.T) {
	b, n, _, arm := armed(t, "pxe", false)
	for _, method := range []string{"ChangeBootOrder", "SetBootConfigRole"} {
		b.Return(method, 2)
		if err := arm(); err == nil {
			t.Fatalf("%s failed, and nobody says so", method)
		}
		if device, persistent := chosen(n); device != "pxe" || persistent {
			t.Errorf("after %s failed the device is %s, %t; want the one-time request kept", method, device, persistent)
		}
		b.Return(method, bmc.ReturnOK)
	}
	was := len(b.Calls())
	if err := arm(); err != nil {
		t.Fatal(err)
	}
	if got, want := b.Calls()[was:], []string{"ChangeBootOrder " + bmc.ForcePXE, "SetBootConfigRole 1"}; !slices.Equal(got, want) {
		t.Errorf("calls %q; want %q", got, want)
	}
	if device, persistent := chosen(n); device != "disk" || !persistent {
		t.Errorf("after the calls the device is %s, %t; want disk, true", device, persistent)
	}
}

func TestA30Persistent(t *testing.T) {
	b, n, _, arm := armed(t, "pxe", true)
	for range 2 {
		if err := arm(); err != nil {
			t.Fatal(err)
		}
		if device, persistent := chosen(n); device != "pxe" || !persistent {
			t.Errorf("after the calls the device is %s, %t; want pxe, true", device, persistent)
		}
	}
	if tally(b, "ChangeBootOrder "+bmc.ForcePXE) != 2 || tally(b, "SetBootConfigRole 1") != 2 {
		t.Errorf("calls %q; want each twice", b.Calls())
	}
}

func TestBootCalls(t *testing.T) {
	t.Run("A20 A22 each once, awake", func(t *testing.T) {
		b, _, pings, arm := armed(t, "cdrom", true)
		if err := arm(); err != nil {
			t.Fatal(err)
		}
		if tally(b, "ChangeBootOrder "+bmc.ForceCD) != 1 || tally(b, "SetBootConfigRole 1") != 1 || pings.count() != 1 {
			t.Errorf("calls %q, pings %d; want one of each", b.Calls(), pings.count())
		}
	})
	for name, method := range map[string]string{"A21": "ChangeBootOrder", "A23": "SetBootConfigRole"} {
		t.Run(name+" ReturnValue", func(t *testing.T) {
			b, _, _, arm := armed(t, "pxe", true)
			for value, meaning := range map[int]string{2: "unknown error", 3: "busy", 4: "invalid reference", 6: "user consent"} {
				b.Return(method, value)
				said(t, arm(), "3f2c", method, meaning)
			}
			b.Return(method, 1)
			if err := arm(); !errors.Is(err, driver.ErrUnsupported) {
				t.Errorf("ReturnValue 1: %v; want %v", err, driver.ErrUnsupported)
			}
		})
		t.Run(name+" no document", func(t *testing.T) {
			_, n := newBMC(t, bmc.Config{}, func(http.Handler) http.Handler {
				return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
			})
			c, err := newHardware(nil).open(n)
			if err != nil {
				t.Fatal(err)
			}
			defer c.close()
			err = c.changeBootOrder(t.Context(), sources["pxe"])
			if method == "SetBootConfigRole" {
				err = c.setBootConfigRole(t.Context())
			}
			if !errors.Is(err, driver.ErrUnreachable) {
				t.Errorf("%s without an answer = %v; want %v", method, err, driver.ErrUnreachable)
			}
			said(t, err, "3f2c", method, "amt_protocol")
		})
	}
}

// A60: a deployment from the network, as the conductor goes about it (src/conductor/deploy/direct.go, bootRamdisk and the
// steps after it): off, pxe for one boot, on; then off, disk, on.
func TestA60DeployFromNetwork(t *testing.T) {
	b, n := newBMC(t, bmc.Config{}, nil)
	b.SetPowerState(bmc.On)
	h := newHardware(nil)
	deploy := func(device string, persistent bool) {
		t.Helper()
		if _, err := driver.SetPower(t.Context(), h, n, off, pace); err != nil {
			t.Fatal(err)
		}
		if err := h.SetBootDevice(t.Context(), n, device, persistent); err != nil {
			t.Fatal(err)
		}
		if _, err := driver.SetPower(t.Context(), h, n, on, pace); err != nil {
			t.Fatal(err)
		}
	}
	deploy("pxe", false)
	deploy("disk", true)
	if got, want := b.Boots(), []string{bmc.ForcePXE, ""}; !slices.Equal(got, want) {
		t.Errorf("booted from %q; want %q: the ramdisk, then what the BIOS says", got, want)
	}
}

// A61: a server that boots from its disk is never told a device.
func TestA61LocalBoot(t *testing.T) {
	b, n := newBMC(t, bmc.Config{}, nil)
	h := newHardware(nil)
	if err := h.SetBootDevice(t.Context(), n, "disk", true); err != nil {
		t.Fatal(err)
	}
	if _, err := driver.SetPower(t.Context(), h, n, on, pace); err != nil || tally(b, "ChangeBootOrder") != 0 {
		t.Errorf("SetPower = %v, calls %q; want no ChangeBootOrder", err, b.Calls())
	}
}
