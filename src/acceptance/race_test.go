//go:build integration

package acceptance

import (
	"encoding/json"
	"sync"
	"testing"

	"bosh-ironic-cpi/src/backend"
)

// Twenty processes at once on ten nodes: ten VMs on ten nodes, ten errors that the Director repeats, nothing
// left reserved.
func TestTwentyCreateVMOnTenNodes(t *testing.T) {
	t.Parallel()
	const processes, servers = 20, 10
	d := newDirector(t, backend.Start(t))
	spec := backend.NodeSpec{Name: d.class, ResourceClass: d.class, Deploy: "fake", Properties: map[string]any{"disks": []any{
		map[string]any{"name": "/dev/sda", "size_gb": 10}, map[string]any{"name": "/dev/sdb", "size_gb": 10},
	}}}
	nodes := d.backend.AddNodes(t, servers, spec)
	stemcell := d.stemcell()

	answers := make([]answer, processes)
	var all sync.WaitGroup
	for i := range answers {
		arguments := d.arguments(vmSpec{stemcell: stemcell})
		all.Go(func() { answers[i] = d.call("create_vm", arguments...) })
	}
	all.Wait()

	vms := map[string]string{} // node to CID
	var refused int
	for _, a := range answers {
		if a.Error != nil {
			refused++
			if a.Error.Type != "Bosh::Clouds::VMCreationFailed" || !a.Error.OKToRetry {
				t.Errorf("%s, ok_to_retry %v: %s\n%s", a.Error.Type, a.Error.OKToRetry, a.Error.Message, a.stderr)
			}
			continue
		}
		cid := decode[string](t, decode[[]json.RawMessage](t, a.Result)[0])
		node := d.nodeOf(cid)
		id := node["uuid"].(string)
		if other, twice := vms[id]; twice {
			t.Errorf("VMs %s and %s are both on node %s", cid, other, id)
		}
		vms[id] = cid
	}
	if len(vms) != servers || refused != processes-servers {
		t.Errorf("%d VMs and %d refused; want %d and %d", len(vms), refused, servers, processes-servers)
	}
	for _, cid := range vms {
		d.must("delete_vm", cid)
	}
	for _, n := range nodes {
		if left := d.backend.Node(t, n); left["instance_uuid"] != nil || left["provision_state"] != "available" || len(left["extra"].(map[string]any)) > 0 {
			t.Errorf("node %s is left %v, instance %v, extra %v", n, left["provision_state"], left["instance_uuid"], left["extra"])
		}
	}
}
