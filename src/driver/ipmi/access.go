package ipmi

import (
	"fmt"
	"net"
	"slices"
	"strconv"

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

func (a access) where() string {
	return "BMC " + net.JoinHostPort(a.cfg.Address, strconv.Itoa(a.cfg.Port))
}

// levels are Ironic's words for privilege levels (IPMI 2.0, 6.8).
var levels = map[string]byte{"CALLBACK": 1, "USER": 2, "OPERATOR": 3, "ADMINISTRATOR": 4}

// Validate implements driver.Validator.
func (Driver) Validate(n *driver.Node) error {
	_, err := parse(n)
	return err
}

// Where implements driver.Located.
func (Driver) Where(n *driver.Node) string {
	a, _ := parse(n)
	return a.where()
}

func parse(n *driver.Node) (a access, err error) {
	r := reader{n.Reader()}
	a.cfg = rmcp.Config{
		Address:   r.Required("ipmi_address"),
		Port:      r.Port("ipmi_port", 623),
		Username:  r.Text("ipmi_username", ""),
		Password:  secret.New(r.Text("ipmi_password", "")),
		Privilege: levels[r.OneOf("ipmi_priv_level", "ADMINISTRATOR", "ADMINISTRATOR", "OPERATOR", "USER", "CALLBACK")],
		Version15: r.OneOf("ipmi_protocol_version", "2.0", "2.0", "2", "1.5") == "1.5", // 2 is what JSON makes of 2.0
	}
	if r.Text("ipmi_hex_kg_key", "") != "" {
		r.Wrong("ipmi_hex_kg_key", "is set, and Kg keys are not supported: remove it, and the key itself from the BMC")
	}
	r.Port("ipmi_terminal_port", 623)
	longest := 20
	if a.cfg.Version15 {
		longest = 16
	}
	if len(a.cfg.Username) > 16 {
		r.Wrong("ipmi_username", "is longer than the 16 bytes that IPMI has for it")
	}
	if len(r.Text("ipmi_password", "")) > longest {
		r.Wrong("ipmi_password", fmt.Sprintf("is longer than the %d bytes that IPMI has for it", longest))
	}
	r.suites(&a, n.State[stateSuite])
	r.bridging(&a)
	a.force = r.Boolean("ipmi_force_boot_device", false)
	a.keepTimeout = !r.Boolean("ipmi_disable_boot_timeout", true)
	return a, r.Err()
}

// A reader knows what IPMI makes of driver_info.
type reader struct{ *driver.Reader }

// suites puts the one that the operator wants, or the one that worked last before the others.
func (r reader) suites(a *access, remembered string) {
	a.cfg.Suites = []int{17, 3}
	if last, err := strconv.Atoi(remembered); err == nil && slices.Contains(a.cfg.Suites, last) {
		a.cfg.Suites = slices.Insert(slices.DeleteFunc(a.cfg.Suites, func(n int) bool { return n == last }), 0, last)
	}
	if r.Text("ipmi_cipher_suite", "") == "" {
		return
	}
	wanted := r.Integer("ipmi_cipher_suite", 0, 0, 255)
	switch {
	case a.cfg.Version15:
		r.Wrong("ipmi_cipher_suite", "is set, and cipher suites cannot be used with IPMI 1.5: remove one of the two")
	case !slices.Contains(rmcp.Suites, wanted):
		r.Wrong("ipmi_cipher_suite", fmt.Sprintf("is %d: want one of %v", wanted, rmcp.Suites))
	}
	a.cfg.Suites = []int{wanted}
}

func (r reader) bridging(a *access) {
	switch r.OneOf("ipmi_bridging", "no", "no", "single", "dual") {
	case "dual":
		r.Wrong("ipmi_bridging", "is dual, and commands are bridged over one hop only: use single, and a BMC next to the controller")
	case "single":
		if r.Text("ipmi_local_address", "") != "" {
			a.local = r.oneByte("ipmi_local_address", 1, 255)
		}
		a.via = &rmcp.Via{
			Channel:   r.oneByte("ipmi_target_channel", 0, 15),
			Target:    r.oneByte("ipmi_target_address", 0, 255),
			Requester: a.local,
		}
	}
}

// oneByte takes 44 and 0x2c, as ipmitool does.
func (r reader) oneByte(key string, least, most uint64) byte {
	text := r.Required(key)
	number, err := strconv.ParseUint(text, 0, 8)
	if err != nil || number < least || number > most {
		r.Wrong(key, fmt.Sprintf("is %q: want a number from %d to %d", text, least, most))
	}
	return byte(number)
}
