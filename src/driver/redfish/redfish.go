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
	"bosh-ironic-cpi/src/secret"
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
	_ driver.Located      = hardware{}
	_ driver.BootDevice   = hardware{}
	_ driver.BootMode     = hardware{}
	_ driver.VirtualMedia = hardware{}
	_ driver.MediaReader  = hardware{}
	_ driver.Inspector    = hardware{}
	_ driver.Validator    = hardware{}
	_ driver.Vendor       = hardware{}
)

// access reads driver_info.
func access(n *driver.Node) (wire.Access, error) {
	r := n.Reader()
	a := wire.Access{
		Address:  address(r, "redfish_address"),
		SystemID: r.Text("redfish_system_id", ""),
		Username: r.Text("redfish_username", ""), Password: secret.New(r.Text("redfish_password", "")),
		Auth:    r.OneOf("redfish_auth_type", wire.Auto, wire.Auto, wire.Basic, wire.Session),
		Trust:   r.Trust("redfish_verify_ca"),
		Timeout: r.Seconds("redfish_timeout", time.Minute, time.Second, time.Hour), Patience: wire.StandardPatience(),
		Keys: wire.Keys{
			Address: "redfish_address", System: "redfish_system_id", Username: "redfish_username", Trust: "redfish_verify_ca",
			Auth: "redfish_auth_type",
		},
	}
	if a.SystemID != "" && !strings.HasPrefix(a.SystemID, "/") {
		r.Wrong("redfish_system_id", "is no path such as /redfish/v1/Systems/1")
	}
	return a, r.Err()
}

// address reads scheme, host and port. A path is taken only where it is Redfish's own: the standard knows no other.
func address(r *driver.Reader, key string) string {
	text := strings.TrimSpace(r.Required(key))
	if net.ParseIP(text) != nil && strings.Contains(text, ":") {
		text = "[" + text + "]"
	}
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		r.Wrong(key, "is no URL such as https://192.0.2.7")
		return ""
	case u.Scheme != "https" && u.Scheme != "http":
		r.Wrong(key, "has a scheme that is neither https nor http")
	case u.User != nil:
		r.Wrong(key, "holds credentials: they have keys of their own, redfish_username and redfish_password")
	case u.RawQuery != "" || u.Fragment != "":
		r.Wrong(key, "has more than scheme, host and port")
	case !slices.Contains([]string{"", "/redfish", "/redfish/v1"}, strings.TrimSuffix(u.Path, "/")):
		r.Wrong(key, fmt.Sprintf("has the path %s; Redfish is at /redfish/v1 alone", u.Path))
	}
	return u.Scheme + "://" + u.Host
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
