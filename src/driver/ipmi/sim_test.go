//go:build integration

package ipmi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/drivertest"
	"bosh-ironic-cpi/src/driver/ipmi"
	"bosh-ironic-cpi/src/wait"
)

// A sim is OpenIPMI's ipmi_sim with a machine of files, a second controller at 2Ch, and Node Manager on both.
type sim struct {
	dir  string
	port int
}

func program(t testing.TB, name, debian string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v; bin/bootstrap installs Debian's package %s", err, debian)
	}
	return path
}

func startSim(t *testing.T) *sim {
	t.Helper()
	s := &sim{dir: t.TempDir()}
	script, err := os.ReadFile("testdata/chassis.sh")
	if err == nil {
		err = os.WriteFile(filepath.Join(s.dir, "chassis.sh"), script, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	module := filepath.Join(s.dir, "nm.so")
	if _, err := os.Stat("/usr/include/OpenIPMI/mcserv.h"); err != nil {
		t.Fatalf("%v; bin/bootstrap installs Debian's package libopenipmi-dev", err)
	}
	build := exec.CommandContext(t.Context(), program(t, "gcc", "gcc"), "-shared", "-fPIC", "-o", module, "testdata/nm.c")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	serial, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	echo := make(chan struct{})
	go func() {
		defer close(echo)
		for {
			c, err := serial.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(c, c)
			c.Close()
		}
	}()
	free, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.port = free.LocalAddr().(*net.UDPAddr).Port
	free.Close()
	s.write(t, "lan.conf", `name "sim"
loadlib "`+module+`" "x"
set_working_mc 0x20
startlan 1
  addr 127.0.0.1 `+fmt.Sprint(s.port)+`
  priv_limit admin
  allowed_auths_callback none md2 md5 straight
  allowed_auths_user none md2 md5 straight
  allowed_auths_operator none md2 md5 straight
  allowed_auths_admin none md2 md5 straight
  guid a123456789abcdefa123456789abcdef
endlan
sol "tcp:127.0.0.1:`+fmt.Sprint(serial.Addr().(*net.TCPAddr).Port)+`" 115200
chassis_control "`+s.dir+`/chassis.sh 0x20"
user 2 true "admin" "secret" admin 10 none md2 md5 straight
user 3 true "guest" "secret" user 10 none md2 md5 straight
`)
	s.write(t, "sim.emu", `mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x20 9 8 0x9f 0x1291 0xf02
main_sdr_add 0x20 0x00 0x00 0x51 0xc0 0x0b 0x57 0x01 0x00 0x0d 0x01 0x2c 0x00 0x17 0x18 0x19 0x1a
main_sdr_add 0x20 0x00 0x00 0x51 0xc0 0x28 0x57 0x01 0x00 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37
sel_enable 0x20 100 0x0a
mc_enable 0x20
mc_add 0x2c 0 no-device-sdrs 0x2c 9 8 0x9f 0x1291 0xf03
mc_enable 0x2c
`)
	if err := os.Mkdir(filepath.Join(s.dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	log := &bytes.Buffer{}
	run := exec.Command(program(t, "ipmi_sim", "openipmi"), "-c", s.dir+"/lan.conf", "-f", s.dir+"/sim.emu", "-s", s.dir+"/state", "-n", "-d")
	run.Stdout, run.Stderr = log, log
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = run.Process.Kill()
		_ = run.Wait()
		serial.Close()
		<-echo
		if t.Failed() {
			t.Logf("ipmi_sim said: %s", log)
		}
	})
	err = wait.Until(t.Context(), wait.Pace{Every: 50 * time.Millisecond, Limit: 20 * time.Second}, "ipmi_sim", func(ctx context.Context) (bool, string, error) {
		_, err := ipmi.Impatient(time.Second).PowerState(ctx, s.node())
		return err == nil, fmt.Sprint(err), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *sim) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *sim) node() *driver.Node {
	return &driver.Node{UUID: "n1", Info: map[string]any{
		"ipmi_address": "127.0.0.1", "ipmi_port": s.port, "ipmi_username": "admin", "ipmi_password": "secret",
	}}
}

// ipmi_sim keeps boot devices for one boot only, so the conformance suite has them forced.
func TestSimConformance(t *testing.T) {
	s := startSim(t)
	for name, change := range map[string]map[string]any{
		"2.0":     {},
		"suite 1": {"ipmi_cipher_suite": 1},
		"suite 2": {"ipmi_cipher_suite": 2},
		"suite 3": {"ipmi_cipher_suite": 3},
		"1.5":     {"ipmi_protocol_version": "1.5"},
	} {
		t.Run(name, func(t *testing.T) {
			drivertest.Run(t, drivertest.Rig{
				Spec: ipmi.Spec,
				Node: func(t *testing.T) *driver.Node {
					os.Remove(filepath.Join(s.dir, "stuck"))
					s.write(t, "power", "0\n")
					n := s.node()
					n.Info["ipmi_force_boot_device"] = true
					maps.Copy(n.Info, change)
					return n
				},
				WrongPassword: func(n *driver.Node) { n.Info["ipmi_password"] = "letmein" },
				Silent:        func(*driver.Node) { s.write(t, "stuck", "") },
				Unreachable:   func(n *driver.Node) { n.Info["ipmi_address"] = "127.0.0.2" },
				BootDevices:   []string{"pxe", "disk", "cdrom", "bios"}, // it has no safe mode
				Pace:          quick,
			})
		})
	}
}

// A BMC that has no suite 17 and cannot list what it has costs no time, neither the first time nor later.
func TestSimSuiteIsFoundAtOnce(t *testing.T) {
	s := startSim(t)
	n := s.node()
	for _, before := range []string{"", "3", "17"} {
		n.Remember("ipmi_cipher_suite", before)
		began := time.Now()
		if _, err := (ipmi.Driver{}).PowerState(t.Context(), n); err != nil || n.State["ipmi_cipher_suite"] != "3" {
			t.Errorf("%v, remembers %q; want 3", err, n.State["ipmi_cipher_suite"])
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("with %q remembered it took %s", before, took)
		}
	}
}

func TestSimPowerAndBoot(t *testing.T) {
	s := startSim(t)
	n := s.node()
	d := ipmi.Driver{}
	for _, device := range []string{"pxe", "disk", "cdrom"} {
		if err := d.SetBootDevice(t.Context(), n, device, false); err != nil {
			t.Fatal(err)
		}
	}
	for _, target := range []string{"power on", "rebooting", "soft rebooting", "power off"} {
		if _, err := driver.SetPower(t.Context(), d, n, driverTarget(target), quick); err != nil {
			t.Fatal(err)
		}
	}
	calls, err := os.ReadFile(filepath.Join(s.dir, "calls"))
	want := "boot pxe\nboot default\nboot cdrom\npower 1\nreset 1\nshutdown 1\npower 1\npower 0\n"
	if err != nil || string(calls) != want {
		t.Errorf("%v; ipmi_sim was told\n%swant\n%s", err, calls, want)
	}
}

// A user's rights: USER may look, and no more.
func TestSimPrivilege(t *testing.T) {
	n := startSim(t).node()
	n.Info["ipmi_username"] = "guest"
	n.Info["ipmi_priv_level"] = "USER"
	if _, err := (ipmi.Driver{}).PowerState(t.Context(), n); err != nil {
		t.Errorf("user: %v", err)
	}
	if err := (ipmi.Driver{}).Switch(t.Context(), n, "power on"); !errors.Is(err, driver.ErrAuthentication) || !strings.Contains(err.Error(), "ipmi_priv_level") {
		t.Errorf("user switches: %v", err)
	}
}

// Answers in packets of their own, from a foreign implementation.
func TestSimBridging(t *testing.T) {
	s := startSim(t)
	d := ipmi.Impatient(time.Second)
	second := &ipmi.Bridge{Channel: 0, Target: 0x2c}
	for _, version := range []string{"2.0", "1.5"} {
		n := s.node()
		n.Info["ipmi_protocol_version"] = version
		answer, err := d.Raw(t.Context(), n, second, 0x06, 0x01, nil)
		if err != nil || len(answer) < 11 || answer[9] != 0x03 {
			t.Errorf("device ID of the second controller: % x, %v; want product 0f03h", answer, err)
		}
		answer, err = d.Raw(t.Context(), n, second, 0x2e, 0xca, []byte{0x57, 1, 0})
		if err != nil || !bytes.Equal(answer, []byte{0x57, 1, 0, 5, 3, 7, 1, 2}) {
			t.Errorf("Node Manager's version: % x, %v", answer, err)
		}
		if _, err := d.Raw(t.Context(), n, second, 0x2e, 0xc0, []byte{0x57, 1, 0}); !errors.Is(err, driver.ErrUnsupported) {
			t.Errorf("what it does not know: %v", err)
		}
		_, err = d.Raw(t.Context(), n, &ipmi.Bridge{Channel: 0, Target: 0x2e}, 0x06, 0x01, nil)
		if e, ok := errors.AsType[*ipmi.CompletionError](err); !ok || e.Code != 0x83 {
			t.Errorf("nobody there: %v", err)
		}
		n.Info["ipmi_bridging"], n.Info["ipmi_target_channel"], n.Info["ipmi_target_address"] = "single", 0, "0x2c"
		if answer, err = d.Raw(t.Context(), n, nil, 0x06, 0x01, nil); err != nil || answer[9] != 0x03 {
			t.Errorf("by driver_info: % x, %v", answer, err)
		}
	}
}

func TestSimWalkSDR(t *testing.T) {
	got, err := walked(t, startSim(t).node())
	if err != nil || len(got) != 2 || !bytes.Equal(got[0][2:], discovery) || len(got[1]) != 5+0x28 {
		t.Errorf("%v, % x", err, got)
	}
}

func TestSimConsole(t *testing.T) {
	n := startSim(t).node()
	c, err := ipmi.Driver{}.Console(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	text := bytes.Repeat([]byte("0123456789abcdef"), 40)
	wrote := make(chan error, 1)
	go func() { _, err := c.Write(text); wrote <- err }()
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil || !slices.Equal(got, text) {
		t.Errorf("%q, %v", got, err)
	}
	if err := <-wrote; err != nil {
		t.Error(err)
	}
}
