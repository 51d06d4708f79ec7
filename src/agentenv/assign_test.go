package agentenv

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// networks decodes what BOSH sends.
func networks(t *testing.T, text string) Networks {
	t.Helper()
	var n Networks
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return n
}

// macs shows who got which NIC.
func macs(n Networks) map[string]string {
	got := map[string]string{}
	for name, network := range n {
		got[name], _ = network["mac"].(string)
	}
	return got
}

const (
	mac1 = "aa:bb:cc:dd:ee:01"
	mac2 = "aa:bb:cc:dd:ee:02"
	mac3 = "aa:bb:cc:dd:ee:03"
	mac4 = "aa:bb:cc:dd:ee:04"
)

var fourNICs = []NIC{
	{MAC: mac1, PhysicalNetwork: "left"},
	{MAC: mac2, PhysicalNetwork: "left", PXE: true},
	{MAC: mac3, PhysicalNetwork: "right"},
	{MAC: mac4, PhysicalNetwork: "right"},
}

func TestAssign(t *testing.T) {
	tests := []struct {
		name, networks string
		bonds          []Bond
		want           map[string]string
	}{
		{
			name:     "default gateway first, PXE NIC first, then ports in order",
			networks: `{"a": {"ip": "10.0.1.1"}, "b": {"type": "dynamic"}, "z": {"ip": "10.0.0.1", "default": ["dns", "gateway"]}}`,
			want:     map[string]string{"z": mac2, "a": mac1, "b": mac3},
		},
		{
			name:     "a vip needs none",
			networks: `{"a": {"type": "vip", "ip": "1.2.3.4"}, "b": {"ip": "10.0.0.1"}}`,
			want:     map[string]string{"a": "", "b": mac2},
		},
		{
			name:     "the network's MACs, any case and dashes (B15)",
			networks: `{"a": {"cloud_properties": {"macs": ["11:22:33:44:55:66", "AA-BB-CC-DD-EE-03"]}}, "b": {"cloud_properties": {"macs": ["AA:BB:CC:DD:EE:01"]}}}`,
			want:     map[string]string{"a": mac3, "b": mac1},
		},
		{
			name:     "a NIC named by a later network is not taken by an earlier one",
			networks: `{"a": {"default": ["gateway"]}, "b": {"cloud_properties": {"macs": ["aa:bb:cc:dd:ee:02"]}}}`,
			want:     map[string]string{"a": mac1, "b": mac2},
		},
		{
			name:     "lists that overlap are shared out",
			networks: `{"a": {"cloud_properties": {"macs": ["aa:bb:cc:dd:ee:01", "aa:bb:cc:dd:ee:02"]}}, "b": {"cloud_properties": {"macs": ["aa:bb:cc:dd:ee:02"]}}}`,
			want:     map[string]string{"a": mac1, "b": mac2},
		},
		{
			name:     "a list without NICs of this server: any",
			networks: `{"a": {"cloud_properties": {"macs": ["11:22:33:44:55:66"]}}}`,
			want:     map[string]string{"a": mac2},
		},
		{
			name:     "the mac given wins over a list",
			networks: `{"a": {"cloud_properties": {"macs": ["aa:bb:cc:dd:ee:03"]}}, "b": {"mac": "AA:BB:CC:DD:EE:03"}}`,
			want:     map[string]string{"a": mac2, "b": mac3},
		},
		{
			name:     "physical_network, and nobody goes without because another was earlier",
			networks: `{"a": {}, "b": {"cloud_properties": {"physical_network": "right"}}, "c": {"cloud_properties": {"physical_network": "left"}}, "d": {"cloud_properties": {"physical_network": "left"}}}`,
			want:     map[string]string{"a": mac4, "b": mac3, "c": mac1, "d": mac2},
		},
		{
			name:     "one nic_group, one NIC",
			networks: `{"a": {"ip": "10.0.0.1", "nic_group": "1"}, "b": {"ip": "fd00::1", "nic_group": "1"}, "c": {"ip": "10.0.1.1"}}`,
			want:     map[string]string{"a": mac2, "b": mac2, "c": mac1},
		},
		{
			name:     "a nic_group takes a NIC that suits all its lists",
			networks: `{"a": {"nic_group": "1", "cloud_properties": {"macs": ["aa:bb:cc:dd:ee:02", "aa:bb:cc:dd:ee:03"]}}, "b": {"nic_group": "1", "cloud_properties": {"macs": ["aa:bb:cc:dd:ee:03"]}}}`,
			want:     map[string]string{"a": mac3, "b": mac3},
		},
		{
			name:     "VLANs ride on the first NIC that fits",
			networks: `{"a": {"ip": "10.0.0.1"}, "b": {"ip": "10.0.1.1", "cloud_properties": {"vlan": 100}}, "c": {"cloud_properties": {"vlan": 100, "physical_network": "right"}}}`,
			want:     map[string]string{"a": mac2, "b": mac2, "c": mac3},
		},
		{
			name:     "a VLAN does not ride on a NIC of a bond",
			networks: `{"a": {"cloud_properties": {"bond": "bond0"}}, "b": {"cloud_properties": {"vlan": 7}}}`,
			bonds:    []Bond{{Name: "bond0"}},
			want:     map[string]string{"a": mac1, "b": mac3},
		},
		{
			name:     "a bond by list leaves its NICs to nobody",
			networks: `{"a": {}, "b": {"cloud_properties": {"bond": "bond0"}}, "c": {"cloud_properties": {"bond": "bond0", "vlan": 9}}}`,
			bonds:    []Bond{{Name: "bond0", NICs: []string{"AA:BB:CC:DD:EE:02", "AA:BB:CC:DD:EE:04", "11:22:33:44:55:66"}}},
			want:     map[string]string{"a": mac1, "b": mac2, "c": mac2},
		},
		{
			name:     "a bond by number and physical network",
			networks: `{"a": {"cloud_properties": {"bond": "bond0"}}, "b": {}}`,
			bonds:    []Bond{{Name: "bond0", Count: 2, PhysicalNetwork: "right"}},
			want:     map[string]string{"a": mac3, "b": mac2},
		},
		{
			name:     "a bond that nobody names is not built",
			networks: `{"a": {}}`,
			bonds:    []Bond{{Name: "bond0", Count: 40}},
			want:     map[string]string{"a": mac2},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := Assign(networks(t, tt.networks), fourNICs, Options{Bonds: tt.bonds})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, macs(a.Networks)); diff != "" {
				t.Errorf("Assign(%s): want (-), got (+):\n%s", tt.networks, diff)
			}
		})
	}
}

