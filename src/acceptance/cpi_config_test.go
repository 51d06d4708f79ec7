//go:build integration

package acceptance

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/backend"
)

// The properties of a cpi-config arrive in the request's context and win, key by key: what they do not name
// stays as the file has it. The same program so serves an Ironic per availability zone.
func TestCPIConfigWinsKeyByKey(t *testing.T) {
	backend.NotOn(t, "embedded", "it breaks what passes between the CPI and the API")
	t.Parallel()
	b := backend.Start(t, backend.WithBasicAuth())
	user, password := b.Credentials()
	d := newDirector(t, b, map[string]any{
		"ironic":    map[string]any{"url": "http://127.0.0.1:1", "retry_limit": "0s", "auth": map[string]any{"type": "http_basic", "username": user, "password": "another-zone's"}},
		"log_level": "info",
	})
	const nobody = "5f3c8d1e-7f0a-4c55-9a46-0a6b7e1f2d3c"
	d.fails("CloudError", true, "has_vm", nobody) // the file's Ironic is not there

	d.context = map[string]any{"ironic": map[string]any{"url": b.URL}}
	d.fails("CpiError", false, "has_vm", nobody) // and its password is not this one's

	d.context = map[string]any{
		"ironic": map[string]any{"url": b.URL, "auth": map[string]any{"password": password}},
		"ironik": map[string]any{"url": "x"}, "unheard_of": 1, "log_level": "warn",
	}
	a := d.call("has_vm", nobody)
	if a.Error != nil || string(a.Result) != "false" {
		t.Fatalf("has_vm = %s, %+v", a.Result, a.Error)
	}
	if n := strings.Count(a.Log, "level=WARN"); n != 2 || !strings.Contains(a.Log, "key=context.ironik ") ||
		!strings.Contains(a.Log, `did you mean \"ironic\"?`) || !strings.Contains(a.Log, "key=context.unheard_of ") {
		t.Errorf("%d warnings; want one for each unknown key, with the nearest known: %s", n, a.Log)
	}
	a.wantWithout(t, password, "another-zone's")
	d.live(backend.NodeSpec{})

	wrong := []struct {
		context map[string]any
		want    string
	}{
		{context: map[string]any{"ironic": map[string]any{"url": 6385}}, want: "context.ironic.url: want a string, got a number"},
		{context: map[string]any{"ironic": map[string]any{"ulr": b.URL}}, want: `context.ironic.ulr: unknown key, did you mean "url"?`},
		{context: map[string]any{"ironic": "http://h"}, want: "context.ironic: "},
		{context: map[string]any{"timeouts": map[string]any{"deploy": "an hour"}}, want: "context.timeouts.deploy: "},
		{context: map[string]any{"agent": map[string]any{"settings_delivery": "pigeon"}}, want: "context.agent.settings_delivery: "},
		{context: map[string]any{"ironic": map[string]any{"auth": map[string]any{"password": map[string]any{"file": "/etc/shadow"}}}}, want: "context.ironic.auth.password"},
	}
	for _, tt := range wrong {
		d.context = tt.context
		if message := d.fails("CpiError", false, "has_vm", nobody); !strings.Contains(message, tt.want) {
			t.Errorf("%v: %s; want %q", tt.context, message, tt.want)
		}
	}
}

