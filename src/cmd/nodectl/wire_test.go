package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bosh-ironic-cpi/src/bmc/dxp"
	"bosh-ironic-cpi/src/bmc/ipmi"
	"bosh-ironic-cpi/src/bmc/nodemanager"
	"bosh-ironic-cpi/src/bmc/redfish"
)

// Every command, on a BMC that speaks IPMI.
func TestByIPMI(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	w := wireIPMI(t, ipmi.Config{Console: echo})
	defer w.Close()
	w.do(t, "validate", exitDone).shows(t, "power", "ipmitool")
	w.do(t, "power status", exitDone).shows(t, "ipmi 127.0.0.1", "power off")
	w.do(t, "power on", exitDone).shows(t, "power on")
	w.do(t, "power status -o json", exitDone).shows(t, `"power_state": "power on"`)
	w.do(t, "power reset", exitDone).shows(t, "power on")
	w.do(t, "power soft-off", exitDone).shows(t, "power off")
	w.do(t, "boot-device get -o json", exitDone).shows(t, `"boot_device": ""`)
	w.do(t, "boot-device set pxe", exitDone)
	w.do(t, "boot-device get", exitDone).shows(t, "pxe", "no")
	w.do(t, "power cycle", exitDone).shows(t, "power on")
	done, boots := w.machine.Done()
	if want := []ipmi.Action{ipmi.On, ipmi.Reset, ipmi.SoftOff, ipmi.On}; !slices.Equal(done, want) || boots[2].Device != "pxe" {
		t.Errorf("the machine did %v and booted from %+v; want %v, the last from pxe", done, boots, want)
	}
	w.do(t, "boot-device set disk --persistent", exitDone)
	w.do(t, "boot-device get", exitDone).shows(t, "disk", "yes")
	w.do(t, "vendor", exitDone).shows(t, "send_raw", "bmc_reset")
	w.do(t, `vendor send_raw --http post --args {"raw_bytes":"6\u00201"}`, exitDone).shows(t, `"0x20`)
	w.do(t, `vendor bmc_reset --args {"warm":false}`, exitDone)
	if cold, _ := w.Resets(); cold != 1 {
		t.Errorf("%d cold resets; want 1", cold)
	}
	r := tell(t, "uname\r~.", append([]string{"console"}, w.flags...)...).want(t, exitDone, "~. at the beginning", "is closed")
	w.secretFree(t, r)
	for _, line := range []string{"media list", "media insert http://10.0.0.1/x.iso", "media eject"} {
		w.do(t, line, exitUnable, "has no virtual media", "hint: nodectl driver show")
	}
	w.do(t, "inspect", exitUnable, "has no inspection")
	w.do(t, "boot-device set gramophone", exitUnable, "gramophone")
}

// echo is a serial port that says what it is told.
func echo(context.Context) (io.ReadWriteCloser, error) {
	r, w := io.Pipe()
	return struct {
		io.Reader
		io.WriteCloser
	}{r, w}, nil
}

// Every command, on a BMC that speaks Redfish.
func TestByRedfish(t *testing.T) {
	w := wireRedfish(t)
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	defer w.server.Close()
	w.do(t, "validate", exitDone).shows(t, "power", "redfish")
	w.do(t, "power status", exitDone).shows(t, "redfish "+w.server.URL, "power off")
	w.do(t, "boot-device set pxe", exitDone)
	w.do(t, "boot-device get", exitDone).shows(t, "pxe", "no")
	w.do(t, "power on", exitDone).shows(t, "power on")
	if starts := w.machine.Starts(); len(starts) != 1 || starts[0].Device != "pxe" {
		t.Errorf("the machine started from %v; want pxe", starts)
	}
	w.do(t, "power soft-reset", exitDone).shows(t, "power on")
	w.do(t, "power cycle", exitDone).shows(t, "power on")
	w.do(t, "power off", exitDone).shows(t, "power off")
	w.do(t, "boot-device set disk --persistent", exitDone)
	w.do(t, "boot-device get -o json", exitDone).shows(t, `"boot_device": "disk"`, `"persistent": true`)
	w.do(t, "media insert http://10.0.0.1/x.iso?signature="+bmcPassword, exitDone)
	if got := w.machine.Media("cdrom"); !strings.HasPrefix(got, "http://10.0.0.1/x.iso") {
		t.Errorf("in the drive is %q", got)
	}
	w.do(t, "media eject", exitDone)
	w.do(t, "media eject", exitDone)
	if got := w.machine.Media("cdrom"); got != "" {
		t.Errorf("still in the drive: %q", got)
	}
	w.do(t, "media list", exitDone).shows(t, "cdrom", "floppy")
	w.do(t, "inspect", exitDone).shows(t, "52:54:00:00:00:01", "65536 MiB")
	w.do(t, "vendor", exitDone).shows(t, "eject_vmedia")
	w.do(t, `vendor eject_vmedia --args {"boot_device":"cd"}`, exitDone)
	w.do(t, `vendor eject_vmedia --args {"boot_device":"gramophone"}`, exitWrong, "boot_device", "hint: nodectl vendor -o json")
	w.do(t, "console", exitUnable, "hardware of type redfish has no serial console", "hint: nodectl driver show --own")
}

