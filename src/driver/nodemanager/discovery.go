package nodemanager

import (
	"bytes"
	"context"
	"fmt"
	"strconv"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/ipmi"
)

// What the node remembers: where its Node Manager is, in Ironic's names and form (0x0b). That there is none is not
// remembered: firmware can be switched on, and the price of looking again is paid by calls that fail anyway.
const (
	channelKey = "intel_nm_channel"
	addressKey = "intel_nm_address"
)

// find says where the node's Node Manager is, and looks for it where that is not known.
func (h hardware) find(ctx context.Context, n *driver.Node) (ipmi.Bridge, error) {
	if known, ok := remembered(n); ok {
		return known, nil
	}
	var found *ipmi.Bridge
	err := h.bmc.WalkSDR(ctx, n, func(record []byte) bool {
		if at, ok := discoveryRecord(record); ok {
			found = &at
		}
		return found == nil
	})
	switch {
	case err != nil:
		return ipmi.Bridge{}, fmt.Errorf("look for Node Manager in the sensor data repository of node %s: %w", n.Label(), err)
	case found == nil:
		return ipmi.Bridge{}, fmt.Errorf("no Intel Node Manager detected: the sensor data repository of node %s, BMC %v, has no discovery record of it; "+
			"switch it on in the firmware: %w", n.Label(), n.Info["ipmi_address"], driver.ErrUnsupported)
	}
	if _, err := h.send(ctx, n, *found, getVersion, nil); err != nil {
		return ipmi.Bridge{}, fmt.Errorf("detect Intel Node Manager, which the sensor data repository has: %w", err)
	}
	n.Remember(channelKey, fmt.Sprintf("%#02x", found.Channel))
	n.Remember(addressKey, fmt.Sprintf("%#02x", found.Target))
	return *found, nil
}

func remembered(n *driver.Node) (ipmi.Bridge, bool) {
	channel, err := strconv.ParseUint(n.State[channelKey], 0, 8)
	if err != nil {
		return ipmi.Bridge{}, false
	}
	address, err := strconv.ParseUint(n.State[addressKey], 0, 8)
	return ipmi.Bridge{Channel: uint8(channel), Target: uint8(address)}, err == nil
}

func forget(n *driver.Node) {
	n.Remember(channelKey, "")
	n.Remember(addressKey, "")
}

// discoveryRecord reads Node Manager's place from an OEM record of the repository: number, version 51h, type C0h, length,
// manufacturer, 0Dh for Node Manager's discovery, its version, address, channel and LUN.
func discoveryRecord(record []byte) (at ipmi.Bridge, ok bool) {
	const header, oem, discovery = 5, 0xc0, 0x0d
	if len(record) < header+7 || record[3] != oem {
		return ipmi.Bridge{}, false
	}
	body := record[header:]
	if !bytes.HasPrefix(body, intel) || body[3] != discovery {
		return ipmi.Bridge{}, false
	}
	return ipmi.Bridge{Channel: body[6] >> 4, Target: body[5]}, true
}