// A configuration that is broken is a CpiError for whatever the Director asks, never NotImplemented, which it
// would pass over. info and ping need none.
func TestBrokenConfiguration(t *testing.T) {
	t.Parallel()
	methods := []string{
		"create_stemcell", "delete_stemcell", "create_vm", "delete_vm", "has_vm", "reboot_vm", "set_vm_metadata",
		"calculate_vm_cloud_properties", "create_disk", "delete_disk", "has_disk", "attach_disk", "detach_disk", "get_disks",
		"set_disk_metadata",
	}
	broken := []struct{ name, text, want string }{
		{name: "empty", text: "", want: ""},
		{name: "garbled", text: `{"ironic": {"url": "http://h", "auth": {"password": "hunter2-secret"`, want: ""},
		{name: "a key too many", text: `{"ironic": {"url": "http://h", "auth": {"pasword": "hunter2-secret"}}}`, want: "ironic.auth.pasword"},
		{name: "wrong type", text: `{"ironic": {"url": 1}}`, want: "ironic.url"},
		{name: "no URL", text: `{"agent": {"mbus": "nats://h"}, "repository": {"stemcells": {"type": "dir", "path": "/s"}, "metadata": {"type": "dir", "path": "/m"}}}`, want: "ironic.url"},
		{name: "no file", want: "no such file"},
	}
	for _, tt := range broken {
		file := filepath.Join(t.TempDir(), "cpi.json")
		if tt.name != "no file" {
			if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		asked := methods
		if tt.name != "garbled" {
			asked = methods[:1] // how it is broken makes no difference to the others
		}
		for _, method := range asked {
			a := ask(t, file, method)
			if a.Error == nil || a.Error.Type != "Bosh::Clouds::CpiError" || a.Error.OKToRetry || !strings.Contains(a.Error.Message, tt.want) {
				t.Errorf("%s: %s answers %s, %+v; want a CpiError with %q", tt.name, method, a.Result, a.Error, tt.want)
			}
			a.wantWithout(t, "hunter2-secret")
		}
		for _, method := range []string{"info", "ping"} {
			if a := ask(t, file, method); a.Error != nil {
				t.Errorf("%s: %s: %+v", tt.name, method, a.Error)
			}
		}
	}
}

// ask runs the program on a configuration file as it is.
func ask(t *testing.T, file, method string) answer {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, "-configPath", file)
	cmd.Stdin = strings.NewReader(`{"method": "` + method + `", "arguments": [], "context": {"director_uuid": "d"}, "api_version": 2}`)
	var log strings.Builder
	cmd.Stderr = &log
	out, err := cmd.Output()
	var a answer
	if err != nil || json.Unmarshal(out, &a) != nil {
		t.Fatalf("%s: %v: %s", method, err, out)
	}
	a.stderr = log.String()
	return a
}

// Cloud-configs are shared between CPIs: a key that is not ours is a warning, which names the nearest of ours, and
// an error only where the operator wants that. A key of ours with a wrong value is always an error.
func TestUnknownCloudProperties(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	strict := s.with(map[string]any{"strict_cloud_properties": true})
	stemcell := s.stemcell()
	ask := func(cloud map[string]any) []any { return s.arguments(vmSpec{stemcell: stemcell, cloud: cloud}) }

	unknown := ask(map[string]any{"instance_type": "m1.large", "trait": "x"})
	message := strict.fails("CloudError", false, "create_vm", unknown...)
	for _, want := range []string{"cloud_properties.instance_type", "cloud_properties.trait", `did you mean "traits"?`} {
		if !strings.Contains(message, want) {
			t.Errorf("%s; want %s", message, want)
		}
	}
	for _, tt := range []struct {
		cloud map[string]any
		want  string
	}{
		{cloud: map[string]any{"traits": "CUSTOM_SSD"}, want: "cloud_properties.traits: want a list"},
		{cloud: map[string]any{"resource_class": 7}, want: "cloud_properties.resource_class: want a string"},
		{cloud: map[string]any{"ironic_properties": []any{}}, want: "cloud_properties.ironic_properties: want an object"},
		{cloud: map[string]any{"spare_nics": "off"}, want: "cloud_properties.spare_nics"},
		{cloud: map[string]any{"bonds": []any{map[string]any{"name": 1}}}, want: "cloud_properties.bonds[0].name: want a string"},
	} {
		for _, d := range []*director{s.director, strict} {
			if message := d.fails("CloudError", false, "create_vm", ask(tt.cloud)...); !strings.Contains(message, tt.want) {
				t.Errorf("%v: %s; want %q", tt.cloud, message, tt.want)
			}
		}
	}
	if n := s.backend.Proxy.Count("", "/v1/"); n != 0 {
		t.Errorf("Ironic was asked %d times about cloud properties that are wrong", n)
	}

	a := s.call("create_vm", unknown...)
	if a.Error != nil {
		t.Fatalf("create_vm: %+v", a.Error)
	}
	for _, want := range []string{"property=cloud_properties.instance_type", "property=cloud_properties.trait", `did you mean \"traits\"?`} {
		if !strings.Contains(a.Log, want) {
			t.Errorf("no warning says %s", want)
		}
	}
	if n := strings.Count(a.Log, "level=WARN"); n != 2 {
		t.Errorf("%d warnings; want one for each unknown property", n)
	}
	s.must("delete_vm", decode[string](t, decode[[]json.RawMessage](t, a.Result)[0]))
	s.check(t)
}
