package agentcheck

import (
	"bosh-ironic-cpi/src/agentenv"
	"slices"
	"testing"

	agentnet "github.com/cloudfoundry/bosh-agent/v2/platform/net"
	"github.com/cloudfoundry/bosh-agent/v2/platform/net/netfakes"
	"github.com/cloudfoundry/bosh-agent/v2/settings"
)

// decide lets the agent decide what to do with its NICs: static and DHCP interfaces by kernel name.
func decide(t *testing.T, networks settings.Networks, found map[string]string) (static, dhcp []string, err error) {
	t.Helper()
	detector := &netfakes.FakeMACAddressDetector{}
	detector.DetectMacAddressesReturns(found, nil)
	manager := agentnet.NewUbuntuNetManager(nil, nil, nil, detector, agentnet.NewInterfaceConfigurationCreator(quiet()), nil, nil, nil, nil, quiet())
	s, d, _, err := manager.(agentnet.UbuntuNetManager).ComputeNetworkConfig(networks)
	for _, c := range s {
		static = append(static, c.Name+" "+c.Address)
	}
	for _, c := range d {
		dhcp = append(dhcp, c.Name)
	}
	slices.Sort(static)
	slices.Sort(dhcp)
	return static, dhcp, err
}

func TestNetworks(t *testing.T) {
	manual := func(ip string, more agentenv.Network) agentenv.Network {
		n := agentenv.Network{"type": "manual", "ip": ip, "netmask": "255.255.255.0"}
		for k, v := range more {
			n[k] = v
		}
		return n
	}
	gateway := agentenv.Network{"default": []any{"dns", "gateway"}, "gateway": "10.0.0.1", "dns": []any{"10.0.0.2"}}
	tests := []struct {
		name          string
		networks      agentenv.Networks
		options       agentenv.Options
		static, dhcp  []string
		preconfigured bool
	}{
		{
			name:     "manual, dynamic and vip",
			networks: agentenv.Networks{"a": manual("10.0.0.10", gateway), "b": {"type": "dynamic"}, "c": {"type": "vip", "ip": "1.2.3.4"}},
			static:   []string{"eth0 10.0.0.10"}, dhcp: []string{"eth1", "eth2"},
		},
		{
			name:     "upper-case MACs of the network (B15)",
			networks: agentenv.Networks{"a": manual("10.0.0.10", agentenv.Network{"cloud_properties": map[string]any{"macs": []any{"52-54-00-00-00-02"}}}), "b": {"mac": "52:54:00:00:00:01", "prefix": 32.0}},
			static:   []string{"eth2 10.0.0.10"}, dhcp: []string{"eth0", "eth1"},
		},
		{
			name:     "spare NICs on loopback addresses",
			networks: agentenv.Networks{"a": manual("10.0.0.10", gateway)},
			options:  agentenv.Options{Spare: agentenv.SpareLoopback},
			static:   []string{"eth0 10.0.0.10", "eth1 127.0.0.100", "eth2 127.0.0.101"},
		},
		{
			name:     "IPv6 without netmask",
			networks: agentenv.Networks{"a": {"ip": "fd00::10", "gateway": "fd00::1"}},
			static:   []string{"eth0 fd00::10"}, dhcp: []string{"eth1", "eth2"},
		},
		{
			name:          "a bond and a VLAN on it",
			networks:      agentenv.Networks{"a": manual("10.0.0.10", agentenv.Network{"cloud_properties": map[string]any{"bond": "bond0"}}), "b": manual("10.1.0.10", agentenv.Network{"cloud_properties": map[string]any{"bond": "bond0", "vlan": 100}})},
			options:       agentenv.Options{Bonds: []agentenv.Bond{{Name: "bond0"}}, Spare: agentenv.SpareLoopback},
			preconfigured: true,
		},
		{
			name:          "two static networks on one NIC",
			networks:      agentenv.Networks{"a": manual("10.0.0.10", agentenv.Network{"nic_group": "1"}), "b": {"ip": "fd00::10", "nic_group": "1"}},
			preconfigured: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ports, found := nics(3)
			a, err := agentenv.Assign(tt.networks, ports, tt.options)
			if err != nil {
				t.Fatal(err)
			}
			s, err := fromFile(t, encode(t, agentenv.Settings{Networks: a.Settings, EnableIPv6: a.EnableIPv6}))
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Networks.IsPreconfigured(); got != tt.preconfigured {
				t.Fatalf("IsPreconfigured() = %v; want %v", got, tt.preconfigured)
			}
			if tt.preconfigured { // the agent looks no further
				return
			}
			static, dhcp, err := decide(t, s.Networks, found)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(static, tt.static) || !slices.Equal(dhcp, tt.dhcp) {
				t.Errorf("static %q, DHCP %q; want %q, %q", static, dhcp, tt.static, tt.dhcp)
			}
		})
	}
}

// What the agent does to MACs in upper case, so that the test above means something.
func TestUpperCaseMACFails(t *testing.T) {
	_, found := nics(2)
	found["52:54:00:00:00:aa"] = "eth9"
	networks := settings.Networks{"a": {Type: "manual", IP: "10.0.0.10", Netmask: "255.255.255.0", Mac: "52:54:00:00:00:AA"}}
	if _, _, err := decide(t, networks, found); err == nil {
		t.Error("an upper-case MAC was found; want an error")
	}
}
