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
	"bosh-ironic-cpi/src/secret"
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
	host := strings.Trim(strings.TrimSpace(r.Required("ilo_address")), "[]")
	if strings.ContainsAny(host, "/@ ") || strings.Contains(host, ":") && net.ParseIP(host) == nil {
		r.Wrong("ilo_address", "is no address or host name; a port goes into client_port")
	}
	trust := "ilo_verify_ca"
	if r.Text(trust, "") == "" && r.Text("ca_file", "") != "" {
		trust = "ca_file"
	}
	a := wire.Access{
		Username: r.Required("ilo_username"), Password: secret.New(r.Required("ilo_password")), Auth: wire.Auto,
		Address: "https://" + net.JoinHostPort(host, strconv.Itoa(r.Port("client_port", 443))),
		Trust:   r.Trust(trust),
		Timeout: r.Seconds("client_timeout", time.Minute, time.Second, time.Hour), Patience: wire.StandardPatience(),
		Keys: wire.Keys{Address: "ilo_address", System: "ilo_address", Username: "ilo_username", Trust: trust, Auth: "ilo_username"},
	}
	return a, r.Err()
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
