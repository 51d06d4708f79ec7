//go:build integration

package api_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bosh-ironic-cpi/src/backend"
	"bosh-ironic-cpi/src/keystone"
	"bosh-ironic-cpi/src/secret"
)

// The same tokens on Ironic and on the conductor, both under Debian's Keystone.
func TestKeystoneBesideIronic(t *testing.T) {
	t.Parallel()
	b := backend.Start(t, backend.WithKeystone())
	ours := underKeystone(t, keystone.Config{
		URL: b.Env["KEYSTONE_URL"], Username: b.Env["KEYSTONE_IRONIC_USERNAME"], Password: secret.New(b.Env["KEYSTONE_IRONIC_PASSWORD"]),
		Project: b.Env["KEYSTONE_IRONIC_PROJECT"],
	})
	id := identity{t, b.Env["KEYSTONE_URL"], ""}
	id.admin = id.login(b.Env["KEYSTONE_USERNAME"], b.Env["KEYSTONE_PASSWORD"], system)
	bosh := projectScope(b.Env["KEYSTONE_BOSH_PROJECT"])
	id.user("watcher", "/system", "reader")
	id.user("member", "/projects/"+b.Env["KEYSTONE_BOSH_PROJECT_ID"], "member")
	id.user("observer", "/projects/"+b.Env["KEYSTONE_BOSH_PROJECT_ID"], "observer")
	tokens := map[string]string{
		"nobody": "", "a word": "gAAAAABinvented",
		"admin of the system":  id.admin,
		"admin of a project":   id.login(b.Env["KEYSTONE_BOSH_USERNAME"], b.Env["KEYSTONE_BOSH_PASSWORD"], bosh),
		"service":              id.login(b.Env["KEYSTONE_IRONIC_USERNAME"], b.Env["KEYSTONE_IRONIC_PASSWORD"], projectScope(b.Env["KEYSTONE_IRONIC_PROJECT"])),
		"reader of the system": id.login("watcher", "hunter2", system),
		"member of a project":  id.login("member", "hunter2", bosh),
		"observer":             id.login("observer", "hunter2", bosh),
		"without scope":        id.login("member", "hunter2", "unscoped"),
	}
	tests := []struct {
		who, method, path string
		status            int
		intended          string
	}{
		{who: "nobody", method: "GET", path: "/", status: 200},
		{who: "nobody", method: "GET", path: "/v1", status: 200},
		{who: "nobody", method: "GET", path: "/v1/lookup?addresses=52:54:00:00:00:01", status: 404},
		{who: "nobody", method: "POST", path: "/v1/heartbeat/" + walker, status: 400},
		{who: "nobody", method: "GET", path: "/v1/nodes", status: 401},
		{who: "nobody", method: "GET", path: "/v1/nonsense", status: 401},
		{who: "a word", method: "GET", path: "/v1/nodes", status: 401},
		{who: "a word", method: "GET", path: "/v1", status: 200},
		{who: "admin of the system", method: "GET", path: "/v1/nodes", status: 200},
		{who: "admin of the system", method: "GET", path: "/v1/nonsense", status: 404},
		{who: "admin of the system", method: "POST", path: "/v1/chassis", status: 201},
		{who: "admin of a project", method: "GET", path: "/v1/nodes", status: 200},
		{who: "admin of a project", method: "POST", path: "/v1/chassis", status: 201},
		{who: "service", method: "GET", path: "/v1/nodes", status: 200},
		{who: "service", method: "POST", path: "/v1/chassis", status: 201},
		{who: "reader of the system", method: "GET", path: "/v1/nodes", status: 200},
		{who: "reader of the system", method: "GET", path: "/v1/conductors", status: 200},
		{who: "reader of the system", method: "POST", path: "/v1/chassis", status: 403},
		{who: "member of a project", method: "GET", path: "/v1/conductors", status: 403},
		{who: "member of a project", method: "GET", path: "/v1/nodes", status: 403, intended: "Ironic shows the nodes of its project"},
		{who: "member of a project", method: "POST", path: "/v1/chassis", status: 403},
		{who: "observer", method: "GET", path: "/v1/conductors", status: 200, intended: "Ironic's observers are readers of the system"},
		{who: "observer", method: "POST", path: "/v1/chassis", status: 403},
		{who: "observer", method: "GET", path: "/v1/nodes/" + walker + "/vendor_passthru/x", status: 403, intended: "there is no such node"},
		{who: "without scope", method: "GET", path: "/v1/nodes", status: 403},
	}
	for _, tt := range tests {
		name := tt.method + " " + tt.path + " by " + tt.who
		theirs, header, text := exchangeAs(t, b.Direct, tt.method, tt.path, tokens[tt.who])
		status, ourHeader, ourText := exchangeAs(t, ours, tt.method, tt.path, tokens[tt.who])
		if status != tt.status || (theirs == status) == (tt.intended != "") {
			t.Errorf("%s: %d %s; want %d; Ironic: %d %s; the list says: %s", name, status, ourText, tt.status, theirs, text, tt.intended)
		}
		if status != http.StatusUnauthorized {
			continue
		}
		if d := cmp.Diff(header.Get("WWW-Authenticate"), ourHeader.Get("WWW-Authenticate")); d != "" {
			t.Errorf("%s: WWW-Authenticate (-Ironic +ours):\n%s", name, d)
		}
		if d := cmp.Diff(decoded(t, text), decoded(t, ourText)); d != "" {
			t.Errorf("%s (-Ironic +ours):\n%s", name, d)
		}
	}
	cli := newBaremetal(t, "--os-auth-type", "admin_token", "--os-endpoint", ours, "--os-token", id.admin)
	if p := cli.run("node create --driver fake-hardware --name under-keystone -f json"); p.Status != 0 {
		t.Errorf("baremetal node create: %+v", p)
	}
	cli.access[len(cli.access)-1] = tokens["reader of the system"]
	if p := cli.run("node show under-keystone -f json --fields name"); p.Status != 0 || !strings.Contains(p.Out, "under-keystone") {
		t.Errorf("baremetal node show by a reader: %+v", p)
	}
	if p := cli.run("node delete under-keystone"); p.Status == 0 || !strings.Contains(p.Err, "Access was denied") {
		t.Errorf("baremetal node delete by a reader: %+v", p)
	}
}

