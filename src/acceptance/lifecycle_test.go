//go:build integration

package acceptance

import (
	"testing"

	"bosh-ironic-cpi/src/backend"
)

func TestLifeOfAVM(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t))
	uuid := d.node(backend.NodeSpec{Name: "rack-3-unit-7-" + d.class})

	cid, networks := d.createVM(vmSpec{})
	node := d.nodeOf(cid)
	if node["uuid"] != uuid || node["provision_state"] != "active" {
		t.Fatalf("VM %s is on %v in %v", cid, node["uuid"], node["provision_state"])
	}
	if networks["default"]["mac"] == "" {
		t.Errorf("networks have no mac: %v", networks)
	}
	if got := string(d.must("has_vm", cid)); got != "true" {
		t.Errorf("has_vm = %s", got)
	}
	d.must("reboot_vm", cid)
	d.must("delete_vm", cid)
	if got := string(d.must("has_vm", cid)); got != "false" {
		t.Errorf("has_vm after delete_vm = %s", got)
	}
	after := d.backend.Node(t, uuid)
	if after["provision_state"] != "available" || after["instance_uuid"] != nil || len(after["extra"].(map[string]any)) != 0 {
		t.Errorf("node afterwards: %v, instance %v, extra %v", after["provision_state"], after["instance_uuid"], after["extra"])
	}
}
