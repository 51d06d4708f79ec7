//go:build integration

package acceptance

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/backend"
)

// With the daemon's signing key, servers and Ironic fetch image and config drive without a password, where nothing is
// open to all; and none is left where others read it.
func TestSignedAddresses(t *testing.T) {
	t.Parallel()
	const password, key = "hunter2-of-the-repository", "0123456789abcdef0123456789abcdef"
	daemon := backend.StartDaemon(t, map[string]any{"repository": map[string]any{
		"users": []any{map[string]any{"name": "cpi", "password": password}}, "signing_key": key,
	}})
	store := func(tree string) map[string]any {
		return map[string]any{"url": daemon.Repository + tree, "username": "cpi", "password": password, "signing_key": key}
	}
	d := newDirector(t, backend.Start(t), map[string]any{
		"repository": map[string]any{"stemcells": store("/images"), "metadata": store("/metadata")},
		"agent":      map[string]any{"settings_delivery": "config_drive"},
	})
	node := d.node(backend.NodeSpec{Name: d.class, Properties: map[string]any{"disks": disks(10, 10)}})
	cid, _ := d.createVM(vmSpec{stemcell: d.stemcell(), agent: "agent-of-the-drive"})
	d.wantImage(node)
	if d.settingsOn(node)["agent_id"] != "agent-of-the-drive" {
		t.Error("the config drive did not arrive")
	}
	shown, err := json.Marshal(d.backend.Node(t, node))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(shown), password) || !strings.Contains(string(shown), "signature=") {
		t.Errorf("the node shows the password, or no signed address: %s", shown)
	}
	d.must("delete_vm", cid)
	log, err := os.ReadFile(daemon.Log)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{password, key, "signature=", "agent-of-the-drive"} {
		if strings.Contains(string(log), secret) {
			t.Errorf("the daemon's log holds %s", secret)
		}
	}
	if !strings.Contains(string(log), `"status":200`) {
		t.Error("nobody fetched anything")
	}
}
