package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFaultsAreNamed(t *testing.T) {
	tests := []struct{ name, file, want string }{
		{"no YAML", "a: [", "configuration file FILE: "},
		{"a list", "[1]", "want keys and values"},
		{"two documents", "data: a\n---\ndata: b", "want one YAML document"},
		{"a key twice", "data: a\ndata: b", "each key once"},
		{"unknown", "registri: {}", `registri: unknown key, did you mean "registry"?`},
		{"deep", "repository: {images: {qouta: 1GiB}}", `repository.images.qouta: unknown key, did you mean "quota"?`},
		{"size", "repository: {images: {quota: 10}}", "repository.images.quota: want a string, got a number"},
		{"unit", `repository: {min_free: "10"}`, `repository.min_free: want a size with its unit`},
		{"address", "registry: {listen: [localhost]}", "registry.listen[0]: "},
		{"network", "trusted_proxies: [10.0.0.1]", "trusted_proxies[0]: "},
		{"nothing", "registry: {enabled: false}\nrepository: {enabled: false}\nconductor: {enabled: false}", "registry.enabled: nothing to serve"},
		{"boot image", "conductor: {boot_iso: /x.iso, machines_listen: [\"127.0.0.1:1\"]}", "conductor.machines_url: required by conductor.boot_iso"},
		{"no URL", "conductor: {machines_url: 10.0.0.5}", "conductor.machines_url: want http:// or https:// and a host"},
		{"open registry", `registry: {listen: ["0.0.0.0:25777"]}`, "registry.users: required to listen on http://0.0.0.0:25777, which others can reach"},
		{"open to all", `registry: {listen: [":25777"]}`, "registry.users: required to listen on"},
		{"open tree", `repository: {images: {listen: ["10.0.0.5:80"]}}`, "repository.images.users: required to listen on http://10.0.0.5:80"},
		{"open trees", `repository: {listen: ["[2001:db8::1]:80"]}`, "repository.deploy.users: required"},
		{"reading alone is open", `repository: {listen: ["10.0.0.5:80"], images: {anyone_may_read: true}}`, "repository.images.users: required"},
		{"no certificate", `registry: {listen: ["https://127.0.0.1:1"]}`, "tls.certificate: required by an https address"},
		{"no address", `registry: {listen: []}`, "registry.listen: want at least one address"},
		{"two who know", `conductor: {users: [{name: a, password: b}], keystone: {auth_url: "https://k"}}`, "conductor.keystone.auth_url: goes without conductor.users"},
		{"nowhere", `conductor: {keystone: {username: a, password: hunter2}}`, "conductor.keystone.auth_url: required by the credentials"},
		{"no password", `registry: {users: [{name: a}]}`, "registry.users[0].password: required"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := written(t, t.TempDir(), "registry.yml", tt.file)
			_, _, err := load(file)
			if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), file, "FILE"), tt.want) {
				t.Errorf("load = %v; want %q", err, tt.want)
			}
		})
	}
}

func TestValuesAreChecked(t *testing.T) {
	tests := []struct{ name, file, want string }{
		{"hash", `registry: {users: [{name: a, password: "$2y$10$hunter2"}]}`, "registry.users: user \"a\""},
		{"twice", `repository: {images: {users: [{name: a, password: hunter2}, {name: a, password: x}]}}`, "repository.images.users: user \"a\" is there twice"},
		{"inherited", `repository: {readers: [{name: "a:b", password: hunter2}]}`, "repository.images.readers: "},
		{"key", `repository: {signing_key: hunter2}`, "repository.signing_key: signing key has 7 bytes"},
		{"store", `registry: {store: {url: "ftp://u:hunter2@h"}}`, "registry.store: "},
		{"no Keystone", `conductor: {keystone: {auth_url: "ftp://k", username: a, password: hunter2, project: p}}`, "conductor.keystone: auth_url: want http://"},
		{"a user in it", `conductor: {keystone: {auth_url: "https://a:hunter2@k"}}`, "conductor.keystone: auth_url: want no user"},
		{"no project", `conductor: {listen: ["10.0.0.5:1"], keystone: {auth_url: "https://k", username: a, password: hunter2}}`, "conductor.keystone: want username, password and project"},
		{"half a credential", `conductor: {keystone: {auth_url: "https://k", application_credential_id: a}}`, "application_credential_secret: required"},
		{"Keystone's CA", `conductor: {keystone: {auth_url: "https://k", username: a, password: hunter2, project: p, ca: hunter2}}`, "conductor.keystone: tls: the CA holds no certificate"},
		{"certificate", `tls: {certificate: /nonexistent/cert.pem, key: /nonexistent/key.pem}`, "tls: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, _, err := load(written(t, t.TempDir(), "registry.yml", tt.file))
			if err != nil {
				t.Fatal(err)
			}
			_, err = prepare(&c)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("prepare = %v; want %q", err, tt.want)
			}
		})
	}
}

// A fault in YAML is often one in a line with a password.
func TestFaultsShowNoSecret(t *testing.T) {
	for _, text := range []string{
		"registry: {users: hunter2}", "hunter2", "registry: {users: [{name: a, password: [hunter2]}]}", "password: hunter2\n  x: hunter2",
		"a: !!int hunter2", "a: &hunter2 b\nc: *hunter3", "a: \"hunter2",
	} {
		_, _, err := load(written(t, t.TempDir(), "registry.yml", text))
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestTreesInherit(t *testing.T) {
	c, warnings, err := load(written(t, t.TempDir(), "registry.yml", `
repository:
  listen: ["10.0.0.5:8081"]
  users: [{name: all, password: a}]
  readers: [{name: reader, password: b}]
  images: {users: [{name: images, password: c}], readers: []}
  metadata: {listen: ["10.0.0.5:25777"]}
  deploy: {enabled: false}
`))
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	type seen struct{ Name, Listen, Users, Readers string }
	var got []seen
	for _, tr := range c.Repository.trees() {
		s := seen{Name: tr.name, Listen: tr.Listen[0].String()}
		for _, u := range tr.Users {
			s.Users += u.Name
		}
		for _, u := range tr.Readers {
			s.Readers += u.Name
		}
		got = append(got, s)
	}
	want := []seen{{"images", "http://10.0.0.5:8081", "images", ""}, {"metadata", "http://10.0.0.5:25777", "all", "reader"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("trees (-want +got):\n%s", diff)
	}
}

func TestSecretsThatOthersCanReadAreWarnedOf(t *testing.T) {
	const secret, none = "registry: {users: [{name: a, password: hunter2}]}", "log_level: debug"
	tests := []struct {
		text string
		mode os.FileMode
		want bool
	}{
		{secret, 0o600, false},
		{secret, 0o640, true},
		{secret, 0o604, true},
		{none, 0o644, false},
	}
	for _, tt := range tests {
		file := written(t, t.TempDir(), "registry.yml", tt.text)
		if err := os.Chmod(file, tt.mode); err != nil {
			t.Fatal(err)
		}
		_, warnings, err := load(file)
		if err != nil || (len(warnings) == 1) != tt.want || tt.want && !strings.Contains(warnings[0], "chmod 600") {
			t.Errorf("%s, mode %o: %v, %v", tt.text, tt.mode, warnings, err)
		}
	}
}
