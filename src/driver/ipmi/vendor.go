package ipmi

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"bosh-ironic-cpi/src/driver"
)

// Resets of the BMC itself (IPMI 2.0, 20.2, 20.3).
const (
	netFnApp     = 0x06
	cmdColdReset = 0x02
	cmdWarmReset = 0x03
)

// VendorMethods implements driver.Vendor: those of Ironic's vendor interface ipmitool.
func (Driver) VendorMethods() []driver.VendorMethod {
	return []driver.VendorMethod{
		{
			Name: "send_raw", HTTPMethods: []string{"POST"}, Async: true,
			Description: "Send raw bytes to the BMC. Required argument: 'raw_bytes' - a string of raw bytes (e.g. '0x00 0x01').",
			Schema: `{"type": "object", "additionalProperties": false, "required": ["raw_bytes"], "properties": {
				"raw_bytes": {"type": "string", "pattern": "^\\s*(0[xX][0-9a-fA-F]{1,2}|[0-9]{1,3})(\\s+(0[xX][0-9a-fA-F]{1,2}|[0-9]{1,3}))+\\s*$",
					"description": "network function, command, data; in the form of ipmitool raw"}}}`,
		},
		{
			Name: "bmc_reset", HTTPMethods: []string{"POST"}, Async: true,
			Description: "Reset the BMC. Required argument: 'warm' (Boolean) - for warm (True) or cold (False) reset.",
			Schema: `{"type": "object", "additionalProperties": false, "properties": {
				"warm": {"type": ["boolean", "string"], "description": "default true"}}}`,
			Validate: func(args map[string]any) error {
				_, err := warmOf(args)
				return err
			},
		},
	}
}

// CallVendor implements driver.Vendor. send_raw answers with the bytes that came, in the form in which it takes them.
func (d Driver) CallVendor(ctx context.Context, n *driver.Node, method string, args map[string]any) (any, error) {
	switch method {
	case "send_raw":
		raw, err := rawBytes(fmt.Sprint(args["raw_bytes"]))
		if err != nil {
			return nil, err
		}
		answer, err := d.Raw(ctx, n, nil, raw[0], raw[1], raw[2:])
		if err != nil {
			return nil, err
		}
		return strings.TrimSpace(fmt.Sprintf("% #x", answer)), nil
	case "bmc_reset":
		warm, err := warmOf(args)
		if err != nil {
			return nil, err
		}
		return nil, d.reset(ctx, n, warm)
	}
	return nil, fmt.Errorf("vendor method %q: %w", method, driver.ErrUnsupported)
}

// warmOf reads the argument of bmc_reset, which is written as keys of driver_info are.
func warmOf(args map[string]any) (bool, error) {
	r := (&driver.Node{Info: args}).Reader()
	warm := r.Boolean("warm", true)
	if wrong, ok := errors.AsType[*driver.ParameterError](r.Err()); ok {
		return false, &driver.ArgumentError{Name: "warm", Problem: wrong.Problem}
	}
	return warm, nil
}

// rawBytes reads bytes in the form of ipmitool raw.
func rawBytes(text string) ([]byte, error) {
	fields := strings.Fields(text)
	if len(fields) < 2 {
		return nil, &driver.ParameterError{Key: "raw_bytes", Problem: "has no network function and command, such as 0x00 0x01"}
	}
	raw := make([]byte, len(fields))
	for i, field := range fields {
		b, err := strconv.ParseUint(field, 0, 8)
		if err != nil {
			return nil, &driver.ParameterError{Key: "raw_bytes", Problem: fmt.Sprintf("has %q, which is no byte such as 0x1f or 31", field)}
		}
		raw[i] = byte(b)
	}
	if raw[0] > 0x3f {
		return nil, &driver.ParameterError{Key: "raw_bytes", Problem: fmt.Sprintf("has network function %#x; they end at 0x3f", raw[0])}
	}
	return raw, nil
}

// reset restarts the BMC, not the server. A BMC may be gone before it has answered.
func (d Driver) reset(ctx context.Context, n *driver.Node, warm bool) error {
	cmd := byte(cmdColdReset)
	if warm {
		cmd = cmdWarmReset
	}
	return d.with(ctx, n, func(b *bmc) error {
		_, err := b.send(ctx, netFnApp, cmd)
		if _, refused := errors.AsType[*CompletionError](err); !refused && errors.Is(err, driver.ErrUnreachable) {
			return nil
		}
		return err
	})
}
