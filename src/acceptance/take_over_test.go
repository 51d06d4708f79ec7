//go:build integration

package acceptance

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"bosh-ironic-cpi/src/backend"
)

// claimOn gives the CPI's document on a node.
func (d *director) claimOn(node string) map[string]any {
	d.t.Helper()
	document, _ := at(d.backend.Node(d.t, node), "extra", "bosh_cpi").(map[string]any)
	return document
}

// expire lets a claim's time pass. How long it was to stand is checked first.
func (d *director) expire(node string, limit time.Duration) {
	d.t.Helper()
	text, _ := d.claimOn(node)["deadline"].(string)
	deadline, err := time.Parse(time.RFC3339, text)
	if left := time.Until(deadline); err != nil || left > limit || left < limit-5*time.Minute {
		d.t.Errorf("deadline of the claim on %s is %q, in %v; want less than %v", node, text, left, limit)
	}
	d.backend.Patch(d.t, node, "/extra/bosh_cpi/deadline", "2020-01-01T00:00:00Z")
}

// What a process left that was killed is nobody's once its deadline has passed: the next VM takes the server
// over, whichever step it was at. Before that the server is in use, and waiting helps.
func TestClaimsPastTheirDeadlineAreTakenOver(t *testing.T) {
	t.Parallel()
	b := backend.Start(t)
	for point, limit := range map[string]time.Duration{ // the limits are those of the configuration's defaults
		"create_vm/claim node/after":  10 * time.Minute,
		"create_vm/deploy/after":      70 * time.Minute,
		"create_vm/finish/after":      60 * time.Minute, // nobody confirmed the VM: its CID never reached the Director
		"delete_vm/tear down/after":   190 * time.Minute,
		"create_vm/define node/after": 0, // the CPI's own node
	} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			d := newDirector(t, b)
			stemcell := d.stemcell()
			if limit == 0 {
				takeOverDefinition(t, d, stemcell)
				return
			}
			node := d.node(backend.NodeSpec{Name: d.class, Deploy: "fake", Properties: twoDisks})
			var left string
			if strings.HasPrefix(point, "create_vm") {
				d.killAt(point, "create_vm", d.arguments(vmSpec{stemcell: stemcell})...)
				for cid := range d.claimOn(node)["claim"].(map[string]any) {
					left = cid
				}
			} else {
				left, _ = d.createVM(vmSpec{stemcell: stemcell})
				d.killAt(point, "delete_vm", left)
			}

			next := d.arguments(vmSpec{stemcell: stemcell})
			if why := d.fails("VMCreationFailed", true, "create_vm", next...); !strings.Contains(why, left) {
				t.Errorf("create_vm before the deadline does not name the VM %s that is in the way: %s", left, why)
			}
			// In use is in use, whoever uses it: waiting may help.
			d.other().fails("VMCreationFailed", true, "create_vm", d.arguments(vmSpec{stemcell: stemcell})...)
			d.expire(node, limit)
			// Another Director's clock and stores are not ours: its servers stay its own.
			d.other().fails("VMCreationFailed", true, "create_vm", d.arguments(vmSpec{stemcell: stemcell})...)

			vm := decode[[]any](t, d.must("create_vm", next...))[0].(string)
			if got := d.nodeOf(vm); got["uuid"] != node || got["provision_state"] != "active" {
				t.Errorf("VM is on %v in %v", got["uuid"], got["provision_state"])
			}
			if got := string(d.must("has_vm", left)); got != "false" {
				t.Errorf("has_vm of the VM that was taken over = %s", got)
			}
			d.must("delete_vm", left) // a stale delete
			if got := d.nodeOf(vm); got["provision_state"] != "active" {
				t.Errorf("a stale delete_vm left the new VM %v", got["provision_state"])
			}
			d.must("delete_vm", vm)
			d.free(node, "available")
			if got := d.backend.Node(t, node)["name"]; got != d.class {
				t.Errorf("node is called %v", got)
			}
			if files := d.webdav.Files(t); len(files) > 3 { // the stemcell's
				t.Errorf("left in the repository: %v", files)
			}
		})
	}
}

// takeOverDefinition: a node that cloud properties define is found by its MACs again.
func takeOverDefinition(t *testing.T, d *director, stemcell string) {
	s := &stage{director: d, macs: []string{backend.NewMAC()}, agent: uuid.NewString()}
	v := s.vm()
	v.stemcell = stemcell
	d.killAt("create_vm/define node/after", "create_vm", d.arguments(v)...)
	v.agent = uuid.NewString()
	vm, _ := d.createVM(v)
	d.must("delete_vm", vm)
	s.check(t)
}

// The Director repeats create_vm with the same agent only when the first try is over: what that left is
// recovered at once, and two servers with one agent's settings never run.
func TestAnAgentsEarlierTryIsRecoveredAtOnce(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t))
	first := d.node(backend.NodeSpec{Deploy: "fake", Properties: twoDisks})
	v := vmSpec{stemcell: d.stemcell(), agent: uuid.NewString()}
	d.killAt("create_vm/finish/after", "create_vm", d.arguments(v)...)
	second := d.node(backend.NodeSpec{Deploy: "fake", Properties: twoDisks})

	vm, _ := d.createVM(v)
	used := d.nodeOf(vm)["uuid"]
	for _, node := range []string{first, second} {
		if node != used {
			d.free(node, "available")
		}
	}
	d.must("delete_vm", vm)
	d.free(first, "available")
	d.free(second, "available")
}

// A VM that the Director knows is never taken over, whatever its document says.
func TestAReadyVMIsNeverTakenOver(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t))
	node := d.node(backend.NodeSpec{Deploy: "fake", Properties: twoDisks})
	v := vmSpec{stemcell: d.stemcell(), agent: uuid.NewString()}
	vm, _ := d.createVM(v)
	d.must("set_vm_metadata", vm, map[string]any{"job": d.class, "index": "0"})
	if deadline, has := d.claimOn(node)["deadline"]; has {
		t.Errorf("a VM that the Director knows has a deadline: %v", deadline)
	}
	d.backend.Patch(t, node, "/extra/bosh_cpi/deadline", "2020-01-01T00:00:00Z")

	d.fails("VMCreationFailed", true, "create_vm", d.arguments(vmSpec{stemcell: v.stemcell})...)
	d.fails("VMCreationFailed", true, "create_vm", d.arguments(v)...) // nor for its own agent
	if got := d.nodeOf(vm)["provision_state"]; got != "active" {
		t.Errorf("the VM's node is %v", got)
	}
	d.must("delete_vm", vm)
	d.free(node, "available")
}
