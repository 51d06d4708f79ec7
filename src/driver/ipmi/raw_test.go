package ipmi_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	bmc "bosh-ironic-cpi/src/bmc/ipmi"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/ipmi"
	"bosh-ironic-cpi/src/driver/vendorargs"
)

// manager is a controller as Intel's Node Manager: it knows its version and no other command.
func manager(c bmc.Command, data []byte) (byte, []byte) {
	switch {
	case c == bmc.Command{NetFn: 0x2e, Cmd: 0xca} && bytes.Equal(data, []byte{0x57, 1, 0}):
		return 0, []byte{0x57, 1, 0, 5, 3, 7, 1, 2}
	case c == bmc.Command{NetFn: 0x2e, Cmd: 0xc2}:
		return 0x80, []byte{0x57, 1, 0, 9, 1}
	}
	return 0xc1, nil
}

// Both forms of answers to bridged commands, staging-drivers.md 5.8.
func TestBridging(t *testing.T) {
	place := ipmi.Bridge{Channel: 0, Target: 0x2c}
	forms := []struct {
		name       string
		twoPackets bool
		version    string
	}{{"two packets", true, "2.0"}, {"embedded", false, "2.0"}, {"embedded, IPMI 1.5", false, "1.5"}}
	for _, form := range forms {
		t.Run(form.name, func(t *testing.T) {
			b := start(t, bmc.Config{
				TwoPackets: form.twoPackets, Controllers: map[bmc.Place]bmc.Handler{{Channel: 0, Address: 0x2c}: manager},
			})
			n := node(b)
			n.Info["ipmi_protocol_version"] = form.version
			d := ipmi.Impatient(100 * time.Millisecond)
			answer, err := d.Raw(t.Context(), n, &place, 0x2e, 0xca, []byte{0x57, 1, 0})
			if err != nil || !bytes.Equal(answer, []byte{0x57, 1, 0, 5, 3, 7, 1, 2}) {
				t.Errorf("version: % x, %v", answer, err)
			}
			answer, err = d.Raw(t.Context(), n, &place, 0x2e, 0xc2, []byte{0x57, 1, 0, 0, 0})
			e, _ := errors.AsType[*ipmi.CompletionError](err)
			if e == nil || e.Code != 0x80 || e.NetFn != 0x2e || !bytes.Equal(answer, []byte{0x57, 1, 0, 9, 1}) {
				t.Errorf("policy: % x, %v; want completion code 80h of the controller, with its answer", answer, err)
			}
			if _, err = d.Raw(t.Context(), n, &place, 0x06, 0x01, nil); !errors.Is(err, driver.ErrUnsupported) {
				t.Errorf("unknown command: %v", err)
			}
			_, err = d.Raw(t.Context(), n, &ipmi.Bridge{Channel: 6, Target: 0x2c}, 0x2e, 0xca, nil)
			e, _ = errors.AsType[*ipmi.CompletionError](err)
			if e == nil || e.Code != 0x83 || !strings.Contains(err.Error(), "no controller") {
				t.Errorf("nobody there: %v", err)
			}
			// An answer that gets lost: the command is sent again.
			b.Break(bmc.Fault{Lose: 2})
			if _, err := d.Raw(t.Context(), n, &place, 0x2e, 0xca, []byte{0x57, 1, 0}); err != nil {
				t.Errorf("with answers lost: %v", err)
			}
			// By driver_info every command goes there.
			n.Info["ipmi_bridging"], n.Info["ipmi_target_channel"], n.Info["ipmi_target_address"] = "single", "0x0", "44"
			if answer, err = d.Raw(t.Context(), n, nil, 0x2e, 0xca, []byte{0x57, 1, 0}); err != nil || len(answer) != 8 {
				t.Errorf("by driver_info: % x, %v", answer, err)
			}
			if _, err := d.PowerState(t.Context(), n); !errors.Is(err, driver.ErrUnsupported) {
				t.Errorf("power by driver_info: %v; want what the controller says to it", err)
			}
		})
	}
}

