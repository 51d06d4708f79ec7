// Package drivertest is what every driver must do, whatever its hardware: its test calls [Run] with one line. For tests
// only.
package drivertest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/vendorargs"
	"bosh-ironic-cpi/src/wait"
)

// A Rig is a driver with hardware that it can reach.
type Rig struct {
	Spec driver.Spec
	// Node gives a node on hardware that works, with its secrets right.
	Node func(t *testing.T) *driver.Node
	// WrongPassword, Silent and Unreachable change the node so that its hardware refuses the password, follows no
	// command, does not answer. nil: the hardware has no such thing.
	WrongPassword, Silent, Unreachable func(n *driver.Node)
	// AlwaysPersistent is hardware that knows no boot device for one boot: it takes one, and says that it stays.
	AlwaysPersistent bool
	// BootDevices are those that this hardware takes, if not all that the driver knows.
	BootDevices []string
	// Pace is how long the hardware takes to switch.
	Pace wait.Pace
}

// Run is the conformance suite.
func Run(t *testing.T, r Rig) {
	t.Helper()
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("Spec", r.spec)
	hardware := r.Spec.New()
	p, ok := hardware.(driver.Power)
	if v, vendor := hardware.(driver.Vendor); !ok && vendor { // goes with another driver that has power
		t.Run("Vendor", func(t *testing.T) { r.vendor(t, v) })
		return
	}
	if !ok {
		t.Fatalf("driver %s has neither power nor vendor methods", r.Spec.Name)
	}
	t.Run("PowerCycle", func(t *testing.T) { r.cycle(t, p) })
	t.Run("UnsupportedTarget", func(t *testing.T) { r.unsupported(t, p) })
	t.Run("Cancelled", func(t *testing.T) { r.cancelled(t, p) })
	t.Run("CancelledWhileWaiting", func(t *testing.T) { r.interrupted(t, p) })
	t.Run("WrongPassword", func(t *testing.T) { r.fails(t, p, r.WrongPassword, driver.ErrAuthentication) })
	t.Run("Unreachable", func(t *testing.T) { r.fails(t, p, r.Unreachable, driver.ErrUnreachable) })
	t.Run("Silent", func(t *testing.T) { r.silent(t, p) })
	if b, ok := hardware.(driver.BootDevice); ok {
		t.Run("BootDevice", func(t *testing.T) { r.bootDevice(t, b) })
	}
	if b, ok := hardware.(driver.BootMode); ok {
		t.Run("BootMode", func(t *testing.T) { r.bootMode(t, b) })
	}
	if v, ok := hardware.(driver.VirtualMedia); ok {
		t.Run("VirtualMedia", func(t *testing.T) { r.media(t, v) })
	}
	if v, ok := hardware.(driver.Vendor); ok {
		t.Run("Vendor", func(t *testing.T) { r.vendor(t, v) })
	}
}

func (r Rig) spec(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range r.Spec.Keys {
		switch {
		case k.Name == "" || k.Meaning == "" || strings.HasSuffix(k.Meaning, "."):
			t.Errorf("key %q means %q: want a sentence without a full stop", k.Name, k.Meaning)
		case seen[k.Name]:
			t.Errorf("key %s twice", k.Name)
		case driver.LooksSecret(k.Name) && !k.Secret:
			t.Errorf("key %s looks like a secret and is none", k.Name)
		case k.Required && k.Default != "":
			t.Errorf("key %s is required and has a default", k.Name)
		}
		seen[k.Name] = true
	}
	info := r.Node(t).Info
	if err := r.Spec.Check(info); err != nil {
		t.Errorf("the rig's own node: %v", err)
	}
	for _, k := range r.Spec.Keys {
		if !k.Required {
			continue
		}
		without := map[string]any{}
		for name, value := range info {
			if name != k.Name {
				without[name] = value
			}
		}
		if e, ok := errors.AsType[*driver.ParameterError](r.Spec.Check(without)); !ok || e.Key != k.Name {
			t.Errorf("without %s: %v; want a ParameterError that names it", k.Name, e)
		}
	}
}

