package nodemanager

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"

	"bosh-ironic-cpi/src/driver"
)

// A policyRef names a policy: policy_id counts by domain.
type policyRef struct {
	DomainID string `json:"domain_id"`
	PolicyID uint8  `json:"policy_id"`
}

func (r policyRef) bytes() []byte { return []byte{domains.of(r.DomainID), r.PolicyID} }

// defaultCorrectionTime is for policies that are set without correction_time, in milliseconds.
const defaultCorrectionTime = 10_000

// setRequest is a policy as it shall be.
type setRequest struct {
	policyRef
	noAnswer
	Enable             bool        `json:"enable"`
	PolicyTrigger      string      `json:"policy_trigger"`
	Action             string      `json:"action"`
	PowerDomain        string      `json:"power_domain"`
	TargetLimit        targetLimit `json:"target_limit"`
	CPUPowerCorrection string      `json:"cpu_power_correction"`
	Storage            string      `json:"storage"`
	CorrectionTime     *uint32     `json:"correction_time"` // milliseconds
	TriggerLimit       *uint16     `json:"trigger_limit"`
	ReportingPeriod    uint16      `json:"reporting_period"` // seconds
}

// A targetLimit is a number of watts (or percent, with trigger power), or what a server shall be like while it boots.
type targetLimit struct {
	number uint16
	boot   *bootLimit
}

type bootLimit struct {
	BootMode      string `json:"boot_mode"`
	CoresDisabled uint8  `json:"cores_disabled"`
}

// UnmarshalJSON takes either form.
func (l *targetLimit) UnmarshalJSON(text []byte) error {
	var into any = &l.number
	if bytes.HasPrefix(text, []byte("{")) {
		into = &l.boot
	}
	err := fill(into, json.RawMessage(text))
	if e, ok := errors.AsType[*driver.ArgumentError](err); ok && e.Name == "" {
		e.Name = "target_limit"
	}
	return err
}

// The bits of a policy in commands and answers, byte by byte.
const (
	enabled          = 0x10 // with the domain, as the next three
	perDomainEnabled = 0x20
	globalEnabled    = 0x40
	foreignPolicy    = 0x80 // made by somebody else than through Node Manager's commands

	volatileStorage = 0x80 // with the trigger, as powerPolicy and the correction from bit 5

	sendAlert = 0x01 // with the power domain, as the next one
	shutdown  = 0x02
)

func (r setRequest) encode() ([]byte, error) {
	target, correction, trigger, err := r.limits()
	if err != nil {
		return nil, err
	}
	domain := domains.of(r.DomainID)
	if r.Enable {
		domain |= enabled
	}
	action := byte(sendAlert)
	if r.Action == "shutdown" {
		action = shutdown
	}
	data := []byte{
		domain, r.PolicyID,
		triggers.of(r.PolicyTrigger) | powerPolicy | corrections.of(r.CPUPowerCorrection)<<5 | storages.of(r.Storage)<<7,
		action | powerSides.of(r.PowerDomain)<<7,
	}
	little := binary.LittleEndian
	data = little.AppendUint16(data, target)
	data = little.AppendUint32(data, correction)
	data = little.AppendUint16(data, trigger)
	return little.AppendUint16(data, r.ReportingPeriod), nil
}

// limits finds what the trigger makes of the limits: a policy for booting has a target of its own form and no
// correction, and those that something else than power triggers need its limit.
func (r setRequest) limits() (target uint16, correction uint32, trigger uint16, err error) {
	boot := r.TargetLimit.boot
	switch {
	case r.PolicyTrigger == "boot" && boot == nil:
		return 0, 0, 0, &driver.ArgumentError{Name: "target_limit", Problem: "is no object of boot_mode and cores_disabled: Invalid boot policy"}
	case r.PolicyTrigger == "boot":
		return uint16(bootModes.of(boot.BootMode)) | uint16(boot.CoresDisabled)<<1, 0, 0, nil
	case boot != nil:
		return 0, 0, 0, &driver.ArgumentError{Name: "target_limit", Problem: "is for policy_trigger boot: the others take a number"}
	}
	correction = defaultCorrectionTime
	if r.CorrectionTime != nil {
		correction = *r.CorrectionTime
	}
	if r.PolicyTrigger == "none" {
		return r.TargetLimit.number, correction, 0, nil
	}
	if r.TriggerLimit == nil {
		return 0, 0, 0, &driver.ArgumentError{Name: "trigger_limit"}
	}
	return r.TargetLimit.number, correction, *r.TriggerLimit, nil
}

