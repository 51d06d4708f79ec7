package redfish

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"bosh-ironic-cpi/src/driver"
	wire "bosh-ironic-cpi/src/driver/internal/redfish"
)

// Spec is the driver's line in the table.
var Spec = driver.Spec{
	Name:  "redfish",
	About: "servers whose BMC speaks Redfish, of any vendor",
	Keys: []driver.Key{
		{Name: "redfish_address", Meaning: "the BMC's address, such as https://192.0.2.7; https:// may be left out", Required: true},
		{Name: "redfish_system_id", Meaning: "path of the system, such as /redfish/v1/Systems/1; only needed where the BMC has several"},
		{Name: "redfish_username", Meaning: "account that may switch, boot and insert; empty: none"},
		{Name: "redfish_password", Meaning: "its password", Secret: true},
		{
			Name:    "redfish_verify_ca",
			Meaning: "true: trust the system's certificate authorities; false: trust anybody; else the path of a file or directory of them, in PEM",
			Default: "true",
		},
		{Name: "redfish_auth_type", Meaning: "basic, session, or auto: basic where the BMC offers it, else a session", Default: wire.Auto},
		{Name: "redfish_timeout", Meaning: "seconds to wait for each answer of the BMC", Default: "60"},
	},
	New: func() any { return hardware{wire.Hardware{Access: access}} },
}

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
		Username: wire.Text(n, "redfish_username"), Password: wire.Password(n, "redfish_password"), Patience: wire.StandardPatience(),
		Keys: wire.Keys{
			Address: "redfish_address", System: "redfish_system_id", Username: "redfish_username", Trust: "redfish_verify_ca",
			Auth: "redfish_auth_type",
		},
	}
	if a.Address, err = address(wire.Text(n, "redfish_address")); err != nil {
		return a, err
	}
	if a.SystemID = wire.Text(n, "redfish_system_id"); a.SystemID != "" && !strings.HasPrefix(a.SystemID, "/") {
		return a, &driver.ParameterError{Key: "redfish_system_id", Problem: "is no path such as /redfish/v1/Systems/1"}
	}
	if a.TLS, err = wire.Trust(n, "redfish_verify_ca"); err != nil {
		return a, err
	}
	if a.Timeout, err = wire.Seconds(n, "redfish_timeout", time.Minute); err != nil {
		return a, err
	}
	switch a.Auth = wire.Text(n, "redfish_auth_type"); a.Auth {
	case "":
		a.Auth = wire.Auto
	case wire.Auto, wire.Basic, wire.Session:
	default:
		return a, &driver.ParameterError{Key: "redfish_auth_type", Problem: fmt.Sprintf("is %q: want basic, session or auto", a.Auth)}
	}
	return a, nil
}

// address is scheme, host and port. A path is taken only where it is Redfish's own: the standard knows no other.
func address(text string) (string, error) {
	wrong := func(problem string) (string, error) {
		return "", &driver.ParameterError{Key: "redfish_address", Problem: problem}
	}
	if text == "" {
		return wrong("")
	}
	if net.ParseIP(text) != nil && strings.Contains(text, ":") {
		text = "[" + text + "]"
	}
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		return wrong("is no URL such as https://192.0.2.7")
	case u.Scheme != "https" && u.Scheme != "http":
		return wrong("has a scheme that is neither https nor http")
	case u.User != nil:
		return wrong("holds credentials: they have keys of their own, redfish_username and redfish_password")
	case u.RawQuery != "" || u.Fragment != "":
		return wrong("has more than scheme, host and port")
	case !slices.Contains([]string{"", "/redfish", "/redfish/v1"}, strings.TrimSuffix(u.Path, "/")):
		return wrong(fmt.Sprintf("has the path %s; Redfish is at /redfish/v1 alone", u.Path))
	}
	return u.Scheme + "://" + u.Host, nil
}

// VendorMethods implements driver.Vendor: Ironic's.
func (hardware) VendorMethods() []driver.VendorMethod {
	return []driver.VendorMethod{{
		Name: "eject_vmedia", HTTPMethods: []string{"POST"},
		Description: "Eject a virtual media device. If no device is provided then all attached devices will be ejected. " +
			"Optional arguments: 'boot_device' - the boot device to eject, either 'cd', 'dvd', 'usb', or 'floppy'",
		Schema: `{"type": "object", "additionalProperties": false, "properties": {
			"boot_device": {"enum": ["cd", "dvd", "usb", "floppy", "CD", "DVD", "USBStick", "Floppy", null]}}}`,
	}}
}

// CallVendor implements driver.Vendor.
func (h hardware) CallVendor(ctx context.Context, n *driver.Node, method string, args map[string]any) (any, error) {
	if method != "eject_vmedia" {
		return nil, fmt.Errorf("vendor method %q: %w", method, driver.ErrUnsupported)
	}
	devices := h.MediaDevices()
	switch wanted, _ := args["boot_device"].(string); strings.ToLower(wanted) {
	case "cd", "dvd":
		devices = []string{"cdrom"}
	case "usb", "usbstick", "floppy":
		devices = []string{"floppy"}
	}
	for _, device := range devices {
		if err := h.EjectMedia(ctx, n, device); err != nil {
			return nil, err
		}
	}
	return nil, nil
}