// Node Manager's methods: numbers reach their schemas as they are written.
func TestNodeManagerByHand(t *testing.T) {
	manager := nodemanager.New()
	w := wireIPMI(t, ipmi.Config{
		Records: [][]byte{nodemanager.DiscoveryRecord(0, 0x2c)},
		Controllers: map[ipmi.Place]ipmi.Handler{{Channel: 0, Address: 0x2c}: func(c ipmi.Command, data []byte) (byte, []byte) {
			return manager.Handle(c.NetFn, c.Cmd, data)
		}},
	})
	w.flags[1] = "nm"
	w.do(t, "vendor -o name", exitDone).shows(t, "get_nm_version\n", "reset_nm_statistics\n")
	w.do(t, "vendor get_nm_version", exitDone).shows(t, `"nm": "3.0"`)
	w.do(t, "vendor get_nm_version -o yaml", exitDone).shows(t, `nm: "3.0"`)
	policy := `{"domain_id":"platform","enable":true,"policy_id":111,"policy_trigger":"none","action":"alert",` +
		`"power_domain":"primary","target_limit":200,"reporting_period":600}`
	w.do(t, "vendor set_nm_policy --args "+policy, exitDone)
	w.do(t, `vendor get_nm_policy --args {"domain_id":"platform","policy_id":111}`, exitDone).shows(t, `"target_limit": 200`)
	w.do(t, `vendor get_nm_policy --args {"domain_id":"platform","policy_id":111.0}`, exitWrong, "policy_id", "integer")
	for _, verb := range []string{"PUT", "DELETE"} {
		w.do(t, "vendor reset_nm_statistics --http "+verb+` --args {"scope":"global","domain_id":"platform"}`, exitDone)
	}
	w.do(t, `vendor reset_nm_statistics --http GET --args {"scope":"global"}`, exitWrong, "is called by PUT, DELETE")
	w.do(t, `vendor get_nm_policy --args {"domain_id":"platform","policy_id":111}{}`, exitWrong, "want a JSON object")
}

