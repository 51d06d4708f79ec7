package amt

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	bmc "bosh-ironic-cpi/src/bmc/amt"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/drivertest"
	"bosh-ironic-cpi/src/wait"
)

var pace = wait.Pace{Every: 5 * time.Millisecond, Limit: 10 * time.Second}

func TestConformance(t *testing.T) {
	b, _ := newBMC(t, bmc.Config{}, nil)
	drivertest.Run(t, drivertest.Rig{
		Spec: Spec,
		Node: func(t *testing.T) *driver.Node {
			var n *driver.Node
			b, n = newBMC(t, bmc.Config{}, nil)
			delete(n.Info, "amt_awake_interval") // with the real prober
			return n
		},
		WrongPassword: func(n *driver.Node) { n.Info["amt_password"] = "letmein" },
		Silent:        func(*driver.Node) { b.Ignore(true) },
		Unreachable:   func(n *driver.Node) { n.Info["amt_port"] = "1" },
		Pace:          pace,
	})
}

func TestA40PowerIsRequested(t *testing.T) {
	b, n := newBMC(t, bmc.Config{}, nil)
	if err := newHardware(nil).Switch(t.Context(), n, on); err != nil {
		t.Fatal(err)
	}
	want := []string{reading, "RequestPowerStateChange 2", reading}
	if got := b.Calls(); !slices.Equal(got, want) || b.PowerState() != bmc.On {
		t.Errorf("calls %q; want %q", got, want)
	}
}

