//go:build integration

package acceptance

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"bosh-ironic-cpi/src/backend"
)

// What Ironic says (21.4) when a node is locked, and when its API finds no conductor.
const (
	locked = `{"error_message": "{\"faultcode\": \"Client\", \"faultstring\": \"Node 1 is locked by host lab, please retry after ` +
		`the current operation is completed.\", \"debuginfo\": null}"}`
	noConductor = `{"error_message": "{\"faultcode\": \"Server\", \"faultstring\": \"Unable to establish connection to ` +
		`http://127.0.0.1:8089: [Errno 111] Connection refused\", \"debuginfo\": null}"}`
)

var writing = []string{http.MethodPost, http.MethodPatch, http.MethodPut, http.MethodDelete}

// Every request of a VM's whole life is refused, or its answer lost, the first time; asked again, Ironic answers.
func TestFaultsOfIronicThatPass(t *testing.T) {
	backend.NotOn(t, "embedded", "it breaks what passes between the CPI and the API")
	t.Parallel()
	all := append([]string{http.MethodGet}, writing...)
	tests := []struct {
		name    string
		fault   backend.Fault
		methods []string
		defined bool // the CPI makes the node, and deletes it
	}{
		{name: "locked", fault: backend.Fault{Status: http.StatusConflict, Body: locked}, methods: writing},
		{name: "no conductor", fault: backend.Fault{Status: http.StatusInternalServerError, Body: noConductor}, methods: writing},
		{name: "500 to questions", fault: backend.Fault{Status: http.StatusInternalServerError}, methods: all[:1]},
		{name: "503", fault: backend.Fault{Status: http.StatusServiceUnavailable}, methods: all, defined: true},
		{name: "silence", fault: backend.Fault{Delay: 5 * time.Second, CloseBefore: true, Times: 3}, methods: writing},
		{name: "closed before", fault: backend.Fault{CloseBefore: true}, methods: all},
		{name: "closed after", fault: backend.Fault{CloseAfter: true}, methods: all},
		{name: "closed after, node defined", fault: backend.Fault{CloseAfter: true}, methods: all, defined: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			step := ""
			if tt.defined {
				step = "define node"
			}
			s := newStage(t, step)
			v := s.vm()
			v.stemcell = s.stemcell()
			backend.Overlay(s.config, impatient(tt.fault, "1m"))
			tt.fault.Match = everyOther(tt.methods)
			rule := s.backend.Proxy.Fail(tt.fault)

			cid := s.create(v)
			if got := string(s.must("has_vm", cid)); got != "true" {
				t.Errorf("has_vm = %s", got)
			}
			s.must("set_vm_metadata", cid, map[string]any{"job": s.class, "index": "0"})
			s.must("reboot_vm", cid)
			s.must("delete_vm", cid)
			if got := string(s.must("has_vm", cid)); got != "false" {
				t.Errorf("has_vm after delete_vm = %s", got)
			}
			s.check(t)
			if hits := rule.Hits(); hits < 10 && hits != tt.fault.Times {
				t.Errorf("only %d requests went wrong", hits)
			}
		})
	}
}

// impatient configures how long to go on asking. Only where the fault is silence the CPI waits shorter for each
// answer: a busy machine is slow, too.
func impatient(fault backend.Fault, retryLimit string) map[string]any {
	ironic := map[string]any{"retry_limit": retryLimit}
	if fault.Delay > 0 {
		ironic["request_timeout"] = "3s"
	}
	return map[string]any{"ironic": ironic}
}

// everyOther picks the first, the third, the fifth … request of each kind.
func everyOther(methods []string) func(*http.Request) bool {
	var mu sync.Mutex
	seen := map[string]int{}
	return func(r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		kind := r.Method + " " + r.URL.Path
		seen[kind]++
		return slices.Contains(methods, r.Method) && seen[kind]%2 == 1
	}
}

