package ilo

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
	wire "bosh-ironic-cpi/src/driver/internal/redfish"
)

var keys = []driver.Key{
	{Name: "ilo_address", Meaning: "the iLO's address or host name", Required: true},
	{Name: "ilo_username", Meaning: "account with the privileges Virtual Power and Reset, Virtual Media and Configure iLO Settings", Required: true},
	{Name: "ilo_password", Meaning: "its password", Required: true, Secret: true},
	{Name: "client_port", Meaning: "HTTPS port of the iLO", Default: "443"},
	{Name: "client_timeout", Meaning: "seconds to wait for each answer of the iLO", Default: "60"},
	{
		Name:    "ilo_verify_ca",
		Meaning: "true: trust the system's certificate authorities; false: trust anybody; else the path of a file or directory of them, in PEM",
		Default: "true",
	},
	{Name: "ca_file", Meaning: "path of the certificate authorities to trust, where ilo_verify_ca is not given; Ironic's older key"},
}

// Spec is the driver's line in the table.
var Spec = driver.Spec{
	Name: "ilo", About: "HPE ProLiant servers, by iLO 4 and later", Keys: keys,
	New: func() any { return hardware{wire.Hardware{Access: access}} },
}

// Spec5 is the same under the name that Ironic's hardware type ilo5 has for its management interface.
var Spec5 = driver.Spec{Name: "ilo5", About: "the same as ilo, under the name that Ironic has for iLO 5 and later", Keys: keys, New: Spec.New}

type hardware struct{ wire.Hardware }

var (
	_ driver.Power        = hardware{}
	_ driver.BootDevice   = hardware{}
	_ driver.BootMode     = hardware{}
	_ driver.VirtualMedia = hardware{}
	_ driver.MediaReader  = hardware{}
	_ driver.Inspector    = hardware{}
	_ driver.Validator    = hardware{}
	_ driver.Vendor       = hardware{}
)

// access reads driver_info.
func access(n *driver.Node) (a wire.Access, err error) {
	a = wire.Access{
		Username: wire.Text(n, "ilo_username"), Password: wire.Password(n, "ilo_password"), Auth: wire.Auto, Patience: wire.StandardPatience(),
		Keys: wire.Keys{Address: "ilo_address", System: "ilo_address", Username: "ilo_username", Trust: "ilo_verify_ca", Auth: "ilo_username"},
	}
	host := strings.Trim(wire.Text(n, "ilo_address"), "[]")
	switch {
	case host == "" || a.Username == "" || a.Password.IsZero():
		for _, key := range []string{"ilo_address", "ilo_username", "ilo_password"} {
			if wire.Text(n, key) == "" {
				return a, &driver.ParameterError{Key: key}
			}
		}
	case strings.ContainsAny(host, "/@ ") || strings.Contains(host, ":") && net.ParseIP(host) == nil:
		return a, &driver.ParameterError{Key: "ilo_address", Problem: "is no address or host name; a port goes into client_port"}
	}
	port := wire.Text(n, "client_port")
	if port == "" {
		port = "443"
	}
	if number, err := strconv.Atoi(port); err != nil || number < 1 || number > 65535 {
		return a, &driver.ParameterError{Key: "client_port", Problem: fmt.Sprintf("is %q: want a port, 1 to 65535", port)}
	}
	a.Address = "https://" + net.JoinHostPort(host, port)
	if a.Timeout, err = wire.Seconds(n, "client_timeout", time.Minute); err != nil {
		return a, err
	}
	if wire.Text(n, "ilo_verify_ca") == "" && wire.Text(n, "ca_file") != "" {
		a.Keys.Trust = "ca_file"
	}
	a.TLS, err = wire.Trust(n, a.Keys.Trust)
	return a, err
}

// VendorMethods implements driver.Vendor: Ironic's boot_into_iso.
func (hardware) VendorMethods() []driver.VendorMethod {
	return []driver.VendorMethod{{
		Name: "boot_into_iso", HTTPMethods: []string{"POST"}, Async: true,
		Description: "Attaches an ISO image and reboots the node. Required argument: 'boot_iso_href' - href of the image to be booted. " +
			"This can be an HTTP(S) URL.",
		Schema: `{"type": "object", "required": ["boot_iso_href"], "additionalProperties": false, "properties": {
			"boot_iso_href": {"type": "string", "pattern": "^https?://"}}}`,
	}}
}

// CallVendor implements driver.Vendor.
func (h hardware) CallVendor(ctx context.Context, n *driver.Node, method string, args map[string]any) (any, error) {
	if method != "boot_into_iso" {
		return nil, fmt.Errorf("vendor method %q: %w", method, driver.ErrUnsupported)
	}
	image, _ := args["boot_iso_href"].(string)
	if err := h.InsertMedia(ctx, n, "cdrom", image); err != nil {
		return nil, err
	}
	if err := h.SetBootDevice(ctx, n, "cdrom", false); err != nil {
		return nil, err
	}
	state, err := h.PowerState(ctx, n)
	if err != nil {
		return nil, err
	}
	target := baremetal.TargetReboot
	if state != baremetal.PowerOn {
		target = baremetal.TargetOn
	}
	return nil, h.Switch(ctx, n, target)
}
