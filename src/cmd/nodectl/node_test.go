package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// file writes a file of the test's own.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func rack() []map[string]any {
	return []map[string]any{
		{"name": "a", "resource_class": "small", "properties": map[string]any{"memory_mb": 1048576}},
		{"name": "b", "driver": "redfish", "maintenance": true, "provision_state": "manageable"},
		{"name": "c", "resource_class": "small", "provision_state": "active", "instance_uuid": "8a17d3fc-0000-4000-8000-000000000001"},
	}
}

func TestNodeList(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want []string
	}{
		{"all", nil, []string{"a", "b", "c"}},
		{"by state", []string{"--provision-state", "available"}, []string{"a"}},
		{"by class", []string{"--resource-class=small"}, []string{"a", "c"}},
		{"by driver", []string{"--driver", "redfish"}, []string{"b"}},
		{"in maintenance", []string{"--maintenance"}, []string{"b"}},
		{"not in maintenance", []string{"--no-maintenance"}, []string{"a", "c"}},
		{"some", []string{"--limit", "2"}, []string{"a", "b"}},
		{"none", []string{"--driver", "ilo"}, nil},
	}
	fake := newFake(t, rack()...)
	fake.pageSize = 1 // a page is no end
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tell(t, "", append([]string{"node", "list", "-o", "name"}, tt.args...)...).want(t, exitDone)
			if names := strings.Fields(got.out); !slices.Equal(names, tt.want) {
				t.Errorf("node list %v = %v; want %v", tt.args, names, tt.want)
			}
		})
	}
}

func TestNodeShowMasksSecrets(t *testing.T) {
	fake := newFake(t, map[string]any{
		"name": "a", "last_error": "GET http://admin:hunter2@bmc/ failed",
		"driver_info": map[string]any{"ipmi_address": "10.0.0.3", "ipmi_password": "hunter2", "snmp_community": "hunter2", "nested": map[string]any{"api_token": 5}},
		"instance_info": map[string]any{
			"configdrive": "hunter2", "image_source": "http://u:hunter2@repo/image?signature=hunter2", "capabilities": "a:b",
		},
		"extra": map[string]any{"wiki": "http://wiki/?page=a", "public_key": "ssh-ed25519 AAAA"},
	})
	fake.ports = []map[string]any{{"uuid": "p", "node_uuid": fake.nodes[0]["uuid"], "address": "52:54:00:00:00:01", "pxe_enabled": true}}
	for _, form := range []string{"table", "json", "yaml"} {
		got := tell(t, "", "node", "show", "a", "-o", form).want(t, exitDone)
		got.shows(t, "10.0.0.3", "52:54:00:00:00:01", "http://***@repo/image?******", "http://wiki/?page=a", "ssh-ed25519")
		if strings.Contains(got.out, "hunter2") || strings.Contains(got.out, "api_token: 5") {
			t.Errorf("-o %s shows a secret:\n%s", form, got.out)
		}
	}
	tell(t, "", "node", "show", "x").want(t, exitNotFound, "show node x: not found", "hint: nodectl node list")
}

func TestNodeSet(t *testing.T) {
	fake := newFake(t, map[string]any{"name": "a", "extra": map[string]any{"rack": "3"}})
	password := file(t, "password", "0815\n")
	tell(t, "", "node", "set", "a", "properties/memory_mb=65536", "properties/cpu_arch=x86_64", "extra/rack-", "extra/list=[1]",
		"driver_info/ipmi_password=@"+password, "driver_info/ipmi_port=623", "resource_class=large", "retired=true",
		"traits=CUSTOM_A,CUSTOM_B").want(t, exitDone).shows(t, "large", "CUSTOM_A, CUSTOM_B", "driver_info/ipmi_password  ******")
	n := fake.node("a")
	for _, tt := range []struct {
		in, key string
		want    any
	}{
		{"properties", "memory_mb", 65536.0},
		{"properties", "cpu_arch", "x86_64"},
		{"extra", "rack", nil},
		{"driver_info", "ipmi_password", "0815"},
		{"driver_info", "ipmi_port", "623"},
	} {
		if got := n[tt.in].(map[string]any)[tt.key]; got != tt.want {
			t.Errorf("%s/%s = %#v; want %#v", tt.in, tt.key, got, tt.want)
		}
	}
	if n["retired"] != true || len(fake.requests("PATCH")) != 1 {
		t.Errorf("retired is %v after %q; want true, by one patch", n["retired"], fake.requests("PATCH"))
	}
	tell(t, "", "node", "set", "a", "traits-").want(t, exitDone)
	if len(n["traits"].([]any)) != 0 {
		t.Errorf("traits are %v; want none", n["traits"])
	}
}

