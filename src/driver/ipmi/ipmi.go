package ipmi

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/ipmi/rmcp"
)

// Spec is the driver's line in the table.
var Spec = driver.Spec{
	Name:  "ipmitool",
	About: "BMCs that speak IPMI 2.0 or 1.5 over the LAN",
	Keys: []driver.Key{
		{Name: "ipmi_address", Meaning: "name or IP address of the BMC", Required: true},
		{Name: "ipmi_username", Meaning: "user on the BMC, at most 16 bytes; empty: the user without a name"},
		{Name: "ipmi_password", Meaning: "the user's password, at most 20 bytes, with IPMI 1.5 16", Secret: true},
		{Name: "ipmi_port", Meaning: "UDP port of the BMC", Default: "623"},
		{Name: "ipmi_priv_level", Meaning: "privilege level of the session: ADMINISTRATOR, OPERATOR, USER or CALLBACK", Default: "ADMINISTRATOR"},
		{Name: "ipmi_protocol_version", Meaning: "version of IPMI: 2.0 or 1.5", Default: "2.0"},
		{Name: "ipmi_cipher_suite", Meaning: "number of the cipher suite: 17, 3, 16, 15, 2 or 1; only the first two encrypt", Default: "17, then 3; what works is remembered"},
		{Name: "ipmi_bridging", Meaning: "single: every command goes by way of the BMC to the controller at ipmi_target_address; dual is not supported", Default: "no"},
		{Name: "ipmi_target_channel", Meaning: "channel of the controller that commands are bridged to"},
		{Name: "ipmi_target_address", Meaning: "address of the controller that commands are bridged to, such as 0x2c"},
		{Name: "ipmi_local_address", Meaning: "our own address in bridged commands", Default: "0x81"},
		{Name: "ipmi_transit_channel", Meaning: "taken and not used: it belongs to ipmi_bridging dual"},
		{Name: "ipmi_transit_address", Meaning: "taken and not used: it belongs to ipmi_bridging dual"},
		{Name: "ipmi_force_boot_device", Meaning: "true: the boot device is told to the BMC at every power on, for BMCs that forget it", Default: "false"},
		{Name: "ipmi_disable_boot_timeout", Meaning: "true: the BMC is told to keep a boot device for longer than a minute", Default: "true"},
		{Name: "ipmi_terminal_port", Meaning: "taken and not used: the console has no port of its own here"},
		{Name: "ipmi_hex_kg_key", Meaning: "not supported: a BMC key (Kg); a node that has one is refused", Secret: true},
	},
	New: func() any { return Driver{} },
}

// A Driver is hardware behind a BMC. The zero value is ready.
type Driver struct {
	tries []time.Duration // see rmcp.Config; tests are impatient
}

var (
	_ driver.Located    = Driver{}
	_ driver.BootDevice = Driver{}
	_ driver.BootMode   = Driver{}
	_ driver.Vendor     = Driver{}
	_ driver.Console    = Driver{}
	_ driver.Validator  = Driver{}
)

// A Bridge is the way to a controller behind a BMC: a channel, and the controller's address on it.
type Bridge struct{ Channel, Target uint8 }

// A CompletionError is a command that was understood and not carried out; its Code says why.
type CompletionError = rmcp.CompletionError

// Raw sends a command to the node's BMC, or to the controller that to leads to, and returns the answer's bytes after the
// completion code. A completion code other than 0 is a [*CompletionError]; what came with it is returned too.
func (d Driver) Raw(ctx context.Context, n *driver.Node, to *Bridge, netFn, cmd uint8, data []byte) (answer []byte, err error) {
	err = d.with(ctx, n, func(b *bmc) error {
		if to != nil {
			b.via = &rmcp.Via{Channel: to.Channel, Target: to.Target, Requester: b.local}
		}
		answer, err = b.send(ctx, netFn, cmd, data...)
		return err
	})
	return answer, err
}

// A bmc is a session, and the way of the node's commands.
type bmc struct {
	access
	session *rmcp.Session
}

func (b *bmc) send(ctx context.Context, netFn, cmd uint8, data ...byte) ([]byte, error) {
	return b.session.Send(ctx, b.via, rmcp.Request{NetFn: netFn, Cmd: cmd, Data: data})
}

// The keys of the node's own state.
const (
	stateSuite      = "ipmi_cipher_suite"
	stateBootMode   = "ipmi_boot_mode"
	stateBootDevice = "ipmi_boot_device" // what ipmi_force_boot_device tells again
	stateBootOnce   = "ipmi_boot_once"   // true: it is not told at the next power on, which has another device
)

// with opens a session for the node and has do use it.
func (d Driver) with(ctx context.Context, n *driver.Node, do func(*bmc) error) error {
	return d.open(ctx, n, func(b *bmc) error {
		defer b.session.Close(ctx)
		return do(b)
	})
}

// open opens a session for the node and leaves it to do. Errors name the BMC.
func (d Driver) open(ctx context.Context, n *driver.Node, do func(*bmc) error) error {
	a, err := parse(n)
	if err != nil {
		return err
	}
	a.cfg.Tries = d.tries
	s, err := rmcp.Open(ctx, a.cfg)
	if err != nil {
		n.Remember(stateSuite, "")
	} else {
		if s.Suite() != 0 {
			n.Remember(stateSuite, strconv.Itoa(s.Suite()))
		}
		err = do(&bmc{access: a, session: s})
	}
	if err != nil {
		return fmt.Errorf("%s of node %s: %w", a.where(), n.Label(), err)
	}
	return nil
}
