package nodemanager

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"time"

	"bosh-ironic-cpi/src/driver"
)

// hostParameters are kept for the whole server, whatever the domain.
var hostParameters = map[string]byte{
	"unhandled_requests": 0x1b, "response_time": 0x1c, "cpu_throttling": 0x1d, "memory_throttling": 0x1e, "communication_failures": 0x1f,
}

// domainParameters and policyParameters are the others, by scope.
var (
	domainParameters = map[string]byte{
		"power": 0x01, "temperature": 0x02, "throttling": 0x03, "airflow": 0x04, "airflow_temperature": 0x05, "chassis_power": 0x06,
	}
	policyParameters = map[string]byte{"power": 0x11, "trigger": 0x12, "throttling": 0x13}
)

// A statisticsScope is whose statistics: the server's (scope global), a domain's, or a policy's.
type statisticsScope struct {
	Scope         string `json:"scope"`
	ParameterName string `json:"parameter_name"`
	DomainID      string `json:"domain_id"`
	PolicyID      *uint8 `json:"policy_id"`
}

// check says what of the scope is missing, whatever is to be done with it.
func (s statisticsScope) check() error {
	_, host := hostParameters[s.ParameterName]
	switch {
	case s.Scope == "policy" && s.PolicyID == nil:
		return &driver.ArgumentError{Name: "policy_id"}
	case !host && s.DomainID == "":
		return &driver.ArgumentError{Name: "domain_id"}
	}
	return nil
}

func (s statisticsScope) policy() byte {
	if s.Scope == "global" {
		return 0
	}
	return *s.PolicyID
}

// unknown says which parameters there are.
func unknown(names ...map[string]byte) error {
	var known []string
	for _, m := range names {
		known = slices.AppendSeq(known, maps.Keys(m))
	}
	slices.Sort(known)
	return &driver.ArgumentError{Name: "parameter_name", Problem: "has to be one of " + strings.Join(known, ", ")}
}

type statisticsRequest struct{ statisticsScope }

func (r statisticsRequest) encode() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	if r.ParameterName == "" {
		return nil, &driver.ArgumentError{Name: "parameter_name"}
	}
	tables := []map[string]byte{policyParameters}
	if r.Scope == "global" {
		tables = []map[string]byte{domainParameters, hostParameters}
	}
	for _, table := range tables {
		if mode, ok := table[r.ParameterName]; ok {
			return []byte{mode, domains.of(r.DomainID), r.policy()}, nil
		}
	}
	return nil, unknown(tables...)
}

// The unit of values is the parameter's: watts, degrees, percent; of reporting_period, seconds.
type statistics struct {
	DomainID              string `json:"domain_id"`
	CurrentValue          uint16 `json:"current_value"`
	MinimumValue          uint16 `json:"minimum_value"`
	MaximumValue          uint16 `json:"maximum_value"`
	AverageValue          uint16 `json:"average_value"`
	Timestamp             string `json:"timestamp"`
	ReportingPeriod       uint32 `json:"reporting_period"`
	AdministrativeEnabled bool   `json:"administrative_enabled"`
	OperationalState      bool   `json:"operational_state"`
	MeasurementState      bool   `json:"measurement_state"`
	ActivationState       bool   `json:"activation_state"`
}

func (statisticsRequest) decode(answer []byte) (any, error) {
	if len(answer) < 17 {
		return nil, errLength
	}
	domain, err := domains.name("domain", answer[16]&0x0f)
	if err != nil {
		return nil, err
	}
	little := binary.LittleEndian
	return statistics{
		DomainID:              domain,
		CurrentValue:          little.Uint16(answer),
		MinimumValue:          little.Uint16(answer[2:]),
		MaximumValue:          little.Uint16(answer[4:]),
		AverageValue:          little.Uint16(answer[6:]),
		Timestamp:             timestamp(little.Uint32(answer[8:])),
		ReportingPeriod:       little.Uint32(answer[12:]),
		AdministrativeEnabled: answer[16]&0x10 != 0,
		OperationalState:      answer[16]&0x20 != 0,
		MeasurementState:      answer[16]&0x40 != 0,
		ActivationState:       answer[16]&0x80 != 0,
	}, nil
}

// timestamp writes IPMI's time, UTC, as Ironic does. One that is not specified, or counts from the start of the BMC
// (IPMI 2.0, section 37), is shown as the epoch.
func timestamp(seconds uint32) string {
	if seconds == 0xffffffff || seconds <= 0x20000000 {
		seconds = 0
	}
	return time.Unix(int64(seconds), 0).UTC().Format("2006-01-02T15:04:05")
}

type resetRequest struct {
	statisticsScope
	noAnswer
}

func (r resetRequest) encode() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	if r.ParameterName == "" {
		mode := byte(0)
		if r.Scope == "policy" {
			mode = 1
		}
		return []byte{mode, domains.of(r.DomainID), r.policy()}, nil
	}
	mode, ok := hostParameters[r.ParameterName]
	if !ok {
		return nil, unknown(hostParameters)
	}
	return []byte{mode, 0, r.policy()}, nil
}
