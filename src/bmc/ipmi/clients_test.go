//go:build integration

package ipmi_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bosh-ironic-cpi/src/bmc/ipmi"
	"bosh-ironic-cpi/src/wait"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, cfg ipmi.Config) *ipmi.BMC {
	t.Helper()
	b, err := ipmi.Start(context.WithoutCancel(t.Context()), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// run runs a program with a limit and returns what it said, stderr too.
func run(t *testing.T, debian string, env []string, name string, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path = "/usr/sbin/" + name
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v; bin/bootstrap installs Debian's package %s", err, debian)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, path, args...)
	c.Env = append(os.Environ(), env...)
	out, err := c.CombinedOutput()
	return string(out), err
}

// A step is a command line of a foreign client, and what it has to say to it.
type step struct {
	line string
	want []string
	err  bool
}

var record = []byte{0x51, 0xc0, 0x0b, 0x57, 0x01, 0x00, 0x0d, 0x01, 0x2c, 0x00, 0x17, 0x18, 0x19, 0x1a}

func manager(c ipmi.Command, data []byte) (byte, []byte) {
	switch {
	case c == ipmi.Command{NetFn: 6, Cmd: 1}:
		return 0, []byte{0x50, 1, 1, 0, 2, 0, 0x57, 1, 0, 0x0b, 0}
	case c == ipmi.Command{NetFn: 0x2e, Cmd: 0xca} && bytes.Equal(data, []byte{0x57, 1, 0}):
		return 0, []byte{0x57, 1, 0, 5, 3, 7, 1, 2}
	}
	return 0xc1, nil
}

func TestIpmitool(t *testing.T) {
	steps := []step{
		{line: "power status", want: []string{"Chassis Power is off"}},
		{line: "power on", want: []string{"Up/On"}},
		{line: "power status", want: []string{"Chassis Power is on"}},
		{line: "chassis status", want: []string{"System Power         : on"}},
		{line: "chassis bootdev pxe options=persistent,efiboot", want: []string{"Set Boot Device to pxe"}},
		{line: "chassis bootparam get 5", want: []string{"Boot Flag Valid", "all future boots", "EFI boot", "Force PXE"}},
		{line: "chassis bootdev cdrom"},
		{line: "chassis bootparam get 5", want: []string{"Boot Flag Valid", "only next boot", "legacy", "CD/DVD"}},
		{line: "power reset", want: []string{"Reset"}},
		{line: "chassis bootparam get 5", want: []string{"Boot Flag Invalid"}},
		{line: "power cycle", want: []string{"Cycle"}},
		{line: "power soft", want: []string{"Soft"}},
		{line: "power status", want: []string{"Chassis Power is off"}},
		{line: "mc info", want: []string{"IPMI Version              : 2.0", "SDR Repository Device"}},
		{line: "mc reset cold", want: []string{"Sent cold reset"}},
		{line: "sdr info", want: []string{"Record Count                        : 1"}},
		{line: "sdr dump SDRFILE", want: []string{"Dumping Sensor Data Repository"}},
		{line: "raw 0x2e 0xca 0x57 0x01 0x00", err: true, want: []string{"Invalid command"}},
		{line: "-b 0 -t 0x2c raw 0x2e 0xca 0x57 0x01 0x00", want: []string{"57 01 00 05 03 07 01 02"}},
		{line: "-b 0 -t 0x2c mc info", want: []string{"Manufacturer ID           : 343"}},
		{line: "-b 0 -t 0x2c raw 0x2e 0xc0", err: true, want: []string{"Invalid command"}},
		{line: "-b 0 -t 0x2a raw 0x06 0x01", err: true},
	}
	sessions := []struct {
		name, options string
		twoPackets    bool
	}{
		{"suite 17", "-I lanplus -C 17", true},
		{"suite 3", "-I lanplus -C 3", false},
		{"suite found by asking", "-I lanplus", true},
		{"IPMI 1.5", "-I lan -A MD5", false},
	}
	for _, s := range sessions {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			b := start(t, ipmi.Config{
				Records: [][]byte{record}, TwoPackets: s.twoPackets, Controllers: map[ipmi.Place]ipmi.Handler{{Channel: 0, Address: 0x2c}: manager},
			})
			dump := filepath.Join(t.TempDir(), "sdr")
			for _, step := range steps {
				line := fmt.Sprintf("%s -H 127.0.0.1 -p %d -U admin -P secret %s", s.options, b.Address().Port(), strings.ReplaceAll(step.line, "SDRFILE", dump))
				out, err := run(t, "ipmitool", nil, "ipmitool", strings.Fields(line)...)
				if (err != nil) != step.err {
					t.Errorf("ipmitool %s: %v: %s", line, err, out)
				}
				for _, want := range step.want {
					if !strings.Contains(out, want) {
						t.Errorf("ipmitool %s: %s; want %q", line, out, want)
					}
				}
			}
			if got, err := os.ReadFile(dump); err != nil || !bytes.Equal(got, append([]byte{1, 0}, record...)) {
				t.Errorf("sdr dump: % x, %v", got, err)
			}
			if cold, warm := b.Resets(); cold != 1 || warm != 0 {
				t.Errorf("%d cold and %d warm resets of the BMC; want one cold", cold, warm)
			}
			if b.Sessions() != 0 {
				t.Errorf("%d sessions are left", b.Sessions())
			}
			out, err := run(t, "ipmitool", nil, "ipmitool", append(strings.Fields(s.options), "-H", "127.0.0.1", "-p",
				strconv.Itoa(int(b.Address().Port())), "-U", "admin", "-P", "letmein", "-R", "1", "power", "status")...)
			if err == nil {
				t.Errorf("with a wrong password: %s", out)
			}
		})
	}
}

