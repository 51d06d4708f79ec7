package ipmi

import (
	"context"
	"sync"
)

// An Action is what a BMC can do to a machine; the values are Chassis Control's (IPMI 2.0, 28.3).
type Action byte

// The actions.
const (
	Off      Action = 0
	On       Action = 1
	Cycle    Action = 2
	Reset    Action = 3
	Diagnose Action = 4 // an NMI
	SoftOff  Action = 5 // what the operating system makes of a pressed button
)

// Starts reports whether a machine boots after the action, from what the boot flags say.
func (a Action) Starts() bool { return a == On || a == Cycle || a == Reset }

// A Machine is what a BMC switches.
type Machine interface {
	Powered(ctx context.Context) (bool, error)
	// Do carries an action out, or begins to. boot is what the machine is to boot from if it starts.
	Do(ctx context.Context, a Action, boot Boot) error
}

// A Boot is what valid boot flags ask for (IPMI 2.0, table 28-14, parameter 5). The zero value asks for nothing.
type Boot struct {
	Device     string // pxe, disk, safe, cdrom, bios, floppy, or empty: the machine's own choice
	Persistent bool
	UEFI       bool
}

var devices = map[byte]string{1: "pxe", 2: "disk", 3: "safe", 5: "cdrom", 6: "bios", 8: "cdrom", 9: "disk", 15: "floppy"}

// boot reads flags.
func boot(flags [5]byte) Boot {
	if flags[0]&0x80 == 0 {
		return Boot{}
	}
	return Boot{Device: devices[flags[1]>>2&0x0f], Persistent: flags[0]&0x40 != 0, UEFI: flags[0]&0x20 != 0}
}

// Memory is a machine that exists in memory. The zero value is off.
type Memory struct {
	mu    sync.Mutex
	on    bool
	done  []Action
	boots []Boot
}

// Powered implements Machine.
func (m *Memory) Powered(context.Context) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.on, nil
}

// Do implements Machine.
func (m *Memory) Do(_ context.Context, a Action, boot Boot) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done = append(m.done, a)
	if (a == Cycle || a == Reset) && !m.on {
		return nil
	}
	if a.Starts() {
		m.boots = append(m.boots, boot)
	}
	m.on = a.Starts() || m.on && a == Diagnose
	return nil
}

// Done lists the actions, and what was booted from.
func (m *Memory) Done() ([]Action, []Boot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Action(nil), m.done...), append([]Boot(nil), m.boots...)
}
