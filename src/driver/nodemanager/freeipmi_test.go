//go:build integration

package nodemanager

import (
	"bytes"
	"context"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"bosh-ironic-cpi/src/driver/ipmi"
)

// oem runs FreeIPMI's client of Node Manager on the machine. Lines of its answer come with single spaces.
func (m machine) oem(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ipmi-oem", append([]string{
		"--driver-type=LAN_2_0", "--cipher-suite-id=17", "--hostname=" + m.Address().String(), "--username=admin", "--password=secret",
		"--privilege-level=ADMIN", "--sdr-cache-directory=" + t.TempDir(), "--quiet-cache", "intelnm",
	}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ipmi-oem (Debian package freeipmi-tools) intelnm %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.Bytes())
	}
	return regexp.MustCompile(` +`).ReplaceAllString(string(out), " ")
}

// tells checks that FreeIPMI's answer has these lines.
func tells(t *testing.T, answer string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(answer, line) {
			t.Errorf("FreeIPMI says\n%s\nwant %s", answer, line)
		}
	}
}

// What FreeIPMI reads out of our Node Manager, so that other tests can trust it: it finds it by the same record.
func TestFreeIPMIReadsOurNodeManager(t *testing.T) {
	m := boot(t, true)
	tells(t, m.oem(t, "get-node-manager-version"),
		"Node Manager Version : 3.0", "IPMI Interface Version : 3.0", "Patch Version : 7", "Firmware Revision : 1.02")
	tells(t, m.oem(t, "get-node-manager-capabilities", "domainid=platform", "policytrigger=none", "policypowerdomain=secondary"),
		"Max Concurrent Settings : 16", "Max Power : 4096 W", "Min Power : 100 W", "Max Correction Time : 100000 ms", "Min Correction Time : 10 ms",
		"Max Statistics Reporting Period : 32768 s", "Min Statistics Reporting Period : 100 s", "Limiting Domain : Entire Platform", "Limiting Source : DC power")
	tells(t, m.oem(t, "get-node-manager-statistics", "mode=globalpower"),
		"Current Power : 202 Watts", "Minimum Power : 150 Watts", "Maximum Power : 240 Watts", "Average Power : 200 Watts")
	m.oem(t, "reset-node-manager-statistics")
	tells(t, m.oem(t, "get-node-manager-statistics", "mode=globalpower"), "Minimum Power : 202 Watts")
}

// What FreeIPMI sets, we read.
func TestFreeIPMISets(t *testing.T) {
	m := boot(t, true)
	n := m.node()
	read := func(method, id, want string) {
		t.Helper()
		got, err := call(t, ipmi.Driver{}, n, method, id)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, want)
	}
	const seven = `{"domain_id": "cpu", "policy_id": 7}`
	m.oem(t, "set-node-manager-policy", "domainid=cpu", "policyid=7", "policytrigger=inlettemperaturelimitpolicytrigger", "policytargetlimit=300",
		"correctiontimelimit=4000", "statisticsreportingperiod=500", "policystorage=volatile", "policytriggerlimit=40", "policystate=disable",
		"policyexceptionaction=shutdown", "aggressivepowercorrection=aggressive")
	m.oem(t, "node-manager-policy-control", "disable", "domainid=cpu")
	read("get_nm_policy", seven,
		`{"domain_id": "cpu", "enabled": false, "per_domain_enabled": false, "global_enabled": true, "created_by_nm": true, "policy_trigger": "temperature",
		  "power_policy": true, "cpu_power_correction": "aggressive", "storage": "volatile", "action": "shutdown", "power_domain": "primary",
		  "target_limit": 300, "correction_time": 4000, "trigger_limit": 40, "reporting_period": 500}`)
	m.oem(t, "set-node-manager-policy", "domainid=platform", "policyid=8", "policytrigger=missingpowerreadingtimeout", "policytargetlimit=90",
		"correctiontimelimit=4000", "statisticsreportingperiod=500", "policystorage=persistent", "policytriggerlimit=12",
		"policyexceptionaction=alert", "aggressivepowercorrection=notaggressive", "policypowerdomain=secondary")
	m.oem(t, "node-manager-policy-control", "disable")
	read("get_nm_policy", `{"domain_id": "platform", "policy_id": 8}`, // its 12 seconds are 120 tenths
		`{"domain_id": "platform", "enabled": true, "per_domain_enabled": true, "global_enabled": false, "created_by_nm": true, "policy_trigger": "power",
		  "power_policy": true, "cpu_power_correction": "unagressive", "storage": "persistent", "action": "alert", "power_domain": "secondary",
		  "target_limit": 90, "correction_time": 4000, "trigger_limit": 120, "reporting_period": 500}`)
	m.oem(t, "set-node-manager-policy-suspend-periods", "domainid=cpu", "policyid=7", "suspendperiodstart1=02:00", "suspendperiodstop1=04:00",
		"suspendperiodrepeat1=monday", "suspendperiodrepeat1=sunday")
	read("get_nm_policy_suspend", seven, `{"domain_id": "cpu", "policy_id": 7, "periods": [{"start": 20, "stop": 40, "days": ["monday", "sunday"]}]}`)
	m.oem(t, "remove-node-manager-policy", "domainid=cpu", "policyid=7")
	if _, err := call(t, ipmi.Driver{}, n, "get_nm_policy", seven); codeOf(err) != 0x80 {
		t.Errorf("the policy that FreeIPMI removed: %v; want code 80h", err)
	}
}

