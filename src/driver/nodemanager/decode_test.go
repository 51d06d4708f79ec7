package nodemanager

import (
	"errors"
	"testing"
)

const (
	onePolicy  = `{"domain_id": "platform", "policy_id": 123}`
	somePower  = `{"domain_id": "platform", "policy_trigger": "none", "power_domain": "primary"}`
	somethings = `{"scope": "global", "domain_id": "platform", "parameter_name": "power"}`
)

// What is made of answers. Bytes as in TestEncode; those that the first driver's tests begin with 00 00 00 begin with
// Intel's number here, which is checked.
func TestDecode(t *testing.T) {
	for _, test := range []struct{ name, method, args, answer, want string }{
		{
			"N12 policy", "get_nm_policy", onePolicy, "70 00 00 02 ff 00 01 02 00 01 20 40 01",
			`{"domain_id": "platform", "enabled": true, "per_domain_enabled": true, "global_enabled": true, "created_by_nm": true, "policy_trigger": "none",
			  "power_policy": false, "cpu_power_correction": "auto", "storage": "persistent", "action": "alert", "power_domain": "primary",
			  "target_limit": 65282, "correction_time": 131328, "trigger_limit": 8193, "reporting_period": 320}`,
		},
		{
			"N12 policy: repaired, bit 0 is alert", "get_nm_policy", onePolicy, "91 d4 81 05 00 00 00 00 00 00 00 58 02",
			`{"domain_id": "cpu", "enabled": true, "per_domain_enabled": false, "global_enabled": false, "created_by_nm": false, "policy_trigger": "boot",
			  "power_policy": true, "cpu_power_correction": "aggressive", "storage": "volatile", "action": "alert", "power_domain": "secondary",
			  "target_limit": 5, "correction_time": 0, "trigger_limit": 0, "reporting_period": 600}`,
		},
		{
			"N12 policy: repaired, bit 1 is shutdown", "get_nm_policy", onePolicy, "04 30 02 c8 00 10 27 00 00 00 00 20 4e",
			`{"domain_id": "io", "enabled": false, "per_domain_enabled": false, "global_enabled": false, "created_by_nm": true, "policy_trigger": "none",
			  "power_policy": true, "cpu_power_correction": "unagressive", "storage": "persistent", "action": "shutdown", "power_domain": "primary",
			  "target_limit": 200, "correction_time": 10000, "trigger_limit": 0, "reporting_period": 20000}`,
		},
		{
			"N16 suspend, an object as documented", "get_nm_policy_suspend", onePolicy, "02 08 18 03 20 50 18",
			`{"domain_id": "platform", "policy_id": 123,
			  "periods": [{"start": 8, "stop": 24, "days": ["monday", "tuesday"]}, {"start": 32, "stop": 80, "days": ["thursday", "friday"]}]}`,
		},
		{"N16 no suspend", "get_nm_policy_suspend", onePolicy, "00", `{"domain_id": "platform", "policy_id": 123, "periods": []}`},
		{
			"N19 capabilities", "get_nm_capabilities", somePower, "10 00 10 00 00 00 00 00 00 00 00 80 00 00 00 00 80 00",
			`{"domain_id": "platform", "power_domain": "primary", "max_policies": 16, "max_limit_value": 4096, "min_limit_value": 0,
			  "min_correction_time": 0, "max_correction_time": 8388608, "min_reporting_period": 0, "max_reporting_period": 32768}`,
		},
		{
			"N19 of io, secondary", "get_nm_capabilities", somePower, "10 00 10 64 00 0a 00 00 00 a0 86 01 00 64 00 00 80 84",
			`{"domain_id": "io", "power_domain": "secondary", "max_policies": 16, "max_limit_value": 4096, "min_limit_value": 100,
			  "min_correction_time": 10, "max_correction_time": 100000, "min_reporting_period": 100, "max_reporting_period": 32768}`,
		},
		{"N23 version", "get_nm_version", `{}`, "05 03 07 01 02", `{"nm": "3.0", "ipmi": "3.0", "patch": "7", "firmware": "1.2"}`},
		{"N23 older", "get_nm_version", `{}`, "04 02 00 03 11", `{"nm": "2.5", "ipmi": "2.0", "patch": "0", "firmware": "3.17"}`},
		{"N23 of the future", "get_nm_version", `{}`, "40 00 00 00 00", `{"nm": "unknown", "ipmi": "unknown", "patch": "0", "firmware": "0.0"}`},
		{
			"N32 statistics", "get_nm_statistics", somethings, "ca 00 96 00 f0 00 c8 00 10 5e b2 56 4d 08 00 00 f0",
			`{"domain_id": "platform", "current_value": 202, "minimum_value": 150, "maximum_value": 240, "average_value": 200, "timestamp": "2016-02-03T20:07:44",
			  "reporting_period": 2125, "administrative_enabled": true, "operational_state": true, "measurement_state": true, "activation_state": true}`,
		},
		{
			"N32 of protection", "get_nm_statistics", somethings, "01 00 02 00 03 00 04 00 00 01 20 40 05 00 00 00 23",
			`{"domain_id": "protection", "current_value": 1, "minimum_value": 2, "maximum_value": 3, "average_value": 4, "timestamp": "2004-02-03T20:13:52",
			  "reporting_period": 5, "administrative_enabled": false, "operational_state": true, "measurement_state": false, "activation_state": false}`,
		},
		{
			"N33 no time", "get_nm_statistics", somethings, "00 00 00 00 00 00 00 00 ff ff ff ff 00 00 00 00 00",
			`{"domain_id": "platform", "current_value": 0, "minimum_value": 0, "maximum_value": 0, "average_value": 0, "timestamp": "1970-01-01T00:00:00",
			  "reporting_period": 0, "administrative_enabled": false, "operational_state": false, "measurement_state": false, "activation_state": false}`,
		},
		{
			"N33 time since the start of the BMC", "get_nm_statistics", somethings, "00 00 00 00 00 00 00 00 00 00 00 20 00 00 00 00 00",
			`{"domain_id": "platform", "current_value": 0, "minimum_value": 0, "maximum_value": 0, "average_value": 0, "timestamp": "1970-01-01T00:00:00",
			  "reporting_period": 0, "administrative_enabled": false, "operational_state": false, "measurement_state": false, "activation_state": false}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := call(t, &wire{answer: says(test.answer)}, knows(), test.method, test.args)
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, test.want)
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, test := range []struct {
		name, method, args, answer string
		want                       error
	}{
		{"N13 short policy", "get_nm_policy", onePolicy, "70 00 00 02 ff 00 01 02 00 01 20 40", errLength},
		{"N13 long policy", "get_nm_policy", onePolicy, "70 00 00 02 ff 00 01 02 00 01 20 40 01 00", errLength},
		{"N14 policy's domain corrupt", "get_nm_policy", onePolicy, "77 00 00 02 ff 00 01 02 00 01 20 40 01", errCorrupt},
		{"N14 policy's trigger corrupt", "get_nm_policy", onePolicy, "70 0f 00 02 ff 00 01 02 00 01 20 40 01", errCorrupt},
		{"N14 policy's correction corrupt", "get_nm_policy", onePolicy, "70 60 00 02 ff 00 01 02 00 01 20 40 01", errCorrupt},
		{"N17 short suspend", "get_nm_policy_suspend", onePolicy, "02 08 18 03 20 50", errLength},
		{"N17 empty suspend", "get_nm_policy_suspend", onePolicy, "", errLength},
		{"N20 short capabilities", "get_nm_capabilities", somePower, "10 00 10 00 00 00 00 00 00 00 00 80 00 00 00 00 80", errLength},
		{"N21 capabilities corrupt", "get_nm_capabilities", somePower, "10 00 10 00 00 00 00 00 00 00 00 80 00 00 00 00 80 0f", errCorrupt},
		{"N24 short version", "get_nm_version", `{}`, "05 03 07 01", errLength},
		{"N32 short statistics", "get_nm_statistics", somethings, "ca 00 96 00 f0 00 c8 00 10 5e b2 56 4d 08 00 00", errLength},
		{"N32 statistics corrupt", "get_nm_statistics", somethings, "ca 00 96 00 f0 00 c8 00 10 5e b2 56 4d 08 00 00 f7", errCorrupt},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := call(t, &wire{answer: says(test.answer)}, knows(), test.method, test.args)
			if !errors.Is(err, test.want) {
				t.Errorf("answers %s, %v; want %v", got, err, test.want)
			}
		})
	}
}

// The first driver read hexadecimal text. Bytes cannot be wrong in that way; what can be wrong instead is that they are
// the answer to something else, as a bridge sometimes gives.
func TestDecodeForeign(t *testing.T) {
	for _, test := range []struct{ name, method, args string }{
		{"N15 policy", "get_nm_policy", onePolicy},
		{"N18 suspend", "get_nm_policy_suspend", onePolicy},
		{"N22 capabilities", "get_nm_capabilities", somePower},
		{"N25 version", "get_nm_version", `{}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, foreign := range []string{"", "57 01", "a2 02 00 05 03 07 01 02 00 00 00 00 00 00 00 00 00 00 00 00 00"} {
				w := &wire{answer: func(byte, []byte) ([]byte, error) { return unhex(foreign), nil }}
				if got, err := call(t, w, knows(), test.method, test.args); err == nil {
					t.Errorf("%s: answers %s; want an error", foreign, got)
				}
			}
		})
	}
}
