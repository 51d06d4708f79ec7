package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A fakeAPI is a Bare Metal API of one process: it keeps nodes, ports and traits, and every verb is over at once.
type fakeAPI struct {
	*httptest.Server
	mu       sync.Mutex
	nodes    []map[string]any
	ports    []map[string]any
	pageSize int
	asked    []string            // every request: "PUT /v1/nodes/…/states/power {"target":…}"
	refuse   map[string]string   // "POST /v1/ports": words of a 400
	stuck    map[string]bool     // verbs that end in a failed state
	header   map[string][]string // of the last request
}

func newFake(t *testing.T, nodes ...map[string]any) *fakeAPI {
	t.Helper()
	f := &fakeAPI{pageSize: 1000, refuse: map[string]string{}, stuck: map[string]bool{}}
	for i, n := range nodes {
		f.add(i, n)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/nodes", f.list)
	mux.HandleFunc("GET /v1/nodes/detail", f.list)
	mux.HandleFunc("POST /v1/nodes", f.create)
	mux.HandleFunc("GET /v1/nodes/{node}", f.one(func(n map[string]any, _ []byte) (int, any) { return http.StatusOK, n }))
	mux.HandleFunc("PATCH /v1/nodes/{node}", f.one(patchNode))
	mux.HandleFunc("DELETE /v1/nodes/{node}", f.one(f.remove))
	mux.HandleFunc("PUT /v1/nodes/{node}/states/provision", f.one(f.provision))
	mux.HandleFunc("PUT /v1/nodes/{node}/states/power", f.one(switchPower))
	mux.HandleFunc("PUT /v1/nodes/{node}/maintenance", f.one(maintain))
	mux.HandleFunc("DELETE /v1/nodes/{node}/maintenance", f.one(maintain))
	mux.HandleFunc("PUT /v1/nodes/{node}/traits", f.one(setTraits))
	mux.HandleFunc("GET /v1/ports", f.listPorts)
	mux.HandleFunc("POST /v1/ports", f.createPort)
	mux.HandleFunc("GET /v1/drivers", answerWith(`{"drivers": [
		{"name": "redfish", "type": "dynamic", "hosts": ["two"], "links": [{"href": "x"}]},
		{"name": "ipmi", "type": "dynamic", "hosts": ["one", "two"]}]}`))
	mux.HandleFunc("GET /v1/drivers/ipmi", answerWith(`{"name": "ipmi", "hosts": ["one"], "default_power_interface": "ipmitool", "links": []}`))
	mux.HandleFunc("GET /v1/drivers/ipmi/properties", answerWith(`{"ipmi_password": "password. Optional.", "ipmi_address": "IP address or hostname of the node. Required."}`))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fault(w, http.StatusNotFound, "Driver abacus could not be found.")
	})
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		f.mu.Lock()
		defer f.mu.Unlock()
		f.header = r.Header
		f.asked = append(f.asked, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+string(body)))
		w.Header().Set("X-OpenStack-Ironic-API-Minimum-Version", "1.1")
		w.Header().Set("X-OpenStack-Ironic-API-Maximum-Version", "1.82")
		if text := f.refuse[r.Method+" "+r.URL.Path]; text != "" {
			fault(w, http.StatusBadRequest, text)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	for _, name := range []string{"IRONIC_URL", "OS_ENDPOINT", "IRONIC_USERNAME", "IRONIC_PASSWORD", "IRONIC_TOKEN", "OS_TOKEN", "OS_CACERT"} {
		t.Setenv(name, "")
	}
	t.Setenv("IRONIC_URL", f.URL)
	return f
}

