//go:build integration

package acceptance

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"bosh-ironic-cpi/src/backend"
)

// live takes a VM through its life on a node that deploys at once.
func (d *director) live(node backend.NodeSpec) {
	d.t.Helper()
	node.Deploy, node.Properties = "fake", twoDisks
	uuid := d.node(node)
	cid, _ := d.createVM(vmSpec{})
	if on := d.nodeOf(cid)["uuid"]; on != uuid {
		d.t.Errorf("the VM is on node %v; want %s", on, uuid)
	}
	if got := string(d.must("has_vm", cid)); got != "true" {
		d.t.Errorf("has_vm = %s", got)
	}
	d.must("set_vm_metadata", cid, map[string]any{"job": d.class, "index": "0"})
	d.must("reboot_vm", cid)
	d.must("delete_vm", cid)
	d.wantFree(uuid, "available")
}

// lockedOut asks with credentials that are not good enough: never success, never "no such VM".
func (d *director) lockedOut(secrets ...string) {
	d.t.Helper()
	const nobody = "5f3c8d1e-7f0a-4c55-9a46-0a6b7e1f2d3c"
	d.fails("CpiError", false, "has_vm", nobody)
	d.fails("CpiError", false, "delete_vm", nobody)
	message := d.fails("CpiError", false, "create_vm", d.arguments(vmSpec{})...)
	if !strings.Contains(message, "ironic.auth") {
		d.t.Errorf("the error does not say what to correct: %s", message)
	}
	for _, s := range secrets {
		if strings.Contains(message, s) {
			d.t.Errorf("the error shows %s: %s", s, message)
		}
	}
}

func TestLifeWithBasicAuth(t *testing.T) {
	backend.NotOn(t, "embedded", "it breaks what passes between the CPI and the API")
	t.Parallel()
	b := backend.Start(t, backend.WithBasicAuth())
	user, password := b.Credentials()
	auth := func(user, password string) map[string]any {
		return map[string]any{"ironic": map[string]any{"auth": map[string]any{"type": "http_basic", "username": user, "password": password}}}
	}
	d := newDirector(t, b, auth(user, password))
	d.live(backend.NodeSpec{})
	d.with(auth(user, "wrong-password")).lockedOut("wrong-password")
	d.with(auth("nobody-here", password)).lockedOut(password)
	d.with(map[string]any{"ironic": map[string]any{"auth": map[string]any{"type": "none"}}}).lockedOut()
}

func TestLifeWithKeystone(t *testing.T) {
	t.Parallel()
	backend.NotOn(t, "embedded", "it breaks what passes between the CPI and the API")
	b := backend.Start(t, backend.WithKeystone())
	ironic := func(auth map[string]any) map[string]any {
		auth["type"], auth["auth_url"] = "keystone", b.Env["KEYSTONE_URL"]
		return map[string]any{"ironic": map[string]any{"auth": auth}}
	}
	password := b.Env["KEYSTONE_BOSH_PASSWORD"]
	byPassword := ironic(map[string]any{
		"username": b.Env["KEYSTONE_BOSH_USERNAME"], "password": password, "project": b.Env["KEYSTONE_BOSH_PROJECT"],
	})
	byCredential := ironic(map[string]any{
		"application_credential_id":     b.Env["KEYSTONE_APPLICATION_CREDENTIAL_ID"],
		"application_credential_secret": b.Env["KEYSTONE_APPLICATION_CREDENTIAL_SECRET"],
	})
	byName := ironic(map[string]any{
		"application_credential_name":   b.Env["KEYSTONE_APPLICATION_CREDENTIAL_NAME"],
		"application_credential_secret": b.Env["KEYSTONE_APPLICATION_CREDENTIAL_SECRET"],
		"username":                      b.Env["KEYSTONE_BOSH_USERNAME"],
	})
	// The user is an admin of one project, and of the nodes that the project owns.
	owned := backend.NodeSpec{Fields: map[string]any{"owner": b.Env["KEYSTONE_BOSH_PROJECT_ID"]}}
	d := newDirector(t, b, byPassword)

	// Tokens end while a call goes on. Each call meets one refusal, and then comes with another token.
	tokens := newExpiry()
	b.Proxy.Fail(backend.Fault{Status: http.StatusUnauthorized, Match: tokens.refuse})
	d.live(owned)
	if tokens.refused < 3 || tokens.good != tokens.refused { // create_vm, reboot_vm, delete_vm at least
		t.Errorf("%d tokens were refused and %d taken instead; want several, and as many", tokens.refused, tokens.good)
	}
	b.Proxy.Reset()

	newDirector(t, b, byCredential).live(owned)

	if sent := len(b.Proxy.Requests()); sent == 0 {
		t.Error("ironic.url is not asked where it is given")
	}

	// Without ironic.url, Keystone's catalogue names it.
	b.Proxy.Reset()
	fromCatalogue := newDirector(t, b, byName, map[string]any{"ironic": map[string]any{"url": nil, "auth": map[string]any{"region": "RegionOne"}}})
	fromCatalogue.live(owned)
	if sent := len(b.Proxy.Requests()); sent != 0 {
		t.Errorf("%d requests went to an address that nobody configured", sent)
	}

	wrong := d.with(map[string]any{"ironic": map[string]any{"auth": map[string]any{"password": "wrong-password"}}})
	wrong.lockedOut("wrong-password")
	wrong = d.with(byCredential)
	backend.Overlay(wrong.config, map[string]any{"ironic": map[string]any{"auth": map[string]any{"application_credential_secret": "wrong-secret"}}})
	wrong.lockedOut("wrong-secret")
}

// An expiry makes every first token of a process end before its second use.
type expiry struct {
	mu            sync.Mutex
	uses          map[string]int
	fresh         bool // the next new token replaces one that was refused
	refused, good int
}

func newExpiry() *expiry { return &expiry{uses: map[string]int{}} }

func (e *expiry) refuse(r *http.Request) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	token := r.Header.Get("X-Auth-Token")
	if _, known := e.uses[token]; !known {
		e.uses[token] = 0
		if e.fresh {
			e.uses[token] = -1000 // lasts
			e.good++
		}
		e.fresh = false
	}
	if e.uses[token]++; e.uses[token] < 2 {
		return false
	}
	if e.uses[token] == 2 {
		e.refused++
	}
	e.fresh = true
	return true
}
