package nodemanager

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/ipmi"
)

// netFn is that of all commands of Node Manager; intel is the manufacturer's number, which commands and answers begin with.
const netFn = 0x2e

var intel = []byte{0x57, 0x01, 0x00}

// Spec is the driver's line in the table.
var Spec = driver.Spec{
	Name:  "nm",
	About: "Intel Node Manager behind a BMC: vendor methods, and no keys besides those of ipmitool",
	New:   func() any { return New(ipmi.Driver{}) },
}

// A Controller is the way to a node's BMC: [ipmi.Driver].
type Controller interface {
	// Raw sends a command, through the bridge to if there is one, and gives what follows the completion code.
	Raw(ctx context.Context, n *driver.Node, to *ipmi.Bridge, netFn, cmd uint8, data []byte) (answer []byte, err error)
	// WalkSDR shows the records of the BMC's sensor data repository, headers included, until each has seen enough.
	WalkSDR(ctx context.Context, n *driver.Node, each func(record []byte) (more bool)) error
}

type hardware struct{ bmc Controller }

// New makes the vendor interface of servers behind such BMCs. It has the BMC's own vendor methods, too.
func New(bmc Controller) driver.Vendor { return hardware{bmc} }

// VendorMethods are Node Manager's, and then the BMC's.
func (h hardware) VendorMethods() []driver.VendorMethod {
	var all []driver.VendorMethod
	for _, m := range methods {
		all = append(all, m.VendorMethod)
	}
	if bmc, ok := h.bmc.(driver.Vendor); ok {
		all = append(all, bmc.VendorMethods()...)
	}
	return all
}

// CallVendor calls one of them.
func (h hardware) CallVendor(ctx context.Context, n *driver.Node, name string, args map[string]any) (any, error) {
	i := slices.IndexFunc(methods, func(m method) bool { return m.Name == name })
	if i < 0 {
		if bmc, ok := h.bmc.(driver.Vendor); ok {
			return bmc.CallVendor(ctx, n, name, args)
		}
		return nil, fmt.Errorf("vendor method %s: %w", name, driver.ErrUnsupported)
	}
	r, data, err := methods[i].bind(args)
	if err != nil {
		return nil, err
	}
	at, err := h.find(ctx, n)
	if err != nil {
		return nil, err
	}
	answer, err := h.send(ctx, n, at, methods[i].command, data)
	if err != nil {
		if gone(err) {
			forget(n)
		}
		return nil, err
	}
	result, err := r.decode(answer)
	if err != nil {
		return nil, fmt.Errorf("%s: the answer of %s, node %s, %w", name, place(at), n.Label(), err)
	}
	return result, nil
}

// place names Node Manager for people.
func place(at ipmi.Bridge) string {
	return fmt.Sprintf("Node Manager at channel %#02x, address %#02x", at.Channel, at.Target)
}

// send sends one command to Node Manager and gives what follows the manufacturer's number in the answer.
func (h hardware) send(ctx context.Context, n *driver.Node, to ipmi.Bridge, command byte, data []byte) ([]byte, error) {
	answer, err := h.bmc.Raw(ctx, n, &to, netFn, command, slices.Concat(intel, data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", place(to), explain(command, err))
	}
	rest, ok := bytes.CutPrefix(answer, intel)
	if !ok {
		return nil, fmt.Errorf("%s of node %s answers command %#02x for another manufacturer: % x", place(to), n.Label(), command, answer)
	}
	return rest, nil
}

// sendMessage is the BMC's own command that passes others on.
const sendMessage = 0x34

// gone reports whether an error says that Node Manager is not at its place: nothing could be passed on, or whoever got it
// does not know the command.
func gone(err error) bool {
	e, ok := errors.AsType[*ipmi.CompletionError](err)
	return ok && (e.Cmd == sendMessage || e.Code == 0xc1)
}

// meanings are the completion codes that Intel's specification gives to single commands, 0 standing for all of them.
var meanings = map[byte]map[uint8]string{
	0: {
		0x80: "it has no policy with this policy_id", 0x81: "it has no such domain_id",
		0xd5: "not now, or not with these arguments: an enabled policy has to be disabled first",
	},
	setPolicy: {
		0x82: "it does not know this policy_trigger", 0x83: "it does not take this change",
		0x84: "target_limit is out of range, see get_nm_capabilities", 0x85: "correction_time is out of range, see get_nm_capabilities",
		0x86: "trigger_limit is out of range", 0x89: "reporting_period is out of range, see get_nm_capabilities",
		0x8b: "it does not take this cpu_power_correction",
	},
	setSuspend:      {0x85: "one of the periods makes no sense", 0x87: "too many periods"},
	resetStatistics: {0x88: "it keeps no such statistics"},
	getStatistics:   {0x88: "it keeps no such statistics"},
	getCapabilities: {0x82: "it does not know this policy_trigger", 0x83: "it does not know this kind of policy"},
}

// explain says in words what a completion code of Node Manager means.
func explain(command byte, err error) error {
	e, ok := errors.AsType[*ipmi.CompletionError](err)
	if !ok || e.Cmd != command {
		return err
	}
	meaning := meanings[command][e.Code]
	if meaning == "" {
		meaning = meanings[0][e.Code]
	}
	if meaning == "" {
		return err
	}
	return fmt.Errorf("%s: %w", meaning, err)
}