// What is wrong is an exit status, and a text with the address and what to check.
func TestFaultsByHand(t *testing.T) {
	everything := []string{"power status", "power on", "boot-device get", "boot-device set pxe"}
	t.Run("IPMI", func(t *testing.T) {
		w := wireIPMI(t, ipmi.Config{})
		w.Break(ipmi.Fault{Refuse: true})
		for _, line := range everything {
			w.do(t, line, exitRefused, "ipmi 127.0.0.1", w.Address().String(), "hint: check user name and password")
		}
		w.Break(ipmi.Fault{Silent: true})
		for _, line := range append(everything, "console", "vendor bmc_reset") {
			quickly(t, func() {
				w.do(t, line+" --timeout 150ms", exitSilent, w.Address().String(), "within 150ms", "hint: check the address")
			})
		}
		w.Break(ipmi.Fault{Stuck: true})
		w.do(t, "power on --limit 150ms", exitFailed, "Failed to change power state to 'power on': it is power off")
		w.do(t, "power status --set ipmi_port=x", exitWrong, "ipmi_port", "hint: give it by --set")
		w.flags = w.flags[:2]
		w.do(t, "power status", exitWrong, "ipmi_address", "hint: give it by --set")
	})
	t.Run("Redfish", func(t *testing.T) {
		w := wireRedfish(t)
		w.Break(redfish.Faults{Silent: true})
		for _, line := range append(everything, "media eject", "inspect") {
			quickly(t, func() {
				w.do(t, line+" --timeout 150ms", exitSilent, w.server.URL, "within 150ms", "hint: check the address")
			})
		}
		w.Break(redfish.Faults{Stuck: true})
		w.do(t, "power on --limit 150ms", exitFailed, "Failed to change power state to 'power on': it is power off")
		w.Break(redfish.Faults{})
		t.Setenv("BMC_PASSWORD", bmcPassword+"!")
		for _, line := range append(everything, "media eject", "inspect") {
			w.do(t, line, exitRefused, w.server.URL, "redfish_username", "hint: check user name and password")
		}
		w.do(t, "power status --debug --set redfish_verify_ca=true", exitRefused, "redfish_verify_ca", "hint: compare the certificate")
		w.server.Close()
		w.do(t, "power status", exitSilent, w.server.URL, "hint: check the address")
	})
}

// quickly wants a command that waits for nobody to end.
func quickly(t *testing.T, do func()) {
	t.Helper()
	began := time.Now()
	do()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}

// Servers of several kinds are in one file, and one that is silent keeps nobody.
func TestInventoryByWire(t *testing.T) {
	r := wireRedfish(t)
	w := wireIPMI(t, ipmi.Config{})
	list := nodesFileOf(t, w.entry, r.entry)
	w.flags = []string{"--inventory", list}
	w.do(t, "power on s000 s001", exitDone).shows(t, "s000  power on", "s001  power on")
	w.do(t, "power status --all -o json", exitDone).shows(t, `"node": "s001"`)
	w.Break(ipmi.Fault{Silent: true})
	w.do(t, "power status --all --timeout 150ms", exitSome, "1 of 2").shows(t, "s001  power on", "hardware does not answer within 150ms")
	w.do(t, "inspect s001", exitDone).shows(t, "52:54:00:00:00:02")
}

// What a driver warns of is said, though the command goes well.
func TestWarningsByHand(t *testing.T) {
	w := newWired(t)
	pdu, err := dxp.Start(dxp.Config{User: "admin", Password: bmcPassword})
	if err != nil {
		t.Fatal(err)
	}
	defer pdu.Close()
	w.flags = []string{
		"--driver", "iboot", "--set", "iboot_address=127.0.0.1", "--set", fmt.Sprintf("iboot_port=%d", pdu.Addr().Port), "--set", "iboot_username=admin",
		"--set", "iboot_password=@" + file(t, "iboot.password", bmcPassword), "--set", "iboot_retry_interval=0",
	}
	if r := w.do(t, "power status", exitDone); r.err != "" {
		t.Errorf("stderr has %q; want nothing", r.err)
	}
	pdu.Break(dxp.Faults{Reset: true, Lasts: 1})
	w.do(t, "power status", exitDone, "level=WARN", `node="iboot 127.0.0.1"`, "trying again")
}

// Secrets that stand elsewhere go to the service as they are.
func TestNodeCreateFetchesSecrets(t *testing.T) {
	service := newFake(t)
	t.Setenv("BMC_USER", "root")
	list := nodesFileOf(t, fmt.Sprintf("driver: ipmi, driver_info: {ipmi_username: {env: BMC_USER}, ipmi_password: {file: %s}}", file(t, "p", bmcPassword+"\n")))
	tell(t, "", "node", "create", "-f", list).want(t, exitDone)
	info, _ := service.node("s000")["driver_info"].(map[string]any)
	if info["ipmi_username"] != "root" || info["ipmi_password"] != bmcPassword {
		t.Errorf("driver_info is %v", info)
	}
	t.Setenv("BMC_USER", "")
	tell(t, "", "node", "create", "-f", list, "--check").want(t, exitWrong, "node s000: driver_info ipmi_username: the environment variable BMC_USER is empty")
}
