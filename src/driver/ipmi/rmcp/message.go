package rmcp

import (
	"bytes"
	"fmt"

	"github.com/bougou/go-ipmi/pkg/protocol"
	"github.com/bougou/go-ipmi/pkg/types"

	"bosh-ironic-cpi/src/driver"
)

// Addresses in messages (IPMI 2.0, 5.4).
const (
	bmcAddress     = 0x20
	consoleAddress = 0x81 // the software ID of a remote console, also in messages that are bridged, as ipmitool has it
)

// A Request is an IPMI command.
type Request struct {
	NetFn, Cmd byte
	Data       []byte
}

// Requests that sessions themselves need.
const (
	netFnApp               = 0x06
	cmdGetDeviceID         = 0x01
	cmdSendMessage         = 0x34
	cmdGetAuthCapabilities = 0x38
	cmdGetSessionChallenge = 0x39
	cmdActivateSession     = 0x3a
	cmdSetSessionPrivilege = 0x3b
	cmdCloseSession        = 0x3c
	cmdActivatePayload     = 0x48
	cmdDeactivatePayload   = 0x49
)

// names are those commands that errors call by their names.
var names = map[[2]byte]string{
	{netFnApp, cmdSendMessage}:         "Send Message",
	{netFnApp, cmdGetAuthCapabilities}: "Get Channel Authentication Capabilities",
	{netFnApp, cmdGetSessionChallenge}: "Get Session Challenge",
	{netFnApp, cmdActivateSession}:     "Activate Session",
	{netFnApp, cmdSetSessionPrivilege}: "Set Session Privilege Level",
	{netFnApp, cmdActivatePayload}:     "Activate Payload",
	{0x00, 0x01}:                       "Get Chassis Status",
	{0x00, 0x02}:                       "Chassis Control",
	{0x00, 0x08}:                       "Set System Boot Options",
	{0x00, 0x09}:                       "Get System Boot Options",
	{0x0a, 0x22}:                       "Reserve SDR Repository",
	{0x0a, 0x23}:                       "Get SDR",
}

func command(netFn, cmd byte) string {
	if name := names[[2]byte{netFn, cmd}]; name != "" {
		return name
	}
	return fmt.Sprintf("command %02xh of network function %02xh", cmd, netFn)
}

// message is the request as it travels, on the LAN and on an IPMB (IPMI 2.0, 13.8).
func (r Request) message(to, from, seq byte) []byte {
	m := make([]byte, 0, len(r.Data)+7)
	m = append(m, to, r.NetFn<<2)
	m = append(m, protocol.Checksum(m))
	m = append(m, from, seq<<2, r.Cmd)
	m = append(m, r.Data...)
	return append(m, protocol.Checksum(m[3:]))
}

// An answer is what comes back to a Request.
type answer struct {
	from, netFn, seq, cmd, code byte
	data                        []byte
}

// parseAnswer takes a message apart. ok: it is whole, and its checksums are right.
func parseAnswer(m []byte) (a answer, ok bool) {
	if len(m) < 8 || protocol.Checksum(m[:3]) != 0 || protocol.Checksum(m[3:]) != 0 {
		return answer{}, false
	}
	return answer{from: m[3], netFn: m[1] >> 2, seq: m[4] >> 2, cmd: m[5], code: m[6], data: m[7 : len(m)-1]}, true
}

// to reports whether the answer is one to the request.
func (a answer) to(r Request, seq byte) bool {
	return a.netFn == r.NetFn|1 && a.cmd == r.Cmd && a.seq == seq
}

// A Via is a controller that the BMC reaches for us.
type Via struct {
	Channel, Target byte
	Requester       byte // the address that the controller sees; 0: a remote console's
}

// bridged is the request as the BMC gets it: Send Message, tracked, so that the answer finds its way back.
func (v Via) bridged(r Request, seq byte) Request {
	from := byte(consoleAddress)
	if v.Requester != 0 {
		from = v.Requester
	}
	return Request{netFnApp, cmdSendMessage, append([]byte{0x40 | v.Channel&0x0f}, r.message(v.Target, from, seq)...)}
}

// A conversation is a request and what has come of it so far.
type conversation struct {
	request Request
	via     *Via
	seq     byte
	reply   answer
	nak     bool // the answer is Send Message's, which could not deliver
	acked   bool // Send Message has taken it; the controller's answer is to come
}

// message is what goes to the BMC.
func (c *conversation) message() []byte {
	r := c.request
	if c.via != nil {
		r = c.via.bridged(r, c.seq)
	}
	return r.message(bmcAddress, consoleAddress, c.seq)
}

// take looks at a message from the BMC. done: reply is the answer. ours: it belongs to the conversation.
//
// A controller's answer comes in one of two forms: in a packet of its own, after Send Message's empty answer, as specified
// and as OpenIPMI has it; or within Send Message's answer.
func (c *conversation) take(m []byte) (done, ours bool) {
	a, ok := parseAnswer(m)
	if !ok {
		return false, false
	}
	if c.via == nil {
		if !a.to(c.request, c.seq) {
			return false, false
		}
	} else if a.to(Request{NetFn: netFnApp, Cmd: cmdSendMessage}, c.seq) {
		switch inner, ok := parseAnswer(a.data); {
		case a.code != 0:
			c.nak = true
		case ok && inner.from == c.via.Target && inner.to(c.request, c.seq):
			a = inner
		default:
			c.acked = true
			return false, true
		}
	} else if a.from != c.via.Target || !a.to(c.request, c.seq) {
		return false, false
	}
	a.data = bytes.Clone(a.data) // m is the session's buffer
	c.reply = a
	return true, true
}

// A CompletionError is a command that the BMC, or a controller behind it, has understood and not carried out. It is
// [driver.ErrUnsupported], [driver.ErrAuthentication] or [driver.ErrUnreachable] where its code says so.
type CompletionError struct {
	NetFn, Cmd byte // of the command
	Code       byte // other than 0
}

// Completion codes that callers act on (IPMI 2.0, table 5-2).
const (
	CodeBusy                 = 0xc0
	CodeInvalidCommand       = 0xc1
	CodeInvalidForLUN        = 0xc2
	CodeReservationCancelled = 0xc5
	CodeTooManyBytes         = 0xca
	CodeNotPresent           = 0xcb
	CodeInitialising         = 0xd2
	CodePrivilege            = 0xd4
	codeNAK                  = 0x83 // of Send Message
)

// Error implements error.
func (e *CompletionError) Error() string {
	hint := ""
	switch {
	case e.Code == CodePrivilege:
		hint = "; ipmi_priv_level and the user's own limit decide"
	case e.NetFn == netFnApp && e.Cmd == cmdSendMessage && e.Code == codeNAK:
		return fmt.Sprintf("no controller at the bridged address took command (completion code %02xh of Send Message)", e.Code)
	}
	said := types.StrCC(types.Command{ID: e.Cmd, NetFn: types.NetFn(e.NetFn)}, e.Code)
	return fmt.Sprintf("%s: %s (completion code %02xh)%s", command(e.NetFn, e.Cmd), said, e.Code, hint)
}

// Is implements what errors.Is asks.
func (e *CompletionError) Is(target error) bool {
	switch e.Code {
	case CodeInvalidCommand, CodeInvalidForLUN:
		return target == driver.ErrUnsupported
	case CodePrivilege:
		return target == driver.ErrAuthentication
	case CodeBusy, CodeInitialising:
		return target == driver.ErrUnreachable // ask again
	}
	return false
}
