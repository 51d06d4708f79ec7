package nodemanager

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	bmc "bosh-ironic-cpi/src/bmc/ipmi"
	"bosh-ironic-cpi/src/bmc/nodemanager"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/drivertest"
	"bosh-ironic-cpi/src/driver/ipmi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A machine is a BMC on a socket, with Node Manager behind it.
type machine struct {
	*bmc.BMC
	nm *nodemanager.Manager
}

// boot makes one; the BMC passes Node Manager's answers on in packets of their own, or within its own answer.
func boot(t testing.TB, twoPackets bool) machine {
	t.Helper()
	m := machine{nm: nodemanager.New()}
	b, err := bmc.Start(t.Context(), bmc.Config{
		TwoPackets: twoPackets,
		Records:    [][]byte{fullSensor[2:], otherOEM[2:], nodemanager.DiscoveryRecord(0, 0x2c)},
		Controllers: map[bmc.Place]bmc.Handler{{Channel: 0, Address: 0x2c}: func(c bmc.Command, data []byte) (byte, []byte) {
			return m.nm.Handle(c.NetFn, c.Cmd, data)
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	m.BMC = b
	return m
}

func (m machine) node() *driver.Node {
	return &driver.Node{UUID: "5f0a7c3e-0000-4000-8000-000000000001", Name: "n1", Info: map[string]any{
		"ipmi_address": m.Address().Addr().String(), "ipmi_port": fmt.Sprint(m.Address().Port()),
		"ipmi_username": "admin", "ipmi_password": "secret",
	}}
}

func TestConformance(t *testing.T) {
	drivertest.Run(t, drivertest.Rig{Spec: Spec, Node: func(t *testing.T) *driver.Node { return boot(t, true).node() }})
}

// By the ipmi driver and over a socket: every method, in both forms of answers that a bridge can give.
func TestOverTheWire(t *testing.T) {
	for _, form := range []struct {
		name       string
		twoPackets bool
	}{{"two packets", true}, {"embedded", false}} {
		t.Run(form.name, func(t *testing.T) {
			m := boot(t, form.twoPackets)
			n := m.node()
			for _, test := range []struct{ method, args, want string }{
				{"get_nm_version", samples["get_nm_version"], `{"nm": "3.0", "ipmi": "3.0", "patch": "7", "firmware": "1.2"}`},
				{"set_nm_policy", samples["set_nm_policy"], `null`},
				{"set_nm_policy_suspend", samples["set_nm_policy_suspend"], `null`},
				{
					"get_nm_policy_suspend", `{"domain_id": "platform", "policy_id": 10}`,
					`{"domain_id": "platform", "policy_id": 10, "periods": [{"start": 10, "stop": 60, "days": ["monday", "tuesday"]}]}`,
				},
				{"remove_nm_policy_suspend", `{"domain_id": "platform", "policy_id": 10}`, `null`},
				{"control_nm_policy", samples["control_nm_policy"], `null`},
				{
					"get_nm_policy", `{"domain_id": "platform", "policy_id": 10}`,
					`{"domain_id": "platform", "enabled": false, "per_domain_enabled": true, "global_enabled": true, "created_by_nm": true, "policy_trigger": "none",
					  "power_policy": true, "cpu_power_correction": "auto", "storage": "persistent", "action": "alert", "power_domain": "primary",
					  "target_limit": 200, "correction_time": 10000, "trigger_limit": 0, "reporting_period": 20000}`,
				},
				{
					"get_nm_statistics", `{"scope": "global", "parameter_name": "response_time"}`,
					`{"domain_id": "platform", "current_value": 202, "minimum_value": 150, "maximum_value": 240, "average_value": 200, "timestamp": "2016-02-03T20:07:44",
					  "reporting_period": 2125, "administrative_enabled": true, "operational_state": true, "measurement_state": true, "activation_state": true}`,
				},
				{"reset_nm_statistics", samples["reset_nm_statistics"], `null`},
				{"remove_nm_policy", `{"domain_id": "platform", "policy_id": 10}`, `null`},
			} {
				got, err := call(t, ipmi.Driver{}, n, test.method, test.args)
				if err != nil {
					t.Fatalf("%s: %v", test.method, err)
				}
				same(t, got, test.want)
			}
			if n.State["intel_nm_address"] != "0x2c" || n.State["intel_nm_channel"] != "0x00" {
				t.Errorf("remembers %v; want channel 0x00, address 0x2c", n.State)
			}
			_, err := call(t, ipmi.Driver{}, n, "get_nm_policy", `{"domain_id": "platform", "policy_id": 10}`)
			if codeOf(err) != 0x80 || !strings.Contains(err.Error(), m.Address().String()) || !strings.Contains(err.Error(), "node n1") {
				t.Errorf("the policy that was removed: %v; want code 80h, the BMC's address and the node", err)
			}
		})
	}
}

// A controller that is not where it was is found again at the next call.
func TestMovedAway(t *testing.T) {
	m := boot(t, true)
	n := m.node()
	n.Remember("intel_nm_channel", "0x00")
	n.Remember("intel_nm_address", "0x6a")
	if _, err := call(t, ipmi.Driver{}, n, "get_nm_version", `{}`); err == nil || !strings.Contains(err.Error(), "no controller at the bridged address") {
		t.Errorf("%v; want that nobody is there", err)
	}
	if _, err := call(t, ipmi.Driver{}, n, "get_nm_version", `{}`); err != nil || n.State["intel_nm_address"] != "0x2c" {
		t.Errorf("%v, remembers %v; want it found at 0x2c", err, n.State)
	}
}

// The other methods of the BMC are there too, and go to the BMC itself.
func TestRawBesides(t *testing.T) {
	m := boot(t, true)
	got, err := New(ipmi.Driver{}).CallVendor(t.Context(), m.node(), "send_raw", map[string]any{"raw_bytes": "0x06 0x01"})
	if text, _ := got.(string); err != nil || !strings.HasPrefix(text, "0x20 ") {
		t.Errorf("send_raw of Get Device ID = %v, %v; want that of device 0x20", got, err)
	}
}

func TestFaults(t *testing.T) {
	plain, err := bmc.Start(t.Context(), bmc.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = plain.Close() })
	n := machine{BMC: plain}.node()
	if _, err := call(t, ipmi.Driver{}, n, "get_nm_version", `{}`); !errors.Is(err, driver.ErrUnsupported) || !strings.Contains(err.Error(), "BMC 127.0.0.1") {
		t.Errorf("no Node Manager: %v; want %v, with the address", err, driver.ErrUnsupported)
	}
	m := boot(t, true)
	n = m.node()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := New(ipmi.Driver{}).CallVendor(ctx, n, "get_nm_version", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v; want %v", err, context.Canceled)
	}
	m.Break(bmc.Fault{Refuse: true})
	if _, err := call(t, ipmi.Driver{}, n, "get_nm_version", `{}`); !errors.Is(err, driver.ErrAuthentication) || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v; want %v, without the password", err, driver.ErrAuthentication)
	}
}