// What we set, FreeIPMI reads.
func TestFreeIPMIReadsWhatWeSet(t *testing.T) {
	m := boot(t, true) // it waits for ever for answers in the other form
	n := m.node()
	set := func(method, args string) {
		t.Helper()
		if _, err := call(t, ipmi.Driver{}, n, method, args); err != nil {
			t.Fatal(err)
		}
	}
	set("set_nm_policy", `{"domain_id": "memory", "enable": false, "policy_id": 1, "policy_trigger": "none", "action": "shutdown", "power_domain": "primary",
		"target_limit": 200, "reporting_period": 20000, "storage": "volatile", "cpu_power_correction": "unagressive"}`)
	set("control_nm_policy", `{"scope": "domain", "enable": false, "domain_id": "memory"}`)
	tells(t, m.oem(t, "get-node-manager-policy", "domainid=memory", "policyid=1"),
		"Policy : disabled", "Per Domain Node Manager Policy Control : disabled", "Global Node Manager Policy Control : enabled", "Policy Created/Managed by Other Client : No",
		"Policy Trigger Type : No Policy Trigger", "Policy Type : Power Control Policy", "Policy Storage Option: : Volatile Storage",
		"Send Alert Action : disabled", "Shutdown System Action : enabled", "Policy Target Limit : 200 W", "Correction Time Limit : 10000 ms", "Reporting Period : 20000 s")
	set("set_nm_policy", `{"domain_id": "platform", "enable": true, "policy_id": 2, "policy_trigger": "reset", "action": "alert", "power_domain": "secondary",
		"target_limit": 190, "correction_time": 2000, "trigger_limit": 300, "reporting_period": 600}`)
	tells(t, m.oem(t, "get-node-manager-policy", "domainid=platform", "policyid=2"),
		"Policy : enabled", "Policy Trigger Type : Time After Platform Reset Trigger", "Policy Power Domain : Secondary", "Send Alert Action : enabled",
		"Shutdown System Action : disabled", "Policy Trigger Limit : 30.0 s", "Correction Time Limit : 2000 ms")
	set("set_nm_policy", `{"domain_id": "platform", "enable": true, "policy_id": 3, "policy_trigger": "boot", "action": "alert", "power_domain": "primary",
		"target_limit": {"boot_mode": "performance", "cores_disabled": 5}, "reporting_period": 600}`)
	tells(t, m.oem(t, "get-node-manager-policy", "domainid=platform", "policyid=3"), "Policy Trigger Type : Boot Time Policy", "Correction Time Limit : 0 ms")
	set("set_nm_policy_suspend", `{"domain_id": "platform", "policy_id": 2, "periods": [{"start": 20, "stop": 40, "days": ["tuesday", "saturday"]}]}`)
	tells(t, m.oem(t, "get-node-manager-policy-suspend-periods", "domainid=platform", "policyid=2"),
		"Number of Policy Suspend Periods : 1", "Start Time : 02:00", "Stop Time : 04:00", "Repeat on Monday : No", "Repeat on Tuesday : Yes", "Repeat on Saturday : Yes")
	set("remove_nm_policy_suspend", `{"domain_id": "platform", "policy_id": 2}`)
	tells(t, m.oem(t, "get-node-manager-policy-suspend-periods", "domainid=platform", "policyid=2"), "Number of Policy Suspend Periods : 0")
}
