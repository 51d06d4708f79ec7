package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// byHand runs a command line on hardware, with a state file of the test's own.
func byHand(t *testing.T, args ...string) told {
	t.Helper()
	return tell(t, "", args...)
}

func ownState(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state", "hardware.json")
	t.Setenv("NODECTL_STATE", path)
	t.Setenv("NODECTL_INVENTORY", "")
	t.Setenv("IRONIC_URL", "")
	t.Setenv("OS_ENDPOINT", "")
	return path
}

const pair = `
- name: a
  driver: fake-hardware
- name: b
  driver: fake-hardware
  driver_info: {fake_unreachable: "true"}
`

// What a driver remembers is there at the next command: the fake driver remembers the power.
func TestPowerByHand(t *testing.T) {
	ownState(t)
	fake := []string{"--driver", "fake-hardware"}
	power := func(action string, more ...string) told {
		return byHand(t, append(append([]string{"power", action}, fake...), more...)...)
	}
	power("status").want(t, exitDone).shows(t, "fake-hardware")
	power("off").want(t, exitDone).shows(t, "power off")
	power("on").want(t, exitDone).shows(t, "power on")
	power("status", "-o", "json").want(t, exitDone).shows(t, `"power_state": "power on"`)
	for action, state := range map[string]string{"reset": "power on", "soft-reset": "power on", "cycle": "power on"} {
		power(action).want(t, exitDone).shows(t, state)
	}
	power("soft-off").want(t, exitDone).shows(t, "power off")
	power("off", "--set", "fake_error=broken").want(t, exitFailed, "broken")
	power("on", "--set", "fake_silent=true", "--limit", "50ms").want(t, exitFailed, "Failed to change power state to 'power on': it is unknown")
	power("status", "--set", "fake_unreachable=true").want(t, exitSilent, "hint: check the address")
	power("status", "--set", "fake_password=env:WRONG", "--set", "fake_expects=env:RIGHT").want(t, exitWrong, "the environment variable")
	t.Setenv("WRONG", "hunter2")
	t.Setenv("RIGHT", "correct")
	refused := power("status", "--set", "fake_password=env:WRONG", "--set", "fake_expects=env:RIGHT").want(t, exitRefused, "hint: check user name and password")
	if strings.Contains(refused.err+refused.out, "hunter2") {
		t.Errorf("the password is shown: %s", refused.err)
	}
}

// A file of many is asked side by side: one that does not answer keeps nobody.
func TestPowerOfAll(t *testing.T) {
	ownState(t)
	nodes := file(t, "nodes.yaml", pair)
	byHand(t, "power", "on", "a", "--inventory", nodes).want(t, exitDone).shows(t, "power on")
	r := byHand(t, "power", "status", "--inventory", nodes, "--all").want(t, exitSome, "some nodes failed: 1 of 2")
	r.shows(t, "a     power on", "hardware does not answer")
	byHand(t, "power", "status", "a", "-i", nodes, "-o", "json").want(t, exitDone).shows(t, `"node": "a"`, "power on")
	byHand(t, "power", "status", "c", "-i", nodes).want(t, exitNotFound, "node c:")
	byHand(t, "power", "status", "-i", nodes).want(t, exitWrong, "has 2 nodes")
	byHand(t, "power", "off", "--all", "-i", nodes).want(t, exitWrong, "--all goes with status")
	var many strings.Builder
	for i := range 500 {
		fmt.Fprintf(&many, "- {name: n%03d, driver: fake-hardware, driver_info: {fake_delay: 1ms}}\n", i)
	}
	all := byHand(t, "power", "status", "--all", "-i", file(t, "many.yaml", many.String())).want(t, exitDone)
	if lines := strings.Count(all.out, "\nn"); lines != 500 {
		t.Errorf("%d lines; want 500", lines)
	}
}

// Whoever asks for something that makes no sense is told what would.
func TestWhichServer(t *testing.T) {
	ownState(t)
	nodes := file(t, "nodes.yaml", pair)
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"none", []string{"power", "status"}, "which server?"},
		{"both", []string{"power", "status", "a", "--driver", "fake-hardware"}, "--driver describes one server"},
		{"all and one", []string{"power", "status", "a", "--all", "-i", nodes}, "give it without NODE"},
		{"set without driver", []string{"power", "status", "a", "-i", nodes, "--set", "a=b"}, "--set and --mac go with --driver"},
		{"no value", []string{"power", "status", "--driver", "fake-hardware", "--set", "a"}, "--set wants KEY=VALUE"},
		{"a secret", []string{"power", "status", "--driver", "fake-hardware", "--set", "fake_password=hunter2"}, "give fake_password=@FILE"},
		{"no such file", []string{"power", "status", "--driver", "fake-hardware", "--set", "fake_password=@/nonexistent"}, "driver_info fake_password: "},
		{"no such driver", []string{"power", "status", "--driver", "telepathy"}, `no hardware type or driver "telepathy"`},
		{"no such action", []string{"power", "melt", "--driver", "fake-hardware"}, "melt"},
		{"no such method", []string{"vendor", "dance", "--driver", "fake-hardware"}, "there is no vendor method dance"},
		{"another HTTP method", []string{"vendor", "third_method_sync", "--driver", "fake-hardware", "--http", "GET"}, "is called by POST"},
		{"no arguments", []string{"vendor", "third_method_sync", "--driver", "fake-hardware"}, "Parameter 'bar' not passed"},
		{"arguments that are none", []string{"vendor", "third_method_sync", "--driver", "fake-hardware", "--args", "[]"}, "want a JSON object"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := byHand(t, tt.args...).want(t, exitWrong, tt.want)
			if strings.Contains(r.err, "hunter2") {
				t.Errorf("the password is shown: %s", r.err)
			}
		})
	}
}