// cycle goes to each state and back, and twice to each.
func (r Rig) cycle(t *testing.T, p driver.Power) {
	n := r.Node(t)
	can := map[baremetal.PowerTarget]bool{}
	for _, target := range p.PowerTargets() {
		can[target] = true
	}
	for _, target := range []baremetal.PowerTarget{
		baremetal.TargetOn, baremetal.TargetOn, baremetal.TargetReboot, baremetal.TargetOff, baremetal.TargetOff, baremetal.TargetReboot,
		baremetal.TargetSoftOff, baremetal.TargetOn, baremetal.TargetSoftReboot, baremetal.TargetOff,
	} {
		if !can[target] {
			continue
		}
		state, err := driver.SetPower(t.Context(), p, n, target, r.Pace)
		if err != nil || state != target.End() {
			t.Fatalf("%s: %q, %v; want %s", target, state, err, target.End())
		}
		if again, err := p.PowerState(t.Context(), n); err != nil || again != target.End() {
			t.Errorf("after %s: %q, %v; want %s", target, again, err, target.End())
		}
	}
}

func (r Rig) unsupported(t *testing.T, p driver.Power) {
	_, err := driver.SetPower(t.Context(), p, r.Node(t), "hibernate", r.Pace)
	if !errors.Is(err, driver.ErrUnsupported) {
		t.Errorf("hibernate: %v; want %v", err, driver.ErrUnsupported)
	}
}

func (r Rig) cancelled(t *testing.T, p driver.Power) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := driver.SetPower(ctx, p, r.Node(t), baremetal.TargetOn, r.Pace); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v; want %v", err, context.Canceled)
	}
}

// interrupted ends the context while the hardware does not follow. A driver that has given up by itself was faster.
func (r Rig) interrupted(t *testing.T, p driver.Power) {
	if r.Silent == nil {
		return // the hardware has no such thing
	}
	n := r.Node(t)
	if _, err := driver.SetPower(t.Context(), p, n, baremetal.TargetOff, r.Pace); err != nil {
		t.Fatal(err)
	}
	r.Silent(n)
	ctx, cancel := context.WithCancel(t.Context())
	defer time.AfterFunc(50*time.Millisecond, cancel).Stop()
	pace := r.Pace
	pace.Limit = time.Minute
	begin := time.Now()
	_, err := driver.SetPower(ctx, p, n, baremetal.TargetOn, pace)
	_, gaveUp := errors.AsType[*driver.PowerError](err)
	if took := time.Since(begin); (!errors.Is(err, context.Canceled) && !gaveUp) || took > atOnce {
		t.Errorf("cancelled: %v after %s; want %v at once", err, took, context.Canceled)
	}
}

// atOnce is how long a driver may take to notice that it is to end, on a machine that has other things to do.
const atOnce = 3 * time.Second

func (r Rig) fails(t *testing.T, p driver.Power, change func(*driver.Node), want error) {
	if change == nil {
		return // the hardware has no such thing
	}
	n := r.Node(t)
	change(n)
	_, err := driver.SetPower(t.Context(), p, n, baremetal.TargetOn, r.Pace)
	if !errors.Is(err, want) {
		t.Fatalf("%v; want %v", err, want)
	}
	r.tells(t, p, n, err)
}

// tells checks that an error says which node and which address, what to check, and no secret.
func (r Rig) tells(t *testing.T, p driver.Power, n *driver.Node, err error) {
	t.Helper()
	text := err.Error()
	hint := strings.Contains(text, "check ") || strings.Contains(text, "look at ")
	for _, k := range r.Spec.Keys {
		hint = hint || strings.Contains(text, k.Name)
		if value, _ := n.Info[k.Name].(string); k.Secret && value != "" && strings.Contains(text, value) {
			t.Errorf("the error holds the secret %s", k.Name)
		}
	}
	if !strings.Contains(text, n.Label()) {
		t.Errorf("%s; want node %s in it", text, n.Label())
	}
	if l, ok := p.(driver.Located); ok && (!hint || !strings.Contains(text, l.Where(n))) {
		t.Errorf("%s; want %q in it, and what to check", text, l.Where(n))
	}
}

