package agentenv

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// drawNICs draws up to eight ports in any spelling.
func drawNICs(t *rapid.T) []NIC {
	n := rapid.IntRange(0, 8).Draw(t, "nics")
	var nics []NIC
	for i := range n {
		mac := fmt.Sprintf("aa:bb:cc:dd:ee:%02x", i)
		if rapid.Bool().Draw(t, "upper") {
			mac = strings.ToUpper(strings.ReplaceAll(mac, ":", "-"))
		}
		nics = append(nics, NIC{MAC: mac, PXE: rapid.Bool().Draw(t, "pxe"), PhysicalNetwork: rapid.SampledFrom([]string{"", "p", "q"}).Draw(t, "physical")})
	}
	return rapid.Permutation(nics).Draw(t, "order")
}

func drawNetworks(t *rapid.T) Networks {
	networks := Networks{}
	for i := range rapid.IntRange(0, 6).Draw(t, "networks") {
		n := Network{"type": rapid.SampledFrom([]string{"manual", "dynamic", "vip"}).Draw(t, "type")}
		if n["type"] != "dynamic" {
			n["ip"] = rapid.SampledFrom([]string{"10.0.%d.9", "fd00::%d"}).Draw(t, "ip")
			n["ip"] = fmt.Sprintf(n["ip"].(string), i)
		}
		properties := map[string]any{}
		if rapid.Bool().Draw(t, "has macs") {
			var macs []any
			for _, m := range rapid.SliceOfN(rapid.IntRange(0, 9), 1, 4).Draw(t, "macs") {
				macs = append(macs, fmt.Sprintf("AA-BB-CC-DD-EE-%02X", m))
			}
			properties["macs"] = macs
		}
		if p := rapid.SampledFrom([]string{"", "", "p", "q"}).Draw(t, "wants physical"); p != "" {
			properties["physical_network"] = p
		}
		if v := rapid.SampledFrom([]int{0, 0, 0, 5, 6}).Draw(t, "vlan"); v != 0 {
			properties["vlan"] = v
		}
		n["cloud_properties"] = properties
		if g := rapid.SampledFrom([]string{"", "", "", "1", "2"}).Draw(t, "group"); g != "" {
			n["nic_group"] = g
		}
		if rapid.IntRange(0, 5).Draw(t, "own mac") == 0 {
			n["mac"] = fmt.Sprintf("AA:BB:CC:DD:EE:%02X", rapid.IntRange(0, 9).Draw(t, "mac"))
		}
		if i == 1 {
			n["default"] = []any{"gateway"}
		}
		networks[fmt.Sprintf("n%d", i)] = n
	}
	return networks
}

// What holds for whatever BOSH and Ironic say.
func TestAssignProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nics, networks := drawNICs(t), drawNetworks(t)
		opts := Options{Spare: rapid.SampledFrom([]SpareNICs{"", SpareDHCP, SpareLoopback, SpareUnmanaged}).Draw(t, "spare")}
		a, err := Assign(networks, nics, opts)
		if err != nil {
			if !errors.Is(err, ErrNetworks) && !errors.Is(err, ErrNICs) {
				t.Fatalf("error %v is neither ErrNetworks nor ErrNICs", err)
			}
			return
		}
		again, err := Assign(networks, nics, opts)
		if diff := cmp.Diff(a, again); diff != "" || err != nil {
			t.Fatalf("a second call differs (%v):\n%s", err, diff)
		}
		checkNICs(t, networks, nics, a)
	})
}

func checkNICs(t *rapid.T, networks Networks, nics []NIC, a Assignment) {
	known := map[string]NIC{}
	for _, nic := range nics {
		mac, _ := canonicalMAC(nic.MAC)
		known[mac] = nic
	}
	type key struct {
		mac  string
		vlan any
	}
	holders := map[key]string{}
	if len(a.Networks) != len(networks) {
		t.Fatalf("%d networks became %d", len(networks), len(a.Networks))
	}
	for name, n := range a.Networks {
		if n.vip() {
			continue
		}
		mac, _ := n["mac"].(string)
		nic, ok := known[mac]
		if !ok {
			t.Fatalf("network %q has the MAC %q, which is not in lower case or not the server's", name, mac)
		}
		properties := n["cloud_properties"].(map[string]any)
		if want := properties["physical_network"]; want != nil && want != nic.PhysicalNetwork && networks[name]["mac"] == nil &&
			n["nic_group"] == nil {
			t.Fatalf("network %q of physical network %v is on %+v", name, want, nic)
		}
		k := key{mac, properties["vlan"]}
		if other, shared := holders[k]; shared && (n["nic_group"] == nil || n["nic_group"] != a.Networks[other]["nic_group"]) {
			t.Fatalf("networks %q and %q share %v without one nic_group", name, other, k)
		}
		holders[k] = name
	}
	checkSettings(t, a)
}