// add fills a node up with what every node has.
func (f *fakeAPI) add(i int, given map[string]any) {
	n := map[string]any{
		"uuid": fmt.Sprintf("00000000-0000-4000-8000-%012d", i+1), "name": nil, "instance_uuid": nil, "driver": "ipmi",
		"provision_state": "available", "target_provision_state": nil, "power_state": "power off", "target_power_state": nil,
		"maintenance": false, "resource_class": nil, "traits": []any{}, "reservation": nil, "last_error": nil,
		"properties": map[string]any{}, "extra": map[string]any{}, "driver_info": map[string]any{}, "instance_info": map[string]any{},
	}
	maps.Copy(n, given)
	f.nodes = append(f.nodes, n)
}

// node is a node as the service has it.
func (f *fakeAPI) node(name string) map[string]any {
	for _, n := range f.nodes {
		if n["name"] == name || n["uuid"] == name {
			return n
		}
	}
	return nil
}

// requests lists what was asked for that begins with prefix.
func (f *fakeAPI) requests(prefix string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []string
	for _, r := range f.asked {
		if strings.HasPrefix(r, prefix) {
			found = append(found, r)
		}
	}
	return found
}

func respond(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if status != http.StatusNoContent {
		_ = json.NewEncoder(w).Encode(body)
	}
}

// fault answers as Ironic does: JSON in a string in JSON.
func fault(w http.ResponseWriter, status int, text string) {
	inner, _ := json.Marshal(map[string]string{"faultcode": "Client", "faultstring": text})
	respond(w, status, map[string]string{"error_message": string(inner)})
}

func answerWith(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { respond(w, http.StatusOK, json.RawMessage(text)) }
}

// one finds the node of a request and answers with what do says; a text is a fault.
func (f *fakeAPI) one(do func(n map[string]any, body []byte) (int, any)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n := f.node(r.PathValue("node"))
		if n == nil {
			fault(w, http.StatusNotFound, "Node "+r.PathValue("node")+" could not be found.")
			return
		}
		body, _ := io.ReadAll(r.Body)
		status, answer := do(n, body)
		if text, isFault := answer.(string); isFault {
			fault(w, status, text)
			return
		}
		respond(w, status, answer)
	}
}

func (f *fakeAPI) list(w http.ResponseWriter, r *http.Request) {
	page := []map[string]any{}
	marker := r.URL.Query().Get("marker")
	for _, n := range f.nodes {
		switch q := r.URL.Query(); {
		case marker != "":
			if n["uuid"] == marker {
				marker = ""
			}
		case q.Get("provision_state") != "" && n["provision_state"] != q.Get("provision_state"),
			q.Get("resource_class") != "" && n["resource_class"] != q.Get("resource_class"):
		case len(page) < f.pageSize:
			page = append(page, n)
		}
	}
	respond(w, http.StatusOK, map[string]any{"nodes": page})
}

func (f *fakeAPI) create(w http.ResponseWriter, r *http.Request) {
	var body map[string]any
	_ = json.NewDecoder(r.Body).Decode(&body)
	if body["driver"] == "abacus" {
		fault(w, http.StatusBadRequest, "No valid host was found. Reason: No conductor service registered which supports driver abacus")
		return
	}
	body["provision_state"] = "enroll"
	f.add(len(f.nodes), body)
	respond(w, http.StatusCreated, f.nodes[len(f.nodes)-1])
}

func (f *fakeAPI) remove(n map[string]any, _ []byte) (int, any) {
	if n["instance_uuid"] != nil {
		return http.StatusConflict, "Node is associated with instance " + fmt.Sprint(n["instance_uuid"])
	}
	f.nodes = slices.DeleteFunc(f.nodes, func(other map[string]any) bool { return other["uuid"] == n["uuid"] })
	return http.StatusNoContent, nil
}

