//go:build integration

package acceptance

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"bosh-ironic-cpi/src/backend"
	"bosh-ironic-cpi/src/disk"
)

// mark is written where neither a partition table nor an image goes.
const (
	mark   = "data of a database"
	markAt = 100 << 20
)

// scratch writes the mark onto disks of a node.
func (d *director) scratch(node string, names ...string) {
	d.t.Helper()
	for _, name := range names {
		f, err := os.OpenFile(d.backend.Disk(d.t, node, name), os.O_WRONLY, 0)
		if err != nil {
			d.t.Fatal(err)
		}
		_, err = f.WriteAt([]byte(mark), markAt)
		if err := f.Close(); err != nil {
			d.t.Fatal(err)
		}
		if err != nil {
			d.t.Fatal(err)
		}
	}
}

// marked lists those of the disks that still have the mark.
func (d *director) marked(node string, names ...string) []string {
	d.t.Helper()
	var still []string
	for _, name := range names {
		f, err := os.Open(d.backend.Disk(d.t, node, name))
		if err != nil {
			d.t.Fatal(err)
		}
		got := make([]byte, len(mark))
		_, err = f.ReadAt(got, markAt)
		_ = f.Close()
		if err != nil {
			d.t.Fatal(err)
		}
		if bytes.Equal(got, []byte(mark)) {
			still = append(still, name)
		}
	}
	return still
}

func (d *director) createDisk(sizeMB int, properties any, vm string) string {
	d.t.Helper()
	return decode[string](d.t, d.must("create_disk", sizeMB, properties, vm))
}

// attach gives the path of the hint.
func (d *director) attach(vm, disk string) string {
	d.t.Helper()
	hint := decode[map[string]string](d.t, d.must("attach_disk", vm, disk))
	if len(hint) != 1 || hint["path"] == "" {
		d.t.Errorf("hint of disk %s is %v; want a path alone", disk, hint)
	}
	return hint["path"]
}

func (d *director) hasDisk(disk string) bool {
	d.t.Helper()
	return decode[bool](d.t, d.must("has_disk", disk))
}

// other is another Director with the same configuration.
func (d *director) other() *director {
	o := *d
	o.uuid = uuid.NewString()
	return &o
}

// at walks into a decoded JSON object; nil where a key is missing.
func at(object any, keys ...string) any {
	for _, key := range keys {
		m, _ := object.(map[string]any)
		object = m[key]
	}
	return object
}

// free holds a node against one that nobody uses, as it was enrolled.
func (d *director) free(node, state string) {
	d.t.Helper()
	n := d.backend.Node(d.t, node)
	got := map[string]any{
		"state": n["provision_state"], "instance_uuid": n["instance_uuid"], "extra": n["extra"],
		"skipped": at(n, "properties", "skip_block_devices"), "maintenance": n["maintenance"],
	}
	want := map[string]any{"state": state, "instance_uuid": nil, "extra": map[string]any{}, "skipped": nil, "maintenance": false}
	if diff := cmp.Diff(want, got); diff != "" {
		d.t.Errorf("node is not free (-want +got):\n%s", diff)
	}
}

// declared is an entry of properties.disks.
func declared(name string, sizeGB int, more map[string]any) map[string]any {
	d := map[string]any{"name": "/dev/" + name, "size_gb": sizeGB}
	backend.Overlay(d, more)
	return d
}

