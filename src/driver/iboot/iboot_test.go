package iboot

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/bmc/dxp"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/drivertest"
	"bosh-ironic-cpi/src/wait"
)

// Numbers are those of the checklist in the specification of ironic-staging-drivers' iboot; it has no B16 to B19.

// complete is driver_info with what is required and nothing else.
func complete(more map[string]any) *driver.Node {
	n := &driver.Node{Name: "n1", Info: map[string]any{"iboot_address": "192.0.2.7", "iboot_username": user, "iboot_password": password}}
	maps.Copy(n.Info, more)
	return n
}

func TestB1Parse(t *testing.T) {
	r, err := impatient.relay(complete(nil))
	if err != nil {
		t.Fatal(err)
	}
	if r.address != "192.0.2.7:9100" || r.user != user || r.password.Reveal() != password || r.id != 1 ||
		r.retries != 3 || r.between != time.Second || r.dark != 5*time.Second {
		t.Errorf("%+v; want what was given, and the defaults", r)
	}
	if got := Spec.New().(hardware).patience; got != 10*time.Second {
		t.Errorf("a try takes up to %s; want 10s", got)
	}
}

func TestParse(t *testing.T) {
	tests := []struct {
		name    string
		info    map[string]any
		address string
		id      byte
		dark    time.Duration
	}{
		{"B2 a port as text", map[string]any{"iboot_port": "1234"}, "192.0.2.7:1234", 1, 5 * time.Second},
		{"B3 a relay as text", map[string]any{"iboot_relay_id": "2"}, "192.0.2.7:9100", 2, 5 * time.Second},
		{"the last relay", map[string]any{"iboot_relay_id": 255}, "192.0.2.7:9100", 255, 5 * time.Second},
		{"IPv6", map[string]any{"iboot_address": "2001:db8::7"}, "[2001:db8::7]:9100", 1, 5 * time.Second},
		{"IPv6 in brackets", map[string]any{"iboot_address": "[2001:db8::7]"}, "[2001:db8::7]:9100", 1, 5 * time.Second},
		{"no delay", map[string]any{"iboot_reboot_delay": 0}, "192.0.2.7:9100", 1, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := impatient.relay(complete(tt.info))
			if err != nil || r.address != tt.address || r.id != tt.id || r.dark != tt.dark {
				t.Errorf("%s, relay %d, %s, %v; want %s, relay %d, %s", r.address, r.id, r.dark, err, tt.address, tt.id, tt.dark)
			}
		})
	}
}

// A ParameterError names the key, from Validate and before anything is sent.
func TestParameters(t *testing.T) {
	tests := []struct {
		name  string
		key   string
		value any
		want  string // a part of the error
	}{
		{"B4 no address", "iboot_address", nil, "has no"},
		{"B5 no user", "iboot_username", "", "has no"},
		{"B6 no password", "iboot_password", nil, "has no"},
		{"B7 a port that is none", "iboot_port", "not-a-port", "not a valid integer"},
		{"B7 a port out of range", "iboot_port", 70000, "between 1 and 65535"},
		{"B8 a relay that is none", "iboot_relay_id", "not-a-relay", "not a valid integer"},
		{"relay 0", "iboot_relay_id", 0, "between 1 and 255"},
		{"relay 256", "iboot_relay_id", 256, "between 1 and 255"},
		{"relay null", "iboot_relay_id", nil, "not a valid integer"},
		{"user too long", "iboot_username", strings.Repeat("u", 22), "21 bytes"}, // upstream cuts it off and says nothing
		{"password too long", "iboot_password", strings.Repeat("secret", 4), "21 bytes"},
		{"retries", "iboot_max_retry", -1, "between 0 and 100"},
		{"interval", "iboot_retry_interval", "often", "no number of seconds"},
		{"delay", "iboot_reboot_delay", -1, "between 0 and 300 seconds"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := complete(map[string]any{tt.key: tt.value})
			_, asked := impatient.PowerState(t.Context(), n)
			for what, err := range map[string]error{
				"Validate": impatient.Validate(n), "Switch": impatient.Switch(t.Context(), n, baremetal.TargetOn), "PowerState": asked,
			} {
				if e, ok := errors.AsType[*driver.ParameterError](err); !ok || e.Key != tt.key {
					t.Errorf("%s: %v; want a ParameterError for %s", what, err, tt.key)
				}
				says(t, err, tt.want)
			}
		})
	}
}

