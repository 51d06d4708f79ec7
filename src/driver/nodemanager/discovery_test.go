package nodemanager

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/ipmi"
)

// Records of sensor data repositories, by what they are.
var (
	fullSensor   = unhex("01 00 51 01 0f 20 00 01 57 01 00 0d 01 6a b2 00 ff 00 00 00")
	otherOEM     = unhex("02 00 51 c0 08 52 01 80 0d 01 6a b0 00")
	otherSubtype = unhex("03 00 51 c0 08 57 01 00 0b 01 6a b0 00")
	cutShort     = unhex("04 00 51 c0 06 57 01 00 0d 01 6a")
	discovery    = unhex("05 00 51 c0 0b 57 01 00 0d 01 6a b2 17 18 19 1a")
	shortest     = unhex("07 00 51 c0 07 57 01 00 0d 01 6a b2")
	alikeSensor  = unhex("08 00 51 01 0b 57 01 00 0d 01 6a b2 17 18 19 1a") // of owner 57h, LUN 1, number 0, entity 0Dh
	newVersion   = unhex("06 00 51 c0 0b 57 01 00 0d 07 2c 00 17 18 19 1a")
)

func TestDiscoveryRecord(t *testing.T) {
	for _, test := range []struct {
		name   string
		record []byte
		want   ipmi.Bridge
		ok     bool
	}{
		{"N34 found", discovery, ipmi.Bridge{Channel: 0x0b, Target: 0x6a}, true},
		{"N34 of any version", newVersion, ipmi.Bridge{Channel: 0, Target: 0x2c}, true},
		{"N34 without sensors", shortest, ipmi.Bridge{Channel: 0x0b, Target: 0x6a}, true},
		{"N34 repaired: a sensor that begins with the same bytes", alikeSensor, ipmi.Bridge{}, false},
		{"N34 repaired: the bytes in a record of another type are something else", fullSensor, ipmi.Bridge{}, false},
		{"N35 another manufacturer", otherOEM, ipmi.Bridge{}, false},
		{"N35 another subtype", otherSubtype, ipmi.Bridge{}, false},
		{"N35 too short", cutShort, ipmi.Bridge{}, false},
		{"N35 no record at all", nil, ipmi.Bridge{}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, ok := discoveryRecord(test.record); got != test.want || ok != test.ok {
				t.Errorf("discoveryRecord(% x) = %v, %t; want %v, %t", test.record, got, ok, test.want, test.ok)
			}
		})
	}
}

const version30 = "05 03 07 01 02"

func TestDetect(t *testing.T) {
	t.Run("N40 detect: repaired, by records instead of a search in a file", func(t *testing.T) {
		w := &wire{records: [][]byte{fullSensor, otherOEM, discovery, newVersion}, answer: says(version30)}
		n := &driver.Node{Name: "one"}
		if _, err := call(t, w, n, "control_nm_policy", `{"scope": "global", "enable": true}`); err != nil {
			t.Fatal(err)
		}
		if want := map[string]string{"intel_nm_channel": "0x0b", "intel_nm_address": "0x6a"}; !maps.Equal(n.State, want) {
			t.Errorf("remembers %v; want %v", n.State, want)
		}
		if w.walks != 1 || len(w.sent) != 2 || w.sent[0] != "2e ca 57 01 00" {
			t.Errorf("%d walks, sent %q; want one walk, one question for the version, the command", w.walks, w.sent)
		}
	})
	t.Run("N41 known: no other question", func(t *testing.T) {
		w := &wire{answer: says(version30)}
		if _, err := call(t, w, knows(), "control_nm_policy", `{"scope": "global", "enable": true}`); err != nil {
			t.Fatal(err)
		}
		if w.walks != 0 || len(w.sent) != 1 {
			t.Errorf("%d walks, sent %q; want the command alone", w.walks, w.sent)
		}
	})
	t.Run("N41 what is remembered makes no sense", func(t *testing.T) {
		for _, state := range []map[string]string{
			{"intel_nm_channel": "false", "intel_nm_address": "false"}, {"intel_nm_channel": "0x0b"}, {"intel_nm_channel": "0x0b", "intel_nm_address": "0x6a6a"},
		} {
			w := &wire{records: [][]byte{discovery}, answer: says(version30)}
			if _, err := call(t, w, &driver.Node{State: state}, "get_nm_version", `{}`); err != nil || w.walks != 1 {
				t.Errorf("%v: %d walks, %v; want it to look again", state, w.walks, err)
			}
		}
	})
	t.Run("N42 no record: repaired, not remembered", func(t *testing.T) {
		w := &wire{records: [][]byte{fullSensor, otherOEM}, answer: says(version30)}
		n := &driver.Node{Name: "one"}
		_, err := call(t, w, n, "get_nm_version", `{}`)
		if !errors.Is(err, driver.ErrUnsupported) || len(w.sent) != 0 || len(n.State) != 0 {
			t.Errorf("%v, sent %q, remembers %v; want %v, no question, nothing", err, w.sent, n.State, driver.ErrUnsupported)
		}
	})
	t.Run("N43 no answer: repaired, not remembered", func(t *testing.T) {
		w := &wire{records: [][]byte{discovery}, answer: func(byte, []byte) ([]byte, error) { return nil, nak }}
		n := &driver.Node{Name: "one"}
		_, err := call(t, w, n, "get_nm_policy", onePolicy)
		if !errors.Is(err, nak) || len(w.sent) != 1 || len(n.State) != 0 {
			t.Errorf("%v, sent %q, remembers %v; want the code, one question, nothing", err, w.sent, n.State)
		}
	})
	t.Run("N44 after a failure: repaired, looks again", func(t *testing.T) {
		w := &wire{answer: says(version30)}
		n := &driver.Node{Name: "one"}
		if _, err := call(t, w, n, "get_nm_version", `{}`); !errors.Is(err, driver.ErrUnsupported) {
			t.Fatalf("%v; want %v", err, driver.ErrUnsupported)
		}
		w.records = [][]byte{discovery} // somebody switched it on
		if _, err := call(t, w, n, "get_nm_version", `{}`); err != nil || w.walks != 2 {
			t.Errorf("%d walks, %v; want a second one, and success", w.walks, err)
		}
	})
	t.Run("a walk that breaks off is no answer", func(t *testing.T) {
		w := &wire{broken: driver.ErrUnreachable}
		n := &driver.Node{Name: "one"}
		if _, err := call(t, w, n, "get_nm_version", `{}`); !errors.Is(err, driver.ErrUnreachable) || len(n.State) != 0 {
			t.Errorf("%v, remembers %v; want %v, nothing", err, n.State, driver.ErrUnreachable)
		}
	})
}