// B9: cleaning erases a server between two VMs, and never a persistent disk. The server is kept for its disks:
// no other VM and no other Director gets it, however well it fits, until the last disk is deleted.
func TestB9PersistentDisksSurviveCleaning(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t, backend.WithClean()))
	stemcell := d.stemcell()
	node := d.node(backend.NodeSpec{Properties: map[string]any{"disks": []any{
		declared("sda", 1, map[string]any{"root": true}), declared("sdb", 1, nil),
		declared("sdc", 2, map[string]any{"wwn": "0x5000c500b0000003"}),
		declared("sdd", 3, map[string]any{"serial": "ZA1B2C3D", "by_id": "/dev/disk/by-id/ata-ST3000_ZA1B2C3D"}),
		declared("sde", 9, nil),
	}}})

	vm, _ := d.createVM(vmSpec{stemcell: stemcell})
	byWWN, bySerial := d.createDisk(1500, map[string]any{}, vm), d.createDisk(2500, map[string]any{}, vm)
	if got := d.attach(vm, byWWN); got != "/dev/disk/by-id/wwn-0x5000c500b0000003" {
		t.Errorf("hint of the disk with a WWN is %s", got)
	}
	if got := d.attach(vm, bySerial); got != "/dev/disk/by-id/ata-ST3000_ZA1B2C3D" {
		t.Errorf("hint of the disk with a serial number is %s", got)
	}
	d.scratch(node, "sdb", "sdc", "sdd", "sde")

	d.must("delete_vm", vm)
	if diff := cmp.Diff([]string{"sdc", "sdd"}, d.marked(node, "sdb", "sdc", "sdd", "sde")); diff != "" {
		t.Fatalf("disks that cleaning left alone (-want +got):\n%s", diff)
	}
	held := d.backend.Node(t, node)
	if held["provision_state"] != "available" || held["instance_uuid"] == nil {
		t.Errorf("node with disks is left %v, instance %v; want it claimed", held["provision_state"], held["instance_uuid"])
	}
	if !d.hasDisk(byWWN) || !d.hasDisk(bySerial) {
		t.Error("has_disk is false after delete_vm")
	}
	if why := d.fails("VMCreationFailed", false, "create_vm", d.arguments(vmSpec{stemcell: stemcell})...); !strings.Contains(why, "persistent disks") {
		t.Errorf("create_vm of another VM says %q", why)
	}
	if why := d.other().fails("VMCreationFailed", false, "create_vm", d.arguments(vmSpec{stemcell: stemcell})...); !strings.Contains(why, d.uuid) {
		t.Errorf("create_vm of another Director says %q; want who holds the node", why)
	}

	smaller := d.node(backend.NodeSpec{Deploy: "fake", Properties: map[string]any{"memory_mb": 1024, "disks": twoDisks["disks"]}})
	vm, _ = d.createVM(vmSpec{stemcell: stemcell, disks: []string{byWWN}}) // the other one is an orphan for five days
	if got := d.nodeOf(vm)["uuid"]; got != node {
		t.Fatalf("VM with disk %s came onto node %v; the disk is in %s", byWWN, got, node)
	}
	if diff := cmp.Diff([]string{"sdc", "sdd"}, d.marked(node, "sdc", "sdd")); diff != "" {
		t.Fatalf("disks that a new VM left alone (-want +got):\n%s", diff)
	}
	if got := d.attach(vm, byWWN); got != "/dev/disk/by-id/wwn-0x5000c500b0000003" {
		t.Errorf("hint on the new VM is %s", got)
	}
	d.must("delete_disk", bySerial)
	d.must("delete_vm", vm)
	if diff := cmp.Diff([]string{"sdc"}, d.marked(node, "sdc", "sdd")); diff != "" {
		t.Errorf("disks that the next cleaning left alone (-want +got):\n%s", diff)
	}

	// The last call comes while the server is being cleaned, as after one that was killed.
	d.backend.Provision(t, node, "manage", "manageable")
	d.backend.FailRamdisk(t, backend.RamdiskFault{Node: node, Step: "erase_devices", DelayMS: 1000, Times: 1})
	if status, body := d.backend.Do(t, http.MethodPut, "/v1/nodes/"+node+"/states/provision", map[string]any{"target": "provide"}); status >= 300 {
		t.Fatalf("provide: %d %v", status, body)
	}
	d.with(map[string]any{"ironic": map[string]any{"retry_limit": "0s"}}).must("delete_disk", byWWN)
	if got := d.marked(node, "sdc"); got != nil {
		t.Errorf("the deleted disk was not erased before the server went back")
	}
	d.must("delete_disk", byWWN)
	d.free(node, "available")
	d.free(smaller, "available")
}