// B9 to B15: what reads tell. Upstream makes of a device that gives no sense the power state "error". Here it is no
// state, and an error that says whether the device was not reached, did not like us, or has no such relay: the
// conductor shows it, and SetPower waits on where waiting helps.
func TestPowerState(t *testing.T) {
	tests := []struct {
		name  string
		relay bool
		fault dxp.Faults
		want  baremetal.PowerState
		err   error
	}{
		{"B9 on", true, dxp.Faults{}, baremetal.PowerOn, nil},
		{"B10 off", false, dxp.Faults{}, baremetal.PowerOff, nil},
		{"B11 none: closed after the command", true, dxp.Faults{CloseAtCommand: true}, "", driver.ErrAuthentication},
		{"B11 none: closed after hello", true, dxp.Faults{CloseAtHello: true}, "", driver.ErrUnreachable},
		{"B11 none: reset", true, dxp.Faults{Reset: true}, "", driver.ErrUnreachable},
		{"B14 an empty answer", true, dxp.Faults{Answers: -1}, "", driver.ErrUnreachable},
		{"silent", true, dxp.Faults{Silent: true}, "", driver.ErrUnreachable},
		{"silent at the command", true, dxp.Faults{SilentAtCommand: true}, "", driver.ErrUnreachable},
		{"neither on nor off", true, dxp.Faults{Odd: true}, "", nil},
		{"in pieces", true, dxp.Faults{PauseBetweenBytes: 20 * time.Millisecond}, baremetal.PowerOn, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pdu := start(t)
			n := on3(pdu)
			if tt.relay {
				if err := impatient.Switch(t.Context(), n, baremetal.TargetOn); err != nil {
					t.Fatal(err)
				}
			}
			before := pdu.Connections()
			pdu.Break(tt.fault)
			quick := hardware{patience: 300 * time.Millisecond}
			begin := time.Now()
			got, err := quick.PowerState(t.Context(), n)
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("%q, %v; want %q, %v", got, err, tt.want, tt.err)
			}
			if tt.err != nil {
				says(t, err, "n1", pdu.Addr().String(), "check iboot_")
			}
			if tries := pdu.Connections() - before; tries != 1 {
				t.Errorf("%d tries; want 1", tries)
			}
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

// Upstream's library trips over its own state when it could not connect.
func TestB12NotConnected(t *testing.T) {
	n := on3(start(t))
	nowhere(t, n)
	got, err := impatient.PowerState(t.Context(), n)
	if got != "" || !errors.Is(err, driver.ErrUnreachable) {
		t.Errorf("%q, %v; want %v", got, err, driver.ErrUnreachable)
	}
	says(t, err, "n1", "127.0.0.1:", "connection refused", "check iboot_address and iboot_port")
}

// A device with fewer relays says less and leaves the connection open. It must not cost the whole patience.
func TestB13TooFewRelays(t *testing.T) {
	pdu := start(t)
	pdu.Break(dxp.Faults{Answers: third - 1})
	begin := time.Now()
	got, err := hardware{patience: 5 * time.Second}.PowerState(t.Context(), on3(pdu))
	if e, ok := errors.AsType[*driver.ParameterError](err); got != "" || !ok || e.Key != "iboot_relay_id" {
		t.Errorf("%q, %v; want a ParameterError for iboot_relay_id", got, err)
	}
	says(t, err, "is 3", "tells of 2 relays", "n1")
	if pdu.Connections() != 1 || time.Since(begin) > 4*time.Second {
		t.Errorf("%d tries, %s; want 1, in about a second", pdu.Connections(), time.Since(begin))
	}
}

func TestB15Retries(t *testing.T) {
	pdu := start(t)
	n := on3(pdu)
	n.Info["iboot_max_retry"] = 1
	log := logged(n)
	pdu.Break(dxp.Faults{CloseAtHello: true})
	if _, err := impatient.PowerState(t.Context(), n); !errors.Is(err, driver.ErrUnreachable) {
		t.Errorf("%v; want %v", err, driver.ErrUnreachable)
	}
	// Upstream keeps one connection object, and connects anew with it as we do.
	if pdu.Connections() != 2 {
		t.Errorf("%d tries; want 2", pdu.Connections())
	}
	if got := log.String(); strings.Count(got, "level=WARN") != 1 || !strings.Contains(got, pdu.Addr().String()) || strings.Contains(got, password) {
		t.Errorf("log %q; want a warning", got)
	}
	pdu.Break(dxp.Faults{CloseAtHello: true, Lasts: 1})
	if got, err := impatient.PowerState(t.Context(), n); err != nil || got != baremetal.PowerOff {
		t.Errorf("%q, %v; want power off at the second try", got, err)
	}
}

func TestB20Switch(t *testing.T) {
	pdu := start(t)
	n := on3(pdu)
	for _, tt := range []struct {
		target baremetal.PowerTarget
		want   string
	}{{baremetal.TargetOn, "3 on"}, {baremetal.TargetOff, "3 off"}} {
		before := len(told(pdu))
		if state, err := driver.SetPower(t.Context(), impatient, n, tt.target, pace); err != nil || state != tt.target.End() || pdu.Relay(third) != (state == baremetal.PowerOn) {
			t.Errorf("%s: %q, %v", tt.target, state, err)
		}
		// The first read is SetPower's: whether there is anything to do.
		if got, want := told(pdu)[before:], []string{"read", tt.want, "read"}; !slices.Equal(got, want) {
			t.Errorf("%s: %q; want %q", tt.target, got, want)
		}
	}
}

// B21 and B26: upstream logs a warning that it ignores a timeout. Here it is the context's, or the pace's when the request
// has one (TestIBootByAPI in src/driver/all), and it counts: nothing to warn of.
func TestTimeout(t *testing.T) {
	for name, target := range map[string]baremetal.PowerTarget{"B21 on": baremetal.TargetOn, "B26 reboot": baremetal.TargetReboot} {
		t.Run(name, func(t *testing.T) {
			pdu := start(t)
			n := on3(pdu)
			log := logged(n)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := impatient.Switch(ctx, n, target); err != nil || !pdu.Relay(third) || log.Len() > 0 {
				t.Errorf("%v, log %q", err, log)
			}
			pdu.Break(dxp.Faults{Silent: true})
			ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			begin := time.Now()
			err := hardware{patience: time.Minute}.Switch(ctx, n, target)
			if !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "%!") || time.Since(begin) > 10*time.Second {
				t.Errorf("%v after %s; want %v at once", err, time.Since(begin), context.DeadlineExceeded)
			}
		})
	}
}

// A PowerError names the target and what the relay was last.
func TestB22Mismatch(t *testing.T) {
	pdu := start(t)
	pdu.Break(dxp.Faults{Stuck: true})
	limit := wait.Pace{Every: 2 * time.Millisecond, Limit: 100 * time.Millisecond}
	_, err := driver.SetPower(t.Context(), impatient, on3(pdu), baremetal.TargetOn, limit)
	if e, ok := errors.AsType[*driver.PowerError](err); !ok || e.Target != baremetal.TargetOn || e.Last != baremetal.PowerOff {
		t.Errorf("%v; want a PowerError from power off to power on", err)
	}
	if n := count(told(pdu), "3 on"); n != 1 {
		t.Errorf("switched %d times; want once", n)
	}
}

// Time that ends between two tries does not hide what was wrong.
func TestEndsBetweenTries(t *testing.T) {
	pdu := start(t)
	n := on3(pdu)
	n.Info["iboot_max_retry"], n.Info["iboot_retry_interval"] = 1, 60
	pdu.Break(dxp.Faults{Reset: true})
	limit := wait.Pace{Every: time.Millisecond, Limit: 500 * time.Millisecond}
	ctx, cancel := context.WithTimeout(t.Context(), limit.Limit)
	defer cancel()
	_, err := driver.SetPower(ctx, impatient, n, baremetal.TargetOn, limit)
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, driver.ErrUnreachable) {
		t.Errorf("%v; want %v and %v", err, context.DeadlineExceeded, driver.ErrUnreachable)
	}
	says(t, err, "reset", "check iboot_address")
}

