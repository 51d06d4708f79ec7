package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"bosh-ironic-cpi/src/bmc/ipmi"
	"bosh-ironic-cpi/src/bmc/nodemanager"
)

// withNodeManager has a node "one" with a BMC and Node Manager behind it, enrolled by the name that its driver once had.
// versions counts how often Node Manager was asked for its version, which is also how the driver finds it.
func withNodeManager(t *testing.T) (r *rig, versions *atomic.Int32) {
	t.Helper()
	nm := nodemanager.New()
	versions = new(atomic.Int32)
	bmc, err := ipmi.Start(t.Context(), ipmi.Config{
		TwoPackets: true,
		Records:    [][]byte{nodemanager.DiscoveryRecord(0, 0x2c)},
		Controllers: map[ipmi.Place]ipmi.Handler{{Channel: 0, Address: 0x2c}: func(c ipmi.Command, data []byte) (byte, []byte) {
			if c.Cmd == 0xca {
				versions.Add(1)
			}
			return nm.Handle(c.NetFn, c.Cmd, data)
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bmc.Close(); err != nil {
			t.Error(err)
		}
	})
	r = start(t, nil)
	r.must(http.MethodPost, "/v1/nodes", map[string]any{"name": "one", "driver": "staging-nm", "driver_info": map[string]any{
		"ipmi_address": bmc.Address().Addr().String(), "ipmi_port": bmc.Address().Port(), "ipmi_username": "admin", "ipmi_password": "secret",
	}})
	return r, versions
}

// The founding documents' examples, as a client of Ironic sends them.
func TestNodeManagerExamples(t *testing.T) {
	r, versions := withNodeManager(t)
	const path = "/v1/nodes/one/vendor_passthru?method="
	for _, test := range []struct {
		verb, method, body string
		status             int
		want               string
	}{
		{"GET", "get_nm_version", ``, 200, `{"firmware": "1.2", "ipmi": "3.0", "nm": "3.0", "patch": "7"}`},
		{
			"GET", "get_nm_capabilities", `{"domain_id": "platform", "policy_trigger": "none", "power_domain": "primary"}`, 200,
			`{"domain_id": "platform", "max_correction_time": 100000, "max_limit_value": 4096, "max_policies": 16, "max_reporting_period": 32768,
			  "min_correction_time": 10, "min_limit_value": 100, "min_reporting_period": 100, "power_domain": "primary"}`,
		},
		{
			"PUT", "set_nm_policy", `{"domain_id": "platform", "enable": true, "policy_id": 10, "policy_trigger": "none", "action": "alert",
			 "power_domain": "primary", "target_limit": 200, "reporting_period": 20000}`, 202, ``,
		},
		{"PUT", "control_nm_policy", `{"scope": "policy", "enable": false, "policy_id": 10}`, 202, ``},
		{
			"GET", "get_nm_policy", `{"domain_id": "platform", "policy_id": 10}`, 200,
			`{"action": "alert", "correction_time": 10000, "cpu_power_correction": "auto", "created_by_nm": true, "domain_id": "platform", "enabled": false,
			  "global_enabled": true, "per_domain_enabled": true, "policy_trigger": "none", "power_domain": "primary", "power_policy": true,
			  "reporting_period": 20000, "storage": "persistent", "target_limit": 200, "trigger_limit": 0}`,
		},
		{
			"PUT", "set_nm_policy_suspend", `{"domain_id": "platform", "policy_id": 10,
			 "periods": [{"start": 10, "stop": 60, "days": ["monday", "tuesday"]}]}`, 202, ``,
		},
		{
			"GET", "get_nm_policy_suspend", `{"domain_id": "platform", "policy_id": 10}`, 200,
			`{"domain_id": "platform", "policy_id": 10, "periods": [{"start": 10, "stop": 60, "days": ["monday", "tuesday"]}]}`,
		},
		{"DELETE", "remove_nm_policy_suspend", `{"domain_id": "platform", "policy_id": 10}`, 202, ``},
		{"DELETE", "remove_nm_policy", `{"domain_id": "platform", "policy_id": 10}`, 202, ``},
		{
			"GET", "get_nm_statistics", `{"scope": "global", "domain_id": "platform", "parameter_name": "power"}`, 200,
			`{"activation_state": true, "administrative_enabled": true, "average_value": 200, "current_value": 202, "domain_id": "platform", "maximum_value": 240,
			  "measurement_state": true, "minimum_value": 150, "operational_state": true, "reporting_period": 2125, "timestamp": "2016-02-03T20:07:44"}`,
		},
		{"DELETE", "reset_nm_statistics", `{"scope": "global", "domain_id": "platform"}`, 202, ``},
		{"PUT", "reset_nm_statistics", `{"scope": "global", "domain_id": "platform"}`, 202, ``},
	} {
		status, _, text := exchange(t, r.url, test.verb, path+test.method, "1.82", []byte(test.body))
		if status != test.status {
			t.Fatalf("%s %s: %d %s; want %d", test.verb, test.method, status, text, test.status)
		}
		if test.want != "" {
			answersJSON(t, test.method, text, test.want)
		}
		if n := settle(t, r.url, "one", "enroll"); n["last_error"] != nil {
			t.Errorf("%s: %v", test.method, n["last_error"])
		}
	}
	if n := r.must(http.MethodGet, "/v1/nodes/one", nil); n["driver"] != "nm" || n["vendor_interface"] != "nm" || n["power_interface"] != "ipmitool" {
		t.Errorf("driver %v with vendor interface %v, power interface %v; want nm, nm, ipmitool", n["driver"], n["vendor_interface"], n["power_interface"])
	}
	if asked := versions.Load(); asked != 2 {
		t.Errorf("asked for its version %d times; want one by get_nm_version, and one to find it: the place is stored with the node", asked)
	}
	methods := r.must(http.MethodGet, "/v1/nodes/one/vendor_passthru/methods", nil)
	for _, name := range []string{"set_nm_policy", "send_raw", "bmc_reset"} {
		if methods[name] == nil {
			t.Errorf("no method %s", name)
		}
	}
}

// What is wrong with arguments is said at once, also by asynchronous methods.
func TestNodeManagerRefusals(t *testing.T) {
	r, _ := withNodeManager(t)
	const path = "/v1/nodes/one/vendor_passthru?method="
	for _, test := range []struct {
		verb, method, body string
		status             int
		want               string
	}{
		{"POST", "set_nm_policy", `{}`, 400, "does not support HTTP POST"},
		{"PUT", "set_nm_policy", `{}`, 400, "not passed to method"},
		{"PUT", "control_nm_policy", `{"scope": "domain", "enable": true}`, 400, "Parameter 'domain_id' not passed"},
		{"DELETE", "remove_nm_policy", `{"domain_id": "platform", "policy_id": 1.0}`, 400, "policy_id: cannot be number 1.0"},
		{"DELETE", "remove_nm_policy", `{"domain_id": "platform", "policy_id": true}`, 400, "policy_id: got boolean"},
		{"DELETE", "remove_nm_policy", `[]`, 400, "is not of type 'object'"},
		{"GET", "get_nm_policy", `{"domain_id": "platform", "policy_id": 99}`, 500, "no policy with this policy_id"},
	} {
		status, _, text := exchange(t, r.url, test.verb, path+test.method, "1.82", []byte(test.body))
		if status != test.status || !strings.Contains(string(text), test.want) {
			t.Errorf("%s %s %s: %d %s; want %d and %q", test.verb, test.method, test.body, status, text, test.status, test.want)
		}
	}
	// Asynchronous: taken, and then the node says what the hardware said.
	if status, _, text := exchange(t, r.url, "DELETE", path+"remove_nm_policy", "1.82", []byte(`{"domain_id": "platform", "policy_id": 99}`)); status != 202 {
		t.Fatalf("%d %s; want 202", status, text)
	}
	if n := settle(t, r.url, "one", "enroll"); !strings.Contains(n["last_error"].(string), "no policy with this policy_id") {
		t.Errorf("last_error %v; want what the hardware said", n["last_error"])
	}
}

func answersJSON(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	var g, w map[string]any
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatalf("%s: %s: %v", what, got, err)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	gotText, _ := json.Marshal(g)
	wantText, _ := json.Marshal(w)
	if string(gotText) != string(wantText) {
		t.Errorf("%s: %s; want %s", what, gotText, wantText)
	}
}
