package server_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"bosh-ironic-cpi/src/httpauth"
	"bosh-ironic-cpi/src/registry"
	"bosh-ironic-cpi/src/registry/server"
	"bosh-ironic-cpi/src/secret"
)

// What a client reads is what another wrote, byte for byte, whatever it is.
func TestTextsComeBack(t *testing.T) {
	base := start(t, server.Config{})
	rapid.Check(t, func(rt *rapid.T) {
		object := map[string]string{rapid.String().Draw(rt, "key"): rapid.String().Draw(rt, "value")}
		text, err := json.Marshal(object)
		if err != nil {
			rt.Fatal(err)
		}
		written := " " + string(text) + "\n\t"
		if status, answer, _ := ask(t, "PUT", base+"/instances/a/settings", written, nil); status/100 != 2 {
			rt.Fatalf("PUT of %q: %d %s", written, status, answer)
		}
		_, answer, _ := ask(t, "GET", base+"/instances/a/settings", "", nil)
		var wrapper struct{ Settings, Status string }
		if err := json.Unmarshal([]byte(answer), &wrapper); err != nil || wrapper.Settings != written || wrapper.Status != "ok" {
			rt.Fatalf("GET = %s, %v; want %q", answer, err, written)
		}
	})
}

// Our own client, as the CPI uses it, on both dialects.
func TestOurClient(t *testing.T) {
	users, err := httpauth.New(httpauth.User{Name: "bosh", Password: secret.New("p@ss:w/%")})
	if err != nil {
		t.Fatal(err)
	}
	base := start(t, server.Config{Users: users})
	for _, url := range []string{base, base + "/registry"} {
		client, err := registry.New(registry.Config{URL: url, Username: "bosh", Password: secret.New("p@ss:w/%")})
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{`{"a": 1}`, `{"a": 2}`} {
			if err := client.Put(t.Context(), "vm-1", []byte(text)); err != nil {
				t.Fatal(err)
			}
			if got, err := client.Get(t.Context(), "vm-1"); err != nil || string(got) != text {
				t.Errorf("%s: Get = %s, %v", url, got, err)
			}
		}
		for range 2 {
			if err := client.Delete(t.Context(), "vm-1"); err != nil {
				t.Error(err)
			}
		}
		if _, err := client.Get(t.Context(), "vm-1"); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("%s: Get of what is deleted: %v", url, err)
		}
		stranger, err := registry.New(registry.Config{URL: url, Username: "bosh", Password: secret.New("x")})
		if err != nil {
			t.Fatal(err)
		}
		if err := stranger.Put(t.Context(), "vm-1", []byte("{}")); !errors.Is(err, registry.ErrUnauthorized) {
			t.Errorf("%s: Put by a stranger: %v", url, err)
		}
	}
}

// What the CPI of 2016 sent in the life of a VM, and the statuses without which it gave up: 201 or 204 for PUT, 200 for
// GET with status "ok", 200 or 204 for DELETE.
func TestCPIOf2016(t *testing.T) {
	const id = "5e6f0f4a-6a5b-4b6e-9a50-5f1d1f3c7f10" // the node's UUID
	files := folders{id + "/ec2/latest/user-data": true, id + "/ec2/latest/meta-data.json": true}
	base := start(t, server.Config{Files: files})
	json := map[string]string{"Accept": "application/json", "User-Agent": "python-requests/2.9.1", "Accept-Encoding": "gzip, deflate"}
	settings := func(persistent string) string {
		return `{"agent_id": "a", "vm": {"name": "` + id + `", "id": "` + id + `"}, "disks": {"system": "/dev/sda", "ephemeral": "/dev/sdb", "persistent": {` + persistent + `}}}`
	}
	disk := `"1478000000-525400000001-sdc": {"path": "/dev/sdc"}`
	path := "/registry/instances/" + id + "/settings"
	run(t, base, []row{
		{"create_vm", "PUT", path, settings(""), json, 201, ""},
		{"attach_disk reads", "GET", path, "", json, 200, `~"status":"ok"`},
		{"attach_disk writes", "PUT", path, settings(disk), json, 204, ""},
		{"attach_disk reads again", "GET", path, "", json, 200, `~\"path\": \"/dev/sdc\"`},
		{"detach_disk", "PUT", path, settings(""), json, 204, ""},
		{"has_vm does not ask", "HEAD", "/registry/instances/" + id, "", json, 200, ""},
		{"delete_vm", "DELETE", path, "", json, 204, ""},
		{"delete_vm again", "DELETE", path, "", json, 404, "\n"}, // its files are still there: it only logs this
	})
}

// lastAgent is what the last BOSH agent with registry support sends (bosh-agent before v2.478.0, May 2022,
// infrastructure/http_registry.go): a GET of ENDPOINT/instances/NAME/settings by bosh-utils' httpclient, which is
// net/http without keep-alive, so that user and password of the endpoint become basic authentication. It takes any
// 2xx, and asks ten times before it gives up.
func lastAgent(base, name string) *http.Request {
	req, err := http.NewRequest(http.MethodGet, strings.Replace(base, "://", "://bosh:p%40ss@", 1)+fmt.Sprintf("/instances/%s/settings", name), nil)
	if err != nil {
		panic(err)
	}
	req.Close = true
	return req
}

func TestLastAgentWithARegistry(t *testing.T) {
	users, err := httpauth.New(httpauth.User{Name: "bosh", Password: secret.New("p@ss")})
	if err != nil {
		t.Fatal(err)
	}
	store := newMemory()
	const text = `{"agent_id":"agent-1","vm":{"name":"vm-1"},"networks":{"default":{"ip":"10.0.0.10"}},"disks":{"persistent":{"d":{"path":"/dev/sdc"}}}}`
	store.texts["vm-1"] = []byte(text)
	base := start(t, server.Config{Store: store, Users: users})
	for _, endpoint := range []string{base, base + "/registry"} {
		resp, err := http.DefaultClient.Do(lastAgent(endpoint, "vm-1"))
		if err != nil {
			t.Fatal(err)
		}
		// The agent decodes the wrapper into a struct with the one key settings, and that string into its settings.
		var wrapper struct{ Settings string }
		var settings struct {
			AgentID  string `json:"agent_id"`
			Networks map[string]struct{ IP string }
		}
		err = json.NewDecoder(resp.Body).Decode(&wrapper)
		resp.Body.Close()
		if err == nil {
			err = json.Unmarshal([]byte(wrapper.Settings), &settings)
		}
		if err != nil || resp.StatusCode != 200 || settings.AgentID != "agent-1" || settings.Networks["default"].IP != "10.0.0.10" {
			t.Errorf("%s: %s, %+v, %v", endpoint, resp.Status, settings, err)
		}
		if resp, err := http.DefaultClient.Do(lastAgent(endpoint, "vm-2")); err != nil || resp.StatusCode != 404 {
			t.Errorf("%s: an unknown VM: %v, %v", endpoint, resp, err)
		} else {
			resp.Body.Close()
		}
	}
}

func FuzzPaths(f *testing.F) {
	store := newMemory()
	base := start(f, server.Config{Store: store, Files: folders{}})
	for _, path := range []string{"/instances/a/settings", "/registry/instances/a", "/registry/instances/a/../b", "/registry/instances/%00", "/instances/é/settings"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		req, err := http.NewRequest(http.MethodPut, base+path, strings.NewReader(`{"a":1}`))
		if err != nil {
			return
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return
		}
		resp.Body.Close()
		for id := range store.texts {
			if strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
				t.Errorf("PUT %q made the id %q", path, id)
			}
		}
	})
}
