package ilo

import (
	"context"
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	bmc "bosh-ironic-cpi/src/bmc/redfish"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/drivertest"
	wire "bosh-ironic-cpi/src/driver/internal/redfish"
	"bosh-ironic-cpi/src/driver/vendorargs"
	"bosh-ironic-cpi/src/wait"
)

const (
	user     = "Administrator"
	password = "hunter2hunter2"
	iso      = "http://192.0.2.1/boot.iso"
)

// A site is an iLO with a machine and the node that is made of them.
type site struct {
	ilo     *bmc.BMC
	machine *bmc.Memory
	server  *httptest.Server
	node    *driver.Node
}

func build(t testing.TB, name string, change func(*bmc.Config)) *site {
	t.Helper()
	model, ok := bmc.Find(name)
	if !ok {
		t.Fatalf("no model %s", name)
	}
	s := &site{machine: &bmc.Memory{Delay: 5 * time.Millisecond}}
	cfg := bmc.Config{Model: model, Machine: s.machine, Username: user, Password: password}
	if change != nil {
		change(&cfg)
	}
	s.ilo = bmc.New(cfg)
	s.server = httptest.NewUnstartedServer(s.ilo)
	s.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.server.StartTLS()
	t.Cleanup(s.server.Close)
	u, err := url.Parse(s.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	authority := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.server.Certificate().Raw})
	if err := os.WriteFile(authority, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.node = &driver.Node{UUID: "n1", Name: "rack1-7", Info: map[string]any{
		"ilo_address": u.Hostname(), "client_port": u.Port(), "ilo_username": user, "ilo_password": password, "ilo_verify_ca": authority,
	}}
	return s
}

// quick is the driver on hardware that needs no time.
var quick = hardware{wire.Hardware{Access: func(n *driver.Node) (wire.Access, error) {
	a, err := access(n)
	soon := wait.Pace{Every: 2 * time.Millisecond, Limit: 200 * time.Millisecond}
	a.Timeout, a.Patience = 5*time.Second, wire.Patience{Busy: time.Millisecond, POST: soon, Media: soon, Off: soon}
	return a, err
}}}

func TestConformance(t *testing.T) {
	spec := Spec
	spec.New = func() any { return quick }
	for _, name := range []string{"ilo4", "ilo5", "ilo6"} {
		t.Run(name, func(t *testing.T) {
			sites := map[any]*site{}
			drivertest.Run(t, drivertest.Rig{
				Spec: spec,
				Node: func(t *testing.T) *driver.Node {
					s := build(t, name, nil)
					sites[s.node.Info["client_port"]] = s
					return s.node
				},
				WrongPassword: func(n *driver.Node) { n.Info["ilo_password"] = "letmeinletmein" },
				Silent:        func(n *driver.Node) { sites[n.Info["client_port"]].ilo.Break(bmc.Faults{Stuck: true}) },
				Unreachable:   func(n *driver.Node) { sites[n.Info["client_port"]].server.Close() },
				Pace:          wait.Pace{Every: 5 * time.Millisecond, Limit: 10 * time.Second},
			})
		})
	}
}

