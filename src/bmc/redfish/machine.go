package redfish

import (
	"sync"
	"time"
)

// A Boot is what a machine starts from. Both in Ironic's words, and empty for the machine's own choice.
type Boot struct {
	Device string // pxe, disk, cdrom, floppy, bios
	Mode   string // bios, uefi
}

// A Machine is what a BMC controls. Its methods are not called at the same time.
type Machine interface {
	PoweredOn() bool
	PowerOn(Boot) error
	PowerOff(graceful bool) error
	Restart(boot Boot, graceful bool) error
	// SetMedia puts what url names into a drive, cdrom or floppy; an empty url takes it out.
	SetMedia(device, url string) error
}

// Memory is a machine that only remembers. The zero value is ready, and off.
type Memory struct {
	Delay time.Duration // how long it takes to switch

	mu      sync.Mutex
	on      bool
	changed time.Time // when the last switch was asked for
	was     bool      // before that
	starts  []Boot
	media   map[string]string
}

// PoweredOn implements Machine.
func (m *Memory) PoweredOn() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Since(m.changed) < m.Delay {
		return m.was
	}
	return m.on
}

func (m *Memory) turn(on bool) {
	m.was, m.on, m.changed = m.on, on, time.Now()
}

// PowerOn implements Machine.
func (m *Memory) PowerOn(boot Boot) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn(true)
	m.starts = append(m.starts, boot)
	return nil
}

// PowerOff implements Machine.
func (m *Memory) PowerOff(bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn(false)
	return nil
}

// Restart implements Machine.
func (m *Memory) Restart(boot Boot, _ bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.starts = append(m.starts, boot)
	return nil
}

// SetMedia implements Machine.
func (m *Memory) SetMedia(device, url string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.media == nil {
		m.media = map[string]string{}
	}
	m.media[device] = url
	return nil
}

// Media is what is in a drive: cdrom, floppy.
func (m *Memory) Media(device string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.media[device]
}

// Starts are what the machine started from, each time it did.
func (m *Memory) Starts() []Boot {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Boot(nil), m.starts...)
}
