//go:build integration

package rack_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/rack"
	"bosh-ironic-cpi/src/wait"
)

// A chassis is what OpenIPMI's ipmi_sim controls: its program asks it "get power boot", or tells it "set power 1".
type chassis struct {
	machine *rack.Machine
	mu      sync.Mutex
	boot    string // in ipmi_sim's words
}

// ServeHTTP takes a command line of the program as the request's body.
func (c *chassis) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var line bytes.Buffer
	if _, err := line.ReadFrom(r.Body); err != nil {
		return
	}
	words := strings.Fields(line.String())
	if len(words) < 2 {
		return
	}
	if words[0] == "get" {
		for _, what := range words[1:] {
			switch {
			case what == "boot" && c.boot != "":
				fmt.Fprintln(w, "boot:"+c.boot)
			case what == "boot":
				fmt.Fprintln(w, "boot:none")
			case what == "power" && c.machine.PoweredOn():
				fmt.Fprintln(w, "power:1")
			case what == "power":
				fmt.Fprintln(w, "power:0")
			}
		}
		return
	}
	for i := 1; i+1 < len(words); i += 2 {
		if err := c.set(words[i], words[i+1]); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
}

func (c *chassis) set(what, value string) error {
	from := rack.Boot{Device: c.boot}
	switch what + value {
	case "power1":
		return c.machine.Start(from)
	case "power0":
		return c.machine.Stop(false)
	case "reset1":
		return c.machine.Restart(from)
	case "shutdown1":
		return c.machine.Stop(true)
	}
	if what == "boot" {
		c.boot = value
	}
	return nil
}

// startSim runs ipmi_sim with the machine as its chassis, and returns the node for our driver.
func startSim(t *testing.T, m *rack.Machine) *driver.Node {
	t.Helper()
	dir := t.TempDir()
	web := httptest.NewServer(&chassis{machine: m})
	t.Cleanup(web.Close)
	free, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.LocalAddr().(*net.UDPAddr).Port
	_ = free.Close()
	for name, text := range map[string]string{
		"chassis": "#!/bin/sh\nshift\nexec " + program(t, "curl", "curl") + " -sf --data \"$*\" " + web.URL + "\n",
		"lan.conf": fmt.Sprintf(`name "bmc"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 %d
    priv_limit admin
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcdef
  endlan
  chassis_control "%s/chassis 0x20"
  user 2 true "admin" "secret" admin 10 none md2 md5 straight
`, port, dir),
		"sim.emu": "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr\nmc_enable 0x20\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	log := &bytes.Buffer{}
	run := exec.Command(program(t, "ipmi_sim", "openipmi"), "-c", dir+"/lan.conf", "-f", dir+"/sim.emu", "-s", dir+"/state", "-n", "-d")
	run.Stdout, run.Stderr = log, log
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = run.Process.Kill()
		_ = run.Wait()
		if t.Failed() {
			t.Logf("ipmi_sim said: %s", log)
		}
	})
	n := &driver.Node{UUID: "by-ipmi-sim", Info: map[string]any{
		"ipmi_address": "127.0.0.1", "ipmi_port": port, "ipmi_username": "admin", "ipmi_password": "secret", "ipmi_cipher_suite": "3",
	}}
	err = wait.Until(t.Context(), wait.Pace{Every: 100 * time.Millisecond, Limit: 20 * time.Second}, "ipmi_sim", func(ctx context.Context) (bool, string, error) {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		_, err := hardware[driver.Power](t, "ipmitool").PowerState(ctx, n)
		return err == nil, fmt.Sprint(err), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// OpenIPMI's BMC, which knows nothing of ours, switches the machine as our driver tells it.
func TestIPMISimBootsAnISO(t *testing.T) {
	m, cd := newMachine(t)
	if err := m.SetMedia("cdrom", cd); err != nil {
		t.Fatal(err)
	}
	n := startSim(t, m)
	s := &server{t: t, machine: m, ipmi: n}
	s.bootFrom("ipmitool", n, "cdrom", false)
	s.power("ipmitool", n, baremetal.TargetOn)
	says(t, m, fromCD)
	s.bootFrom("ipmitool", n, "disk", false)
	s.power("ipmitool", n, baremetal.TargetReboot)
	says(t, m, fromDisk)
	s.power("ipmitool", n, baremetal.TargetOff)
	if m.PoweredOn() {
		t.Error("off, and it runs")
	}
}
