package nodemanager

import (
	"errors"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/vendorargs"
)

// samples are arguments for every method: those of the first driver's documentation, word for word.
var samples = map[string]string{
	"get_nm_version":      `{}`,
	"get_nm_capabilities": `{"domain_id": "platform", "policy_trigger": "none", "power_domain": "primary"}`,
	"control_nm_policy":   `{"scope": "policy", "enable": false, "policy_id": 10}`,
	"set_nm_policy": `{"domain_id": "platform", "enable": true, "policy_id": 10, "policy_trigger": "none", "action": "alert",
		"power_domain": "primary", "target_limit": 200, "reporting_period": 20000}`,
	"get_nm_policy":            `{"domain_id": "platform", "policy_id": 11}`,
	"remove_nm_policy":         `{"domain_id": "platform", "policy_id": 11}`,
	"set_nm_policy_suspend":    `{"domain_id": "platform", "policy_id": 10, "periods": [{"start": 10, "stop": 60, "days": ["monday", "tuesday"]}]}`,
	"get_nm_policy_suspend":    `{"domain_id": "platform", "policy_id": 13}`,
	"remove_nm_policy_suspend": `{"domain_id": "platform", "policy_id": 13}`,
	"get_nm_statistics":        `{"scope": "global", "domain_id": "platform", "parameter_name": "power"}`,
	"reset_nm_statistics":      `{"scope": "global", "domain_id": "platform"}`,
}

func TestSamples(t *testing.T) {
	for _, m := range New(&wire{}).VendorMethods() {
		t.Run("N47 "+m.Name, func(t *testing.T) {
			if err := vendorargs.Check(m, arguments(t, samples[m.Name])); err != nil {
				t.Error(err)
			}
		})
		t.Run("N48 "+m.Name+" with a key too many", func(t *testing.T) {
			args := arguments(t, samples[m.Name])
			args["gramophone"] = "on"
			err := vendorargs.Check(m, args)
			if m.Name == "get_nm_version" { // looks at no arguments
				if err != nil {
					t.Error(err)
				}
			} else if err == nil || !strings.Contains(err.Error(), "Input data validation error") || !strings.Contains(err.Error(), "gramophone") {
				t.Errorf("%v; want an error that names it", err)
			}
		})
	}
}

const policyBase = `"domain_id": "platform", "enable": true, "policy_id": 123, "action": "alert", "power_domain": "primary", "reporting_period": 600`

func TestArguments(t *testing.T) {
	const fine, missing, wrong = "", "not passed", "Input data validation error"
	for _, test := range []struct{ name, method, args, argument, want string }{
		{"N49 scope domain without a domain", "control_nm_policy", `{"scope": "domain", "enable": true}`, "domain_id", missing},
		{"N50 scope policy without a policy", "control_nm_policy", `{"scope": "policy", "enable": true, "domain_id": "platform"}`, "policy_id", missing},
		{"N51 boot", "set_nm_policy", `{` + policyBase + `, "policy_trigger": "boot", "target_limit": {"boot_mode": "power", "cores_disabled": 2}}`, "", fine},
		{"N52 boot with a number", "set_nm_policy", `{` + policyBase + `, "policy_trigger": "boot", "target_limit": 200}`, "target_limit", wrong},
		{"N52 an object without boot", "set_nm_policy", `{` + policyBase + `, "policy_trigger": "none", "target_limit": {"boot_mode": "power", "cores_disabled": 2}}`, "target_limit", wrong},
		{
			"N53 without correction_time: repaired, there is a default, since the documentation's own example has none", "set_nm_policy",
			`{` + policyBase + `, "policy_trigger": "none", "target_limit": 200}`, "", fine,
		},
		{"N53 without the trigger's limit", "set_nm_policy", `{` + policyBase + `, "policy_trigger": "temperature", "target_limit": 200}`, "trigger_limit", missing},
		{"N53 without that of power", "set_nm_policy", `{` + policyBase + `, "policy_trigger": "power", "target_limit": 200}`, "trigger_limit", missing},
		{"N53 without that of reset", "set_nm_policy", `{` + policyBase + `, "policy_trigger": "reset", "target_limit": 200}`, "trigger_limit", missing},
		{"N53 with the longest time", "set_nm_policy", `{` + policyBase + `, "policy_trigger": "none", "target_limit": 200, "correction_time": 4294967295}`, "", fine},
		{"N53 with a longer time", "set_nm_policy", `{` + policyBase + `, "policy_trigger": "none", "target_limit": 200, "correction_time": 4294967296}`, "correction_time", wrong},
		{"N54 statistics of a policy without it", "get_nm_statistics", `{"scope": "policy", "domain_id": "platform", "parameter_name": "power"}`, "policy_id", missing},
		{"N54 the same to reset", "reset_nm_statistics", `{"scope": "policy", "domain_id": "platform"}`, "policy_id", missing},
		{"N55 power without a domain", "get_nm_statistics", `{"scope": "global", "parameter_name": "power"}`, "domain_id", missing},
		{"N55 the same to reset", "reset_nm_statistics", `{"scope": "global"}`, "domain_id", missing},
		{"N56 power cannot be reset", "reset_nm_statistics", `{"scope": "global", "domain_id": "platform", "parameter_name": "power"}`, "parameter_name", wrong},
		{"N57 statistics of nothing", "get_nm_statistics", `{"scope": "global", "domain_id": "platform"}`, "parameter_name", missing},
		{"N58 response_time of a policy", "get_nm_statistics", `{"scope": "policy", "domain_id": "platform", "policy_id": 111, "parameter_name": "response_time"}`, "parameter_name", wrong},
		{"N58 trigger of a domain", "get_nm_statistics", `{"scope": "global", "domain_id": "platform", "parameter_name": "trigger"}`, "parameter_name", wrong},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := vendorargs.Check(methodNamed(t, test.method), arguments(t, test.args))
			if test.want == fine {
				if err != nil {
					t.Error(err)
				}
				return
			}
			e, ok := errors.AsType[*driver.ArgumentError](err)
			if !ok || e.Name != test.argument || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.method) {
				t.Errorf("%v; want %q of %s", err, test.want, test.argument)
			}
		})
	}
}

