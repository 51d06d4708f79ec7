package redfish

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	bmc "bosh-ironic-cpi/src/bmc/redfish"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/inventory"
)

func TestDriverInfo(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	certificate := authority(t, build(t, find(t, "plain"), nil).server.TLS)
	for _, tt := range []struct {
		info    map[string]any
		address string
		wrong   string // the key
	}{
		{map[string]any{"redfish_address": "192.0.2.7"}, "https://192.0.2.7", ""},
		{map[string]any{"redfish_address": "2001:db8::7"}, "https://[2001:db8::7]", ""},
		{map[string]any{"redfish_address": "bmc7.example:8443"}, "https://bmc7.example:8443", ""},
		{map[string]any{"redfish_address": "http://192.0.2.7/redfish/v1/"}, "http://192.0.2.7", ""},
		{map[string]any{"redfish_address": "https://192.0.2.7/"}, "https://192.0.2.7", ""},
		{map[string]any{}, "", "redfish_address"},
		{map[string]any{"redfish_address": 7}, "https://7", ""},
		{map[string]any{"redfish_address": "ftp://192.0.2.7"}, "", "redfish_address"},
		{map[string]any{"redfish_address": "https://admin:hunter2@192.0.2.7"}, "", "redfish_address"},
		{map[string]any{"redfish_address": "https://192.0.2.7/rest"}, "", "redfish_address"},
		{map[string]any{"redfish_address": "https://"}, "", "redfish_address"},
		{map[string]any{"redfish_address": "a b"}, "", "redfish_address"},
		{map[string]any{"redfish_address": "h", "redfish_system_id": "1"}, "", "redfish_system_id"},
		{map[string]any{"redfish_address": "h", "redfish_system_id": "/redfish/v1/Systems/1"}, "https://h", ""},
		{map[string]any{"redfish_address": "h", "redfish_auth_type": "digest"}, "", "redfish_auth_type"},
		{map[string]any{"redfish_address": "h", "redfish_auth_type": "session"}, "https://h", ""},
		{map[string]any{"redfish_address": "h", "redfish_verify_ca": false}, "https://h", ""},
		{map[string]any{"redfish_address": "h", "redfish_verify_ca": "Yes"}, "https://h", ""},
		{map[string]any{"redfish_address": "h", "redfish_verify_ca": "maybe"}, "", "redfish_verify_ca"},
		{map[string]any{"redfish_address": "h", "redfish_verify_ca": empty}, "", "redfish_verify_ca"},
		{map[string]any{"redfish_address": "h", "redfish_verify_ca": certificate}, "https://h", ""},
		{map[string]any{"redfish_address": "h", "redfish_verify_ca": filepath.Dir(certificate)}, "https://h", ""},
		{map[string]any{"redfish_address": "h", "redfish_timeout": "5"}, "https://h", ""},
		{map[string]any{"redfish_address": "h", "redfish_timeout": 0}, "", "redfish_timeout"},
		{map[string]any{"redfish_address": "h", "redfish_timeout": "NaN"}, "", "redfish_timeout"},
		{map[string]any{"redfish_address": "h", "redfish_timeout": "soon"}, "", "redfish_timeout"},
	} {
		n := &driver.Node{Info: tt.info}
		a, err := access(n)
		wrong, _ := errors.AsType[*driver.ParameterError](err)
		switch {
		case tt.wrong == "" && (err != nil || a.Address != tt.address):
			t.Errorf("%v: %s, %v; want %s", tt.info, a.Address, err, tt.address)
		case tt.wrong != "" && (wrong == nil || wrong.Key != tt.wrong || strings.Contains(err.Error(), "hunter2")):
			t.Errorf("%v: %v; want a ParameterError that names %s", tt.info, err, tt.wrong)
		case tt.wrong != "" && quick.Validate(n) == nil:
			t.Errorf("%v is valid", tt.info)
		}
	}
}

func TestTimeoutIsPerAnswer(t *testing.T) {
	a, err := access(&driver.Node{Info: map[string]any{"redfish_address": "h", "redfish_timeout": 1.5}})
	if err != nil || a.Timeout != 1500*time.Millisecond {
		t.Errorf("redfish_timeout 1.5: %s, %v", a.Timeout, err)
	}
}

// Which of several systems: the operator says.
func TestSystems(t *testing.T) {
	s := build(t, find(t, "plain"), nil)
	s.node.Info["redfish_system_id"] = "/redfish/v1/Systems/1"
	if _, err := quick.PowerState(t.Context(), s.node); err != nil {
		t.Error(err)
	}
	s = build(t, find(t, "plain"), func(c *bmc.Config) { c.MoreSystems = []string{"/redfish/v1/Systems/2"} })
	_, err := quick.PowerState(t.Context(), s.node)
	wrong, ok := errors.AsType[*driver.ParameterError](err)
	if !ok || wrong.Key != "redfish_system_id" || !strings.Contains(err.Error(), "/redfish/v1/Systems/2") {
		t.Errorf("two systems: %v; want a ParameterError that names redfish_system_id and both", err)
	}
}