func TestRaw(t *testing.T) {
	tries := 0
	b := start(t, bmc.Config{Commands: map[bmc.Command]bmc.Handler{
		{NetFn: 0x30, Cmd: 1}: func(_ bmc.Command, data []byte) (byte, []byte) { return 0, data },
		{NetFn: 0x30, Cmd: 2}: func(bmc.Command, []byte) (byte, []byte) {
			if tries++; tries < 3 {
				return 0xc0, nil
			}
			return 0, []byte{7}
		},
		{NetFn: 0x30, Cmd: 3}: func(bmc.Command, []byte) (byte, []byte) { return 0xc0, nil },
	}})
	d := ipmi.Impatient(40 * time.Millisecond)
	if answer, err := d.Raw(t.Context(), node(b), nil, 0x30, 1, []byte("echo")); err != nil || string(answer) != "echo" {
		t.Errorf("echo: %q, %v", answer, err)
	}
	if answer, err := d.Raw(t.Context(), node(b), nil, 0x30, 2, nil); err != nil || !bytes.Equal(answer, []byte{7}) {
		t.Errorf("busy for a while: % x, %v", answer, err)
	}
	if _, err := d.Raw(t.Context(), node(b), nil, 0x30, 3, nil); !errors.Is(err, driver.ErrUnreachable) {
		t.Errorf("busy: %v; want an error after which one asks again", err)
	}
}

func TestSendRaw(t *testing.T) {
	b := start(t, bmc.Config{Commands: map[bmc.Command]bmc.Handler{
		{NetFn: 0x30, Cmd: 0x11}: func(_ bmc.Command, data []byte) (byte, []byte) { return 0, data },
	}})
	d := ipmi.Driver{}
	method := d.VendorMethods()[0]
	tests := []struct {
		raw  any
		want string
		ok   bool
	}{
		{"0x30 0x11 0x00 0xff 31", "0x00 0xff 0x1f", true},
		{" 48  17 ", "", true},
		{"0x30", "", false},
		{"", "", false},
		{nil, "", false},
		{"0x30 0x11 bad", "", false},
		{"0x30 0x111", "", false},
		{"0x40 0x11", "", false},
		{"0x30 0x11 256", "", false},
		{48, "", false},
	}
	for _, tt := range tests {
		args := map[string]any{}
		if tt.raw != nil {
			args["raw_bytes"] = tt.raw
		}
		err := vendorargs.Check(method, args)
		var answer any
		if err == nil {
			answer, err = d.CallVendor(t.Context(), node(b), method.Name, args)
		}
		if (err == nil) != tt.ok || tt.ok && answer != tt.want {
			t.Errorf("send_raw %v: %v, %v; want %q, fine: %t", tt.raw, answer, err, tt.want, tt.ok)
		}
	}
	if err := vendorargs.Check(method, map[string]any{"raw_bytes": "0 1", "more": 1}); err == nil {
		t.Error("an unknown argument is taken")
	}
}

func TestBMCReset(t *testing.T) {
	m := &bmc.Memory{}
	b := start(t, bmc.Config{Machine: m})
	d := ipmi.Impatient(30 * time.Millisecond)
	reset := func(args map[string]any) error {
		t.Helper()
		if err := vendorargs.Check(d.VendorMethods()[1], args); err != nil {
			return err
		}
		_, err := d.CallVendor(t.Context(), node(b), "bmc_reset", args)
		return err
	}
	for _, args := range []map[string]any{{}, {"warm": true}, {"warm": "True"}, {"warm": false}} {
		if err := reset(args); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
	for _, args := range []map[string]any{{"warm": "perhaps"}, {"warm": 1}, {"cold": true}} {
		if _, ok := errors.AsType[*driver.ArgumentError](reset(args)); !ok {
			t.Errorf("%v is taken", args)
		}
	}
	if cold, warm := b.Resets(); cold != 1 || warm != 3 {
		t.Errorf("%d cold and %d warm resets; want 1 and 3", cold, warm)
	}
	if done, _ := m.Done(); len(done) > 0 {
		t.Errorf("the server itself had %v done to it", done)
	}
	// A BMC that is gone before it has answered.
	gone := start(t, bmc.Config{Commands: map[bmc.Command]bmc.Handler{
		{NetFn: 0x06, Cmd: 0x02}: func(bmc.Command, []byte) (byte, []byte) { b.Break(bmc.Fault{Silent: true}); return 0, nil },
	}})
	b = gone
	if err := reset(map[string]any{"warm": false}); err != nil {
		t.Errorf("without an answer: %v", err)
	}
}