// An outage at one request, seen from the tests below: it begins with that request and lasts.
type outage struct {
	method string
	path   string // part of it
	skip   int    // that many such requests pass first
}

// begin starts an outage. Only requests with the methods go wrong.
func (s *stage) begin(o outage, fault backend.Fault, methods []string) *backend.Rule {
	var mu sync.Mutex
	seen := 0
	fault.Match = func(r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if r.Method == o.method && strings.Contains(r.URL.RequestURI(), o.path) {
			seen++
		}
		return seen > o.skip && slices.Contains(methods, r.Method)
	}
	return s.backend.Proxy.Fail(fault)
}

// B5: an outage while delete_vm runs is an error, never success. B7: has_vm is false only for what is certainly
// gone. And what an outage leaves, in create_vm too, is put in order by the next call.
func TestB5B7OutagesOfIronic(t *testing.T) {
	backend.NotOn(t, "embedded", "it breaks what passes between the CPI and the API")
	t.Parallel()
	all := append([]string{http.MethodGet}, writing...)
	const nodes, provision = "/v1/nodes/", "/states/provision"
	tests := []struct {
		name            string
		fault           backend.Fault
		methods         []string
		creates, delete outage
	}{
		{
			name: "503", fault: backend.Fault{Status: http.StatusServiceUnavailable}, methods: all,
			creates: outage{http.MethodGet, "/v1/nodes?", 0}, delete: outage{http.MethodGet, "/v1/nodes", 0},
		},
		{
			name: "silence", fault: backend.Fault{Delay: 5 * time.Second, CloseBefore: true}, methods: all,
			creates: outage{http.MethodPatch, nodes, 0}, delete: outage{http.MethodPatch, nodes, 0},
		},
		{
			name: "closed after", fault: backend.Fault{CloseAfter: true}, methods: all,
			creates: outage{http.MethodPatch, nodes, 0}, delete: outage{http.MethodPut, provision, 0},
		},
		{
			name: "closed before", fault: backend.Fault{CloseBefore: true}, methods: all,
			creates: outage{http.MethodPut, provision, 0}, delete: outage{http.MethodPut, provision, 0},
		},
		{
			name: "500", fault: backend.Fault{Status: http.StatusInternalServerError}, methods: all,
			creates: outage{http.MethodGet, nodes, 2}, delete: outage{http.MethodPatch, nodes, 1},
		},
		{
			name: "locked", fault: backend.Fault{Status: http.StatusConflict, Body: locked}, methods: writing,
			creates: outage{http.MethodPut, provision, 1}, delete: outage{http.MethodPut, provision, 1},
		},
		{
			name: "no conductor", fault: backend.Fault{Status: http.StatusInternalServerError, Body: noConductor}, methods: writing,
			creates: outage{http.MethodPatch, nodes, 3}, delete: outage{http.MethodPatch, nodes, 1},
		},
		{
			name: "closed after the last", fault: backend.Fault{CloseAfter: true}, methods: all,
			creates: outage{http.MethodPatch, nodes, 3}, delete: outage{http.MethodPatch, nodes, 1},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "")
			v := s.vm()
			v.stemcell = s.stemcell()
			hasty := s.with(impatient(tt.fault, "500ms"))

			rule := s.begin(tt.creates, tt.fault, tt.methods)
			hasty.fails("VMCreationFailed", true, "create_vm", s.arguments(v)...)
			if rule.Hits() == 0 {
				t.Fatal("create_vm sent no such request")
			}
			rule.Remove()
			cid := s.create(v) // the same agent: what the first left is vacated

			rule = s.begin(tt.delete, tt.fault, tt.methods)
			hasty.fails("CloudError", true, "delete_vm", cid)
			if slices.Contains(tt.methods, http.MethodGet) {
				hasty.fails("CloudError", true, "has_vm", cid)
			}
			rule.Remove()
			s.must("delete_vm", cid)
			s.must("delete_vm", cid)
			if got := string(s.must("has_vm", cid)); got != "false" {
				t.Errorf("has_vm after delete_vm = %s", got)
			}
			s.check(t)
		})
	}
}