func decoded(t *testing.T, text []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// An identity is Keystone, as its admin uses it.
type identity struct {
	t     testing.TB
	url   string // ends in /v3
	admin string // token
}

// system and projectScope are scopes of tokens.
var system any = map[string]any{"system": map[string]any{"all": true}}

var domain = map[string]any{"name": "Default"}

func projectScope(name string) any {
	return map[string]any{"project": map[string]any{"name": name, "domain": domain}}
}

func (i identity) call(method, path string, body any) (http.Header, map[string]any) {
	i.t.Helper()
	var text []byte
	var err error
	if body != nil {
		if text, err = json.Marshal(body); err != nil {
			i.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(i.t.Context(), method, i.url+path, bytes.NewReader(text))
	if err != nil {
		i.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Auth-Token", i.admin)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		i.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= http.StatusBadRequest {
		i.t.Fatalf("%s %s: %s %s %v", method, path, resp.Status, answer, err)
	}
	var out map[string]any
	_ = json.Unmarshal(answer, &out)
	return resp.Header, out
}

// login fetches a token.
func (i identity) login(user, password string, scope any) string {
	i.t.Helper()
	who := map[string]any{"name": user, "password": password, "domain": domain}
	header, _ := i.call(http.MethodPost, "/auth/tokens", map[string]any{"auth": map[string]any{
		"identity": map[string]any{"methods": []string{"password"}, "password": map[string]any{"user": who}}, "scope": scope,
	}})
	return header.Get("X-Subject-Token")
}

// user makes one with a role in a project, or in the system.
func (i identity) user(name, where, role string) {
	i.t.Helper()
	_, made := i.call(http.MethodPost, "/users", map[string]any{"user": map[string]any{"name": name, "password": "hunter2", "domain_id": "default"}})
	user := made["user"].(map[string]any)["id"].(string)
	_, found := i.call(http.MethodGet, "/roles?name="+role, nil)
	if len(found["roles"].([]any)) == 0 {
		i.call(http.MethodPost, "/roles", map[string]any{"role": map[string]any{"name": role}})
		_, found = i.call(http.MethodGet, "/roles?name="+role, nil)
	}
	id := found["roles"].([]any)[0].(map[string]any)["id"].(string)
	i.call(http.MethodPut, where+"/users/"+user+"/roles/"+id, nil)
}