// Where nothing but paths is known, no disk can be told from another in cleaning: so none is cleaned, and the
// node's own setting comes back with the last disk. A deployment may not choose its disk freely either.
func TestB9DisksKnownByPath(t *testing.T) {
	t.Parallel()
	b := backend.Start(t, backend.WithClean())
	for name, c := range map[string]struct {
		deploy    string
		automated any
	}{
		"not set": {"direct", nil},
		"on":      {"fake", true},
		"off":     {"fake", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDirector(t, b)
			node := d.node(backend.NodeSpec{Deploy: c.deploy, Fields: map[string]any{"automated_clean": c.automated}})
			stemcell := d.stemcell()
			vm, _ := d.createVM(vmSpec{stemcell: stemcell})
			disk := d.createDisk(100, map[string]any{}, vm)
			if got := d.attach(vm, disk); got != "/dev/sdc" {
				t.Errorf("hint is %s", got)
			}
			if got := d.backend.Node(t, node)["automated_clean"]; got != false {
				t.Errorf("automated_clean is %v while the disk exists", got)
			}
			another := map[string]any{"device": "/dev/sdd"} // nobody has listed the disks: any path may be there
			d.must("delete_disk", d.createDisk(100, another, vm))
			if c.deploy == "direct" {
				d.scratch(node, "sdc")
			}
			d.must("delete_vm", vm)
			vm, _ = d.createVM(vmSpec{stemcell: stemcell, disks: []string{disk}})
			if c.deploy == "direct" {
				if d.marked(node, "sdc") == nil {
					t.Fatal("the persistent disk was erased")
				}
				if got := at(d.backend.Node(t, node), "instance_info", "root_device", "name"); got != "/dev/sda" {
					t.Errorf("the image may go to any disk: instance_info.root_device.name is %v", got)
				}
			}
			if why := d.fails("NoDiskSpace", false, "create_disk", 100, another, vm); !strings.Contains(why, "reuse_deleted") {
				t.Errorf("a deleted disk that nothing has erased: %s", why)
			}
			d.must("detach_disk", vm, disk)
			d.must("delete_vm", vm)
			if c.deploy == "direct" { // a call that fails is repeated from where it was
				d.backend.FailRamdisk(t, backend.RamdiskFault{Node: node, Step: "erase_devices", Text: "sdb does not answer", Times: 1})
				if why := d.fails("CloudError", true, "delete_disk", disk); !strings.Contains(why, "sdb does not answer") {
					t.Errorf("delete_disk with a failing step says %q", why)
				}
			}
			d.must("delete_disk", disk)
			if got := d.backend.Node(t, node)["automated_clean"]; got != c.automated {
				t.Errorf("automated_clean came back as %v; it was %v", got, c.automated)
			}
			if c.deploy == "direct" && d.marked(node, "sdc") != nil {
				t.Error("the deleted disk was not erased")
			}
			d.free(node, "available")
		})
	}
}

// inspected stores an inventory for a node, as inspection would: Ironic has no other way in.
func (d *director) inspected(node string, inventory map[string]any) {
	d.t.Helper()
	text, err := json.Marshal(inventory)
	if err != nil {
		d.t.Fatal(err)
	}
	insert := "INSERT INTO node_inventory (node_id, inventory_data, plugin_data, version) " +
		"SELECT id, %s, '{}', '1.0' FROM nodes WHERE uuid = %s"
	if backend.Kind() != "ironic" {
		insert = "INSERT INTO records (kind, uuid, node_uuid, document) " +
			"SELECT 'inventory', uuid, uuid, json_object('inventory', json(%s), 'plugin_data', json('{}')) FROM nodes WHERE uuid = %s"
	}
	d.database(insert, string(text), node)
}

