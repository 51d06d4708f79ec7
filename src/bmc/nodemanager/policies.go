package nodemanager

import (
	"encoding/binary"
	"slices"
)

// control switches policies on and off: one, those of a domain, or all.
func (m *Manager) control(data []byte) (byte, []byte) {
	if len(data) != 3 {
		return wrongLength, nil
	}
	on := data[0]&1 != 0
	switch data[0] &^ 1 {
	case 0:
		m.allOff = !on
	case 2:
		if !knownDomain(data[1]) {
			return noDomain, nil
		}
		m.disabled[data[1]] = !on
	case 4:
		p, code := m.find(data[1:])
		if code != ok {
			return code, nil
		}
		p.enabled = on
	default:
		return invalidDataField, nil
	}
	return ok, nil
}

func (m *Manager) set(data []byte) (byte, []byte) {
	if len(data) != 14 {
		return wrongLength, nil
	}
	const enable, add = 0x10, 0x10
	at := place{data[0] & 0x0f, data[1]}
	if data[2]&add == 0 {
		_, code := m.find(data)
		delete(m.policies, at)
		return code, nil
	}
	little := binary.LittleEndian
	p := &policy{
		enabled: data[0]&enable != 0, trigger: data[2] &^ add, action: data[3], target: little.Uint16(data[4:]),
		correction: little.Uint32(data[6:]), limit: little.Uint16(data[10:]), statistics: little.Uint16(data[12:]),
	}
	const noReading, booting = 2, 4
	trigger := p.trigger & 0x0f
	lowest, highest := uint16(minLimit), uint16(maxLimit)
	if trigger == noReading { // percent of throttling
		lowest, highest = 0, 100
	}
	boot := trigger == booting
	switch {
	case !knownDomain(at.domain):
		return noDomain, nil
	case trigger > booting:
		return noTrigger, nil
	case !boot && (p.target < lowest || p.target > highest):
		return limitRange, nil
	case !boot && (p.correction < minCorrection || p.correction > maxCorrection):
		return correctionRange, nil
	case p.statistics < minPeriod || p.statistics > maxPeriod:
		return periodRange, nil
	}
	if before := m.policies[at]; before != nil {
		p.suspended = before.suspended
	}
	m.policies[at] = p
	return ok, nil
}

// get tells what a policy is like, and, with the code that there is no such one, which is next and how many there are.
func (m *Manager) get(data []byte) (byte, []byte) {
	if len(data) != 2 {
		return wrongLength, nil
	}
	domain := data[0] & 0x0f
	p, code := m.find(data)
	if code == noPolicy {
		return code, m.next(domain, data[1])
	}
	if code != ok {
		return code, []byte{0, 4}
	}
	first := domain
	for bit, set := range map[byte]bool{0x10: p.enabled, 0x20: !m.disabled[domain], 0x40: !m.allOff} {
		if set {
			first |= bit
		}
	}
	little := binary.LittleEndian
	answer := []byte{first, p.trigger | 0x10, p.action}
	answer = little.AppendUint16(answer, p.target)
	answer = little.AppendUint32(answer, p.correction)
	answer = little.AppendUint16(answer, p.limit)
	return ok, little.AppendUint16(answer, p.statistics)
}

// next is the lowest id above the one given, 0 where there is none, and the number of a domain's policies.
func (m *Manager) next(domain, id byte) []byte {
	var ids []byte
	for at := range m.policies {
		if at.domain == domain {
			ids = append(ids, at.id)
		}
	}
	slices.Sort(ids)
	i := slices.IndexFunc(ids, func(other byte) bool { return other > id })
	answer := []byte{0, byte(min(len(ids), 0xff))}
	if i >= 0 {
		answer[0] = ids[i]
	}
	return answer
}

const maxPeriods = 5 // of one policy

// suspend sets when a policy rests.
func (m *Manager) suspend(data []byte) (byte, []byte) {
	if len(data) < 3 || len(data) != 3+3*int(data[2]) {
		return wrongLength, nil
	}
	p, code := m.find(data)
	periods := data[3:]
	switch {
	case code != ok:
		return code, nil
	case data[2] > maxPeriods:
		return tooManyPeriods, nil
	}
	for i := 0; i < len(periods); i += 3 {
		if start, stop, days := periods[i], periods[i+1], periods[i+2]; start > stop || stop > 240 || days == 0 || days > 0x7f {
			return correctionRange, nil
		}
	}
	p.suspended = slices.Clone(periods)
	return ok, nil
}

func (m *Manager) suspended(data []byte) (byte, []byte) {
	if len(data) != 2 {
		return wrongLength, nil
	}
	p, code := m.find(data)
	if code != ok {
		return code, nil
	}
	return ok, append([]byte{byte(min(len(p.suspended)/3, maxPeriods))}, p.suspended...)
}