func TestAssignRefuses(t *testing.T) {
	tests := []struct {
		name, networks string
		nics           []NIC
		opts           Options
		err            error
		text           string
	}{
		{
			name:     "too few NICs",
			networks: `{"a": {}, "b": {}}`, nics: fourNICs[:1],
			err: ErrNICs, text: `no NIC left for network "b"; the server has aa:bb:cc:dd:ee:01 on physical_network "left" for "a"`,
		},
		{name: "no NIC", networks: `{"a": {}}`, err: ErrNICs, text: `the server has no NIC`},
		{
			name: "a mac that the server does not have", networks: `{"a": {"mac": "11:22:33:44:55:66"}}`, nics: fourNICs,
			err: ErrNICs, text: "(mac 11:22:33:44:55:66)",
		},
		{name: "one mac twice (B15)", networks: `{"a": {"mac": "aa:bb:cc:dd:ee:01"}, "b": {"mac": "AA:BB:CC:DD:EE:01"}}`, nics: fourNICs, err: ErrNICs, text: `"b" (mac aa:bb:cc:dd:ee:01)`},
		{
			name: "no such physical network", networks: `{"a": {"cloud_properties": {"physical_network": "up"}}}`, nics: fourNICs,
			err: ErrNICs, text: `(physical_network "up")`,
		},
		{
			name: "one VLAN twice", networks: `{"a": {"cloud_properties": {"vlan": 5}}, "b": {"cloud_properties": {"vlan": 5}}}`, nics: fourNICs,
			err: ErrNetworks, text: `networks "a" and "b" would share NIC aa:bb:cc:dd:ee:02 (VLAN 5): give them one nic_group`,
		},
		{
			name: "two networks untagged on one bond", networks: `{"a": {"cloud_properties": {"bond": "b0"}}, "b": {"cloud_properties": {"bond": "b0"}}}`, nics: fourNICs,
			opts: Options{Bonds: []Bond{{Name: "b0"}}}, err: ErrNetworks, text: "would share b0",
		},
		{
			name: "a nic_group with two macs", networks: `{"a": {"nic_group": "1", "mac": "aa:bb:cc:dd:ee:01"}, "b": {"nic_group": "1", "mac": "aa:bb:cc:dd:ee:02"}}`, nics: fourNICs,
			err: ErrNetworks, text: `nic_group "1" names two MACs`,
		},
		{name: "an unknown bond", networks: `{"a": {"cloud_properties": {"bond": "b0"}}}`, nics: fourNICs, err: ErrNetworks, text: `network "a": networks are not valid: bond "b0" is not among`},
		{
			name: "a bond with too few of its NICs", networks: `{"a": {"cloud_properties": {"bond": "b0"}}}`, nics: fourNICs,
			opts: Options{Bonds: []Bond{{Name: "b0", NICs: []string{mac1, "11:22:33:44:55:66"}, Count: 2}}}, err: ErrNICs, text: `bond "b0" needs 2 of the NICs`,
		},
		{
			name: "a bond with too few NICs", networks: `{"a": {"cloud_properties": {"bond": "b0"}}}`, nics: fourNICs[:1],
			opts: Options{Bonds: []Bond{{Name: "b0"}}}, err: ErrNICs, text: `no NIC left for bond "b0" of network "a"`,
		},
		{name: "a MAC for a bond", networks: `{"a": {"mac": "aa:bb:cc:dd:ee:01", "cloud_properties": {"bond": "b0"}}}`, nics: fourNICs, opts: Options{Bonds: []Bond{{Name: "b0"}}}, err: ErrNetworks},
		{name: "a bond's name", networks: `{}`, opts: Options{Bonds: []Bond{{Name: "../etc"}}}, err: ErrNetworks, text: `bond name "../etc"`},
		{name: "a bond twice", networks: `{}`, opts: Options{Bonds: []Bond{{Name: "b"}, {Name: "b"}}}, err: ErrNetworks},
		{name: "a bond's mode", networks: `{}`, opts: Options{Bonds: []Bond{{Name: "b", Mode: "lacp"}}}, err: ErrNetworks, text: "mode lacp is not one of"},
		{name: "a bond's rate", networks: `{}`, opts: Options{Bonds: []Bond{{Name: "b", Mode: "active-backup", LACPRate: "fast"}}}, err: ErrNetworks},
		{name: "a bond's policy", networks: `{}`, opts: Options{Bonds: []Bond{{Name: "b", TransmitHash: "x\n[Link]"}}}, err: ErrNetworks},
		{name: "a bond's NIC", networks: `{}`, opts: Options{Bonds: []Bond{{Name: "b", NICs: []string{"eth0"}}}}, err: ErrNetworks, text: "nics"},
		{name: "a policy", networks: `{}`, opts: Options{Spare: "ignore"}, err: ErrNetworks, text: `spare_nics "ignore"`},
		{name: "a type", networks: `{"a": {"type": "static"}}`, nics: fourNICs, err: ErrNetworks, text: `network "a"`},
		{name: "a VLAN out of range", networks: `{"a": {"cloud_properties": {"vlan": 4095}}}`, nics: fourNICs, err: ErrNetworks, text: "vlan 4095"},
		{name: "a VLAN that is text", networks: `{"a": {"cloud_properties": {"vlan": "5"}}}`, nics: fourNICs, err: ErrNetworks, text: "vlan"},
		{name: "a list that is text", networks: `{"a": {"cloud_properties": {"macs": "x"}}}`, nics: fourNICs, err: ErrNetworks, text: "macs"},
		{name: "a MAC that is none", networks: `{"a": {"cloud_properties": {"macs": ["x"]}}}`, nics: fourNICs, err: ErrNetworks, text: "macs"},
		{name: "an address that is none", networks: `{"a": {"ip": "10.0.0"}}`, nics: fourNICs, err: ErrNetworks, text: "ip"},
		{name: "a prefix too long", networks: `{"a": {"ip": "10.0.0.1", "prefix": "33"}}`, nics: fourNICs, err: ErrNetworks, text: `prefix "33"`},
		{name: "a port without a MAC", networks: `{}`, nics: []NIC{{MAC: "eth0"}}, err: ErrNICs, text: "port 0"},
		{name: "two ports with one MAC", networks: `{}`, nics: []NIC{{MAC: mac1}, {MAC: strings.ToUpper(mac1)}}, err: ErrNICs, text: mac1},
		{name: "a route in files", networks: `{"a": {"ip": "10.0.0.1", "cloud_properties": {"vlan": 5}, "routes": [{"destination": "10.9.0.0", "netmask": "255.0.255.0", "gateway": "10.0.0.2"}]}}`, nics: fourNICs, err: ErrNetworks, text: "netmask"},
		{name: "a name server in files", networks: `{"a": {"ip": "10.0.0.1", "cloud_properties": {"vlan": 5}, "dns": ["1.1.1.1\n[Link]"]}}`, nics: fourNICs, err: ErrNetworks, text: "dns"},
		{name: "a gateway in files", networks: `{"a": {"ip": "10.0.0.1", "cloud_properties": {"vlan": 5}, "gateway": "router"}}`, nics: fourNICs, err: ErrNetworks, text: "gateway"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := Assign(networks(t, tt.networks), tt.nics, tt.opts)
			if !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("Assign(%s) error = %v; want %v with %q", tt.networks, err, tt.err, tt.text)
			}
			if diff := cmp.Diff(Assignment{}, a); diff != "" {
				t.Errorf("Assign answered with an error and\n%s", diff)
			}
		})
	}
}