type removeRequest struct {
	policyRef
	noAnswer
}

// encode is setting a policy to nothing.
func (r removeRequest) encode() ([]byte, error) {
	return append(r.bytes(), make([]byte, 12)...), nil
}

// getRequest asks what a policy is like.
type getRequest struct{ policyRef }

func (r getRequest) encode() ([]byte, error) { return r.bytes(), nil }

type policy struct {
	DomainID           string `json:"domain_id"`
	Enabled            bool   `json:"enabled"`
	PerDomainEnabled   bool   `json:"per_domain_enabled"`
	GlobalEnabled      bool   `json:"global_enabled"`
	CreatedByNM        bool   `json:"created_by_nm"`
	PolicyTrigger      string `json:"policy_trigger"`
	PowerPolicy        bool   `json:"power_policy"`
	CPUPowerCorrection string `json:"cpu_power_correction"`
	Storage            string `json:"storage"`
	Action             string `json:"action"`
	PowerDomain        string `json:"power_domain"`
	TargetLimit        uint16 `json:"target_limit"`
	CorrectionTime     uint32 `json:"correction_time"`
	TriggerLimit       uint16 `json:"trigger_limit"`
	ReportingPeriod    uint16 `json:"reporting_period"`
}

func (getRequest) decode(answer []byte) (any, error) {
	if len(answer) != 13 {
		return nil, errLength
	}
	domain, err := domains.name("domain", answer[0]&0x0f)
	if err != nil {
		return nil, err
	}
	trigger, err := triggers.name("trigger", answer[1]&0x0f)
	if err != nil {
		return nil, err
	}
	correction, err := corrections.name("correction", answer[1]>>5&0x03)
	if err != nil {
		return nil, err
	}
	little := binary.LittleEndian
	p := policy{
		DomainID:           domain,
		Enabled:            answer[0]&enabled != 0,
		PerDomainEnabled:   answer[0]&perDomainEnabled != 0,
		GlobalEnabled:      answer[0]&globalEnabled != 0,
		CreatedByNM:        answer[0]&foreignPolicy == 0,
		PolicyTrigger:      trigger,
		PowerPolicy:        answer[1]&powerPolicy != 0,
		CPUPowerCorrection: correction,
		Storage:            storages.bit(answer[1]&volatileStorage != 0),
		Action:             "alert", // also of a policy that does nothing: the first driver wrote alert so
		PowerDomain:        powerSides.bit(answer[2]&secondary != 0),
		TargetLimit:        little.Uint16(answer[3:]),
		CorrectionTime:     little.Uint32(answer[5:]),
		TriggerLimit:       little.Uint16(answer[9:]),
		ReportingPeriod:    little.Uint16(answer[11:]),
	}
	if answer[2]&shutdown != 0 {
		p.Action = "shutdown"
	}
	return p, nil
}

// controlRequest switches policies on and off: one, those of a domain, or all.
type controlRequest struct {
	noAnswer
	Scope    string `json:"scope"`
	Enable   bool   `json:"enable"`
	DomainID string `json:"domain_id"` // with scope policy: platform, if left out
	PolicyID *uint8 `json:"policy_id"`
}

func (r controlRequest) encode() ([]byte, error) {
	flags := map[string]byte{"global": 0, "domain": 2, "policy": 4}[r.Scope]
	if r.Enable {
		flags |= 1
	}
	switch {
	case r.Scope == "global":
		return []byte{flags, 0, 0}, nil
	case r.Scope == "domain" && r.DomainID == "":
		return nil, &driver.ArgumentError{Name: "domain_id"}
	case r.Scope == "domain":
		return []byte{flags, domains.of(r.DomainID), 0}, nil
	case r.PolicyID == nil:
		return nil, &driver.ArgumentError{Name: "policy_id"}
	}
	return []byte{flags, domains.of(r.DomainID), *r.PolicyID}, nil
}
