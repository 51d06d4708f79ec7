//go:build integration

package acceptance

import (
	"bytes"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bosh-ironic-cpi/src/backend"
)

// byHand are the operator's steps: the RAID array again, then the disks' metadata.
func byHand() map[string]any {
	return map[string]any{"cleaning": map[string]any{"manual": true, "steps": []any{
		map[string]any{"interface": "raid", "step": "create_configuration"},
		map[string]any{"interface": "deploy", "step": "erase_devices_metadata"},
	}}}
}

// B1: manual clean steps work. One that fails is an error, and the call is repeated when the fault is gone. What
// the operator has set on the node (root device hints, RAID) is obeyed and stays as it is.
func TestB1ManualCleanSteps(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t), byHand())
	hints := map[string]any{"name": "/dev/sdb"}
	node := d.node(backend.NodeSpec{
		Properties: map[string]any{"root_device": hints, "disks": []any{declared("sda", 1, nil), declared("sdb", 1, nil)}},
		Fields:     map[string]any{"raid_interface": "agent"},
	})
	raid := map[string]any{"logical_disks": []any{map[string]any{"size_gb": "MAX", "raid_level": "1", "is_root_volume": true}}}
	if status, body := d.backend.Do(t, http.MethodPut, "/v1/nodes/"+node+"/states/raid", raid); status >= 300 {
		t.Fatalf("set the RAID configuration: %d %v", status, body)
	}

	vm, _ := d.createVM(vmSpec{})
	for name, want := range map[string]bool{"sda": false, "sdb": true} {
		image, err := os.ReadFile(d.backend.Disk(t, node, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Equal(image[510:512], []byte{0x55, 0xaa}); got != want {
			t.Errorf("image on %s: %v; want %v", name, got, want)
		}
	}
	d.scratch(node, "sda") // metadata alone is erased: the middle of the disk stays

	d.backend.FailStep(t, node, "erase_devices_metadata", "disk sda does not answer")
	why := d.fails("CloudError", true, "delete_vm", vm)
	if !strings.Contains(why, node) || !strings.Contains(why, "disk sda does not answer") {
		t.Errorf("delete_vm with a failing step says %q; want the node and the step's error", why)
	}
	failed := d.backend.Node(t, node)
	if failed["provision_state"] != "clean failed" || failed["maintenance"] != true {
		t.Errorf("node with a failed step is %v, maintenance %v", failed["provision_state"], failed["maintenance"])
	}
	if got := string(d.must("has_vm", vm)); got != "true" {
		t.Errorf("has_vm of a VM that is half deleted = %s", got)
	}
	d.fails("CloudError", true, "delete_vm", vm)

	d.backend.MendRamdisk(t, node)
	d.must("delete_vm", vm)
	d.must("delete_vm", vm)
	d.free(node, "available")
	steps := slices.DeleteFunc(d.backend.Steps(t, node), func(s string) bool { return s == "write_image" || s == "inject_files" })
	const raidStep, erase = "create_configuration", "erase_devices_metadata"
	if diff := cmp.Diff([]string{raidStep, erase, raidStep, erase, raidStep, erase}, steps); diff != "" {
		t.Errorf("steps that ran, twice in vain (-want +got):\n%s", diff)
	}
	if d.marked(node, "sda") == nil {
		t.Error("more was erased than the steps say")
	}
	after := d.backend.Node(t, node)
	if diff := cmp.Diff(hints, at(after, "properties", "root_device")); diff != "" {
		t.Errorf("root device hints (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(raid, after["target_raid_config"]); diff != "" {
		t.Errorf("RAID configuration (-want +got):\n%s", diff)
	}
}

// A server that its operator has put into maintenance goes back and stays there; nobody gets it.
func TestMaintenanceIsTheOperators(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t))
	node := d.node(backend.NodeSpec{Deploy: "fake", State: "manageable", Properties: twoDisks})
	stemcell := d.stemcell()
	vm, _ := d.createVM(vmSpec{stemcell: stemcell})
	if status, body := d.backend.Do(t, http.MethodPut, "/v1/nodes/"+node+"/maintenance", map[string]any{"reason": "fan 3"}); status >= 300 {
		t.Fatalf("maintenance: %d %v", status, body)
	}

	d.must("delete_vm", vm)
	n := d.backend.Node(t, node)
	if n["provision_state"] != "manageable" || n["maintenance"] != true || n["maintenance_reason"] != "fan 3" || n["instance_uuid"] != nil {
		t.Errorf("node is left %v, maintenance %v for %v, instance %v", n["provision_state"], n["maintenance"], n["maintenance_reason"], n["instance_uuid"])
	}
	why := d.fails("VMCreationFailed", false, "create_vm", d.arguments(vmSpec{stemcell: stemcell})...)
	if !strings.Contains(why, "maintenance: fan 3") {
		t.Errorf("create_vm says %q", why)
	}
}