func (r Rig) silent(t *testing.T, p driver.Power) {
	if r.Silent == nil {
		return // the hardware has no such thing
	}
	n := r.Node(t)
	if _, err := driver.SetPower(t.Context(), p, n, baremetal.TargetOff, r.Pace); err != nil {
		t.Fatal(err)
	}
	r.Silent(n)
	pace := r.Pace
	pace.Limit = 200 * time.Millisecond
	_, err := driver.SetPower(t.Context(), p, n, baremetal.TargetOn, pace)
	e, ok := errors.AsType[*driver.PowerError](err)
	if !ok || e.Target != baremetal.TargetOn || e.Last != baremetal.PowerOff {
		t.Fatalf("%v; want a PowerError from power off to power on", err)
	}
	r.tells(t, p, n, err)
}

func (r Rig) bootDevice(t *testing.T, b driver.BootDevice) {
	n := r.Node(t)
	devices := r.BootDevices
	if devices == nil {
		devices = b.BootDevices()
	}
	for _, device := range devices {
		for _, persistent := range []bool{true, false} {
			if err := b.SetBootDevice(t.Context(), n, device, persistent); err != nil {
				t.Fatalf("set %s: %v", device, err)
			}
			got, lasting, err := b.BootDevice(t.Context(), n)
			if err != nil || got != device || lasting != (persistent || r.AlwaysPersistent) {
				t.Errorf("set %s, persistent %t: reads %s, %t, %v", device, persistent, got, lasting, err)
			}
		}
	}
	if err := b.SetBootDevice(t.Context(), n, "gramophone", false); !errors.Is(err, driver.ErrUnsupported) {
		t.Errorf("gramophone: %v; want %v", err, driver.ErrUnsupported)
	}
}

func (r Rig) bootMode(t *testing.T, b driver.BootMode) {
	n := r.Node(t)
	for _, mode := range b.BootModes() {
		if err := b.SetBootMode(t.Context(), n, mode); err != nil {
			t.Fatalf("set %s: %v", mode, err)
		}
		if got, err := b.BootMode(t.Context(), n); err != nil || got != mode {
			t.Errorf("set %s: reads %s, %v", mode, got, err)
		}
	}
	if err := b.SetBootMode(t.Context(), n, "punched cards"); !errors.Is(err, driver.ErrUnsupported) {
		t.Errorf("punched cards: %v; want %v", err, driver.ErrUnsupported)
	}
}

func (r Rig) media(t *testing.T, v driver.VirtualMedia) {
	n := r.Node(t)
	holds := func(device, want string) {
		t.Helper()
		reader, ok := v.(driver.MediaReader)
		if !ok {
			return
		}
		if got, err := reader.InsertedMedia(t.Context(), n, device); err != nil || got != want {
			t.Errorf("in %s is %q, %v; want %q", device, got, err, want)
		}
	}
	for _, device := range v.MediaDevices() {
		for range 2 { // ejecting nothing is no error
			if err := v.EjectMedia(t.Context(), n, device); err != nil {
				t.Fatalf("eject %s: %v", device, err)
			}
			holds(device, "")
		}
		const image = "http://192.0.2.1/boot.iso"
		if err := v.InsertMedia(t.Context(), n, device, image); err != nil {
			t.Errorf("insert %s: %v", device, err)
		}
		holds(device, image)
		if err := v.EjectMedia(t.Context(), n, device); err != nil {
			t.Errorf("eject %s after inserting: %v", device, err)
		}
		holds(device, "")
	}
	if err := v.InsertMedia(t.Context(), n, "gramophone", "http://192.0.2.1/boot.iso"); !errors.Is(err, driver.ErrUnsupported) {
		t.Errorf("gramophone: %v; want %v", err, driver.ErrUnsupported)
	}
	if reader, ok := v.(driver.MediaReader); ok {
		if _, err := reader.InsertedMedia(t.Context(), n, "gramophone"); !errors.Is(err, driver.ErrUnsupported) {
			t.Errorf("what is in the gramophone: %v; want %v", err, driver.ErrUnsupported)
		}
	}
}

func (r Rig) vendor(t *testing.T, v driver.Vendor) {
	seen := map[string]bool{}
	for _, m := range v.VendorMethods() {
		if m.Name == "" || len(m.HTTPMethods) == 0 || m.Description == "" || seen[m.Name] {
			t.Errorf("vendor method %+v: want a name of its own, HTTP methods and a description", m)
		}
		seen[m.Name] = true
		if err := vendorargs.Check(m, nil); err != nil {
			if _, ok := errors.AsType[*driver.ArgumentError](err); !ok {
				t.Error(err)
			}
		}
	}
}
