package ipmi_test

import (
	"bytes"
	"sync"
	"testing"

	"bosh-ironic-cpi/src/bmc/ipmi"
)

// A lockedBuffer is written by one and read by another.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func TestStartRefuses(t *testing.T) {
	for name, cfg := range map[string]ipmi.Config{
		"a suite with RC4":   {Suites: []int{4}},
		"a long user name":   {Username: "a name of more than sixteen bytes"},
		"somebody's address": {Address: "192.0.2.1:623"},
	} {
		if b, err := ipmi.Start(t.Context(), cfg); err == nil {
			b.Close()
			t.Errorf("%s is taken", name)
		}
	}
}

func TestMemoryMachine(t *testing.T) {
	m := &ipmi.Memory{}
	for i, a := range []ipmi.Action{ipmi.Reset, ipmi.On, ipmi.Diagnose, ipmi.Cycle, ipmi.SoftOff, ipmi.Diagnose, ipmi.On, ipmi.Off} {
		if err := m.Do(t.Context(), a, ipmi.Boot{}); err != nil {
			t.Fatal(err)
		}
		want := []bool{false, true, true, true, false, false, true, false}[i]
		if on, _ := m.Powered(t.Context()); on != want {
			t.Errorf("after action %d it is on: %t", a, on)
		}
	}
	if _, boots := m.Done(); len(boots) != 3 {
		t.Errorf("%d boots; want 3", len(boots))
	}
}
