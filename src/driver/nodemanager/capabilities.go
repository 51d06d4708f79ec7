package nodemanager

import (
	"encoding/binary"
	"fmt"
	"strconv"
)

// versionRequest takes any arguments, and looks at none.
type versionRequest struct{}

func (versionRequest) encode() ([]byte, error) { return nil, nil }

// A version tells all in text, as Ironic does.
type version struct {
	NodeManager string `json:"nm"`
	IPMI        string `json:"ipmi"`
	Patch       string `json:"patch"`
	Firmware    string `json:"firmware"`
}

func (versionRequest) decode(answer []byte) (any, error) {
	if len(answer) < 5 {
		return nil, errLength
	}
	named := func(names map[byte]string, code byte) string {
		if name := names[code]; name != "" {
			return name
		}
		return "unknown"
	}
	return version{
		NodeManager: named(map[byte]string{1: "1.0", 2: "1.5", 3: "2.0", 4: "2.5", 5: "3.0"}, answer[0]),
		IPMI:        named(map[byte]string{1: "1.0", 2: "2.0", 3: "3.0"}, answer[1]),
		Patch:       strconv.Itoa(int(answer[2])),
		Firmware:    fmt.Sprintf("%d.%d", answer[3], answer[4]),
	}, nil
}

type capabilitiesRequest struct {
	DomainID      string `json:"domain_id"`
	PolicyTrigger string `json:"policy_trigger"`
	PowerDomain   string `json:"power_domain"`
}

// The bits of the byte that names a policy's trigger, in commands and answers.
const (
	powerPolicy = 0x10 // a policy of power control: there is no other kind; in commands that change one: add it
	secondary   = 0x80 // of the byte for power domains
)

func (r capabilitiesRequest) encode() ([]byte, error) {
	return []byte{domains.of(r.DomainID), triggers.of(r.PolicyTrigger) | powerPolicy | powerSides.of(r.PowerDomain)<<7}, nil
}

// Capabilities are the limits of policies of one kind: watts or degrees, milliseconds, seconds.
type capabilities struct {
	DomainID           string `json:"domain_id"`
	PowerDomain        string `json:"power_domain"`
	MaxPolicies        uint8  `json:"max_policies"`
	MaxLimitValue      uint16 `json:"max_limit_value"`
	MinLimitValue      uint16 `json:"min_limit_value"`
	MinCorrectionTime  uint32 `json:"min_correction_time"`
	MaxCorrectionTime  uint32 `json:"max_correction_time"`
	MinReportingPeriod uint16 `json:"min_reporting_period"`
	MaxReportingPeriod uint16 `json:"max_reporting_period"`
}

func (capabilitiesRequest) decode(answer []byte) (any, error) {
	if len(answer) < 18 {
		return nil, errLength
	}
	domain, err := domains.name("domain", answer[17]&0x0f)
	if err != nil {
		return nil, err
	}
	little := binary.LittleEndian
	return capabilities{
		DomainID:           domain,
		PowerDomain:        powerSides.bit(answer[17]&secondary != 0),
		MaxPolicies:        answer[0],
		MaxLimitValue:      little.Uint16(answer[1:]),
		MinLimitValue:      little.Uint16(answer[3:]),
		MinCorrectionTime:  little.Uint32(answer[5:]),
		MaxCorrectionTime:  little.Uint32(answer[9:]),
		MinReportingPeriod: little.Uint16(answer[13:]),
		MaxReportingPeriod: little.Uint16(answer[15:]),
	}, nil
}
