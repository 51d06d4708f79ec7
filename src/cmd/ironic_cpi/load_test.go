package main

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"bosh-ironic-cpi/src/config"
	"bosh-ironic-cpi/src/secret"
)

const minimal = `{
	"ironic": {"url": "http://ironic:6385"},
	"repository": {"stemcells": {"url": "http://h/images"}, "metadata": {"url": "http://h/metadata"}},
	"agent": {"mbus": "nats://10.0.0.6:4222"}
}`

// loaded is minimal with overlay laid over it, then with the request's context.
func loaded(t *testing.T, overlay, context string) (configuration, []config.Fault, error) {
	t.Helper()
	file := written(t, overlay)
	c, unknown, err := load(file, json.RawMessage(context), func(json.RawMessage) {})
	if err != nil && !strings.HasPrefix(err.Error(), "cpi-config: ") && !strings.HasPrefix(err.Error(), "configuration file "+file) {
		t.Errorf("the error does not say where: %v", err)
	}
	return c, unknown, err
}

func TestContextIsLaidOverTheFile(t *testing.T) {
	c, unknown, err := loaded(t, `{"ironic": {"auth": {"type": "token", "token": "abc"}}, "agent": {"ntp": ["a", "b"]}, "registry": {"url": "http://r"}}`,
		`{"director_uuid": "d", "request_id": "r", "vm": {"stemcell": {"api_version": 3}}, "auth_url": "x", "ironik": {},
		"ironic": {"url": "http://az2:6385"}, "agent": {"ntp": ["c"]}, "registry": {"url": null}, "log_level": "debug"}`)
	if err != nil {
		t.Fatal(err)
	}
	got := []any{c.Ironic.URL, c.Ironic.Auth.Token.Reveal(), c.Agent.NTP, c.Registry.URL, c.LogLevel, c.Repository.Metadata.URL}
	want := []any{"http://az2:6385", "abc", []string{"c"}, "", "debug", "http://h/metadata"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("load (-want +got):\n%s", diff)
	}
	wantUnknown := []config.Fault{
		{Path: "context.auth_url", Problem: "no key of the configuration"},
		{Path: "context.ironik", Problem: `no key of the configuration, did you mean "ironic"?`},
	}
	if diff := cmp.Diff(wantUnknown, unknown); diff != "" {
		t.Errorf("unknown (-want +got):\n%s", diff)
	}
}