// patchNode knows as much of JSON patch as Ironic: the key of a replace or remove must be there.
func patchNode(n map[string]any, body []byte) (int, any) {
	var patch []struct {
		Op, Path string
		Value    any
	}
	_ = json.Unmarshal(body, &patch)
	for _, p := range patch {
		keys := strings.Split(strings.TrimPrefix(p.Path, "/"), "/")
		at := n
		for _, key := range keys[:len(keys)-1] {
			at, _ = at[key].(map[string]any)
		}
		last := keys[len(keys)-1]
		_, there := at[last]
		switch {
		case at == nil || len(keys) > 1 && p.Op != "add" && !there:
			return http.StatusBadRequest, "Couldn't apply patch: can't " + p.Op + " " + p.Path
		case p.Op == "remove" && len(keys) > 1:
			delete(at, last)
		case p.Op == "remove":
			at[last] = nil
		default:
			at[last] = p.Value
		}
	}
	return http.StatusOK, n
}

func (f *fakeAPI) provision(n map[string]any, body []byte) (int, any) {
	var p struct{ Target string }
	_ = json.Unmarshal(body, &p)
	to, known := map[string]string{
		"manage": "manageable", "provide": "available", "active": "active", "deleted": "available", "clean": "manageable",
		"rescue": "rescue", "abort": "clean failed",
	}[p.Target]
	if !known {
		return http.StatusBadRequest, `The requested action "` + p.Target + `" can not be performed on node while it is in state "active".`
	}
	if p.Target == "deleted" {
		n["instance_uuid"], n["instance_info"] = nil, map[string]any{}
	}
	n["provision_state"], n["last_error"] = to, nil
	if f.stuck[p.Target] {
		n["provision_state"], n["last_error"] = "clean failed", "Timeout reached while cleaning the node"
	}
	return http.StatusAccepted, nil
}

func switchPower(n map[string]any, body []byte) (int, any) {
	var p struct{ Target string }
	_ = json.Unmarshal(body, &p)
	n["power_state"] = "power on"
	if strings.HasSuffix(p.Target, "power off") {
		n["power_state"] = "power off"
	}
	return http.StatusAccepted, nil
}

func maintain(n map[string]any, body []byte) (int, any) {
	var p struct{ Reason string }
	_ = json.Unmarshal(body, &p)
	n["maintenance"], n["maintenance_reason"] = len(body) > 0, p.Reason
	return http.StatusAccepted, nil
}

func setTraits(n map[string]any, body []byte) (int, any) {
	var p struct{ Traits []any }
	_ = json.Unmarshal(body, &p)
	n["traits"] = p.Traits
	return http.StatusNoContent, nil
}

func (f *fakeAPI) listPorts(w http.ResponseWriter, r *http.Request) {
	page := []map[string]any{}
	q := r.URL.Query()
	if q.Get("marker") == "" {
		for _, p := range f.ports {
			if q.Get("node") == p["node_uuid"] || q.Get("address") == p["address"] {
				page = append(page, p)
			}
		}
	}
	respond(w, http.StatusOK, map[string]any{"ports": page})
}

func (f *fakeAPI) createPort(w http.ResponseWriter, r *http.Request) {
	var body map[string]any
	_ = json.NewDecoder(r.Body).Decode(&body)
	f.ports = append(f.ports, body)
	respond(w, http.StatusCreated, body)
}

// A told is what a command line left behind.
type told struct {
	status   int
	out, err string
}

// tell runs a command line.
func tell(t *testing.T, in string, args ...string) told {
	t.Helper()
	var out, messages bytes.Buffer
	status := nodectl(t.Context(), args, strings.NewReader(in), &out, &messages)
	return told{status, out.String(), messages.String()}
}

// want fails the test unless the command ended so and stderr has all the texts.
func (r told) want(t *testing.T, status int, texts ...string) told {
	t.Helper()
	if r.status != status {
		t.Fatalf("status = %d; want %d\nstdout: %s\nstderr: %s", r.status, status, r.out, r.err)
	}
	for _, text := range texts {
		if !strings.Contains(r.err, text) {
			t.Errorf("stderr lacks %q:\n%s", text, r.err)
		}
	}
	return r
}

// shows fails the test unless stdout has all the texts.
func (r told) shows(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.out, text) {
			t.Errorf("stdout lacks %q:\n%s", text, r.out)
		}
	}
}