func TestNodeSetRefuses(t *testing.T) {
	fake := newFake(t, rack()...)
	tests := []struct{ change, want string }{
		{"resourceclass=x", `did you mean "resource_class"?`},
		{"properties=5", "properties/KEY=value"},
		{"name/x=5", "name has no keys in it"},
		{"rack", "want key=value, key=@FILE, or key- to remove"},
		{"protected=perhaps", "protected: want true or false"},
		{"traits=ssd", `"ssd" is none`},
		{"driver_info/ipmi_password=hunter2", "driver_info/ipmi_password=@FILE"},
		{"extra/bosh_cpi-", "claims --release"},
		{"extra/bosh_cpi/claim=5", "claims --release"},
		{"instance_uuid-", "claims --release"},
		{"maintenance=true", "nodectl node maintenance"},
		{"extra/a=@/no/such/file", "no such file"},
	}
	for _, tt := range tests {
		got := tell(t, "", "node", "set", "a", tt.change).want(t, exitWrong, "node a: ", tt.want)
		if strings.Contains(got.err, "hunter2") {
			t.Errorf("node set %s shows the secret: %s", tt.change, got.err)
		}
	}
	if asked := fake.requests(""); len(asked) > 0 {
		t.Errorf("requests before the mistake was found: %q", asked)
	}
}

func TestNodeProvision(t *testing.T) {
	fake := newFake(t, rack()...)
	tell(t, "", "node", "provision", "a", "manage", "--wait").want(t, exitDone, "node a (", "manageable")
	if got := tell(t, "", "node", "provision", "a", "manage", "--wait"); strings.Contains(got.err, "WARN") {
		t.Errorf("the progress line warns of its own end:\n%s", got.err)
	}
	tell(t, "", "node", "provision", "a", "provide").want(t, exitDone, "asked for provide")
	tell(t, "", "node", "provision", "c", "deleted", "--wait").want(t, exitDone, "available")
	tell(t, "", "node", "provision", "a", "inspect").want(t, exitFailed, "ask node", "for inspect: not possible in this state", "hint: ")

	fake.stuck["provide"] = true
	tell(t, "", "node", "provision", "a", "provide", "--wait").want(t, exitFailed, "node a (", "clean failed: Timeout reached", "hint: mend")
	tell(t, "", "node", "provision", "a", "abort", "--wait").want(t, exitDone)

	password := file(t, "password", "hunter2\n")
	tell(t, "", "node", "provision", "a", "rescue", "--rescue-password-file", password).want(t, exitDone)
	steps := file(t, "steps.yml", "- {interface: deploy, step: erase_devices_metadata}\n")
	tell(t, "", "node", "provision", "a", "clean", "--clean-steps", steps, "--wait").want(t, exitDone)
	for _, want := range []string{
		`{"rescue_password":"hunter2","target":"rescue"}`,
		`{"clean_steps":[{"interface":"deploy","step":"erase_devices_metadata"}],"target":"clean"}`,
	} {
		if !slices.ContainsFunc(fake.requests("PUT"), func(r string) bool { return sameJSON(r[strings.Index(r, "{"):], want) }) {
			t.Errorf("no request %s in %q", want, fake.requests("PUT"))
		}
	}
}