// What inspection found counts more than what the operator once declared.
func TestDisksOfTheInventory(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t))
	node := d.node(backend.NodeSpec{Deploy: "fake", Properties: twoDisks})
	disk := func(name, wwn string, gib int) map[string]any {
		return map[string]any{
			"name": name, "size": gib << 30, "rotational": false, "wwn": wwn, "wwn_with_extension": wwn, "serial": "S" + wwn,
			"model": "M", "vendor": "ATA", "hctl": "0:0:0:0", "by_path": "/dev/disk/by-path/pci-" + wwn,
		}
	}
	d.inspected(node, map[string]any{
		"interfaces": []any{}, "cpu": map[string]any{"count": 4, "architecture": "x86_64"}, "memory": map[string]any{"physical_mb": 8192},
		"boot": map[string]any{"current_boot_mode": "bios"},
		"disks": []any{
			disk("/dev/sda", "0x5000c500c0000001", 2000), disk("/dev/sdb", "0x5000c500c0000002", 480),
			disk("/dev/sdc", "0x5000c500c0000003", 1000), disk("/dev/nvme0n1", "eui.0025385b71b0f0f1", 960),
		},
	})

	vm, _ := d.createVM(vmSpec{})
	document := at(d.nodeOf(vm), "extra", "bosh_cpi")
	if got := at(document, "ephemeral"); got != "/dev/disk/by-id/wwn-0x5000c500c0000001" { // the smallest, sdb, is the root disk
		t.Errorf("ephemeral disk is %v", got)
	}
	first, second := d.createDisk(1000, map[string]any{}, vm), d.createDisk(1000, map[string]any{}, vm)
	if got := d.attach(vm, first); got != "/dev/disk/by-id/nvme-eui.0025385b71b0f0f1" {
		t.Errorf("hint of the smallest free disk is %s", got)
	}
	if got := d.attach(vm, second); got != "/dev/disk/by-id/wwn-0x5000c500c0000003" {
		t.Errorf("hint of the last free disk is %s", got)
	}
	d.must("delete_vm", vm)
	skipped := at(d.backend.Node(t, node), "properties", "skip_block_devices")
	if diff := cmp.Diff([]any{map[string]any{"wwn": "eui.0025385b71b0f0f1"}, map[string]any{"wwn": "0x5000c500c0000003"}}, skipped); diff != "" {
		t.Errorf("skip_block_devices (-want +got):\n%s", diff)
	}
	d.must("delete_disk", first)
	d.must("delete_disk", second)
	d.free(node, "available")
}

// manyDisks declare all kinds of device, the operator's own spare one included.
func manyDisks() map[string]any {
	return map[string]any{
		"disks": []any{
			declared("sda", 10, map[string]any{"root": true}), declared("sdb", 20, nil),
			declared("sdc", 30, map[string]any{"wwn": "0x5000c500d0000003"}),
			declared("sdd", 40, map[string]any{"serial": "SERIAL4"}),
			declared("sde", 50, map[string]any{"wwn": "0x5000c500d0000005"}),
			declared("sdf", 5, map[string]any{"wwn": "0x5000c500d0000006"}),
		},
		"skip_block_devices": []any{map[string]any{"wwn": "0x5000c500d0000006"}},
	}
}