// Examples of the first driver's documentation leave out what its code asked for; here is what they stand for.
func TestDefaults(t *testing.T) {
	for _, test := range []struct{ method, want string }{
		{"control_nm_policy", "2e c0 57 01 00 04 00 0a"},                                 // domain_id platform
		{"set_nm_policy", "2e c1 57 01 00 10 0a 10 01 c8 00 10 27 00 00 00 00 20 4e"},    // correction_time 10000
		{"set_nm_policy_suspend", "2e c5 57 01 00 00 0a 01 0a 3c 03"},                    // as it stands
		{"reset_nm_statistics", "2e c7 57 01 00 00 00 00"},                               // the same by PUT and DELETE
		{"get_nm_statistics", "2e c8 57 01 00 01 00 00"},                                 //
		{"remove_nm_policy", "2e c1 57 01 00 00 0b 00 00 00 00 00 00 00 00 00 00 00 00"}, //
	} {
		w := &wire{answer: says("00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00")}
		if _, err := call(t, w, knows(), test.method, samples[test.method]); err != nil {
			t.Error(err)
		} else if w.sent[0] != test.want {
			t.Errorf("%s: sent %s; want %s", test.method, w.sent[0], test.want)
		}
	}
}

// The schemas are of draft 4: 1.0 is no integer.
func TestIntegers(t *testing.T) {
	for _, number := range []string{"1.0", "1e1", "1.5", "true", `"1"`, "-1", "256", "1e99999999", "null", "[1]", "99999999999999999999"} {
		err := vendorargs.Check(methodNamed(t, "get_nm_policy"), arguments(t, `{"domain_id": "platform", "policy_id": `+number+`}`))
		if err == nil || !strings.Contains(err.Error(), "policy_id") || !strings.HasPrefix(err.Error(), "Input data validation error") {
			t.Errorf("policy_id %s: %v; want an error that names it", number, err)
		}
	}
	for _, test := range []struct{ name, with string }{
		{"target_limit", `"target_limit": 200.0`},
		{"target_limit", `"target_limit": 65536`},
		{"target_limit", `"target_limit": "200"`},
		{"cores_disabled", `"target_limit": {"boot_mode": "power", "cores_disabled": 2.0}`},
		{"cores_disabled", `"target_limit": {"boot_mode": "power", "cores_disabled": 128}`},
		{"cores_disabled", `"target_limit": {"boot_mode": "power"}`},
		{"correction_time", `"target_limit": 200, "correction_time": 1.0`},
		{"correction_time", `"target_limit": 200, "correction_time": -1}`},
	} {
		args := `{` + policyBase + `, "policy_trigger": "boot", ` + strings.TrimSuffix(test.with, "}") + strings.Repeat("}", 1+strings.Count(test.with, "{"))
		err := vendorargs.Check(methodNamed(t, "set_nm_policy"), arguments(t, args))
		if err == nil || !strings.Contains(err.Error(), test.name) {
			t.Errorf("%s: %v; want an error that names %s", test.with, err, test.name)
		}
	}
	suspend := `{"domain_id": "io", "policy_id": 1, "periods": `
	for _, periods := range []string{
		`[]`, `[{"start": 1, "stop": 2, "days": []}]`, `[{"start": 1, "stop": 241, "days": ["monday"]}]`, `[{"start": 1.0, "stop": 2, "days": ["monday"]}]`,
		`[{"start": 1, "stop": 2, "days": ["monday", "monday"]}]`, `[{"start": 1, "stop": 2, "days": ["Monday"]}]`, `[{"start": 1, "days": ["monday"]}]`,
		`[` + strings.TrimSuffix(strings.Repeat(`{"start": 1, "stop": 2, "days": ["monday"]},`, 6), ",") + `]`,
	} {
		if err := vendorargs.Check(methodNamed(t, "set_nm_policy_suspend"), arguments(t, suspend+periods+`}`)); err == nil || !strings.Contains(err.Error(), "periods") {
			t.Errorf("periods %s: %v; want an error that names them", periods, err)
		}
	}
}