func TestNodeProvisionRefuses(t *testing.T) {
	fake := newFake(t, rack()...)
	empty := file(t, "empty.iso", "")
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"fly"}, "must be one of"},
		{[]string{"provide", "--config-drive", empty}, "--config-drive goes with active and rebuild"},
		{[]string{"active", "--config-drive", empty}, "neither an image"},
		{[]string{"active", "--config-drive", t.TempDir()}, "there is no file in it"},
		{[]string{"clean"}, "needs --clean-steps"},
		{[]string{"clean", "--clean-steps", file(t, "s", "- {step: x}")}, "[0]: interface and step are required"},
		{[]string{"clean", "--clean-steps", file(t, "s", "[]")}, "there is no step in it"},
		{[]string{"rescue"}, "--rescue-password-file is missing"},
	}
	for _, tt := range tests {
		tell(t, "", append([]string{"node", "provision", "a"}, tt.args...)...).want(t, exitWrong, tt.want)
	}
	if asked := fake.requests(""); len(asked) > 0 {
		t.Errorf("requests before the mistake was found: %q", asked)
	}
}

func TestConfigDrive(t *testing.T) {
	image := file(t, "drive.iso", strings.Repeat("x", 2048))
	encoded, err := configDriveOf(image)
	if err != nil || !strings.HasPrefix(encoded, "H4sI") {
		t.Fatalf("configDriveOf(image) = %.20q, %v; want base64 of gzip", encoded, err)
	}
	if again, err := configDriveOf(file(t, "drive.b64", encoded+"\n")); again != encoded || err != nil {
		t.Errorf("configDriveOf(base64) = %.20q, %v; want it as it is", again, err)
	}
	if url, err := configDriveOf("http://repo/drive"); url != "http://repo/drive" || err != nil {
		t.Errorf("configDriveOf(URL) = %q, %v; want it as it is", url, err)
	}
	folder := filepath.Dir(file(t, "meta_data.json", "{}"))
	if made, err := configDriveOf(folder); !strings.HasPrefix(made, "H4sI") || err != nil {
		t.Errorf("configDriveOf(directory) = %.20q, %v; want base64 of gzip", made, err)
	}
}

func TestNodeMaintenance(t *testing.T) {
	fake := newFake(t, rack()...)
	tell(t, "", "node", "maintenance", "a", "on", "--reason", "fan 2").want(t, exitDone, "maintenance is on")
	if n := fake.node("a"); n["maintenance"] != true || n["maintenance_reason"] != "fan 2" {
		t.Errorf("maintenance is %v, %v", n["maintenance"], n["maintenance_reason"])
	}
	tell(t, "", "node", "maintenance", "a", "off").want(t, exitDone)
	if fake.node("a")["maintenance"] != false {
		t.Error("maintenance is still on")
	}
	tell(t, "", "node", "maintenance", "a", "off", "--reason", "x").want(t, exitWrong, "--reason goes with on")
	tell(t, "", "node", "maintenance", "a", "maybe").want(t, exitWrong, "nodectl node maintenance --help")
}

func TestNodePower(t *testing.T) {
	fake := newFake(t, rack()...)
	tell(t, "", "node", "power", "a", "on", "--wait").want(t, exitDone, "power on")
	tell(t, "", "node", "power", "a", "off", "--soft", "--wait").want(t, exitDone, "power off")
	tell(t, "", "node", "power", "a", "reboot").want(t, exitDone, "asked for rebooting")
	tell(t, "", "node", "power", "a", "on", "--soft").want(t, exitWrong, "--soft goes with off and reboot")
	var targets []string
	for _, r := range fake.requests("PUT") {
		targets = append(targets, r[strings.Index(r, "{"):])
	}
	want := []string{`{"target":"power on"}`, `{"target":"soft power off"}`, `{"target":"rebooting"}`}
	if !slices.Equal(targets, want) {
		t.Errorf("targets = %v; want %v", targets, want)
	}
}

func TestNodeDelete(t *testing.T) {
	fake := newFake(t, append(rack(), map[string]any{"name": "kept", "extra": map[string]any{"bosh_cpi": kept()}})...)
	tell(t, "", "node", "delete", "a").want(t, exitDone, "node a (", "deleted")
	if fake.node("a") != nil {
		t.Error("the node is still there")
	}
	tell(t, "", "node", "delete", "a").want(t, exitNotFound)
	tell(t, "", "node", "delete", "c").want(t, exitFailed, "claimed by somebody else", "hint: nodectl claims")
	tell(t, "", "node", "delete", "kept").want(t, exitFailed, "keeps it for disk-1")
}