// A41: the failure of a request is in the error, when asking again does not help.
func TestA41RequestFails(t *testing.T) {
	for value, meaning := range map[int]string{2: "unknown or unspecified", 4099: "busy", 77: "not documented"} {
		b, n := newBMC(t, bmc.Config{}, nil)
		b.Return("RequestPowerStateChange", value)
		err := newHardware(nil).Switch(t.Context(), n, on)
		e, ok := errors.AsType[*driver.PowerError](err)
		if !ok || e.Target != on || e.Last != baremetal.PowerOff {
			t.Errorf("Switch = %v; want a PowerError from power off", err)
		}
		said(t, err, "3f2c", "AMT at 127.0.0.1:", "ReturnValue \""+strconv.Itoa(value)+"\"", meaning)
		if got := tally(b, "RequestPowerStateChange"); got != 3 {
			t.Errorf("asked %d times; want 3", got)
		}
	}
	// Busy AMT is what asking again is for.
	b, n := newBMC(t, bmc.Config{}, nil)
	b.Return("RequestPowerStateChange", 4099)
	n.Info["amt_max_attempts"], n.Info["amt_action_wait"] = 100, "0.005"
	done := make(chan error, 1)
	go func() { done <- newHardware(nil).Switch(t.Context(), n, on) }()
	err := wait.Until(t.Context(), pace, "a refused request", func(context.Context) (bool, string, error) {
		return tally(b, "RequestPowerStateChange") > 0, "", nil
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Return("RequestPowerStateChange", bmc.ReturnOK)
	if err := <-done; err != nil || b.PowerState() != bmc.On {
		t.Errorf("Switch = %v, and the machine is in state %d; want it on", err, b.PowerState())
	}
}

func TestA42PowerState(t *testing.T) {
	tests := []struct {
		number int
		want   baremetal.PowerState
		err    error
		word   string
	}{
		{2, baremetal.PowerOn, nil, ""},
		{8, baremetal.PowerOff, nil, ""},
		{4, "", driver.ErrOddState, "power state 4 (sleep, deep)"},
		{3, "", driver.ErrOddState, "power state 3 (sleep, light)"},
		{6, "", driver.ErrOddState, "power state 6 (off, hard)"},
		{7, "", driver.ErrOddState, "power state 7 (hibernate)"},
		{4711, "", driver.ErrOddState, "power state 4711 (no state of CIM)"},
	}
	b, n := newBMC(t, bmc.Config{}, nil)
	for _, tt := range tests {
		b.SetPowerState(tt.number)
		got, err := newHardware(nil).PowerState(t.Context(), n)
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("PowerState in %d = %q, %v; want %q, %v", tt.number, got, err, tt.want, tt.err)
		}
		if tt.err != nil {
			said(t, err, tt.word, "3f2c")
		}
	}
	// Ironic switches nodes in state error, and so do we: a server that sleeps is not lost.
	for _, target := range []baremetal.PowerTarget{off, on, baremetal.TargetReboot} {
		b.SetPowerState(3)
		if state, err := driver.SetPower(t.Context(), newHardware(nil), n, target, pace); err != nil || state != target.End() {
			t.Errorf("SetPower %s of a server asleep = %q, %v", target, state, err)
		}
	}
}

func TestA43ReadFails(t *testing.T) {
	b, n := newBMC(t, bmc.Config{}, nil)
	b.Fail("Get", true)
	h := newHardware(nil)
	_, err := h.PowerState(t.Context(), n)
	said(t, err, "3f2c", "AccessDenied", "user consent")
	said(t, h.Switch(t.Context(), n, on), "AccessDenied")
	if got := tally(b, "Request"); got != 0 {
		t.Errorf("%d requests without knowing the power state; want none", got)
	}
}

func TestA44PowerOnWithPXE(t *testing.T) {
	b, n := newBMC(t, bmc.Config{}, nil)
	h := newHardware(nil)
	if err := h.SetBootDevice(t.Context(), n, "pxe", true); err != nil {
		t.Fatal(err)
	}
	if state, err := driver.SetPower(t.Context(), h, n, on, pace); err != nil || state != baremetal.PowerOn {
		t.Fatalf("SetPower = %q, %v", state, err)
	}
	// The first and the last look are SetPower's.
	want := []string{
		reading, "ChangeBootOrder " + bmc.ForcePXE, "SetBootConfigRole 1", reading, "RequestPowerStateChange 2", reading, reading,
	}
	if got := b.Calls(); !slices.Equal(got, want) {
		t.Errorf("calls\n%q; want\n%q", got, want)
	}
	if got := b.Boots(); !slices.Equal(got, []string{bmc.ForcePXE}) {
		t.Errorf("booted from %q; want %q", got, bmc.ForcePXE)
	}
}

func TestA45PowerOnWithDisk(t *testing.T) {
	for _, device := range []string{"", "disk"} {
		b, n := newBMC(t, bmc.Config{}, nil)
		h := newHardware(nil)
		if device != "" {
			if err := h.SetBootDevice(t.Context(), n, device, false); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := driver.SetPower(t.Context(), h, n, on, pace); err != nil {
			t.Fatal(err)
		}
		if tally(b, "ChangeBootOrder") != 0 || tally(b, "SetBootConfigRole") != 0 || !slices.Equal(b.Boots(), []string{""}) {
			t.Errorf("device %q: calls %q; want the boot device left to the BIOS", device, b.Calls())
		}
	}
}

func TestA46BadTarget(t *testing.T) {
	b, n := newBMC(t, bmc.Config{}, nil)
	for _, target := range []baremetal.PowerTarget{"hibernate", "", baremetal.TargetSoftOff, baremetal.TargetSoftReboot} {
		if err := newHardware(nil).Switch(t.Context(), n, target); !errors.Is(err, driver.ErrUnsupported) {
			t.Errorf("Switch %q = %v; want %v", target, err, driver.ErrUnsupported)
		}
	}
	if got := b.Calls(); len(got) > 0 {
		t.Errorf("calls %q; want none", got)
	}
}

func TestA47Stuck(t *testing.T) {
	b, n := newBMC(t, bmc.Config{}, nil)
	b.Ignore(true)
	n.Info["amt_max_attempts"] = 2
	err := newHardware(nil).Switch(t.Context(), n, on)
	e, ok := errors.AsType[*driver.PowerError](err)
	if !ok || e.Target != on || e.Last != baremetal.PowerOff {
		t.Fatalf("Switch = %v; want a PowerError from power off to power on", err)
	}
	said(t, err, "3f2c", "AMT at 127.0.0.1:", "asked 2 times", "SOL")
	want := []string{reading, "RequestPowerStateChange 2", reading, "RequestPowerStateChange 2", reading}
	if got := b.Calls(); !slices.Equal(got, want) {
		t.Errorf("calls %q; want %q", got, want)
	}
}

func TestA48AlreadyThere(t *testing.T) {
	b, n := newBMC(t, bmc.Config{}, nil)
	h := newHardware(nil)
	if err := h.Switch(t.Context(), n, off); err != nil || !slices.Equal(b.Calls(), []string{reading}) {
		t.Errorf("Switch = %v, calls %q; want one look and no request", err, b.Calls())
	}
	if _, err := driver.SetPower(t.Context(), h, n, off, pace); err != nil || tally(b, "Request") != 0 {
		t.Errorf("SetPower = %v, calls %q; want no request", err, b.Calls())
	}
}

func TestA49Off(t *testing.T) {
	b, n := newBMC(t, bmc.Config{}, nil)
	b.SetPowerState(bmc.On)
	h := newHardware(nil)
	if err := h.SetBootDevice(t.Context(), n, "pxe", false); err != nil {
		t.Fatal(err)
	}
	state, err := driver.SetPower(t.Context(), h, n, off, pace)
	if err != nil || state != baremetal.PowerOff || b.PowerState() != bmc.Off {
		t.Errorf("SetPower = %q, %v", state, err)
	}
	if tally(b, "ChangeBootOrder") != 0 || tally(b, "RequestPowerStateChange 8") != 1 {
		t.Errorf("calls %q; want one request and no boot device", b.Calls())
	}
}

// A50: Ironic's driver warns that it takes no notice of a timeout. Ours takes notice: the caller's context ends the wait.
func TestA50Timeout(t *testing.T) {
	b, n := newBMC(t, bmc.Config{}, nil)
	b.Ignore(true)
	n.Info["amt_action_wait"] = 3600
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := newHardware(nil).Switch(ctx, n, on); !errors.Is(err, context.DeadlineExceeded) || tally(b, "Request") != 1 {
		t.Errorf("Switch = %v after calls %q; want one request and %v", err, b.Calls(), context.DeadlineExceeded)
	}
}

func TestA51Reboot(t *testing.T) {
	b, n := newBMC(t, bmc.Config{}, nil)
	b.SetPowerState(bmc.On)
	h := newHardware(nil)
	if err := h.SetBootDevice(t.Context(), n, "cdrom", false); err != nil {
		t.Fatal(err)
	}
	state, err := driver.SetPower(t.Context(), h, n, baremetal.TargetReboot, pace)
	if err != nil || state != baremetal.PowerOn {
		t.Fatalf("SetPower = %q, %v", state, err)
	}
	changes := slices.DeleteFunc(b.Calls(), func(call string) bool { return call == reading })
	want := []string{"RequestPowerStateChange 8", "ChangeBootOrder " + bmc.ForceCD, "SetBootConfigRole 1", "RequestPowerStateChange 2"}
	if !slices.Equal(changes, want) || !slices.Equal(b.Boots(), []string{bmc.ForceCD}) {
		t.Errorf("changes %q, boots %q; want %q", changes, b.Boots(), want)
	}
}

func TestPowerTargets(t *testing.T) {
	want := []baremetal.PowerTarget{on, off, baremetal.TargetReboot}
	if got := newHardware(nil).PowerTargets(); !slices.Equal(got, want) {
		t.Errorf("PowerTargets = %v; want %v: no soft ones", got, want)
	}
}