// What a status costs. The service root is gofish's wish; a session is two requests more, and the system is looked for once.
func TestRequestsOfAStatus(t *testing.T) {
	for _, tt := range []struct {
		model, way  string
		first, then int
		sessions    int
	}{
		{"plain", "basic", 3, 2, 0},
		{"plain", "auto", 3, 2, 0},
		{"plain", "session", 5, 4, 2},
		{"openbmc", "auto", 7, 4, 2}, // basic authentication is tried once
	} {
		s := build(t, find(t, tt.model), nil)
		s.node.Info["redfish_auth_type"] = tt.way
		var counts []int
		for range 2 {
			before := len(s.bmc.Requests())
			if _, err := quick.PowerState(t.Context(), s.node); err != nil {
				t.Fatal(err)
			}
			counts = append(counts, len(s.bmc.Requests())-before)
		}
		open, ever := s.bmc.Sessions()
		if !slices.Equal(counts, []int{tt.first, tt.then}) || open != 0 || ever != tt.sessions {
			t.Errorf("%s, %s: %v requests, %d sessions, %d of them open; want %d, %d and %d, 0", tt.model, tt.way, counts, ever, open,
				tt.first, tt.then, tt.sessions)
		}
	}
}

// A wrong password is sent once where the BMC takes basic authentication: accounts are locked soon enough.
func TestWrongPasswordIsSentOnce(t *testing.T) {
	s := build(t, find(t, "plain"), nil)
	s.node.Info["redfish_password"] = "letmeinletmein"
	if _, err := quick.PowerState(t.Context(), s.node); !errors.Is(err, driver.ErrAuthentication) {
		t.Fatal(err)
	}
	if requests := s.bmc.Requests(); slices.Contains(requests, "POST /redfish/v1/SessionService/Sessions") || len(requests) != 2 {
		t.Errorf("%v; want the service root, and one refusal", requests)
	}
}

// What is remembered is of one BMC: a node that is given another one looks again.
func TestAnotherBMC(t *testing.T) {
	s, other := build(t, find(t, "openbmc"), nil), build(t, find(t, "idrac9"), nil)
	if _, err := quick.PowerState(t.Context(), s.node); err != nil {
		t.Fatal(err)
	}
	if len(s.node.State) != 2 {
		t.Errorf("remembers %v; want the way in and the system", s.node.State)
	}
	other.node.State = s.node.State
	if _, err := quick.PowerState(t.Context(), other.node); err != nil {
		t.Errorf("with what another BMC left: %v", err)
	}
	for key, value := range s.node.State {
		if strings.Contains(key+value, password) || strings.Contains(value, "token") {
			t.Errorf("remembers %s: %s", key, value)
		}
	}
}

func TestInspect(t *testing.T) {
	want := inventory.Inventory{
		Manufacturer: "HPE", Serial: "CZ1234567A", Architecture: "x86_64", CPUs: 32, MemoryMB: 65536, BootMode: "uefi",
		Interfaces: []inventory.Interface{{Name: "1", MAC: "52:54:00:00:00:01"}, {Name: "2", MAC: "52:54:00:00:00:02"}},
		Disks: []inventory.Disk{
			{
				Name: "0", SizeBytes: 480_103_981_056, WWN: "0x5002538e40a0b0c1", Serial: "S45PNA0M500001", Vendor: "Somebody",
				Model: "MZ7LH480",
			},
			{
				Name: "1", SizeBytes: 2_000_398_934_016, WWN: "0x5000c500a0b0c0d0", Serial: "Z4Z00001", Vendor: "Somebody",
				Model: "ST2000NX", Rotational: true,
			},
		},
	}
	for _, name := range []string{"plain", "ilo5", "ilo4"} {
		model := find(t, name)
		s := build(t, model, nil)
		got, err := quick.Inspect(t.Context(), s.node)
		want := want
		want.Manufacturer, want.Product = model.Manufacturer, model.Product
		if name == "ilo4" { // it tells less, and elsewhere
			want.Disks = slices.Clone(want.Disks)
			for i := range want.Disks {
				want.Disks[i].WWN, want.Disks[i].Vendor = "", ""
			}
			want.Interfaces = []inventory.Interface{{Name: "1", MAC: "52:54:00:00:00:01"}, {Name: "1", MAC: "52:54:00:00:00:02"}}
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}
