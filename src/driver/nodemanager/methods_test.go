package nodemanager

import (
	"context"
	"errors"
	"slices"
	"testing"

	"bosh-ironic-cpi/src/bmc/nodemanager"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/ipmi"
)

// A server is a BMC with Node Manager behind it.
type server struct {
	nm *nodemanager.Manager
	wire
}

func start() *server {
	s := &server{nm: nodemanager.New(), wire: wire{records: [][]byte{append([]byte{1, 0}, nodemanager.DiscoveryRecord(0x06, 0x2c)...)}}}
	s.answer = func(command byte, data []byte) ([]byte, error) {
		if c, answer := s.nm.Handle(netFn, command, data); c != 0 {
			return nil, refuse(command, c)
		} else {
			return answer, nil
		}
	}
	return s
}

// Each method with a Node Manager: what one sets, the other one gets.
func TestMethods(t *testing.T) {
	s, n := start(), &driver.Node{Name: "one"}
	for _, test := range []struct{ name, method, args, want string }{
		{"N60 get_nm_version", "get_nm_version", `{}`, `{"nm": "3.0", "ipmi": "3.0", "patch": "7", "firmware": "1.2"}`},
		{
			"N61 get_nm_capabilities", "get_nm_capabilities", samples["get_nm_capabilities"],
			`{"domain_id": "platform", "power_domain": "primary", "max_policies": 16, "max_limit_value": 4096, "min_limit_value": 100,
			  "min_correction_time": 10, "max_correction_time": 100000, "min_reporting_period": 100, "max_reporting_period": 32768}`,
		},
		{"N63 set_nm_policy", "set_nm_policy", samples["set_nm_policy"], `null`},
		{"N62 control_nm_policy", "control_nm_policy", samples["control_nm_policy"], `null`},
		{
			"N64 get_nm_policy", "get_nm_policy", `{"domain_id": "platform", "policy_id": 10}`,
			`{"domain_id": "platform", "enabled": false, "per_domain_enabled": true, "global_enabled": true, "created_by_nm": true, "policy_trigger": "none",
			  "power_policy": true, "cpu_power_correction": "auto", "storage": "persistent", "action": "alert", "power_domain": "primary",
			  "target_limit": 200, "correction_time": 10000, "trigger_limit": 0, "reporting_period": 20000}`,
		},
		{"N66 set_nm_policy_suspend", "set_nm_policy_suspend", samples["set_nm_policy_suspend"], `null`},
		{
			"N67 get_nm_policy_suspend", "get_nm_policy_suspend", `{"domain_id": "platform", "policy_id": 10}`,
			`{"domain_id": "platform", "policy_id": 10, "periods": [{"start": 10, "stop": 60, "days": ["monday", "tuesday"]}]}`,
		},
		{"N68 remove_nm_policy_suspend", "remove_nm_policy_suspend", `{"domain_id": "platform", "policy_id": 10}`, `null`},
		{"N68 nothing is left", "get_nm_policy_suspend", `{"domain_id": "platform", "policy_id": 10}`, `{"domain_id": "platform", "policy_id": 10, "periods": []}`},
		{
			"N69 get_nm_statistics", "get_nm_statistics", samples["get_nm_statistics"],
			`{"domain_id": "platform", "current_value": 202, "minimum_value": 150, "maximum_value": 240, "average_value": 200, "timestamp": "2016-02-03T20:07:44",
			  "reporting_period": 2125, "administrative_enabled": true, "operational_state": true, "measurement_state": true, "activation_state": true}`,
		},
		{"N70 reset_nm_statistics", "reset_nm_statistics", samples["reset_nm_statistics"], `null`},
		{"N65 remove_nm_policy", "remove_nm_policy", `{"domain_id": "platform", "policy_id": 10}`, `null`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := call(t, s, n, test.method, test.args)
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, test.want)
		})
	}
	if _, err := call(t, s, n, "get_nm_policy", `{"domain_id": "platform", "policy_id": 10}`); codeOf(err) != 0x80 {
		t.Errorf("the policy that was removed: %v; want code 0x80", err)
	}
	if s.walks != 1 || s.to[0] != (ipmi.Bridge{Channel: 6, Target: 0x2c}) {
		t.Errorf("%d walks, to %v; want one, to channel 6, address 0x2c", s.walks, s.to[0])
	}
}

// The verbs, and which methods are asynchronous.
func TestTable(t *testing.T) {
	want := map[string]struct {
		verbs []string
		async bool
	}{
		"get_nm_version": {[]string{"GET"}, false}, "get_nm_capabilities": {[]string{"GET"}, false}, "control_nm_policy": {[]string{"PUT"}, true},
		"set_nm_policy": {[]string{"PUT"}, true}, "get_nm_policy": {[]string{"GET"}, false}, "remove_nm_policy": {[]string{"DELETE"}, true},
		"set_nm_policy_suspend": {[]string{"PUT"}, true}, "get_nm_policy_suspend": {[]string{"GET"}, false},
		"remove_nm_policy_suspend": {[]string{"DELETE"}, true}, "get_nm_statistics": {[]string{"GET"}, false},
		"reset_nm_statistics": {[]string{"PUT", "DELETE"}, true},
	}
	all := New(&wire{}).VendorMethods()
	if len(all) != len(want) {
		t.Errorf("%d methods; want %d", len(all), len(want))
	}
	for _, m := range all {
		if w, ok := want[m.Name]; !ok || !slices.Equal(m.HTTPMethods, w.verbs) || m.Async != w.async || m.Shared || m.Description == "" {
			t.Errorf("%+v; want %+v, a lock and a description", m, w)
		}
	}
}

// A talker is a BMC with vendor methods of its own.
type talker struct{ wire }

func (*talker) VendorMethods() []driver.VendorMethod {
	return []driver.VendorMethod{{Name: "send_raw", HTTPMethods: []string{"POST"}, Description: "Send raw bytes to the BMC."}}
}

func (*talker) CallVendor(_ context.Context, _ *driver.Node, method string, _ map[string]any) (any, error) {
	return method, nil
}

func TestMethodsOfTheBMC(t *testing.T) {
	v := New(&talker{})
	if all := v.VendorMethods(); len(all) != 12 || all[11].Name != "send_raw" {
		t.Errorf("%d methods; want Node Manager's eleven and send_raw", len(all))
	}
	if got, err := v.CallVendor(t.Context(), &driver.Node{}, "send_raw", nil); got != "send_raw" || err != nil {
		t.Errorf("send_raw = %v, %v; want the BMC's answer", got, err)
	}
	if _, err := New(&wire{}).CallVendor(t.Context(), &driver.Node{}, "send_raw", nil); !errors.Is(err, driver.ErrUnsupported) {
		t.Errorf("send_raw of a BMC that has none: %v; want %v", err, driver.ErrUnsupported)
	}
}
