// Package nodemanager is Intel Node Manager as a server's chipset has it: commands in, completion codes and answers out. It
// limits no power; its policies are kept, and its statistics stand still.
//
// It knows bytes alone: whoever has a BMC passes on to [Manager.Handle] what comes through the bridge, and shows
// [DiscoveryRecord] in the sensor data repository. After Intel's "Intelligent Power Node Manager 3.0 External Interface
// Specification Using IPMI"; checked with FreeIPMI's ipmi-oem, which somebody else wrote.
package nodemanager

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sync"
)

// oem is the network function of all its commands.
const oem = 0x2e

// Completion codes, IPMI's and Node Manager's.
const (
	ok               = 0x00
	noPolicy         = 0x80
	noDomain         = 0x81
	noTrigger        = 0x82
	limitRange       = 0x84
	correctionRange  = 0x85 // and of periods that make no sense
	tooManyPeriods   = 0x87
	noMode           = 0x88
	periodRange      = 0x89
	unknownCommand   = 0xc1
	wrongLength      = 0xc7
	invalidDataField = 0xcc
)

var intel = []byte{0x57, 0x01, 0x00}

// The limits that it tells as its capabilities: watts, milliseconds, seconds.
const (
	maxPolicies                  = 16
	maxLimit, minLimit           = 4096, 100
	minCorrection, maxCorrection = 10, 100_000
	minPeriod, maxPeriod         = 100, 32768
)

// A Manager is one server's. Make it by [New].
type Manager struct {
	mu       sync.Mutex
	version  [5]byte
	policies map[place]*policy
	disabled map[byte]bool // domains that are switched off
	allOff   bool
	reset    bool // statistics begin anew
}

// A place names a policy.
type place struct{ domain, id byte }

// A policy is as it was set; suspended holds its periods, three bytes each.
type policy struct {
	enabled           bool
	trigger           byte // the whole byte, but for the bit that adds or removes
	action            byte // the whole byte
	target            uint16
	correction        uint32
	limit, statistics uint16
	suspended         []byte
}

// New makes one of version 3.0 that has no policies.
func New() *Manager {
	return &Manager{version: [5]byte{5, 3, 7, 1, 2}, policies: map[place]*policy{}, disabled: map[byte]bool{}}
}

// DiscoveryRecord is the record of a sensor data repository that tells where Node Manager is, from its third byte on: the
// first two are the number that the repository gives it. address has 8 bits.
func DiscoveryRecord(channel, address byte) []byte {
	return []byte{0x51, 0xc0, 11, intel[0], intel[1], intel[2], 0x0d, 0x01, address, channel << 4, 0x17, 0x18, 0x19, 0x1a}
}

// Handle carries a command of a network function out, and gives its completion code and what follows that.
func (m *Manager) Handle(netFn, command byte, data []byte) (code byte, answer []byte) {
	data, intels := bytes.CutPrefix(data, intel)
	if netFn != oem || !intels {
		return unknownCommand, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	handle, known := map[byte]func([]byte) (byte, []byte){
		0xc0: m.control, 0xc1: m.set, 0xc2: m.get, 0xc5: m.suspend, 0xc6: m.suspended, 0xc7: m.resetStatistics,
		0xc8: m.statistics, 0xc9: m.capabilities, 0xca: m.tellVersion,
	}[command]
	if !known {
		return unknownCommand, nil
	}
	code, answer = handle(data)
	return code, slices.Concat(intel, answer)
}

func knownDomain(domain byte) bool { return domain <= 2 || domain == 4 }

// find gives the policy that the first two bytes name, or a completion code.
func (m *Manager) find(data []byte) (*policy, byte) {
	domain := data[0] & 0x0f
	if !knownDomain(domain) {
		return nil, noDomain
	}
	if p := m.policies[place{domain, data[1]}]; p != nil {
		return p, ok
	}
	return nil, noPolicy
}

func (m *Manager) tellVersion(data []byte) (byte, []byte) {
	if len(data) != 0 {
		return wrongLength, nil
	}
	return ok, m.version[:]
}

func (m *Manager) capabilities(data []byte) (byte, []byte) {
	switch {
	case len(data) != 2:
		return wrongLength, nil
	case !knownDomain(data[0]):
		return noDomain, nil
	case data[1]&0x0f > 4:
		return noTrigger, nil
	}
	little := binary.LittleEndian
	answer := []byte{maxPolicies}
	for _, limit := range []uint16{maxLimit, minLimit} {
		answer = little.AppendUint16(answer, limit)
	}
	for _, limit := range []uint32{minCorrection, maxCorrection} {
		answer = little.AppendUint32(answer, limit)
	}
	for _, limit := range []uint16{minPeriod, maxPeriod} {
		answer = little.AppendUint16(answer, limit)
	}
	return ok, append(answer, data[0]|data[1]&0x80)
}
