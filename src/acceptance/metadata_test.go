//go:build integration

package acceptance

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bosh-ironic-cpi/src/backend"
)

// set_vm_metadata names the node where the name is free and keeps all it is told; delete_vm gives the operator's
// name back where that is free.
func TestVMMetadata(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t))
	stemcell := d.stemcell()
	d.named("a", backend.NodeSpec{})
	d.named("b", backend.NodeSpec{})
	one, _ := d.createVM(vmSpec{stemcell: stemcell})
	two, _ := d.createVM(vmSpec{stemcell: stemcell})
	first, second := d.nodeOf(one), d.nodeOf(two)
	job := "db_" + strings.TrimPrefix(d.class, "class-")
	metadata := map[string]any{
		"director": "prod", "deployment": "cf", "id": "2b3c", "job": job, "instance_group": job, "index": 3.0, "name": job + "/2b3c",
		"created_at": "2026-11-21T00:00:00Z", "team": "größte", "long": strings.Repeat("x", 5000), "a.key/with ~everything": "v",
		"of_the_future": map[string]any{"deep": []any{true, nil}},
	}
	kept := func(node any) any {
		extra, _ := d.backend.Node(t, node.(string))["extra"].(map[string]any)
		document, _ := extra["bosh_cpi"].(map[string]any)
		return document["metadata"]
	}

	d.must("set_vm_metadata", one, metadata)
	d.must("set_vm_metadata", one, metadata)
	if got, want := d.nodeOf(one)["name"], job+"-3"; got != want {
		t.Errorf("node's name is %v; want %s", got, want)
	}
	if diff := cmp.Diff(any(metadata), kept(first["uuid"])); diff != "" {
		t.Errorf("metadata in the node's extra (-want +got):\n%s", diff)
	}
	d.must("set_vm_metadata", two, metadata) // the name is taken
	if got := d.nodeOf(two)["name"]; got != second["name"] {
		t.Errorf("node's name is %v; want %v, because another has %s-3", got, second["name"], job)
	}
	if diff := cmp.Diff(any(metadata), kept(second["uuid"])); diff != "" {
		t.Errorf("metadata in the second node's extra (-want +got):\n%s", diff)
	}
	metadata["job"], metadata["index"] = "Größe, 100% / neu", "0"
	d.must("set_vm_metadata", two, metadata)
	if got, _ := d.nodeOf(two)["name"].(string); !strings.HasPrefix(got, "Gr") || !strings.HasSuffix(got, "-0") {
		t.Errorf("node's name is %q; want one made of what Ironic takes", got)
	}
	metadata["job"] = strings.Repeat("j", 300)
	d.must("set_vm_metadata", two, metadata)

	// A reboot switches on what somebody has switched off.
	power := "/v1/nodes/" + first["uuid"].(string) + "/states/power"
	if status, body := d.backend.Do(t, http.MethodPut, power, map[string]any{"target": "power off"}); status != http.StatusAccepted {
		t.Fatalf("power off: %d %v", status, body)
	}
	d.backend.WaitState(t, first["uuid"].(string), "active")
	if got := d.nodeOf(one)["power_state"]; got != "power off" {
		t.Fatalf("node is %v", got)
	}
	d.must("reboot_vm", one)
	if got := d.nodeOf(one)["power_state"]; got != "power on" {
		t.Errorf("after reboot_vm the node is %v", got)
	}

	// Meanwhile the operator has given the first node's old name away.
	d.must("delete_vm", two)
	if got := d.backend.Node(t, second["uuid"].(string))["name"]; got != second["name"] {
		t.Errorf("after delete_vm the node's name is %v; want %v", got, second["name"])
	}
	d.backend.Patch(t, second["uuid"].(string), "/name", first["name"])
	d.must("delete_vm", one)
	if got := d.backend.Node(t, first["uuid"].(string))["name"]; got != nil {
		t.Errorf("after delete_vm the node's name is %v; want none: the operator's is taken", got)
	}
	for _, n := range []map[string]any{first, second} {
		if got, want := d.stateOf(n["uuid"].(string)), "available, instance <nil>, extra map[]"; got != want {
			t.Errorf("node is left %s; want %s", got, want)
		}
	}
	d.fails("VMNotFound", false, "set_vm_metadata", one, metadata)
	d.fails("VMNotFound", false, "reboot_vm", one)
}
