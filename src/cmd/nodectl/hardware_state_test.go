package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"bosh-ironic-cpi/src/bmc/amt"
	"bosh-ironic-cpi/src/bmc/ipmi"
	"bosh-ironic-cpi/src/bmc/virsh"
	"bosh-ironic-cpi/src/driver"
)

// apart runs a command line as a process of its own: nothing is remembered but what is in the state file.
func (w *wired) apart(t *testing.T, line string, status int) told {
	t.Helper()
	var out, messages bytes.Buffer
	cmd := program(t.Context(), append(strings.Fields(line), w.flags...)...)
	cmd.Stdout, cmd.Stderr = &out, &messages
	r := told{exitStatus(t, cmd.Run()), out.String(), messages.String()}
	w.secretFree(t, r)
	return r.want(t, status)
}

// states are all that the state file has.
func (w *wired) states(t *testing.T) hardwareStates {
	t.Helper()
	states, err := readStates(filepath.Join(w.state, "hardware.json"))
	if err != nil {
		t.Fatal(err)
	}
	return states
}

// Intel AMT hears of a boot device at the next power on, which is another process; for one boot only.
func TestStateOfAMT(t *testing.T) {
	w := newWired(t)
	bmc := amt.New(amt.Config{Username: "admin", Password: bmcPassword})
	server := httptest.NewServer(bmc)
	defer server.Close()
	host, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	w.flags = []string{
		"--driver", "amt", "--set", "amt_address=" + host, "--set", "amt_port=" + port, "--set", "amt_username=admin", "--set", "amt_awake_interval=0",
		"--set", "amt_password=@" + file(t, "amt.password", bmcPassword), "--set", "amt_action_wait=0.01",
	}
	bmc.SetPowerState(amt.Off)
	w.apart(t, "boot-device set pxe", exitDone)
	w.apart(t, "boot-device get", exitDone).shows(t, "pxe")
	w.apart(t, "power on", exitDone).shows(t, "power on")
	w.apart(t, "boot-device get", exitDone).shows(t, "disk")
	w.apart(t, "power off", exitDone).shows(t, "power off")
	w.apart(t, "power on", exitDone).shows(t, "power on")
	if boots := bmc.Boots(); len(boots) != 2 || boots[0] != amt.ForcePXE || boots[1] != "" {
		t.Errorf("booted from %q; want once by network", boots)
	}
}

// The cipher suite that a BMC takes is not looked for again.
func TestStateOfIPMI(t *testing.T) {
	w := wireIPMI(t, ipmi.Config{Suites: []int{3}})
	w.apart(t, "power status", exitDone)
	states := w.states(t)
	if text := fmt.Sprint(states); len(states) != 1 || !strings.Contains(text, "ipmi_cipher_suite:3") {
		t.Fatalf("remembered is %v; want suite 3", states)
	}
	w.Break(ipmi.Fault{SilentSuites: true}) // to ask for suite 17 costs a second
	w.apart(t, "power status --timeout 700ms", exitDone)
}

// sleeper is the port of somebody who hears packets that wake, and sleeps on.
func sleeper(t *testing.T) (port string) {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	_, port, _ = net.SplitHostPort(socket.LocalAddr().String())
	return port
}

// Nobody can ask what Wake-on-LAN has woken.
func TestStateOfWOL(t *testing.T) {
	w := newWired(t)
	w.flags = []string{"--driver", "wol", "--mac", "52:54:00:00:00:01", "--set", "wol_host=127.0.0.1", "--set", "wol_port=" + sleeper(t)}
	w.apart(t, "power status", exitDone).shows(t, "power off")
	w.apart(t, "power on", exitDone).shows(t, "power on")
	w.apart(t, "power status", exitDone).shows(t, "power on")
	w.apart(t, "power off", exitUnable)
}