// A device that says no is not asked for the state: that is a PowerError at once.
func TestRefused(t *testing.T) {
	pdu := start(t)
	pdu.Break(dxp.Faults{Refuse: true})
	_, err := driver.SetPower(t.Context(), impatient, on3(pdu), baremetal.TargetOn, pace)
	if e, ok := errors.AsType[*driver.PowerError](err); !ok || e.Target != baremetal.TargetOn || e.Last != baremetal.PowerOff {
		t.Errorf("%v; want a PowerError from power off to power on", err)
	}
	says(t, err, "switch on relay 3", pdu.Addr().String(), "n1", "refuses")
}

// Upstream reads 1 + max_retry times before it gives up; here the pace of SetPower says how often and how long. A relay
// that follows at the third read is on after three, not after two and not after one.
func TestB23ThreeReads(t *testing.T) {
	pdu := start(t)
	n := on3(pdu)
	n.Info["iboot_max_retry"] = 2
	pdu.Break(dxp.Faults{Late: 2})
	if state, err := driver.SetPower(t.Context(), impatient, n, baremetal.TargetOn, pace); err != nil || state != baremetal.PowerOn {
		t.Fatalf("%q, %v; want power on", state, err)
	}
	if got, want := told(pdu), []string{"read", "3 on", "read", "read", "read"}; !slices.Equal(got, want) {
		t.Errorf("%q; want %q", got, want)
	}
	pdu.Break(dxp.Faults{CloseAtCommand: true})
	before := pdu.Connections()
	if _, err := impatient.PowerState(t.Context(), n); err == nil || pdu.Connections()-before != 3 {
		t.Errorf("%v after %d tries of one read; want an error after 3", err, pdu.Connections()-before)
	}
}