func TestFaultsAreNamed(t *testing.T) {
	tests := []struct{ name, file, context, want string }{
		{"file: type", `{"ironic": {"url": 5}}`, ``, "ironic.url: want a string, got a number"},
		{"file: unknown", `{"ironic": {"uri": "x"}}`, ``, `ironic.uri: unknown key, did you mean "url"?`},
		{"file: old name", `{"ironic_url": "x"}`, ``, `ironic_url: unknown key, did you mean "ironic"?`},
		{"file: no bus", `{"agent": {"mbus": null}}`, ``, "agent.mbus: required, but missing"},
		{"file: list", `{"agent": {"ntp": ["a", 5]}}`, ``, "agent.ntp[1]: want a string, got a number"},
		{"file: steps", `{"cleaning": {"steps": [{"step": "x"}]}}`, ``, "cleaning.steps[0].interface: required, but missing"},
		{"file: zero", `{"timeouts": {"deploy": "0s"}}`, ``, "timeouts.deploy: want at least 1s"},
		{"context: type", `{}`, `{"ironic": {"url": 5}}`, "context.ironic.url: want a string, got a number"},
		{"context: unknown in a group", `{}`, `{"ironic": {"urls": "x"}}`, `context.ironic.urls: unknown key, did you mean "url"?`},
		{"context: group", `{}`, `{"ironic": "http://x"}`, "context.ironic: want an object, got a string"},
		{"context: file", `{}`, `{"ironic": {"auth": {"token": {"file": "/etc/hostname"}}}}`, "context.ironic.auth.token: a file can be named in the configuration file only"},
		{"context: a required key taken away", `{}`, `{"agent": {"mbus": null}}`, "agent.mbus: required, but missing"},

		{"no port", `{"conductor": {"machines_listen": "10.0.0.5"}}`, ``, "conductor.machines_listen: want HOST:PORT"},
		{"no address", `{"conductor": {"machines_listen": ":6386"}}`, ``, "conductor.machines_url: required where conductor.machines_listen names no address that servers can reach"},
		{"any address", `{"conductor": {"machines_listen": "0.0.0.0:6386"}}`, ``, "conductor.machines_url: required where"},
		{"any address of IPv6", `{"conductor": {"machines_listen": "[::]:6386"}}`, ``, "conductor.machines_url: required where"},
		{"any port", `{"conductor": {"machines_listen": "0.0.0.0:0", "machines_url": "http://10.0.0.5:6386"}}`, ``, "conductor.machines_url: goes with a port in conductor.machines_listen"},
		{"boot image", `{"conductor": {"boot_iso": "/x.iso"}}`, ``, "conductor.machines_listen: required by conductor.boot_iso"},
		{"no address", `{"ironic": {"url": ""}}`, ``, "ironic.url: required, but missing"},
		{"token", `{"ironic": {"auth": {"type": "token"}}}`, ``, "ironic.auth.token: required by type token"},
		{"http_basic", `{"ironic": {"auth": {"type": "http_basic", "username": "u"}}}`, ``, "ironic.auth.password: required by type http_basic"},
		{"keystone", `{"ironic": {"auth": {"type": "keystone", "username": "u", "password": "p", "project": "p"}}}`, ``, "ironic.auth.auth_url: required by type keystone"},
		{"keystone: project", `{"ironic": {"auth": {"type": "keystone", "auth_url": "http://k", "username": "u", "password": "p"}}}`, ``, "ironic.auth.project: required"},
		{"keystone: credential", `{"ironic": {"auth": {"type": "keystone", "auth_url": "http://k", "application_credential_secret": "s"}}}`, ``, "ironic.auth.application_credential_id: required"},
		{"webdav", `{"repository": {"stemcells": {"url": null}}}`, ``, "repository.stemcells.url: required by type webdav"},
		{"dir", `{"repository": {"metadata": {"type": "dir"}}}`, ``, "repository.metadata.path: required by type dir"},
		{"zone", `{"placement": {"zone_field": "rack"}}`, ``, "placement.zone_field: want conductor_group"},
		{"cleaning", `{"cleaning": {"manual": true, "steps": []}}`, ``, "cleaning.steps: required by manual"},
		{"blobstore", `{"agent": {"blobstore": {"options": {}}}}`, ``, "agent.blobstore.provider: required by options"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, _, err := loaded(t, tt.file, tt.context); err == nil || !strings.Contains(err.Error(), ": "+tt.want) {
				t.Errorf("load: %v; want %s", err, tt.want)
			}
		})
	}
}

func TestGoodConfigurations(t *testing.T) {
	for _, overlay := range []string{
		`{}`,
		`{"ironic": {"url": null, "auth": {"type": "keystone", "auth_url": "http://k", "username": "u", "password": "p", "project": "x"}}}`,
		`{"ironic": {"auth": {"type": "keystone", "auth_url": "http://k", "application_credential_id": "i", "application_credential_secret": "s"}}}`,
		`{"ironic": {"auth": {"type": "keystone", "auth_url": "http://k", "application_credential_name": "n", "username": "u", "application_credential_secret": "s"}}}`,
		`{"placement": {"zone_field": "properties/rack"}, "ironic": {"retry_limit": "0s"}}`,
		`{"registry": {"url": "http://u:p@r/registry"}}`,
	} {
		c, _, err := loaded(t, overlay, ``)
		if err != nil {
			t.Errorf("%v with %s", err, overlay)
			continue
		}
		made, err := wire(c, "director", slog.New(slog.DiscardHandler))
		if err != nil || (made.Registry == nil) != (c.Registry.URL == "") {
			t.Errorf("wire: %v, registry %v", err, made.Registry)
		}
	}
	goleak.VerifyNone(t)
}

