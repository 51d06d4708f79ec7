package nodemanager

// A period is when a policy rests: from start to stop, in steps of six minutes from midnight, on some days.
type period struct {
	Start uint8    `json:"start"`
	Stop  uint8    `json:"stop"`
	Days  []string `json:"days"`
}

type setSuspendRequest struct {
	policyRef
	noAnswer
	Periods []period `json:"periods"`
}

func (r setSuspendRequest) encode() ([]byte, error) {
	data := append(r.bytes(), byte(min(len(r.Periods), 0xff)))
	for _, p := range r.Periods {
		var days byte
		for _, day := range p.Days {
			days |= 1 << weekdays.of(day)
		}
		data = append(data, p.Start, p.Stop, days)
	}
	return data, nil
}

type removeSuspendRequest struct {
	policyRef
	noAnswer
}

// encode is setting no periods.
func (r removeSuspendRequest) encode() ([]byte, error) {
	return setSuspendRequest{policyRef: r.policyRef}.encode()
}

type getSuspendRequest struct{ policyRef }

func (r getSuspendRequest) encode() ([]byte, error) { return r.bytes(), nil }

// A suspension is an answer that set_nm_policy_suspend would take.
type suspension struct {
	policyRef
	Periods []period `json:"periods"`
}

func (r getSuspendRequest) decode(answer []byte) (any, error) {
	if len(answer) < 1 || len(answer) < 1+3*int(answer[0]) {
		return nil, errLength
	}
	s := suspension{policyRef: r.policyRef, Periods: []period{}}
	for rest := answer[1 : 1+3*int(answer[0])]; len(rest) > 0; rest = rest[3:] {
		p := period{Start: rest[0], Stop: rest[1], Days: []string{}}
		for i, day := range weekdays {
			if rest[2]&(1<<i) != 0 {
				p.Days = append(p.Days, day)
			}
		}
		s.Periods = append(s.Periods, p)
	}
	return s, nil
}
