//go:build integration

package nodemanager

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/ipmi"
	"bosh-ironic-cpi/src/wait"
)

// simulate runs OpenIPMI's ipmi_sim, with a second controller at 2Ch that has Node Manager, which is a module in C.
func simulate(t *testing.T) *driver.Node {
	t.Helper()
	dir := t.TempDir()
	module := filepath.Join(dir, "nodemanager.so")
	build := exec.CommandContext(t.Context(), "gcc", "-shared", "-fPIC", "-o", module, "testdata/ipmi_sim/nodemanager.c")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("gcc with the headers of Debian package libopenipmi-dev: %v\n%s", err, out)
	}
	port := freePort(t)
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	lan := write("lan.conf", fmt.Sprintf(`name "nm"
loadlib "%s" "no options, but without a string it does not load"
startlan 1
  addr 127.0.0.1 %d
  priv_limit admin
  allowed_auths_callback none md2 md5 straight
  allowed_auths_user none md2 md5 straight
  allowed_auths_operator none md2 md5 straight
  allowed_auths_admin none md2 md5 straight
  guid a123456789abcdefa123456789abcdef
endlan
user 2 true "admin" "secret" admin 10
`, module, port))
	emulation := write("nm.emu", `mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
mc_enable 0x20
mc_add 0x2c 0 no-device-sdrs 0x23 9 8 0x9f 0x157 0xf02
mc_enable 0x2c
main_sdr_add 0x20 0x00 0x00 0x51 0xc0 0x0b 0x57 0x01 0x00 0x0d 0x01 0x2c 0x00 0x17 0x18 0x19 0x1a
`)
	ctx, cancel := context.WithCancel(t.Context())
	var log bytes.Buffer
	sim := exec.CommandContext(ctx, "ipmi_sim", "-n", "-c", lan, "-f", emulation, "-s", dir)
	sim.Stdout, sim.Stderr, sim.WaitDelay = &log, &log, time.Second
	if err := sim.Start(); err != nil {
		t.Fatalf("ipmi_sim, Debian package openipmi: %v", err)
	}
	t.Cleanup(func() {
		cancel()
		err := sim.Wait()
		if t.Failed() {
			t.Logf("ipmi_sim: %v: %s", err, log.Bytes())
		}
	})
	n := &driver.Node{Name: "simulated", Info: map[string]any{
		"ipmi_address": "127.0.0.1", "ipmi_port": port, "ipmi_username": "admin", "ipmi_password": "secret", "ipmi_cipher_suite": "3",
	}}
	pace := wait.Pace{First: 10 * time.Millisecond, Every: 50 * time.Millisecond, Limit: 20 * time.Second}
	err := wait.Until(t.Context(), pace, "ipmi_sim to answer", func(ctx context.Context) (bool, string, error) {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err := ipmi.Driver{}.PowerState(ctx, n)
		return err == nil, fmt.Sprint(err), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func freePort(t *testing.T) int {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).Port
}

// Found by the record, probed, and used through somebody else's bridge, to a controller of its own.
func TestIPMISim(t *testing.T) {
	n := simulate(t)
	for _, test := range []struct{ method, args, want string }{
		{"get_nm_version", `{}`, `{"nm": "3.0", "ipmi": "3.0", "patch": "7", "firmware": "1.2"}`},
		{"set_nm_policy", samples["set_nm_policy"], `null`},
		{"control_nm_policy", samples["control_nm_policy"], `null`},
		{
			"get_nm_policy", `{"domain_id": "platform", "policy_id": 10}`,
			`{"domain_id": "platform", "enabled": false, "per_domain_enabled": true, "global_enabled": true, "created_by_nm": true, "policy_trigger": "none",
			  "power_policy": true, "cpu_power_correction": "auto", "storage": "persistent", "action": "alert", "power_domain": "primary",
			  "target_limit": 200, "correction_time": 10000, "trigger_limit": 0, "reporting_period": 20000}`,
		},
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
	if _, err := call(t, ipmi.Driver{}, n, "get_nm_policy", `{"domain_id": "platform", "policy_id": 10}`); codeOf(err) != 0x80 {
		t.Errorf("the policy that was removed: %v; want code 80h", err)
	}
	if _, err := call(t, ipmi.Driver{}, n, "get_nm_capabilities", samples["get_nm_capabilities"]); !errors.Is(err, driver.ErrUnsupported) {
		t.Errorf("what the module does not have: %v; want %v", err, driver.ErrUnsupported)
	}
	n.Remember("intel_nm_address", "0x2e")
	n.Remember("intel_nm_channel", "0x00")
	if _, err := call(t, ipmi.Driver{}, n, "get_nm_version", `{}`); err == nil || !strings.Contains(err.Error(), "no controller at the bridged address") {
		t.Errorf("an address where nobody is: %v", err)
	}
}