func TestFreeIPMI(t *testing.T) {
	power := []step{
		{line: "ipmipower --stat", want: []string{": off"}},
		{line: "ipmipower --on", want: []string{": ok"}},
		{line: "ipmipower --stat", want: []string{": on"}},
	}
	all := append(power,
		step{line: "ipmi-chassis --get-chassis-status", want: []string{"System Power                        : on"}},
		step{line: "ipmi-config --category=chassis --commit --key-pair=Chassis_Boot_Flags:Boot_Device=CD-DVD"},
		step{line: "ipmi-config --category=chassis --checkout --section=Chassis_Boot_Flags", want: []string{"CD-DVD"}},
		step{line: "ipmipower --reset", want: []string{": ok"}},
		step{line: "ipmipower --soft", want: []string{": ok"}},
		step{line: "ipmipower --off --wait-until-off", want: []string{": ok"}},
		step{line: "ipmi-raw 0 6 1", want: []string{"rcvd: 01 00 20 01"}},
	)
	// IPMI 1.5 for ipmipower alone: go-ipmi's server answers Activate Session under the number that the session has from
	// then on, and libfreeipmi waits for the one that it had.
	for session, steps := range map[string][]step{"-D LAN_2_0 -I 17": all, "-D LAN_2_0 -I 3": all, "-D LAN -a MD5": power} {
		t.Run(session, func(t *testing.T) {
			t.Parallel()
			b := start(t, ipmi.Config{Records: [][]byte{record}})
			home := []string{"HOME=" + t.TempDir()}
			for _, step := range steps {
				words := strings.Fields(step.line)
				args := append(strings.Fields(session), "-h", b.Address().String(), "-u", "admin", "-p", "secret", "-l", "ADMIN")
				out, err := run(t, "freeipmi-tools", home, words[0], append(args, words[1:]...)...)
				if err != nil {
					t.Errorf("%s: %v: %s", step.line, err, out)
				}
				for _, want := range step.want {
					if !strings.Contains(out, want) {
						t.Errorf("%s: %s; want %q", step.line, out, want)
					}
				}
			}
		})
	}
}

// ipmitool's console, on the machine's serial port.
func TestIpmitoolConsole(t *testing.T) {
	port := make(chan net.Conn, 1)
	b := start(t, ipmi.Config{Console: func(context.Context) (io.ReadWriteCloser, error) {
		machine, cable := net.Pipe()
		port <- machine
		return cable, nil
	}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	sol := exec.CommandContext(ctx, "ipmitool", "-I", "lanplus", "-C", "17", "-H", "127.0.0.1", "-p", strconv.Itoa(int(b.Address().Port())),
		"-U", "admin", "-P", "secret", "sol", "activate")
	keys, err := sol.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var screen lockedBuffer
	sol.Stdout, sol.Stderr = &screen, &screen
	if err := sol.Start(); err != nil {
		t.Fatal(err)
	}
	machine := <-port
	defer machine.Close()
	if _, err := io.WriteString(machine, "login: "); err != nil {
		t.Fatal(err)
	}
	shows(t, &screen, "login: ")
	if _, err := io.WriteString(keys, "root\r"); err != nil {
		t.Fatal(err)
	}
	typed := make([]byte, 5)
	if _, err := io.ReadFull(machine, typed); err != nil || string(typed) != "root\r" {
		t.Errorf("the machine had %q typed, %v", typed, err)
	}
	if _, err := io.WriteString(keys, "~."); err != nil {
		t.Error(err)
	}
	if err := sol.Wait(); err != nil {
		t.Errorf("%v: %s", err, screen.String())
	}
}

func shows(t *testing.T, screen *lockedBuffer, want string) {
	t.Helper()
	pace := wait.Pace{Every: 10 * time.Millisecond, Limit: 20 * time.Second}
	err := wait.Until(t.Context(), pace, want, func(context.Context) (bool, string, error) {
		return strings.Contains(screen.String(), want), screen.String(), nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
