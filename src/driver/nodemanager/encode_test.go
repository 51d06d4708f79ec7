package nodemanager

import "testing"

// What goes over the wire for each method. Bytes are those that the unit tests of the first driver want, or that its
// encoder gave; repaired: what its encoder got wrong is asserted as Intel's specification and FreeIPMI have it.
func TestEncode(t *testing.T) {
	const anything = "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
	for _, test := range []struct{ name, method, args, want string }{
		{
			"N1 set: repaired, alert is bit 0", "set_nm_policy",
			`{"domain_id": "platform", "enable": true, "policy_id": 123, "policy_trigger": "temperature", "action": "alert", "power_domain": "primary",
			  "target_limit": 1000, "correction_time": 2000, "trigger_limit": 100, "reporting_period": 600, "cpu_power_correction": "auto", "storage": "persistent"}`,
			"2e c1 57 01 00 10 7b 11 01 e8 03 d0 07 00 00 64 00 58 02",
		},
		{
			"N1 set: repaired, enable false keeps the domain", "set_nm_policy",
			`{"domain_id": "cpu", "enable": false, "policy_id": 123, "policy_trigger": "none", "action": "alert", "power_domain": "primary",
			  "target_limit": 1000, "correction_time": 2000, "reporting_period": 600}`,
			"2e c1 57 01 00 01 7b 10 01 e8 03 d0 07 00 00 00 00 58 02",
		},
		{
			"N1 set: repaired, shutdown is bit 1", "set_nm_policy",
			`{"domain_id": "io", "enable": true, "policy_id": 10, "policy_trigger": "none", "action": "shutdown", "power_domain": "secondary",
			  "target_limit": 200, "correction_time": 10000, "reporting_period": 20000, "cpu_power_correction": "aggressive", "storage": "volatile"}`,
			"2e c1 57 01 00 14 0a d0 82 c8 00 10 27 00 00 00 00 20 4e",
		},
		{
			"N2 set with defaults: repaired, alert is bit 0", "set_nm_policy",
			`{"domain_id": "platform", "enable": true, "policy_id": 123, "policy_trigger": "none", "action": "alert", "power_domain": "primary",
			  "target_limit": 1000, "correction_time": 2000, "reporting_period": 600}`,
			"2e c1 57 01 00 10 7b 10 01 e8 03 d0 07 00 00 00 00 58 02",
		},
		{
			"N2 the trigger's limit is nothing to trigger none", "set_nm_policy",
			`{"domain_id": "platform", "enable": true, "policy_id": 123, "policy_trigger": "none", "action": "alert", "power_domain": "primary",
			  "target_limit": 1000, "correction_time": 2000, "trigger_limit": 77, "reporting_period": 600, "cpu_power_correction": "unagressive"}`,
			"2e c1 57 01 00 10 7b 30 01 e8 03 d0 07 00 00 00 00 58 02",
		},
		{
			"N3 set for booting: repaired, alert is bit 0", "set_nm_policy",
			`{"domain_id": "platform", "enable": true, "policy_id": 123, "policy_trigger": "boot", "action": "alert", "power_domain": "primary",
			  "target_limit": {"boot_mode": "power", "cores_disabled": 2}, "reporting_period": 600}`,
			"2e c1 57 01 00 10 7b 14 01 04 00 00 00 00 00 00 00 58 02",
		},
		{
			"N3 performance and all cores but one", "set_nm_policy",
			`{"domain_id": "cpu", "enable": true, "policy_id": 123, "policy_trigger": "boot", "action": "alert", "power_domain": "primary",
			  "target_limit": {"boot_mode": "performance", "cores_disabled": 127}, "correction_time": 5, "trigger_limit": 6, "reporting_period": 600}`,
			"2e c1 57 01 00 11 7b 14 01 ff 00 00 00 00 00 00 00 58 02",
		},
		{
			"N4 set suspend", "set_nm_policy_suspend",
			`{"domain_id": "platform", "policy_id": 123, "periods": [{"start": 20, "stop": 100, "days": ["monday", "tuesday"]}, {"start": 30, "stop": 150, "days": ["friday", "sunday"]}]}`,
			"2e c5 57 01 00 00 7b 02 14 64 03 1e 96 50",
		},
		{
			"N4 whole days", "set_nm_policy_suspend",
			`{"domain_id": "cpu", "policy_id": 10, "periods": [{"start": 0, "stop": 240, "days": ["wednesday", "thursday", "saturday", "sunday"]}]}`,
			"2e c5 57 01 00 01 0a 01 00 f0 6c",
		},
		{
			"N5 capabilities", "get_nm_capabilities", `{"domain_id": "platform", "policy_trigger": "none", "power_domain": "primary"}`,
			"2e c9 57 01 00 00 10",
		},
		{
			"N5 of booting, secondary", "get_nm_capabilities", `{"domain_id": "memory", "policy_trigger": "boot", "power_domain": "secondary"}`,
			"2e c9 57 01 00 02 94",
		},
		{"N6 control", "control_nm_policy", `{"scope": "policy", "enable": true, "domain_id": "platform", "policy_id": 123}`, "2e c0 57 01 00 05 00 7b"},
		{"N6 all on", "control_nm_policy", `{"scope": "global", "enable": true}`, "2e c0 57 01 00 01 00 00"},
		{"N6 all on, ids unused", "control_nm_policy", `{"scope": "global", "enable": true, "domain_id": "io", "policy_id": 7}`, "2e c0 57 01 00 01 00 00"},
		{"N6 a domain off", "control_nm_policy", `{"scope": "domain", "enable": false, "domain_id": "io"}`, "2e c0 57 01 00 02 04 00"},
		{"N6 a policy off", "control_nm_policy", `{"scope": "policy", "enable": false, "domain_id": "memory", "policy_id": 7}`, "2e c0 57 01 00 04 02 07"},
		{"N7 get", "get_nm_policy", `{"domain_id": "platform", "policy_id": 123}`, "2e c2 57 01 00 00 7b"},
		{"N7 highest id", "get_nm_policy", `{"domain_id": "io", "policy_id": 255}`, "2e c2 57 01 00 04 ff"},
		{"N8 remove", "remove_nm_policy", `{"domain_id": "platform", "policy_id": 123}`, "2e c1 57 01 00 00 7b 00 00 00 00 00 00 00 00 00 00 00 00"},
		{"N8 of memory", "remove_nm_policy", `{"domain_id": "memory", "policy_id": 1}`, "2e c1 57 01 00 02 01 00 00 00 00 00 00 00 00 00 00 00 00"},
		{"N9 get suspend", "get_nm_policy_suspend", `{"domain_id": "platform", "policy_id": 123}`, "2e c6 57 01 00 00 7b"},
		{"N9 of memory", "get_nm_policy_suspend", `{"domain_id": "memory", "policy_id": 13}`, "2e c6 57 01 00 02 0d"},
		{"N10 remove suspend", "remove_nm_policy_suspend", `{"domain_id": "platform", "policy_id": 123}`, "2e c5 57 01 00 00 7b 00"},
		{"N10 of io", "remove_nm_policy_suspend", `{"domain_id": "io", "policy_id": 13}`, "2e c5 57 01 00 04 0d 00"},
		{"N11 version", "get_nm_version", `{}`, "2e ca 57 01 00"},
		{"N26 reset global", "reset_nm_statistics", `{"scope": "global", "domain_id": "platform"}`, "2e c7 57 01 00 00 00 00"},
		{"N27 reset a policy's", "reset_nm_statistics", `{"scope": "policy", "domain_id": "platform", "policy_id": 111}`, "2e c7 57 01 00 01 00 6f"},
		{"N28 reset a parameter", "reset_nm_statistics", `{"scope": "global", "parameter_name": "response_time"}`, "2e c7 57 01 00 1c 00 00"},
		{"N28 whatever the domain", "reset_nm_statistics", `{"scope": "global", "domain_id": "io", "policy_id": 9, "parameter_name": "communication_failures"}`, "2e c7 57 01 00 1f 00 00"},
		{"N29 statistics global", "get_nm_statistics", `{"scope": "global", "domain_id": "platform", "parameter_name": "power"}`, "2e c8 57 01 00 01 00 00"},
		{"N29 of protection", "get_nm_statistics", `{"scope": "global", "domain_id": "protection", "policy_id": 4, "parameter_name": "chassis_power"}`, "2e c8 57 01 00 06 03 00"},
		{"N30 statistics of the server", "get_nm_statistics", `{"scope": "global", "parameter_name": "response_time"}`, "2e c8 57 01 00 1c 00 00"},
		{"N31 statistics of a policy", "get_nm_statistics", `{"scope": "policy", "domain_id": "platform", "policy_id": 111, "parameter_name": "power"}`, "2e c8 57 01 00 11 00 6f"},
		{"N31 throttling by a policy", "get_nm_statistics", `{"scope": "policy", "domain_id": "cpu", "policy_id": 5, "parameter_name": "throttling"}`, "2e c8 57 01 00 13 01 05"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := &wire{answer: says(anything)}
			if _, err := call(t, w, knows(), test.method, test.args); err != nil && test.method != "get_nm_policy" { // whose length is exact
				t.Fatal(err)
			}
			if len(w.sent) != 1 || w.sent[0] != test.want {
				t.Errorf("sent %q; want %q", w.sent, test.want)
			}
		})
	}
}

// The bytes of every mode of statistics.
func TestStatisticsModes(t *testing.T) {
	for scope, modes := range map[string]map[string]string{
		"global": {
			"power": "01", "temperature": "02", "throttling": "03", "airflow": "04", "airflow_temperature": "05", "chassis_power": "06",
			"unhandled_requests": "1b", "response_time": "1c", "cpu_throttling": "1d", "memory_throttling": "1e", "communication_failures": "1f",
		},
		"policy": {"power": "11", "trigger": "12", "throttling": "13"},
	} {
		for name, mode := range modes {
			w := &wire{answer: says("00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00")}
			args := `{"scope": "` + scope + `", "domain_id": "platform", "policy_id": 0, "parameter_name": "` + name + `"}`
			if _, err := call(t, w, knows(), "get_nm_statistics", args); err != nil {
				t.Error(err)
			} else if want := "2e c8 57 01 00 " + mode + " 00 00"; w.sent[0] != want {
				t.Errorf("%s: sent %s; want %s", args, w.sent[0], want)
			}
		}
	}
}
