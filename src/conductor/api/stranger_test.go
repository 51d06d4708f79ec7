package api_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/conductor/api"
	"bosh-ironic-cpi/src/httpauth"
	"bosh-ironic-cpi/src/secret"
)

// What a stranger is answered by what is open to all is the same, header by header, for nodes that are there, whatever they
// are at, and for nodes that are not.
func TestStrangersLearnNothing(t *testing.T) {
	users, err := httpauth.New(httpauth.User{Name: "admin", Password: secret.New("secret")})
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, func(cfg *conductor.Config) { cfg.LockWait = time.Second })
	known := map[string]conductor.Node{
		"at rest": {ProvisionState: "active"},
		"locked":  {ProvisionState: "active", Reservation: "127.0.0.1"},
		"at work": {
			ProvisionState: "deploying", Reservation: "127.0.0.1",
			Details: conductor.Details{Work: &conductor.Work{Kind: conductor.WorkDeploy}, Agent: &conductor.Agent{Token: "t", Told: true}},
		},
		"waiting": {
			ProvisionState: "inspect wait",
			Details:        conductor.Details{Work: &conductor.Work{Kind: conductor.WorkInspect, Event: "inspected"}, Agent: &conductor.Agent{Token: "t", Told: true}},
		},
	}
	macs, uuids := map[string]string{}, map[string]string{}
	for name, n := range known {
		i := len(uuids) + 1
		n.UUID, n.Name, n.Driver = fmt.Sprintf("11111111-0000-4000-8000-%012d", i), fmt.Sprint("n", i), "fake-hardware"
		uuids[name], macs[name] = n.UUID, fmt.Sprintf("52:54:00:aa:00:%02d", i)
		if err := r.conductor.CreateNode(t.Context(), &n); err != nil {
			t.Fatal(err)
		}
		port := conductor.Port{UUID: fmt.Sprintf("33333333-0000-4000-8000-%012d", i), NodeUUID: n.UUID, Address: macs[name]}
		if err := r.conductor.Store().Update(t.Context(), func(tx conductor.Tx) error { return conductor.Put(tx, &port) }); err != nil {
			t.Fatal(err)
		}
	}
	faces := map[string]http.Handler{
		"operators":                  api.New(api.Config{Conductor: r.conductor}).Operators(),
		"operators, with a password": api.New(api.Config{Conductor: r.conductor, Users: users}).Operators(),
		"machines":                   api.New(api.Config{Conductor: r.conductor}).Machines(),
	}
	calls := []struct {
		name, method, path, version string // UUID and MAC stand for the node's
		body                        any
		expected                    string // the node that a ramdisk may call for
	}{
		{name: "lookup by UUID", method: "GET", path: "/v1/lookup?node_uuid=UUID", version: "1.82", expected: "at work waiting"},
		{name: "lookup by MAC", method: "GET", path: "/v1/lookup?addresses=MAC", version: "1.82", expected: "at work waiting"},
		{name: "heartbeat", method: "POST", path: "/v1/heartbeat/UUID", version: "1.82", body: m{"callback_url": "http://127.0.0.1:9", "agent_token": "x", "agent_version": "9.4.0"}},
		{name: "heartbeat without a token", method: "POST", path: "/v1/heartbeat/UUID", version: "1.82", body: m{"callback_url": "http://127.0.0.1:9", "agent_version": "9.4.0"}},
		{name: "continue_inspection", method: "POST", path: "/v1/continue_inspection", body: report("MAC"), expected: "waiting"},
		{name: "continue_inspection with a UUID", method: "POST", path: "/v1/continue_inspection?node_uuid=UUID", body: report("52:54:00:aa:00:98")},
		{name: "heartbeat as a question", method: "GET", path: "/v1/heartbeat/UUID", version: "1.82"},
	}
	for faceName, face := range faces {
		web := httptest.NewServer(face)
		t.Cleanup(web.Close)
		for _, call := range calls {
			ask := func(uuid, mac string) answered {
				body := call.body
				if body != nil {
					body = []byte(strings.ReplaceAll((request{body: body}).text(), "MAC", mac))
				}
				return answerOf(t, web.URL, call.method, strings.NewReplacer("UUID", uuid, "MAC", mac).Replace(call.path), call.version, body)
			}
			nobodys := ask(nobody, "52:54:00:aa:00:99")
			if nobodys.status < 400 || nobodys.status == http.StatusUnauthorized {
				t.Errorf("%s, %s of a node that is not there: %d", faceName, call.name, nobodys.status)
			}
			for name := range known {
				if strings.Contains(call.expected, name) {
					continue
				}
				got := ask(uuids[name], macs[name])
				if diff := cmp.Diff(nobodys, got, cmp.AllowUnexported(answered{})); diff != "" {
					t.Errorf("%s, %s tells a node %s from one that is not there (-not there +there):\n%s", faceName, call.name, name, diff)
				}
				if time.Duration(got.took) > time.Second/2 {
					t.Errorf("%s, %s of a node %s takes %s, as if it waited for the lock", faceName, call.name, name, got.took)
				}
			}
		}
	}
}

// An answered request is what a client sees of an answer.
type answered struct {
	status int
	header http.Header
	body   string
	took   elapsed
}

// An elapsed time is not compared.
type elapsed time.Duration

func (elapsed) Equal(elapsed) bool { return true }

func (e elapsed) String() string { return time.Duration(e).String() }

func answerOf(t *testing.T, base, method, path, version string, body any) answered {
	t.Helper()
	begin := time.Now()
	status, header, text := exchange(t, base, method, path, version, body)
	header = maps.Clone(header)
	for _, own := range []string{"Date", "Openstack-Request-Id"} { // of each answer
		header.Del(own)
	}
	return answered{status, header, string(text), elapsed(time.Since(begin))}
}

// Who looks a node up is not told with which arguments the ramdisk is to work: an agent's settings may be among them. A
// ramdisk is told by its commands.
func TestLookupShowsNoArguments(t *testing.T) {
	r := start(t, nil)
	n := conductor.Node{
		Name: "one", Driver: "fake-hardware", ProvisionState: "wait call-back",
		Details: conductor.Details{
			DriverInternalInfo: conductor.NewObject(m{"agent_erase_devices_iterations": 1}),
			InstanceInfo:       conductor.NewObject(m{"configdrive": m{"user_data": "hunter2"}, "rescue_password": "hunter2", "image_url": "http://h/?signature=hunter2"}),
			Work: &conductor.Work{Kind: conductor.WorkDeploy, Steps: []conductor.Step{
				{Interface: "deploy", Step: "inject_files", Args: m{"files": []any{m{"content": "hunter2"}}}},
			}},
		},
	}
	if err := r.conductor.CreateNode(t.Context(), &n); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the token is told the first time
		status, _, text := exchange(t, r.url, "GET", "/v1/lookup?node_uuid="+n.UUID, "1.82", nil)
		if status != http.StatusOK || strings.Contains(string(text), "hunter2") || !strings.Contains(string(text), "agent_erase_devices_iterations") {
			t.Errorf("%d %s", status, text)
		}
	}
}
