//go:build integration

package acceptance

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bosh-ironic-cpi/src/backend"
)

// A settingsRegistry answers as the known servers do by turns: bosh-registry says 200, nginx with Lua 201 for new
// settings and 204 for others. It asks for a password.
type settingsRegistry struct {
	url      string
	mu       sync.Mutex
	settings map[string]string // by instance
	puts     int
}

const registryPassword = "p@ss:word/%"

func startRegistry(t testing.TB) *settingsRegistry {
	t.Helper()
	r := &settingsRegistry{settings: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/registry/instances/{id}/settings", r.serve)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	r.url = server.URL + "/registry"
	return r
}

func (r *settingsRegistry) serve(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if user, password, _ := req.BasicAuth(); user != "bosh" || password != registryPassword {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	id := req.PathValue("id")
	text, there := r.settings[id]
	switch {
	case req.Method == http.MethodPut:
		content, _ := io.ReadAll(req.Body)
		r.settings[id] = string(content)
		w.WriteHeader([]int{http.StatusOK, http.StatusCreated, http.StatusNoContent}[r.puts%3])
		r.puts++
	case !there:
		w.WriteHeader(http.StatusNotFound)
	case req.Method == http.MethodDelete:
		delete(r.settings, id)
		w.WriteHeader(http.StatusNoContent)
	default:
		_ = json.NewEncoder(w).Encode(map[string]string{"settings": text, "status": "ok"})
	}
}

// of gives the settings of a VM, nil if there are none.
func (r *settingsRegistry) of(t testing.TB, cid string) map[string]any {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.settings[cid] == "" {
		return nil
	}
	return decode[map[string]any](t, []byte(r.settings[cid]))
}

// A stemcell of API version 1 has its settings in the registry, its config drive says where (B11: with the
// credentials once), and disks come and go there (B20: a list of them grew with each), also when Ironic fails in
// between (B22: such a detach_disk could never be repeated).
func TestB11B20B22Registry(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	d := newDirector(t, backend.Start(t))
	d.context = map[string]any{"vm": map[string]any{"stemcell": map[string]any{"api_version": 1}}}
	node := d.node(backend.NodeSpec{Name: d.class, Properties: map[string]any{"disks": disks(10, 10, 20)}})
	vm := vmSpec{stemcell: d.stemcell(), env: secretEnv()}
	message := d.fails("CpiError", false, "create_vm", d.arguments(vm)...)
	if want := "a stemcell of API version 1 needs registry.url"; !strings.Contains(message, want) {
		t.Errorf("%q is not in %q", want, message)
	}
	if got, want := d.stateOf(node), "available, instance <nil>, extra map[]"; got != want {
		t.Errorf("node is left %s; want %s", got, want)
	}

	d = d.with(map[string]any{"registry": map[string]any{
		"url": strings.Replace(r.url, "://", "://someone:else@", 1), "username": "bosh", "password": registryPassword,
	}})
	cid, networks := d.createVM(vm)
	userData := d.settingsOn(node)
	if got, _ := userData["server"].(map[string]any); got["name"] != cid {
		t.Errorf("user-data names server %v; want %s", got, cid)
	}
	pointer, _ := userData["registry"].(map[string]any)
	endpoint, err := url.Parse(fmt.Sprint(pointer["endpoint"]))
	if err != nil {
		t.Fatal(err)
	}
	if password, _ := endpoint.User.Password(); endpoint.User.Username() != "bosh" || password != registryPassword ||
		"http://"+endpoint.Host+endpoint.Path != r.url {
		t.Errorf("user-data says %s; want user and password once in %s", endpoint, r.url)
	}
	if userData["env"] != nil {
		t.Errorf("settings are in the config drive too: %v", userData)
	}
	settings := r.of(t, cid)
	if diff := cmp.Diff(decode[any](t, encode(t, networks)), settings["networks"]); diff != "" {
		t.Errorf("networks in the registry (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(decode[any](t, encode(t, secretEnv())), settings["env"]); diff != "" {
		t.Errorf("env in the registry (-want +got):\n%s", diff)
	}

	persistent := func() any { return r.of(t, cid)["disks"].(map[string]any)["persistent"] }
	disk := decode[string](t, d.must("create_disk", 1024, map[string]any{}, cid))
	hint := decode[map[string]any](t, d.must("attach_disk", cid, disk))
	d.must("attach_disk", cid, disk)
	if diff := cmp.Diff(any(map[string]any{disk: hint}), persistent()); diff != "" {
		t.Errorf("disks in the registry, attached twice (-want +got):\n%s", diff)
	}
	refused := d.backend.Proxy.Fail(backend.Fault{Method: http.MethodPatch, Times: 1, Status: http.StatusBadRequest, Body: `{"error_message": "not now"}`})
	d.fails("CloudError", false, "detach_disk", cid, disk)
	if refused.Hits() != 1 {
		t.Errorf("detach_disk changed the node %d times; want once", refused.Hits())
	}
	if got := string(d.must("get_disks", cid)); got != `["`+disk+`"]` {
		t.Errorf("half detached, disks are %s; want %s", got, disk)
	}
	d.must("detach_disk", cid, disk)
	if got := string(d.must("get_disks", cid)); got != `[]` {
		t.Errorf("detached at the second try, disks are %s; want none", got)
	}
	d.must("detach_disk", cid, disk)
	if diff := cmp.Diff(any(map[string]any{}), persistent()); diff != "" {
		t.Errorf("disks in the registry, detached twice (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(settings, r.of(t, cid)); diff != "" {
		t.Errorf("settings in the registry are not as before the disk (-before +after):\n%s", diff)
	}
	d.must("delete_disk", disk)
	d.must("delete_vm", cid)
	if left := r.of(t, cid); left != nil {
		t.Errorf("left in the registry: %v", left)
	}
	d.must("delete_vm", cid)
}