// B10: two disks of a VM never share a device. NoDiskSpace says of each disk why not.
func TestB10DisksOfOneServer(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t))
	node := d.node(backend.NodeSpec{Deploy: "fake", Properties: manyDisks()})
	vm, _ := d.createVM(vmSpec{})

	asked := d.createDisk(10240, map[string]any{"device": "/dev/sde"}, vm)
	first, second := d.createDisk(10240, map[string]any{}, vm), d.createDisk(10240, map[string]any{}, vm)
	hints := []string{d.attach(vm, asked), d.attach(vm, first), d.attach(vm, second)}
	want := []string{"/dev/disk/by-id/wwn-0x5000c500d0000005", "/dev/disk/by-id/wwn-0x5000c500d0000003", "/dev/sdd"}
	if diff := cmp.Diff(want, hints); diff != "" {
		t.Errorf("hints (-want +got):\n%s", diff)
	}
	if len(first) < 20 {
		t.Errorf("CID %s has %d characters: agents look for /dev/disk/by-id/*CID of shorter ones", first, len(first))
	}
	why := d.fails("NoDiskSpace", false, "create_disk", 10240, map[string]any{}, vm)
	for _, reason := range []string{
		"/dev/sda is the root disk", "/dev/sdb is the VM's ephemeral disk", "holds the persistent disk " + first, "sdf is spared by",
	} {
		if !strings.Contains(why, reason) {
			t.Errorf("NoDiskSpace does not say %q: %s", reason, why)
		}
	}
	d.fails("NoDiskSpace", false, "create_disk", 10, map[string]any{"device": "/dev/sde"}, vm)
	why = d.fails("NoDiskSpace", false, "create_disk", 10240, map[string]any{"device": "/dev/sdz"}, vm)
	if !strings.Contains(why, "no such disk") {
		t.Errorf("a device that is not there: %s", why)
	}
	if why := d.fails("NoDiskSpace", false, "create_disk", 10240, map[string]any{"device": "/dev/sdf"}, vm); !strings.Contains(why, "has 5120 MiB") {
		t.Errorf("a device that is too small: %s", why)
	}

	// B22: attached twice, detached twice, whatever failed in between.
	d.attach(vm, first)
	d.must("detach_disk", vm, first)
	d.must("detach_disk", vm, first)
	if got := decode[[]string](t, d.must("get_disks", vm)); cmp.Diff([]string{asked, second}, got) != "" {
		t.Errorf("get_disks = %v; want %s and %s", got, asked, second)
	}
	d.must("set_disk_metadata", first, map[string]any{"deployment": "zookeeper", "instance_index": 3})
	stored, _ := at(d.backend.Node(t, node), "extra", "bosh_cpi", "disks").([]any)
	if len(stored) != 3 || at(stored[1], "metadata", "deployment") != "zookeeper" {
		t.Errorf("set_disk_metadata left %v", stored)
	}

	if why := d.fails("CloudError", false, "delete_disk", second); !strings.Contains(why, vm) {
		t.Errorf("delete_disk of an attached disk: %s", why)
	}
	d.must("delete_disk", first)
	d.must("delete_disk", first)
	if d.hasDisk(first) || !d.hasDisk(second) {
		t.Error("has_disk knows the deleted disk, or not the other one")
	}
	d.fails("DiskNotFound", false, "attach_disk", vm, first)

	// The deleted disk was not cleaned yet.
	if why := d.fails("NoDiskSpace", false, "create_disk", 10240, map[string]any{}, vm); !strings.Contains(why, "reuse_deleted") {
		t.Errorf("reuse of a deleted disk: %s", why)
	}
	again := d.with(map[string]any{"disks": map[string]any{"reuse_deleted": true}}).createDisk(10240, map[string]any{}, vm)
	if again == first {
		t.Errorf("the second disk on a device has the CID of the first, %s", first)
	}
	if got := d.attach(vm, again); got != want[1] {
		t.Errorf("the device taken again is %s", got)
	}

	// Only the operator's own entry stays when the server goes back with its disks.
	d.with(map[string]any{"disks": map[string]any{"on_delete": "release"}}).must("delete_vm", vm)
	after := d.backend.Node(t, node)
	if diff := cmp.Diff(manyDisks()["skip_block_devices"], at(after, "properties", "skip_block_devices")); diff != "" {
		t.Errorf("skip_block_devices (-want +got):\n%s", diff)
	}
	if after["instance_uuid"] != nil || len(after["extra"].(map[string]any)) > 0 {
		t.Errorf("disks.on_delete: release left instance %v, extra %v", after["instance_uuid"], after["extra"])
	}
	if d.hasDisk(second) {
		t.Error("has_disk is true after the server went back")
	}
}