func TestBootDeviceMediaVendorByHand(t *testing.T) {
	ownState(t)
	nodes := file(t, "nodes.yaml", "[{name: a, driver: fake-hardware, ports: [\"52:54:00:00:00:01\"]}, {name: hand, driver: manual-management}]")
	on := []string{"--inventory", nodes}
	do := func(line string, status int, texts ...string) told {
		t.Helper()
		return byHand(t, append(strings.Fields(line), on...)...).want(t, status, texts...)
	}
	do("boot-device set pxe a", exitDone)
	do("boot-device get a -o json", exitDone).shows(t, `"boot_device": "pxe"`, `"persistent": false`)
	do("boot-device set disk a --persistent", exitDone)
	do("boot-device get a", exitDone).shows(t, "disk", "yes")
	do("boot-device set gramophone a", exitUnable, "gramophone")
	do("boot-device get hand", exitUnable, "no choice of boot devices")
	do("media insert http://10.0.0.1/x.iso a", exitDone)
	do("media list a", exitDone).shows(t, "cdrom", "http://10.0.0.1/x.iso", "floppy")
	do("media eject a", exitDone)
	do("media eject a", exitDone)
	if r := do("media list a", exitDone); strings.Contains(r.out, "x.iso") {
		t.Errorf("still inserted:\n%s", r.out)
	}
	do("inspect a", exitDone).shows(t, "x86_64", "52:54:00:00:00:01")
	do("inspect a -o json", exitDone).shows(t, `"cpus": 4`)
	byHand(t, "vendor", "--driver", "fake-hardware").want(t, exitDone).shows(t, "third_method_sync", "POST")
	do(`vendor third_method_sync a --args {"bar":"meow"}`, exitDone).shows(t, "true")
}

func TestValidateByHand(t *testing.T) {
	ownState(t)
	nodes := file(t, "nodes.yaml", "[{name: a, driver: fake-hardware, driver_info: {fake_delay: 1s, colour: red, deploy_kernel: x}}]")
	byHand(t, "validate", "-i", nodes).want(t, exitDone, "warning: a: driver_info colour means nothing").shows(t, "power", "management")
	if r := byHand(t, "validate", "-i", nodes); strings.Contains(r.err, "deploy_kernel") {
		t.Errorf("warns of what deployments need: %s", r.err)
	}
}

// Without a service the drivers are the program's own, and so they are with --own.
func TestOwnDrivers(t *testing.T) {
	ownState(t)
	byHand(t, "driver", "list").want(t, exitDone).shows(t, "fake-hardware", "no hardware")
	byHand(t, "driver", "show", "fake-hardware").want(t, exitDone).shows(t, "driver_info/fake_delay", "Optional; default 0s.")
	byHand(t, "driver", "show", "telepathy").want(t, exitNotFound, "driver telepathy")
	newFake(t)
	byHand(t, "driver", "list", "--own").want(t, exitDone).shows(t, "wol", "Wake-on-LAN")
	byHand(t, "driver", "show", "wol", "--own").want(t, exitDone).shows(t, "driver_info/wol_host")
}

// What a hardware type can do is shown in the words that the commands take.
func TestAbilities(t *testing.T) {
	ownState(t)
	for name, want := range map[string][]string{
		"ipmi": {
			"power on, off, soft-off, reset, soft-reset, cycle", "boot-device pxe, disk, cdrom, bios, safe", "media -", "console yes", "inspect no",
			"vendor send_raw, bmc_reset",
		},
		"redfish":     {"boot modes bios, uefi", "media cdrom, floppy", "console no", "inspect yes", "vendor eject_vmedia"},
		"nm":          {"vendor get_nm_version, get_nm_capabilities"},
		"staging-wol": {"name wol", "power on", "boot-device -"},
		"ipmitool":    {"console yes"},
	} {
		rows := strings.Split(byHand(t, "driver", "show", name).want(t, exitDone).out, "\n")
		for i := range rows {
			rows[i] = strings.Join(strings.Fields(rows[i]), " ")
		}
		for _, row := range want {
			if !slices.ContainsFunc(rows, func(r string) bool { return r == row || strings.HasPrefix(r, row+", ") }) {
				t.Errorf("%s lacks %q:\n%s", name, row, strings.Join(rows, "\n"))
			}
		}
	}
	byHand(t, "driver", "show", "wol", "-o", "json").want(t, exitDone).shows(t, `"power_targets": [
      "power on"
    ],
    "boot_devices": [],`)
}

// Two commands at once lose nothing of what drivers remember, and a file of secrets from elsewhere is read.
func TestStateOfHardware(t *testing.T) {
	path := ownState(t)
	secretFile := file(t, "password", "correct\n")
	nodes := file(t, "nodes.yaml", fmt.Sprintf(`
- {name: a, driver: fake-hardware, driver_info: {fake_password: {file: %s}, fake_expects: {env: EXPECTED}}}
- {name: b, driver: fake-hardware}
`, secretFile))
	t.Setenv("EXPECTED", "correct")
	done := make(chan told)
	for _, name := range []string{"a", "b"} {
		go func() { done <- byHand(t, "power", "on", name, "-i", nodes) }()
	}
	for range 2 {
		(<-done).want(t, exitDone)
	}
	byHand(t, "power", "status", "--all", "-i", nodes).want(t, exitDone).shows(t, "a     power on", "b     power on")
	states, err := readStates(path)
	if err != nil || strings.Contains(fmt.Sprint(states), "correct") {
		t.Errorf("states %v, %v; want no secret in them", states, err)
	}
	broken := file(t, "hardware.json", "{")
	t.Setenv("NODECTL_STATE", broken)
	byHand(t, "power", "status", "a", "-i", nodes).want(t, exitWrong, broken, "remove it")
}
