//go:build integration

package acceptance

import (
	"encoding/json"
	"net/http"
	"testing"

	"bosh-ironic-cpi/src/backend"
)

// wantWithout checks that an answer, and what went to stderr, hold none of the secrets.
func (a answer) wantWithout(t *testing.T, secrets ...string) {
	t.Helper()
	texts := map[string]string{"log": a.Log, "stderr": a.stderr, "result": string(a.Result)}
	if a.Error != nil {
		texts["error"] = a.Error.Message
	}
	for _, s := range secrets {
		for where, text := range texts {
			if holds(text, s) {
				t.Errorf("%s shows the secret %s:\n%s", where, s, text)
			}
		}
	}
}

// The most talkative log holds no secret, whatever happens: the VM comes about, Ironic refuses the node with the
// request's own words, Ironic is silent, the repository is, the request is garbled.
func TestNoSecretIsLogged(t *testing.T) {
	backend.NotOn(t, "embedded", "it breaks what passes between the CPI and the API")
	t.Parallel()
	const key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEAsecretline1\nsecretline2ofthekey\n-----END RSA PRIVATE KEY-----\n"
	secrets := []string{
		"mbus-password", "s3-secret-key", "in-a-header", "$6$env$password-hash", "env-blobstore-password", "nats-private", "MIIEpAIBAAKCAQEAsecretline1",
		"secretline2ofthekey", "ipmi-password", "snmp-community", "nested-token", "user-metadata-password",
	}
	d := newDirector(t, backend.Start(t), map[string]any{"agent": map[string]any{
		"mbus": "https://mbus:mbus-password@0.0.0.0:6868",
		"blobstore": map[string]any{"provider": "s3", "options": map[string]any{
			"secret_access_key": "s3-secret-key", "encryption_key": "in-a-header",
		}},
	}})
	macs := []string{backend.NewMAC()}
	node := map[string]any{
		"driver": "fake", "name": d.class, "resource_class": d.class, "network_interface": "noop", "deploy_interface": "fake",
		"properties": twoDisks, "driver_info": map[string]any{
			"ipmi_address": "10.0.4.7", "ipmi_username": "operator", "ipmi_password": "ipmi-password", "snmp_community": "snmp-community",
			"extra": map[string]any{"token": "nested-token"},
		},
	}
	spec := vmSpec{
		stemcell: d.stemcell(), cloud: map[string]any{"macs": macs, "ironic_params": node},
		env: map[string]any{"bosh": map[string]any{
			"password": "$6$env$password-hash",
			"blobstores": []any{map[string]any{"provider": "dav", "options": map[string]any{
				"endpoint": "https://10.0.0.6:25250", "user": "agent", "password": "env-blobstore-password",
			}}},
			"mbus": map[string]any{"cert": map[string]any{
				"ca": "a certificate", "certificate": "another", "private_key": key,
			}, "urls": []any{"nats://nats:nats-private@10.0.0.6:4222"}},
		}},
	}
	arguments := d.arguments(spec)
	refused := d.arguments(vmSpec{stemcell: spec.stemcell, env: spec.env, cloud: map[string]any{
		"macs": macs, "ironic_params": map[string]any{"driver": "no-such-driver", "driver_info": node["driver_info"]},
	}})
	unreadable := d.arguments(vmSpec{stemcell: spec.stemcell, env: spec.env, cloud: map[string]any{
		"macs": "ipmi", "ironic_params": node,
	}})

	check := func(what string, a answer, failed bool) answer {
		t.Helper()
		if (a.Error != nil) != failed {
			t.Errorf("%s: %+v", what, a.Error)
		}
		if len(a.stderr) == 0 || a.Log == "" {
			t.Errorf("%s: nothing is logged", what)
		}
		a.wantWithout(t, secrets...)
		return a
	}
	check("a driver that Ironic has not", d.call("create_vm", refused...), true)
	check("a property of the wrong type", d.call("create_vm", unreadable...), true)
	outage := d.backend.Proxy.Fail(backend.Fault{Method: http.MethodPost, Status: http.StatusBadRequest, Body: echo(t, node)})
	check("Ironic repeats what it was sent", d.call("create_vm", arguments...), true)
	outage.Remove()
	outage = d.webdav.Proxy.Fail(backend.Fault{Method: http.MethodPut, Status: http.StatusForbidden})
	check("the repository refuses the settings", d.call("create_vm", arguments...), true)
	outage.Remove()
	request, err := json.Marshal(map[string]any{"method": "create_vm", "arguments": arguments, "context": map[string]any{"director_uuid": d.uuid}})
	if err != nil {
		t.Fatal(err)
	}
	check("a request cut short", d.send(request[:len(request)-20]), true)
	check("arguments in the wrong places", d.call("create_vm", arguments[5], arguments[2], arguments[0]), true)

	a := check("success", d.call("create_vm", arguments...), false)
	cid := decode[string](t, decode[[]json.RawMessage](t, a.Result)[0])
	whole, err := json.Marshal(d.nodeOf(cid))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range secrets[:8] { // those of the settings, not of driver_info
		if holds(string(whole), s) {
			t.Errorf("the node shows the secret %s: %s", s, whole)
		}
	}
	check("metadata", d.call("set_vm_metadata", cid, map[string]any{
		"job": d.class, "index": "0", "password": "user-metadata-password",
	}), false)
	check("deletion", d.call("delete_vm", cid), false)
}

// echo is an answer of Ironic that repeats a request, as jsonschema's errors do.
func echo(t *testing.T, sent any) string {
	t.Helper()
	text, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	inner, err := json.Marshal(map[string]any{"faultcode": "Client", "faultstring": "Schema error: " + string(text) + " is not valid"})
	if err != nil {
		t.Fatal(err)
	}
	outer, err := json.Marshal(map[string]any{"error_message": string(inner)})
	if err != nil {
		t.Fatal(err)
	}
	return string(outer)
}