// Ironic's vendor method, on a server that is off and on one that runs.
func TestBootIntoISO(t *testing.T) {
	for _, name := range []string{"ilo4", "ilo5", "ilo6"} {
		s := build(t, name, nil)
		method := quick.VendorMethods()[0]
		args := map[string]any{"boot_iso_href": iso}
		for i := range 2 {
			if err := vendorargs.Check(method, args); err != nil {
				t.Fatal(err)
			}
			if _, err := quick.CallVendor(t.Context(), s.node, method.Name, args); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			starts := s.machine.Starts()
			if len(starts) != i+1 || starts[i].Device != "cdrom" || s.machine.Media("cdrom") != iso {
				t.Errorf("%s: started from %v with %q; want cdrom, %s", name, starts, s.machine.Media("cdrom"), iso)
			}
			pace := wait.Pace{Every: 5 * time.Millisecond, Limit: 10 * time.Second}
			err := wait.Until(t.Context(), pace, "the server to be on", func(context.Context) (bool, string, error) {
				return s.machine.PoweredOn(), "off", nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, wrong := range []map[string]any{nil, {"boot_iso_href": 7}, {"boot_iso_href": "glance-uuid"}} {
			if vendorargs.Check(method, wrong) == nil {
				t.Errorf("%v: want an error", wrong)
			}
		}
	}
}

// An iLO 4 has actions of its own, later ones the standard's; where that fails, their own.
func TestActions(t *testing.T) {
	for name, want := range map[string]string{"ilo4": "Oem/Hp/HpiLOVirtualMedia.InsertVirtualMedia", "ilo5": "VirtualMedia.InsertMedia"} {
		s := build(t, name, nil)
		if err := quick.InsertMedia(t.Context(), s.node, "cdrom", iso); err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(s.ilo.Requests(), func(r string) bool { return strings.HasSuffix(r, "/VirtualMedia/2/Actions/"+want) }) {
			t.Errorf("%s: %v; want %s", name, s.ilo.Requests(), want)
		}
	}
	s := build(t, "ilo5", func(c *bmc.Config) { c.Model.RefusesAction = true })
	if err := quick.InsertMedia(t.Context(), s.node, "cdrom", iso); err != nil || s.machine.Media("cdrom") != iso {
		t.Errorf("where the standard's action fails: %v, the drive holds %q", err, s.machine.Media("cdrom"))
	}
}

// Without a licence nothing is tried.
func TestLicence(t *testing.T) {
	s := build(t, "ilo5", func(c *bmc.Config) { c.Model.License = "iLO 5 Standard" })
	_, err := quick.CallVendor(t.Context(), s.node, "boot_into_iso", map[string]any{"boot_iso_href": iso})
	if !errors.Is(err, driver.ErrUnsupported) || !strings.Contains(err.Error(), "iLO Advanced") || len(s.machine.Starts()) > 0 {
		t.Errorf("%v; want what it needs, and nothing started", err)
	}
}

// RIBCL is not spoken, and that is said.
func TestOlderGenerations(t *testing.T) {
	for _, name := range []string{"ilo2", "ilo3"} {
		s := build(t, name, nil)
		_, err := quick.PowerState(t.Context(), s.node)
		if !errors.Is(err, driver.ErrUnsupported) {
			t.Errorf("%s: %v; want %v", name, err, driver.ErrUnsupported)
			continue
		}
		for _, word := range []string{"iLO " + name[3:], "RIBCL", "use ipmi", "rack1-7"} {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %v; want %q in it", name, err, word)
			}
		}
	}
	s := build(t, "ilo3", func(c *bmc.Config) { c.Model.ManagerModel, c.Model.Firmware = "iLO 4", "iLO 4 v1.20" })
	if _, err := quick.PowerState(t.Context(), s.node); !errors.Is(err, driver.ErrUnsupported) || !strings.Contains(err.Error(), "2.30") {
		t.Errorf("an iLO 4 before Redfish: %v; want the firmware that it needs", err)
	}
}

func TestDriverInfo(t *testing.T) {
	for _, tt := range []struct {
		key     string
		value   any
		address string
		wrong   string // the key
	}{
		{"ilo_address", "192.0.2.7", "https://192.0.2.7:443", ""},
		{"ilo_address", "2001:db8::7", "https://[2001:db8::7]:443", ""},
		{"ilo_address", "[2001:db8::7]", "https://[2001:db8::7]:443", ""},
		{"client_port", 8443, "https://ilo:8443", ""},
		{"ilo_address", "https://192.0.2.7", "", "ilo_address"},
		{"ilo_address", "192.0.2.7:443", "", "ilo_address"},
		{"ilo_address", "", "", "ilo_address"},
		{"ilo_username", nil, "", "ilo_username"},
		{"ilo_password", nil, "", "ilo_password"},
		{"client_port", "https", "", "client_port"},
		{"client_port", 65536, "", "client_port"},
		{"client_timeout", "soon", "", "client_timeout"},
		{"ilo_verify_ca", "/nowhere/ca.pem", "", "ilo_verify_ca"},
		{"ca_file", "/nowhere/ca.pem", "", "ca_file"},
		{"ilo_verify_ca", false, "https://ilo:443", ""},
	} {
		n := &driver.Node{Info: map[string]any{"ilo_address": "ilo", "ilo_username": user, "ilo_password": password, tt.key: tt.value}}
		a, err := access(n)
		wrong, _ := errors.AsType[*driver.ParameterError](err)
		switch {
		case tt.wrong == "" && (err != nil || a.Address != tt.address):
			t.Errorf("%s %v: %s, %v; want %s", tt.key, tt.value, a.Address, err, tt.address)
		case tt.wrong != "" && (wrong == nil || wrong.Key != tt.wrong):
			t.Errorf("%s %v: %v; want a ParameterError that names %s", tt.key, tt.value, err, tt.wrong)
		}
	}
}

// The certificate is looked at: the key that says whom to trust is named.
func TestWrongCertificate(t *testing.T) {
	s := build(t, "ilo5", nil)
	delete(s.node.Info, "ilo_verify_ca")
	_, err := quick.PowerState(t.Context(), s.node)
	if wrong, ok := errors.AsType[*driver.ParameterError](err); !ok || wrong.Key != "ilo_verify_ca" {
		t.Errorf("%v; want a ParameterError that names ilo_verify_ca", err)
	}
}