func TestExecute(t *testing.T) {
	t.Run("N45 through the bridge, by itself", func(t *testing.T) {
		w := &wire{answer: says(version30)}
		n := knows()
		got, err := call(t, w, n, "get_nm_version", `{}`)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, `{"nm": "3.0", "ipmi": "3.0", "patch": "7", "firmware": "1.2"}`)
		if len(w.to) != 1 || w.to[0] != (ipmi.Bridge{Channel: 0x0b, Target: 0x6a}) {
			t.Errorf("bridged to %v; want channel 0xb, address 0x6a", w.to)
		}
		if len(n.Info) != 0 {
			t.Errorf("driver_info became %v", n.Info)
		}
	})
	t.Run("N46 nothing to read", func(t *testing.T) {
		if got, err := call(t, &wire{answer: says("")}, knows(), "control_nm_policy", `{"scope": "global", "enable": true}`); err != nil || got != "null" {
			t.Errorf("answers %s, %v; want null", got, err)
		}
	})
}

// nak is what the BMC says when nobody is at the address.
var nak = &ipmi.CompletionError{NetFn: 0x06, Cmd: 0x34, Code: 0x83}

// A completion code is told in words; an error that says that nobody is there makes the node forget where it looked.
func TestCompletionCodes(t *testing.T) {
	for _, test := range []struct {
		method, args string
		err          error
		want         string
		forgets      bool
	}{
		{"get_nm_policy", onePolicy, refuse(getPolicy, 0x80), "no policy with this policy_id", false},
		{"get_nm_policy", onePolicy, refuse(getPolicy, 0x81), "no such domain_id", false},
		{"get_nm_policy", onePolicy, nak, "no controller at the bridged address", true},
		{"get_nm_policy", onePolicy, refuse(getPolicy, 0xc1), "(completion code c1h)", true},
		{"get_nm_policy", onePolicy, refuse(getPolicy, 0xc0), "(completion code c0h)", false},
		{"get_nm_policy", onePolicy, driver.ErrUnreachable, "does not answer", false},
		{"remove_nm_policy", onePolicy, refuse(setPolicy, 0x83), "does not take this change", false},
		{"remove_nm_policy", onePolicy, refuse(setPolicy, 0xd5), "disabled first", false},
		{"remove_nm_policy", onePolicy, refuse(setPolicy, 0x85), "see get_nm_capabilities", false},
		{"remove_nm_policy_suspend", onePolicy, refuse(setSuspend, 0x85), "periods makes no sense", false},
	} {
		n := knows()
		w := &wire{answer: func(byte, []byte) ([]byte, error) { return nil, test.err }}
		_, err := call(t, w, n, test.method, test.args)
		if err == nil || !errors.Is(err, test.err) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "channel 0x0b, address 0x6a") {
			t.Errorf("%s: %v; want the cause, the place and %q", test.method, err, test.want)
		}
		if forgot := len(n.State) == 0; forgot != test.forgets {
			t.Errorf("%s: %v: remembers %v", test.method, err, n.State)
		}
	}
}