// One request of create_vm fails for good, all others work: the undo gives the node back at once, as it was, with
// a note. One request of delete_vm fails: the next delete_vm goes on.
func TestOneFaultAtEachRequest(t *testing.T) {
	backend.NotOn(t, "embedded", "it breaks what passes between the CPI and the API")
	t.Parallel()
	const nodes, provision = "/v1/nodes/", "/states/provision"
	refused := func(method, path string, skip int) backend.Fault {
		return backend.Fault{Method: method, PathContains: path, Skip: skip, Times: 1, Status: http.StatusNotImplemented}
	}
	tests := []struct {
		name  string
		fault backend.Fault
		note  bool // the node's document says that it failed
	}{
		{name: "list nodes", fault: refused(http.MethodGet, "/v1/nodes?", 0)},
		{name: "read the node", fault: refused(http.MethodGet, nodes, 0)},
		{name: "read its ports", fault: refused(http.MethodGet, "/v1/ports", 0)},
		{name: "claim", fault: refused(http.MethodPatch, nodes, 0)},
		{name: "note that it is provided", fault: refused(http.MethodPatch, nodes, 1), note: true},
		{name: "provide", fault: refused(http.MethodPut, provision, 0), note: true},
		{name: "look whether it is available", fault: refused(http.MethodGet, nodes, 2), note: true},
		{name: "note that it is deployed", fault: refused(http.MethodPatch, nodes, 2), note: true},
		{name: "deploy", fault: refused(http.MethodPut, provision, 1), note: true},
		{name: "finish", fault: refused(http.MethodPatch, nodes, 3), note: true},
	}
	s := newStage(t, "")
	v := s.vm()
	v.stemcell = s.stemcell()
	for _, tt := range tests {
		rule := s.backend.Proxy.Fail(tt.fault)
		message := s.fails("VMCreationFailed", true, "create_vm", s.arguments(v)...)
		if rule.Hits() != 1 || strings.Contains(message, "could not undo") {
			t.Errorf("%s: %d hits: %s", tt.name, rule.Hits(), message)
		}
		rule.Remove()
		failed := s.failedNote(t, s.node)
		if tt.note != (failed != nil) {
			t.Errorf("%s: the node's note is %v", tt.name, failed)
		}
		s.backend.Patch(t, s.node, "/extra", map[string]any{})
		s.check(t)
	}

	cid := s.create(v)
	for _, fault := range []backend.Fault{
		refused(http.MethodGet, "/v1/nodes", 0), refused(http.MethodPatch, nodes, 0), refused(http.MethodPut, provision, 0),
		refused(http.MethodGet, nodes, 1), refused(http.MethodPatch, nodes, 1),
	} {
		rule := s.backend.Proxy.Fail(fault)
		s.fails("CloudError", true, "delete_vm", cid)
		if rule.Hits() != 1 {
			t.Errorf("delete_vm sent no %s of %s", fault.Method, fault.PathContains)
		}
		rule.Remove()
	}
	s.must("delete_vm", cid)
	s.check(t)
}

// failedNote is what the document of a free node says of the last failure, nil if nothing. Anything else in a
// free node's document is a fault.
func (d *director) failedNote(t *testing.T, node string) map[string]any {
	t.Helper()
	extra, _ := d.backend.Node(t, node)["extra"].(map[string]any)
	document, _ := extra["bosh_cpi"].(map[string]any)
	if document == nil {
		return nil
	}
	failed, _ := document["failed"].(map[string]any)
	if len(document) != 2 || failed["reason"] == "" || failed["at"] == "" {
		t.Errorf("the document of a free node is %v", document)
	}
	return failed
}