// Every key of the request is in what create_vm returns and in the settings.
func TestKeysSurvive(t *testing.T) {
	got, err := Assign(networks(t, `{"a": {"type": "manual", "ip": "10.0.0.9", "prefix": 32, "nic_group": "1", "use_dhcp": false, "alias": "eth0:1",
		"routes": [{"destination": "10.9.0.0", "netmask": "255.255.0.0", "gateway": "10.0.0.2"}], "cloud_properties": {"subnet": "x", "big": 12345678901},
		"dns": ["10.0.0.2"], "default": ["dns"], "netmask": "255.255.255.0", "gateway": "10.0.0.1", "unheard_of": {"deep": [1]}}}`), fourNICs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := networks(t, `{"a": {"type": "manual", "ip": "10.0.0.9", "prefix": "32", "nic_group": "1", "use_dhcp": false, "alias": "eth0:1",
		"routes": [{"destination": "10.9.0.0", "netmask": "255.255.0.0", "gateway": "10.0.0.2"}], "cloud_properties": {"subnet": "x", "big": 12345678901},
		"dns": ["10.0.0.2"], "default": ["dns"], "netmask": "255.255.255.0", "gateway": "10.0.0.1", "unheard_of": {"deep": [1]},
		"mac": "aa:bb:cc:dd:ee:02"}}`)
	if diff := cmp.Diff(want, got.Networks); diff != "" {
		t.Errorf("Networks: want (-), got (+):\n%s", diff)
	}
	if diff := cmp.Diff(want, got.Settings); diff != "" {
		t.Errorf("Settings: want (-), got (+):\n%s", diff)
	}
}

func TestDefaults(t *testing.T) {
	tests := []struct{ name, network, want string }{
		{"no type, with ip", `{"ip": "10.0.0.9"}`, `{"ip": "10.0.0.9", "type": "manual", "netmask": "255.255.255.0"}`},
		{"no type, without", `{}`, `{"type": "dynamic"}`},
		{"a prefix", `{"ip": "10.0.0.16", "prefix": "28"}`, `{"ip": "10.0.0.16", "prefix": "28", "type": "manual", "netmask": "255.255.255.240"}`},
		{"a prefix that is a number", `{"prefix": 32}`, `{"type": "dynamic", "prefix": "32"}`},
		{"IPv6", `{"ip": "fd00::9"}`, `{"ip": "fd00::9", "type": "manual", "netmask": "ffff:ffff:ffff:ffff:0000:0000:0000:0000"}`},
		{"IPv6 with a prefix", `{"ip": "fd00::", "prefix": "60"}`, `{"ip": "fd00::", "prefix": "60", "type": "manual", "netmask": "ffff:ffff:ffff:fff0:0000:0000:0000:0000"}`},
		{"a vip keeps its form", `{"type": "vip", "ip": "1.2.3.4"}`, `{"type": "vip", "ip": "1.2.3.4"}`},
		{"a dynamic network keeps its last address", `{"type": "dynamic", "ip": "10.0.0.9"}`, `{"type": "dynamic", "ip": "10.0.0.9"}`},
		{"null", `null`, `{"type": "dynamic"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := Assign(networks(t, `{"n": `+tt.network+`}`), fourNICs, Options{})
			if err != nil {
				t.Fatal(err)
			}
			delete(a.Networks["n"], "mac")
			if diff := cmp.Diff(networks(t, `{"n": `+tt.want+`}`), a.Networks); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
		})
	}
}

func TestSpareNICs(t *testing.T) {
	one := `{"a": {"ip": "10.0.0.9"}}`
	loop, err := Assign(networks(t, one), fourNICs[:3], Options{Spare: SpareLoopback})
	if err != nil {
		t.Fatal(err)
	}
	want := networks(t, `{"aa-bb-cc-dd-ee-01": {"type": "manual", "ip": "127.0.0.100", "netmask": "255.255.255.0", "mac": "aa:bb:cc:dd:ee:01"},
		"aa-bb-cc-dd-ee-03": {"type": "manual", "ip": "127.0.0.101", "netmask": "255.255.255.0", "mac": "aa:bb:cc:dd:ee:03"}}`)
	want["a"] = loop.Networks["a"]
	if diff := cmp.Diff(want, loop.Settings); diff != "" {
		t.Errorf("loopback settings: want (-), got (+):\n%s", diff)
	}
	if len(loop.Networks) != 1 || len(loop.Files) != 0 {
		t.Errorf("loopback: Networks %v, Files %v; want the one network, no file", loop.Networks, loop.Files)
	}
	dhcp, err := Assign(networks(t, one), fourNICs[:3], Options{})
	if err != nil || len(dhcp.Settings) != 1 || len(dhcp.Files) != 0 {
		t.Errorf("dhcp: Settings %v, Files %v, error %v; want nothing for spare NICs", dhcp.Settings, dhcp.Files, err)
	}
}

// The caller's maps are not touched: the Director's request is still needed when another node is tried.
func TestAssignKeepsItsInput(t *testing.T) {
	text := `{"a": {"ip": "10.0.0.9", "mac": "AA-BB-CC-DD-EE-01", "prefix": 32, "nic_group": "1"}, "b": {"ip": "fd00::9", "nic_group": "1"}, "c": {"type": "vip"}}`
	in, nics := networks(t, text), []NIC{{MAC: "AA-BB-CC-DD-EE-01"}}
	if _, err := Assign(in, nics, Options{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(networks(t, text), in); diff != "" || nics[0].MAC != "AA-BB-CC-DD-EE-01" {
		t.Errorf("Assign changed its input:\n%s", diff)
	}
}
