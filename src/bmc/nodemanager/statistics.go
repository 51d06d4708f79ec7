package nodemanager

import "encoding/binary"

// Modes of statistics: those of a domain, those of the whole server, those of a policy.
func domainMode(mode byte) bool { return mode >= 0x01 && mode <= 0x06 }
func hostMode(mode byte) bool   { return mode >= 0x1b && mode <= 0x1f }
func policyMode(mode byte) bool { return mode >= 0x11 && mode <= 0x13 }

// scope checks what statistics are of.
func (m *Manager) scope(data []byte, ofPolicy bool) byte {
	if ofPolicy {
		_, code := m.find(data[1:])
		return code
	}
	if domain := data[1] & 0x0f; domain != 3 && !knownDomain(domain) {
		return noDomain
	}
	return ok
}

// statistics are those of some February; after a reset, all are the current value.
func (m *Manager) statistics(data []byte) (byte, []byte) {
	if len(data) != 3 {
		return wrongLength, nil
	}
	mode := data[0]
	if !domainMode(mode) && !hostMode(mode) && !policyMode(mode) {
		return noMode, nil
	}
	if code := m.scope(data, policyMode(mode)); code != ok {
		return code, nil
	}
	values := []uint16{202, 150, 240, 200} // current, lowest, highest, mean
	if m.reset {
		values = []uint16{202, 202, 202, 202}
	}
	little := binary.LittleEndian
	var answer []byte
	for _, v := range values {
		answer = little.AppendUint16(answer, v)
	}
	const time, seconds = 0x56b25e10, 2125 // 3 February 2016
	answer = little.AppendUint32(answer, time)
	answer = little.AppendUint32(answer, seconds)
	return ok, append(answer, data[1]&0x0f|0xf0)
}

func (m *Manager) resetStatistics(data []byte) (byte, []byte) {
	if len(data) != 3 {
		return wrongLength, nil
	}
	mode := data[0]
	if mode > 1 && !hostMode(mode) {
		return noMode, nil
	}
	if code := m.scope(data, mode == 1); code != ok {
		return code, nil
	}
	m.reset = true
	return ok, nil
}