// B6: a deployment that fails, or takes too long, is an error that names the node and the reason. The node is as
// free as before, and the next VM takes another one.
func TestB6DeploymentsThatFail(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t))
	bad := d.node(backend.NodeSpec{Name: "bad-" + d.class, State: "manageable"})
	good := d.node(backend.NodeSpec{Name: "good-" + d.class, State: "manageable", Deploy: "fake", Properties: map[string]any{
		"memory_mb": 1 << 20, "disks": twoDisks["disks"], // larger: the second choice
	}})
	stemcell := d.stemcell()
	const reason = "Error writing image to device: I/O error, dev sda, sector 4711"

	d.backend.FailStep(t, bad, "write_image", reason)
	message := d.fails("VMCreationFailed", true, "create_vm", d.arguments(vmSpec{stemcell: stemcell})...)
	if !strings.Contains(message, "bad-"+d.class) || !strings.Contains(message, reason) {
		t.Errorf("which node failed, and why? %s", message)
	}
	d.wantFree(bad, "manageable")
	if failed := d.failedNote(t, bad); !strings.Contains(fmt.Sprint(failed["reason"]), reason) {
		t.Errorf("the node's note is %v", failed)
	}

	cid, _ := d.createVM(vmSpec{stemcell: stemcell})
	if on := d.nodeOf(cid)["uuid"]; on != good {
		t.Errorf("the next VM is on node %v; want the one that has not failed, %s", on, good)
	}

	// The one that failed is better than none. Now it does not even boot.
	d.backend.MendRamdisk(t, bad)
	d.backend.FailRamdisk(t, backend.RamdiskFault{Node: bad, Mute: true})
	hasty := d.with(map[string]any{"timeouts": map[string]any{"deploy": "3s"}})
	message = hasty.fails("VMCreationFailed", true, "create_vm", d.arguments(vmSpec{stemcell: stemcell})...)
	if !strings.Contains(message, "bad-"+d.class) || !strings.Contains(message, "wait call-back") {
		t.Errorf("which node took too long, in which state? %s", message)
	}
	d.wantFree(bad, "manageable")
	d.must("delete_vm", cid)
	d.wantFree(good, "manageable")
	if files := d.webdav.Files(t); len(files) > 3 {
		t.Errorf("left in the repository: %v", files)
	}
}

// wantFree checks that a node has no VM and rests in a state.
func (d *director) wantFree(node, state string) {
	d.t.Helper()
	n := d.backend.Node(d.t, node)
	if n["provision_state"] != state || n["instance_uuid"] != nil || n["reservation"] != nil || n["maintenance"] != false {
		d.t.Errorf("node %v is %v, instance %v, locked by %v, maintenance %v; want it free and %s",
			n["name"], n["provision_state"], n["instance_uuid"], n["reservation"], n["maintenance"], state)
	}
}

// B4: delete_vm can be repeated after its tear-down failed, and says till then why it did.
func TestB4FailedCleaning(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t, backend.WithClean()))
	node := d.node(backend.NodeSpec{Name: "dirty-" + d.class})
	cid, _ := d.createVM(vmSpec{agent: uuid.NewString()})

	const reason = "erase_devices_metadata: Input/output error"
	d.backend.FailStep(t, node, "erase_devices_metadata", reason)
	for range 2 {
		message := d.fails("CloudError", true, "delete_vm", cid)
		if !strings.Contains(message, "dirty-"+d.class) || !strings.Contains(message, reason) {
			t.Errorf("which node failed, and why? %s", message)
		}
		if got := string(d.must("has_vm", cid)); got != "true" {
			t.Errorf("has_vm of a VM that is still being deleted = %s", got)
		}
	}
	d.backend.MendRamdisk(t, node)
	d.must("delete_vm", cid)
	d.wantFree(node, "available")
	if got := string(d.must("has_vm", cid)); got != "false" {
		t.Errorf("has_vm after delete_vm = %s", got)
	}
}
