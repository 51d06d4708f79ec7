package nodemanager

import (
	"encoding/json"
	"testing"

	"bosh-ironic-cpi/src/driver/vendorargs"
)

// Whatever a controller answers, each method gives an error or something that JSON can hold.
func FuzzAnswers(f *testing.F) {
	for i := range methods {
		f.Add(uint8(i), []byte{0x02, 0x08, 0x18, 0x03, 0x20, 0x50, 0x18})
		f.Add(uint8(i), unhex("70 00 00 02 ff 00 01 02 00 01 20 40 01"))
		f.Add(uint8(i), unhex("10 00 10 64 00 0a 00 00 00 a0 86 01 00 64 00 00 80 84"))
	}
	f.Fuzz(func(t *testing.T, which uint8, answer []byte) {
		m := methods[int(which)%len(methods)]
		r, _, err := m.bind(arguments(t, samples[m.Name]))
		if err != nil {
			t.Fatal(err)
		}
		result, err := r.decode(answer)
		if err != nil {
			return
		}
		if text, err := json.Marshal(result); err != nil {
			t.Errorf("%s: % x becomes %v: %v", m.Name, answer, result, err)
		} else if s, ok := result.(suspension); ok && len(s.Periods) != int(answer[0]) {
			t.Errorf("%s: % x becomes %s; want %d periods", m.Name, answer, text, answer[0])
		}
	})
}

// Whatever is in a repository, what is found is in the bytes of the record.
func FuzzDiscoveryRecord(f *testing.F) {
	for _, record := range [][]byte{fullSensor, otherOEM, otherSubtype, cutShort, discovery, newVersion} {
		f.Add(record)
	}
	f.Fuzz(func(t *testing.T, record []byte) {
		at, ok := discoveryRecord(record)
		if ok && (record[3] != 0xc0 || at.Target != record[10] || at.Channel != record[11]>>4) {
			t.Errorf("discoveryRecord(% x) = %v", record, at)
		}
	})
}

// Whatever a client sends, arguments that pass the check make a command of the right length.
func FuzzArguments(f *testing.F) {
	for i, m := range methods {
		f.Add(uint8(i), samples[m.Name])
	}
	f.Add(uint8(3), `{`+policyBase+`, "policy_trigger": "boot", "target_limit": {"boot_mode": "power", "cores_disabled": 2}}`)
	lengths := map[byte]int{
		getVersion: 0, getCapabilities: 2, controlPolicy: 3, setPolicy: 14, getPolicy: 2, getSuspend: 2, getStatistics: 3, resetStatistics: 3,
	}
	f.Fuzz(func(t *testing.T, which uint8, text string) {
		m := methods[int(which)%len(methods)]
		var args map[string]any
		if json.Unmarshal([]byte(text), &args) != nil || vendorargs.Check(m.VendorMethod, args) != nil {
			return
		}
		_, data, err := m.bind(args)
		if err != nil {
			t.Fatalf("%s: %s passes the check, and then: %v", m.Name, text, err)
		}
		want, fixed := lengths[m.command]
		if !fixed && len(data) >= 3 {
			want = 3 + 3*int(data[2])
		}
		if len(data) != want {
			t.Errorf("%s: %s becomes % x; want %d bytes", m.Name, text, data, want)
		}
	})
}