// checkSettings holds what the agent would stumble over: two static networks on one NIC that it configures itself.
func checkSettings(t *rapid.T, a Assignment) {
	static := map[any]string{}
	for name, n := range a.Settings {
		if n.vip() || n["preconfigured"] == true || n.dhcp() {
			continue
		}
		if other, twice := static[n["mac"]]; twice {
			t.Fatalf("static networks %q and %q are on one NIC, and the agent is to configure both", name, other)
		}
		static[n["mac"]] = name
		if ip, _ := n.text("ip"); !netip.MustParseAddr(ip).IsValid() {
			t.Fatalf("network %q: ip %s", name, ip)
		}
	}
}

// Networks that name nothing get NICs as long as there are any, and never fewer than Kuhn's theorem allows: with
// as many NICs as networks, all of one physical network, everybody is served.
func TestAssignServesAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "n")
		// NIC i suits network i by construction; more choices must never hurt.
		var nics []NIC
		networks := Networks{}
		for i := range n {
			mac := fmt.Sprintf("aa:bb:cc:dd:ee:%02x", i)
			physical := rapid.SampledFrom([]string{"p", "q"}).Draw(t, "physical")
			nics = append(nics, NIC{MAC: mac, PhysicalNetwork: physical, PXE: rapid.Bool().Draw(t, "pxe")})
			properties := map[string]any{}
			if rapid.Bool().Draw(t, "strict") {
				properties["physical_network"] = physical
			}
			networks[fmt.Sprintf("n%d", rapid.IntRange(0, 1000).Draw(t, "name")*10+i)] = Network{"cloud_properties": properties}
		}
		nics = rapid.Permutation(nics).Draw(t, "order")
		a, err := Assign(networks, nics, Options{})
		if err != nil {
			t.Fatal(err)
		}
		used := []string{}
		for _, mac := range macs(a.Networks) {
			used = append(used, mac)
		}
		slices.Sort(used)
		if len(slices.Compact(used)) != n {
			t.Fatalf("%d networks use %d NICs", n, len(slices.Compact(used)))
		}
	})
}

func TestNetmaskRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.SampledFrom([]int{32, 128}).Draw(t, "bits")
		ones := rapid.IntRange(0, bits).Draw(t, "ones")
		if got, err := prefixLength(netmask(ones, bits)); err != nil || got != ones {
			t.Fatalf("prefixLength(%s) = %d, %v; want %d", netmask(ones, bits), got, err, ones)
		}
	})
}

// Nothing that BOSH could send makes Assign or Encode panic, and what they answer is JSON.
func FuzzAssign(f *testing.F) {
	f.Add(`{"a": {"type": "manual", "ip": "10.0.0.9", "prefix": 32, "netmask": null, "nic_group": "1", "dns": ["1.1.1.1"], "default": ["gateway"]}}`)
	f.Add(`{"a": {"ip": "fd00::1", "prefix": "60", "gateway": "fd00::", "cloud_properties": {"vlan": 5, "macs": ["aa:bb:cc:dd:ee:01"]}, "routes": [{"destination": "::", "netmask": "::", "gateway": "fd00::2"}]}}`)
	f.Add(`{"a": {"mac": 5}, "b": {"cloud_properties": [], "routes": {}}, "c": null, "d": {"type": "vip", "prefix": true}}`)
	f.Add(`{"a": {"cloud_properties": {"bond": "bond0"}, "ip": "::ffff:10.0.0.1", "netmask": "255.255.255.0"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var networks Networks
		if json.Unmarshal([]byte(text), &networks) != nil {
			return
		}
		a, err := Assign(networks, fourNICs, Options{Bonds: []Bond{{Name: "bond0"}}, Spare: SpareLoopback})
		if err != nil {
			return
		}
		settings, err := Settings{Networks: a.Settings, EnableIPv6: a.EnableIPv6}.Encode()
		if err != nil || !json.Valid(settings) {
			t.Fatalf("Encode() = %s, %v", settings, err)
		}
	})
}