func TestB24BadState(t *testing.T) {
	pdu := start(t)
	for _, target := range []baremetal.PowerTarget{"invalid state", baremetal.TargetSoftOff, baremetal.TargetSoftReboot} {
		if err := impatient.Switch(t.Context(), on3(pdu), target); !errors.Is(err, driver.ErrUnsupported) || pdu.Connections() > 0 {
			t.Errorf("%s: %v, %d connections; want %v and none", target, err, pdu.Connections(), driver.ErrUnsupported)
		}
	}
}

func TestB25Reboot(t *testing.T) {
	pdu := start(t)
	n := on3(pdu)
	if err := impatient.Switch(t.Context(), n, baremetal.TargetOn); err != nil {
		t.Fatal(err)
	}
	const dark = 300 * time.Millisecond // three seconds upstream
	n.Info["iboot_reboot_delay"] = dark.Seconds()
	if state, err := driver.SetPower(t.Context(), impatient, n, baremetal.TargetReboot, pace); err != nil || state != baremetal.PowerOn {
		t.Fatalf("%q, %v; want power on", state, err)
	}
	if got, want := told(pdu), []string{"3 on", "read", "3 off", "3 on", "read"}; !slices.Equal(got, want) {
		t.Fatalf("%q; want %q", got, want)
	}
	commands := pdu.Journal()
	if took := commands[3].At.Sub(commands[2].At); took < dark || took > dark+2*time.Second {
		t.Errorf("off for %s; want %s", took, dark)
	}
}

func TestB27RebootStaysOff(t *testing.T) {
	pdu := start(t)
	n := on3(pdu)
	if err := impatient.Switch(t.Context(), n, baremetal.TargetOn); err != nil {
		t.Fatal(err)
	}
	n.Info["iboot_reboot_delay"] = 0
	pdu.Break(dxp.Faults{Late: 1 << 20}) // reads tell the state before the last change
	limit := wait.Pace{Every: 2 * time.Millisecond, Limit: 100 * time.Millisecond}
	_, err := driver.SetPower(t.Context(), impatient, n, baremetal.TargetReboot, limit)
	if e, ok := errors.AsType[*driver.PowerError](err); !ok || e.Target != baremetal.TargetReboot || e.Last != baremetal.PowerOff {
		t.Errorf("%v; want a PowerError from power off to rebooting", err)
	}
	if got, want := told(pdu), []string{"3 on", "read", "3 off", "3 on", "read"}; len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
		t.Errorf("%q; want %q and more reads", got, want)
	}
}

