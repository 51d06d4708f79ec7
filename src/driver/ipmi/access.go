package ipmi

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/ipmi/rmcp"
	"bosh-ironic-cpi/src/secret"
)

// An access is a node's driver_info, understood.
type access struct {
	cfg         rmcp.Config
	via         *rmcp.Via // where every command goes; nil: to the BMC itself
	local       byte
	force       bool // ipmi_force_boot_device
	keepTimeout bool // not ipmi_disable_boot_timeout
}

func (a access) where() string { return net.JoinHostPort(a.cfg.Address, strconv.Itoa(a.cfg.Port)) }

// levels are Ironic's words for privilege levels (IPMI 2.0, 6.8).
var levels = map[string]byte{"CALLBACK": 1, "USER": 2, "OPERATOR": 3, "ADMINISTRATOR": 4}

// Validate implements driver.Validator.
func (Driver) Validate(n *driver.Node) error {
	_, err := parse(n)
	return err
}

func parse(n *driver.Node) (a access, err error) {
	if err := Spec.Check(n.Info); err != nil {
		return a, err
	}
	r := reader{info: n.Info}
	if r.text("ipmi_hex_kg_key", "") != "" {
		r.wrong("ipmi_hex_kg_key", `is set, and Kg keys are not supported: remove it, and the key itself from the BMC`)
	}
	a.cfg = rmcp.Config{
		Address:   r.text("ipmi_address", ""),
		Port:      r.number("ipmi_port", "623", 1, 65535),
		Username:  r.text("ipmi_username", ""),
		Password:  secret.New(r.text("ipmi_password", "")),
		Privilege: levels[r.word("ipmi_priv_level", "ADMINISTRATOR", "ADMINISTRATOR", "OPERATOR", "USER", "CALLBACK")],
		Version15: r.word("ipmi_protocol_version", "2.0", "2.0", "1.5") == "1.5",
	}
	if r.text("ipmi_terminal_port", "") != "" {
		r.number("ipmi_terminal_port", "", 1, 65535)
	}
	longest := 20
	if a.cfg.Version15 {
		longest = 16
	}
	if len(a.cfg.Username) > 16 {
		r.wrong("ipmi_username", "is longer than the 16 bytes that IPMI has for it")
	}
	if len(r.text("ipmi_password", "")) > longest {
		r.wrong("ipmi_password", fmt.Sprintf("is longer than the %d bytes that IPMI has for it", longest))
	}
	r.suites(&a, n.State[stateSuite])
	r.bridging(&a)
	a.force = r.truth("ipmi_force_boot_device", false)
	a.keepTimeout = !r.truth("ipmi_disable_boot_timeout", true)
	return a, r.err
}

// A reader reads driver_info and keeps the first mistake. Numbers and truths may be such, or text, as Ironic has it.
type reader struct {
	info map[string]any
	err  error
}

func (r *reader) wrong(key, problem string) {
	if r.err == nil {
		r.err = &driver.ParameterError{Key: key, Problem: problem}
	}
}

func (r *reader) text(key, otherwise string) string {
	if value, ok := r.info[key]; ok && value != nil && value != "" {
		return fmt.Sprint(value)
	}
	return otherwise
}

func (r *reader) word(key, otherwise string, allowed ...string) string {
	text := r.text(key, otherwise)
	if text == "2" { // ipmi_protocol_version as a number
		text = "2.0"
	}
	if !slices.Contains(allowed, text) {
		r.wrong(key, fmt.Sprintf("is %q: want one of %s", text, strings.Join(allowed, ", ")))
	}
	return text
}

// number takes 44 and 0x2c.
func (r *reader) number(key, otherwise string, least, most int) int {
	text := r.text(key, otherwise)
	if text == "" {
		r.wrong(key, "")
		return 0
	}
	number, err := strconv.ParseInt(text, 0, 32)
	if err != nil || int(number) < least || int(number) > most {
		r.wrong(key, fmt.Sprintf("is %q: want a number from %d to %d", text, least, most))
	}
	return int(number)
}

// truth takes the words of oslo.utils.
func (r *reader) truth(key string, otherwise bool) bool {
	switch text := strings.ToLower(r.text(key, strconv.FormatBool(otherwise))); text {
	case "1", "t", "true", "on", "y", "yes":
		return true
	case "0", "f", "false", "off", "n", "no":
		return false
	default:
		r.wrong(key, fmt.Sprintf("is %q: want true or false", text))
		return false
	}
}

// suites puts the one that the operator wants, or the one that worked last before the others.
func (r *reader) suites(a *access, remembered string) {
	a.cfg.Suites = []int{17, 3}
	if last, err := strconv.Atoi(remembered); err == nil && slices.Contains(a.cfg.Suites, last) {
		a.cfg.Suites = slices.Insert(slices.DeleteFunc(a.cfg.Suites, func(n int) bool { return n == last }), 0, last)
	}
	if r.text("ipmi_cipher_suite", "") == "" {
		return
	}
	wanted := r.number("ipmi_cipher_suite", "", 0, 255)
	switch {
	case a.cfg.Version15:
		r.wrong("ipmi_cipher_suite", "is set, and cipher suites cannot be used with IPMI 1.5: remove one of the two")
	case !slices.Contains(rmcp.Suites, wanted):
		r.wrong("ipmi_cipher_suite", fmt.Sprintf("is %d: want one of %v", wanted, rmcp.Suites))
	}
	a.cfg.Suites = []int{wanted}
}

func (r *reader) bridging(a *access) {
	switch r.word("ipmi_bridging", "no", "no", "single", "dual") {
	case "dual":
		r.wrong("ipmi_bridging", "is dual, and commands are bridged over one hop only: use single, and a BMC next to the controller")
	case "single":
		if r.text("ipmi_local_address", "") != "" {
			a.local = byte(r.number("ipmi_local_address", "", 1, 255)) //nolint:gosec // just limited
		}
		a.via = &rmcp.Via{
			Channel:   byte(r.number("ipmi_target_channel", "", 0, 15)),  //nolint:gosec // just limited
			Target:    byte(r.number("ipmi_target_address", "", 0, 255)), //nolint:gosec // just limited
			Requester: a.local,
		}
	}
}
