//go:build integration

package acceptance

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"bosh-ironic-cpi/src/backend"
)

// legacyVM makes a VM as the CPI of 2016 left it: its CID is the node's UUID, all that it knew is in
// instance_info. defined: 0 the node was available, 1 manageable, 2 made by the CPI.
func (d *director) legacyVM(spec backend.NodeSpec, defined string, info map[string]any) string {
	d.t.Helper()
	node := d.node(spec)
	instance := map[string]any{
		"bosh_defined": defined, "image_source": d.webdav.Images + "old.qcow2", "image_checksum": "d41d8cd98f00b204e9800998ecf8427e",
		"configdrive": d.webdav.Metadata + node + ".cfgd", "disks": []any{},
	}
	maps.Copy(instance, info)
	d.backend.Patch(d.t, node, "/instance_info", instance)
	if spec.State == "manageable" {
		d.backend.Provision(d.t, node, "provide", "available")
	}
	d.backend.Provision(d.t, node, "active", "active")
	return node
}

// oldMetadata is what the old set_vm_metadata wrote. The VM's name was the node's.
func (d *director) oldMetadata(node, name string) {
	d.backend.Patch(d.t, node, "/name", name)
	d.backend.Patch(d.t, node, "/instance_info/bosh_director", "old")
	d.backend.Patch(d.t, node, "/instance_info/bosh_deployment", "redis")
	d.backend.Patch(d.t, node, "/instance_uuid", uuid.NewString()) // BOSH's own id of the instance
}

// B4: delete_vm of a VM of the CPI of 2016 works, and again after any failure; the node comes back as that CPI
// found it. Later the CID is nobody's, whoever is on the node.
func TestB4VMsOfTheFirstCPI(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t))
	stemcell := d.stemcell()
	name := "redis-" + d.class
	for defined, state := range map[string]string{"0": "available", "1": "manageable", "2": "gone"} {
		spec := backend.NodeSpec{Deploy: "fake", Properties: twoDisks, State: strings.Replace(state, "gone", "available", 1)}
		node := d.legacyVM(spec, defined, nil)
		d.oldMetadata(node, name+defined)

		if got := string(d.must("has_vm", node)); got != "true" {
			t.Errorf("bosh_defined %s: has_vm = %s", defined, got)
		}
		d.must("reboot_vm", node)
		d.must("set_vm_metadata", node, map[string]any{"job": name, "index": defined + "-new"})
		d.killAt("delete_vm/tear down/after", "delete_vm", node) // bosh_defined is gone with instance_info
		d.must("delete_vm", node)
		d.must("delete_vm", node)
		if got := string(d.must("has_vm", node)); got != "false" {
			t.Errorf("bosh_defined %s: has_vm after delete_vm = %s", defined, got)
		}
		if state == "gone" {
			if status, body := d.backend.Do(t, http.MethodGet, "/v1/nodes/"+node, nil); status != http.StatusNotFound {
				t.Errorf("the node that the old CPI made is still there: %d %v", status, body)
			}
			continue
		}
		d.free(node, state)
		if got := d.backend.Node(t, node)["name"]; got != nil {
			t.Errorf("bosh_defined %s: node is still called %v, as the VM was", defined, got)
		}
	}

	// A stale delete does not hit the VM that is there now.
	vm, _ := d.createVM(vmSpec{stemcell: stemcell})
	node := d.nodeOf(vm)["uuid"].(string)
	d.must("delete_vm", node)
	if got := string(d.must("has_vm", node)); got != "false" {
		t.Errorf("has_vm of the old VM = %s", got)
	}
	if got := d.nodeOf(vm)["provision_state"]; got != "active" {
		t.Errorf("a stale delete_vm left the new VM %v", got)
	}
	d.must("delete_vm", vm)
}

// B4: the old delete_vm took its marks off before a tear-down that then failed. The server still runs: it is
// not gone.
func TestB4HalfDeletedByTheFirstCPI(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t))
	node := d.legacyVM(backend.NodeSpec{Deploy: "fake", Properties: twoDisks}, "0", nil)
	d.backend.Patch(t, node, "/instance_info", map[string]any{})
	if got := string(d.must("has_vm", node)); got != "true" {
		t.Errorf("has_vm of a server that runs = %s", got)
	}
	d.must("delete_vm", node)
	d.free(node, "available")

	// Somebody else's instance is not.
	d.backend.Patch(t, node, "/instance_uuid", uuid.NewString())
	d.backend.Patch(t, node, "/instance_info", map[string]any{"image_source": d.webdav.Images + "other.qcow2", "image_checksum": "x"})
	d.backend.Provision(t, node, "active", "active")
	d.must("delete_vm", node)
	if got := d.backend.Node(t, node)["provision_state"]; got != "active" {
		t.Errorf("somebody else's instance was left %v", got)
	}
}

// Disks of the CPI of 2016 have no record but their CID, <time>-<MAC>-<device>. Their data survive the change to
// this CPI: cleaning leaves them alone from the first call on.
func TestB9DisksOfTheFirstCPI(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t, backend.WithClean()))
	mac := backend.NewMAC()
	disk := "14793012345-" + strings.ReplaceAll(mac, ":", "") + "-sdc"
	node := d.legacyVM(backend.NodeSpec{MACs: []string{mac}, Deploy: "fake"}, "0", map[string]any{"disks": []any{disk}})
	d.node(backend.NodeSpec{Deploy: "fake", Properties: map[string]any{"memory_mb": 1024}}) // a smaller one
	stemcell := d.stemcell()

	if !d.hasDisk(disk) {
		t.Error("has_disk is false")
	}
	d.must("delete_vm", node)
	held := d.backend.Node(t, node)
	if held["provision_state"] != "available" || held["instance_uuid"] == nil || held["automated_clean"] != false {
		t.Errorf("node with the disk is left %v, instance %v, automated_clean %v", held["provision_state"], held["instance_uuid"], held["automated_clean"])
	}
	vm, _ := d.createVM(vmSpec{stemcell: stemcell, disks: []string{disk}})
	if got := d.nodeOf(vm)["uuid"]; got != node {
		t.Fatalf("VM with disk %s came onto node %v; its MAC is that of %s", disk, got, node)
	}
	if got := d.attach(vm, disk); got != "/dev/sdc" {
		t.Errorf("hint is %s", got)
	}
	d.must("detach_disk", vm, disk)
	d.must("delete_vm", vm)
	d.must("delete_disk", disk)
	d.free(node, "available")
	if got := d.backend.Node(t, node)["automated_clean"]; got != nil {
		t.Errorf("automated_clean came back as %v", got)
	}
}

// The old CPI's own delete_vm left a server in manageable, where the next create_vm would clean it first.
func TestB9FirstDiskOnAServerThatIsCleanedFirst(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t, backend.WithClean()))
	mac := backend.NewMAC()
	disk := "14793012345-" + strings.ReplaceAll(mac, ":", "") + "-sdc"
	node := d.node(backend.NodeSpec{MACs: []string{mac}}) // cleaned once: its disks are there
	d.backend.Provision(t, node, "manage", "manageable")
	d.scratch(node, "sdb", "sdc")
	vm, _ := d.createVM(vmSpec{disks: []string{disk}})
	if d.marked(node, "sdc") == nil {
		t.Error("the persistent disk was erased")
	}
	if got := d.attach(vm, disk); got != "/dev/sdc" {
		t.Errorf("hint is %s", got)
	}
	d.must("delete_vm", vm)

	// It goes back as it came; whoever gets it next has it cleaned.
	d.must("delete_disk", disk)
	d.free(node, "manageable")
}