// A local disk does not move. B8, B16: errors say so in the Director's words.
func TestB16DiskErrors(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t))
	for range 2 {
		d.node(backend.NodeSpec{Deploy: "fake", Properties: map[string]any{"disks": []any{
			declared("sda", 10, nil), declared("sdb", 10, nil), declared("sdc", 10, map[string]any{"wwn": "0x5000c500e0000003"}),
		}}})
	}
	stemcell := d.stemcell()
	here, _ := d.createVM(vmSpec{stemcell: stemcell})
	there, _ := d.createVM(vmSpec{stemcell: stemcell})
	disk := d.createDisk(100, nil, here)

	why := d.fails("CloudError", false, "attach_disk", there, disk)
	for _, part := range []string{d.nodeOf(here)["uuid"].(string), d.nodeOf(there)["uuid"].(string), disk, "delete-create"} {
		if !strings.Contains(why, part) {
			t.Errorf("attach_disk on another server does not name %s: %s", part, why)
		}
	}
	d.must("detach_disk", there, disk)
	d.must("detach_disk", uuid.NewString(), disk)

	d.fails("NotSupported", false, "create_disk", 100, map[string]any{}, nil)
	d.fails("VMNotFound", false, "create_disk", 100, map[string]any{}, uuid.NewString())
	d.fails("VMNotFound", false, "attach_disk", uuid.NewString(), disk)
	d.fails("VMNotFound", false, "get_disks", uuid.NewString())
	d.fails("CloudError", false, "create_disk", 100, map[string]any{"device": 5}, here)
	d.fails("NotSupported", false, "resize_disk", disk, 200)
	d.fails("NotSupported", false, "update_disk", disk, 200, map[string]any{})
	d.fails("NotImplemented", false, "snapshot_disk", disk, map[string]any{})
	d.fails("NotImplemented", false, "delete_snapshot", "snapshot")
	for _, strange := range []string{"disk-of-another-cpi", "disk-525400000001-wwn-0x5000c500e0000003-0123456789abcdef"} {
		d.fails("DiskNotFound", false, "attach_disk", here, strange)
		d.must("delete_disk", strange)
		if d.hasDisk(strange) {
			t.Errorf("has_disk knows %s", strange)
		}
		d.fails("DiskNotFound", false, "set_disk_metadata", strange, map[string]any{})
	}

	// A VM with a disk waits for the disk's server, however free others are.
	d.must("delete_vm", there)
	d.fails("VMCreationFailed", true, "create_vm", d.arguments(vmSpec{stemcell: stemcell, disks: []string{disk}})...)
	d.must("delete_vm", here)
	d.must("delete_disk", disk)
}

// A server that cloud properties define stays in Ironic while it holds disks, and goes with the last one.
func TestDisksOfADefinedServer(t *testing.T) {
	t.Parallel()
	s := newStage(t, "define node")
	v := s.vm()
	v.stemcell = s.stemcell()
	v.cloud["ironic_params"].(map[string]any)["properties"] = manyDisks()
	vm, _ := s.createVM(v)
	node := s.nodeOf(vm)["uuid"].(string)
	disk := s.createDisk(10240, map[string]any{}, vm)
	s.attach(vm, disk)

	s.must("delete_vm", vm)
	if got := s.claimOn(node)["step"]; got != "held for disks" {
		t.Errorf("node that holds a disk is at %v", got)
	}
	again := v
	again.agent, again.disks = uuid.NewString(), []string{disk}
	// Whatever a killed process leaves, the disk's server stays the disk's.
	s.killAt("create_vm/claim node/before", "create_vm", s.arguments(again)...)
	s.fails("VMCreationFailed", false, "create_vm", s.arguments(v)...)
	s.killAt("create_vm/deploy/before", "create_vm", s.arguments(again)...)
	if !s.hasDisk(disk) {
		t.Error("has_disk is false after a create_vm that was killed")
	}
	s.expire(node, 10*time.Minute)
	again.agent = uuid.NewString()
	vm, _ = s.createVM(again)
	if got := s.nodeOf(vm)["uuid"]; got != node {
		t.Errorf("VM came back on node %v, its disk is in %s", got, node)
	}
	s.must("delete_vm", vm)
	s.must("delete_disk", disk)
	s.check(t)
}

// What docs/disks.md tells operators to declare is read as it says.
func TestDocsOfDisks(t *testing.T) {
	text, err := os.ReadFile("../../docs/disks.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(text), "```json\n")
	example, _, _ = strings.Cut(example, "```")
	properties := decode[map[string]any](t, json.RawMessage(example))
	devices, source, err := disk.Devices(disk.Known{Properties: properties})
	if err != nil || source != disk.FromProperties || len(devices) != 3 || !devices[0].Root {
		t.Fatalf("the example is read as %v, from %s, %v", devices, source, err)
	}
	if got, want := devices[2].Hint(), "/dev/disk/by-id/ata-ST2000_ZA1B2C3D"; got != want {
		t.Errorf("hint of the disk with a serial number is %s; want %s", got, want)
	}
}