// Every key of the file is read by somebody: all that differ from the defaults differ in what the parts get.
func TestWirePassesOn(t *testing.T) {
	c, _, err := loaded(t, `{
		"disks": {"on_delete": "release", "reuse_deleted": true, "system_device": "/dev/a", "ephemeral_device": "/dev/b", "persistent_device": "/dev/c"},
		"placement": {"zone_field": "owner", "failed_last": "7m"}, "networks": {"spare_nics": "unmanaged"},
		"cleaning": {"manual": true, "steps": [{"interface": "raid", "step": "x", "args": {"n": 1}}]},
		"timeouts": {"manage": "1s", "provide": "2s", "deploy": "3s", "delete": "4s", "clean": "5s", "power": "6s", "claim": "7s"},
		"strict_cloud_properties": true, "agent": {"settings_delivery": "inject", "ntp": ["n"], "public_keys": ["k"], "nameservers": ["s"]},
		"ironic": {"request_timeout": "8s", "retry_limit": "0s", "poll_first": "10ms", "poll_every": "20ms"}}`, ``)
	if err != nil {
		t.Fatal(err)
	}
	o := options(c)
	got, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"Delivery":"inject","SpareNICs":"unmanaged","ReleaseDisks":true,"ReuseDeleted":true,"SystemPath":"/dev/a","EphemeralPath":"/dev/b",` +
		`"PersistentPath":"/dev/c","ZoneField":"owner","FailedLast":420000000000,"ManualClean":true,` +
		`"CleanSteps":[{"interface":"raid","step":"x","args":{"n":1}}],"StrictProperties":true,` +
		`"Timeouts":{"Manage":1000000000,"Provide":2000000000,"Deploy":3000000000,"Delete":4000000000,"Clean":5000000000,"Power":6000000000,"Claim":7000000000}}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("options (-want +got):\n%s", diff)
	}
	i := ironic(c.Ironic, nil)
	if i.RetryLimit >= 0 || i.Timeout != 8*time.Second || i.Pace.First != 10*time.Millisecond || i.Pace.Every != 20*time.Millisecond {
		t.Errorf("client: %+v; want no retries at all", i)
	}
}

// B14: numbers and booleans of the blobstore reach the agent as such.
func TestB14BlobstoreOptionsKeepTheirTypes(t *testing.T) {
	const options = `{"port":443,"ratio":1.50,"ssl_verify_peer":false,"use_ssl":true,"user":"u"}`
	c, _, err := loaded(t, `{"agent": {"blobstore": {"provider": "s3", "options": `+options+`}}}`, ``)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(agent(c.Agent).Blobstore.Options)
	if err != nil || string(got) != options {
		t.Errorf("options %s, %v; want %s", got, err, options)
	}
}

// B18: a value is what it is, % and quotes too.
func TestB18AnyCharacterInAPassword(t *testing.T) {
	const password = `%(x)s 50% 'quoted' "twice" #{ruby} \`
	inJSON, err := json.Marshal(password)
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := loaded(t, `{"ironic": {"auth": {"type": "token", "token": `+string(inJSON)+`}}}`, ``)
	if err != nil {
		t.Fatal(err)
	}
	if got := ironic(c.Ironic, nil).Auth.Token; got != secret.New(password) {
		t.Errorf("token %q; want %q", got.Reveal(), password)
	}
}

// B12: each TLS option reaches the part that it is for, and certificates are verified by default.
func TestB12TLSOptionsArrive(t *testing.T) {
	const tls = `{"ca": "CA", "client_cert": "CERT", "client_key": "KEY", "insecure": true}`
	c, _, err := loaded(t, `{"ironic": {"tls": `+tls+`}, "registry": {"url": "https://r", "tls": `+tls+`}, "repository": {"stemcells": {"tls": `+tls+`}}}`, ``)
	if err != nil {
		t.Fatal(err)
	}
	want := tlsGroup{CA: "CA", ClientCert: "CERT", ClientKey: secret.New("KEY"), Insecure: true}
	if c.Ironic.TLS != want || c.Registry.TLS != want || c.Repository.Stemcells.TLS != want || c.Repository.Metadata.TLS != (tlsGroup{}) {
		t.Errorf("TLS groups: %+v", c)
	}
	for path, overlay := range map[string]string{
		"ironic": `{"ironic": {"tls": {"ca": "none"}}}`, "registry": `{"registry": {"url": "https://r", "tls": {"ca": "none"}}}`,
		"repository.stemcells": `{"repository": {"stemcells": {"tls": {"ca": "none"}}}}`, "repository.metadata": `{"repository": {"metadata": {"tls": {"ca": "none"}}}}`,
	} {
		c, _, err := loaded(t, overlay, ``)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := wire(c, "", slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("wire with a broken %s.tls.ca: %v", path, err)
		}
	}
}