// A reboot that cannot switch off ends there: upstream would go on, switch on, and call it done.
func TestRebootThatCannotSwitchOff(t *testing.T) {
	pdu := start(t)
	n := on3(pdu)
	pdu.Break(dxp.Faults{Refuse: true, Lasts: 1})
	err := impatient.Switch(t.Context(), n, baremetal.TargetReboot)
	if e, ok := errors.AsType[*driver.PowerError](err); !ok || e.Target != baremetal.TargetReboot || len(told(pdu)) != 1 {
		t.Errorf("%v after %q; want a PowerError after one command", err, told(pdu))
	}
}

// Who ends a reboot half-way is told where it stands.
func TestRebootHalfWay(t *testing.T) {
	pdu := start(t)
	n := on3(pdu)
	n.Info["iboot_reboot_delay"] = 60
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- impatient.Switch(ctx, n, baremetal.TargetReboot) }()
	err := wait.Until(t.Context(), pace, "the relay to be off", func(context.Context) (bool, string, error) {
		return len(told(pdu)) > 0, "", nil
	})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	err = <-ended
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v; want %v", err, context.Canceled)
	}
	says(t, err, "n1", "is off now")
}

func TestB28Tries(t *testing.T) {
	for _, fault := range []dxp.Faults{{CloseAtHello: true}, {Reset: true}, {Refuse: true}, {CloseAtCommand: true}} {
		pdu := start(t)
		n := on3(pdu)
		n.Info["iboot_max_retry"] = 2
		pdu.Break(fault)
		if err := impatient.Switch(t.Context(), n, baremetal.TargetOn); err == nil || pdu.Connections() != 3 {
			t.Errorf("%+v: %v after %d tries; want an error after 3", fault, err, pdu.Connections())
		}
		fault.Lasts = 2
		pdu.Break(fault)
		if err := impatient.Switch(t.Context(), n, baremetal.TargetOn); err != nil || !pdu.Relay(third) {
			t.Errorf("%+v, twice: %v; want relay on", fault, err)
		}
	}
}

// B29 is reading, as TestPowerState does with the real settings: of all relays, only the node's counts.
func TestB29Get(t *testing.T) {
	pdu := start(t)
	for id := range 8 {
		n := on3(pdu)
		n.Info["iboot_relay_id"] = id + 1
		if err := impatient.Switch(t.Context(), n, baremetal.TargetOn); err != nil {
			t.Fatal(err)
		}
		for other := range 8 {
			n.Info["iboot_relay_id"] = other + 1
			want := baremetal.PowerOff
			if other <= id {
				want = baremetal.PowerOn
			}
			if got, err := impatient.PowerState(t.Context(), n); err != nil || got != want {
				t.Errorf("relay %d: %q, %v; want %q", other+1, got, err, want)
			}
		}
	}
}

// Validation parses, and asks nobody.
func TestB30Validate(t *testing.T) {
	pdu := start(t)
	if err := impatient.Validate(on3(pdu)); err != nil || pdu.Connections() > 0 {
		t.Errorf("%v, %d connections; want none of both", err, pdu.Connections())
	}
}

func TestWrongPassword(t *testing.T) {
	for _, key := range []string{"iboot_username", "iboot_password"} {
		pdu := start(t)
		n := on3(pdu)
		n.Info[key] = "letmein"
		_, err := impatient.PowerState(t.Context(), n)
		if !errors.Is(err, driver.ErrAuthentication) {
			t.Errorf("%v; want %v", err, driver.ErrAuthentication)
		}
		says(t, err, "n1", pdu.Addr().String(), "check iboot_username and iboot_password")
	}
}

func TestConformance(t *testing.T) {
	var pdu *dxp.PDU
	drivertest.Run(t, drivertest.Rig{
		Spec: Spec,
		Node: func(t *testing.T) *driver.Node {
			pdu = start(t)
			return on3(pdu)
		},
		WrongPassword: func(n *driver.Node) { n.Info["iboot_password"] = "letmein" },
		Silent:        func(*driver.Node) { pdu.Break(dxp.Faults{Stuck: true}) },
		Unreachable:   func(n *driver.Node) { nowhere(t, n) },
		Pace:          pace,
	})
}
