//go:build integration

package acceptance

import (
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bosh-ironic-cpi/src/backend"
)

// A settingsRegistry is a real one, of which the test reads by itself.
type settingsRegistry struct {
	url, user, password string
}

// of gives the settings of a VM, nil if there are none.
func (r settingsRegistry) of(t testing.TB, cid string) map[string]any {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/instances/"+cid+"/settings", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(r.user, r.password)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		t.Fatal(err)
	case resp.StatusCode == http.StatusNotFound:
		return nil
	case resp.StatusCode != http.StatusOK:
		t.Fatalf("the registry answers %s: %s", resp.Status, body)
	}
	return decode[map[string]any](t, []byte(decode[struct{ Settings string }](t, body).Settings))
}

const registryPassword = "p@ss:word/%"

// The three registries that there are: both dialects of our daemon, and nginx with Lua on the ports and paths of
// 2016, which then is the repository too.
func TestB11B20B22Registries(t *testing.T) {
	backend.NotOn(t, "embedded", "it breaks what passes between the CPI and the API")
	t.Parallel()
	ours := backend.StartDaemon(t, map[string]any{"registry": map[string]any{
		"users": []any{map[string]any{"name": "bosh", "password": registryPassword}},
	}})
	t.Run("standard", func(t *testing.T) {
		lifeWithARegistry(t, settingsRegistry{ours.Registry, "bosh", registryPassword})
	})
	t.Run("dialect of 2016", func(t *testing.T) {
		lifeWithARegistry(t, settingsRegistry{ours.Registry + "/registry", "bosh", registryPassword})
	})
	t.Run("release of 2016", func(t *testing.T) {
		f := backend.StartFounding(t)
		lifeWithARegistry(t, settingsRegistry{f.Registry, f.User, f.Password}, map[string]any{"repository": map[string]any{
			"stemcells": map[string]any{"url": f.Images}, "metadata": map[string]any{"url": f.Metadata},
		}})
		var left []string
		err := filepath.WalkDir(f.Dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				left = append(left, strings.TrimPrefix(path, f.Dir))
			}
			return err
		})
		if err != nil || len(left) != 3 {
			t.Errorf("left in the repository: %v, %v; want image, .meta and sidecar of the stemcell", left, err)
		}
	})
}

// A stemcell of API version 1 has its settings in the registry, its config drive says where (B11: with the
// credentials once), and disks come and go there (B20: a list of them grew with each), also when Ironic fails in
// between (B22: such a detach_disk could never be repeated).
func lifeWithARegistry(t *testing.T, r settingsRegistry, changes ...map[string]any) {
	t.Parallel()
	d := newDirector(t, backend.Start(t), changes...)
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
		"url": strings.Replace(r.url, "://", "://someone:else@", 1), "username": r.user, "password": r.password,
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
	if password, _ := endpoint.User.Password(); endpoint.User.Username() != r.user || password != r.password ||
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