// A host that shows another key than the first time is not trusted.
func TestStateOfSSH(t *testing.T) {
	w := newWired(t)
	server, err := virsh.Serve(t.Context(), virsh.NewHost(virsh.Domain{Name: "one", MACs: []string{"52:54:00:00:00:01"}, Boot: "hd"}),
		virsh.Account{User: "ironic", Password: bmcPassword})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	host, port := server.Address()
	w.flags = []string{
		"--driver", "ssh", "--mac", "52:54:00:00:00:01", "--set", "ssh_address=" + host, "--set", "ssh_port=" + port, "--set", "ssh_username=ironic",
		"--set", "ssh_virt_type=virsh", "--set", "ssh_password=@" + file(t, "ssh.password", bmcPassword),
	}
	w.apart(t, "power status", exitDone).shows(t, "power off")
	if err := server.Rekey(); err != nil {
		t.Fatal(err)
	}
	if r := w.apart(t, "power status", exitRefused); !strings.Contains(r.err, "ssh_host_key") || !strings.Contains(r.err, "hint: compare") {
		t.Errorf("does not say what to do: %s", r.err)
	}
	if err := os.Remove(filepath.Join(w.state, "hardware.json")); err != nil {
		t.Fatal(err)
	}
	w.apart(t, "power status", exitDone)
}

// What another process wrote meanwhile stays, also about the same server.
func TestStateMerges(t *testing.T) {
	path := ownState(t)
	f := hardwareFlags{StateFile: path}
	one := func() *server { return &server{Node: &driver.Node{UUID: "u1"}} }
	write := func(s *server) {
		t.Helper()
		if err := f.remember([]*server{s}); err != nil {
			t.Fatal(err)
		}
	}
	first := one()
	first.Remember("suite", "3")
	first.Remember("device", "pxe")
	write(first)
	slow, quick := one(), one()
	if err := f.recall([]*server{slow, quick}); err != nil {
		t.Fatal(err)
	}
	quick.Remember("device", "disk")
	quick.Remember("key", "k")
	write(quick)
	slow.Remember("suite", "")
	write(slow)
	if states, err := readStates(path); err != nil || fmt.Sprint(states) != "map[u1:map[device:disk key:k]]" {
		t.Errorf("%v, %v; want the device and key of one, without the suite that the other forgot", states, err)
	}
	before := stat(t, path)
	idle := one()
	if err := f.recall([]*server{idle}); err != nil {
		t.Fatal(err)
	}
	write(idle)
	if !os.SameFile(before, stat(t, path)) {
		t.Error("the file was written although nothing has changed")
	}
	idle.Remember("suite", "17")
	write(idle)
	if os.SameFile(before, stat(t, path)) {
		t.Error("the file was written over, not replaced: whoever is killed in the middle leaves half of it")
	}
}

func stat(t *testing.T, path string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// Servers of the same name in two files are two.
func TestStateIsOfOneServer(t *testing.T) {
	w := newWired(t)
	entry := "driver: wol, driver_info: {wol_host: 127.0.0.1, wol_port: %s}, ports: [\"52:54:00:00:00:0%d\"]"
	port := sleeper(t)
	first, second := nodesFileOf(t, fmt.Sprintf(entry, port, 1)), nodesFileOf(t, fmt.Sprintf(entry, port, 2))
	w.do(t, "power on --inventory "+first, exitDone)
	w.do(t, "power status --inventory "+first, exitDone).shows(t, "power on")
	w.do(t, "power status --inventory "+second, exitDone).shows(t, "power off")
}

// Many at once lose nothing, and those that are killed in the middle leave a file that can be read.
func TestStateOfManyProcesses(t *testing.T) {
	w := newWired(t)
	const servers, killed = 12, 12
	var entries []string
	for range servers + killed {
		entries = append(entries, "driver: fake-hardware")
	}
	list := nodesFileOf(t, entries...)
	others := hardwareStates{} // so that to write the file takes a while
	for i := range 500 {
		others[fmt.Sprintf("other %d", i)] = map[string]string{"power": "power off", "boot_device": "disk"}
	}
	text, err := toJSON(others)
	if err == nil {
		err = errors.Join(os.MkdirAll(w.state, 0o700), os.WriteFile(filepath.Join(w.state, "hardware.json"), text, 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range servers + killed {
		cmd := program(t.Context(), "power", "on", fmt.Sprintf("s%03d", i), "--inventory", list)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if i >= servers { // somewhere between its start and its end
			time.AfterFunc(time.Duration(i-servers)*3*time.Millisecond, func() { _ = cmd.Process.Kill() })
		}
		all.Go(func() {
			if err := cmd.Wait(); err != nil && i < servers {
				t.Errorf("s%03d: %v", i, err)
			}
		})
	}
	all.Wait()
	states := w.states(t)
	for i := range servers {
		name, found := fmt.Sprintf("s%03d ", i), false
		for key, state := range states {
			found = found || strings.HasPrefix(key, name) && state["power"] == "power on"
		}
		if !found {
			t.Errorf("%sis lost: %v", name, states)
		}
	}
}
