//go:build integration

package acceptance

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"bosh-ironic-cpi/src/backend"
	"bosh-ironic-cpi/src/cpi"
)

// A stage is the smallest pool on which every step of create_vm and delete_vm has something to do.
type stage struct {
	*director
	node  string // empty: the VM defines its own
	macs  []string
	agent string
}

// twoDisks let a fake deployment take a config drive, which it does not read.
var twoDisks = map[string]any{"disks": []any{
	map[string]any{"name": "/dev/sda", "size_gb": 10}, map[string]any{"name": "/dev/sdb", "size_gb": 10},
}}

func newStage(t *testing.T, step string) *stage {
	s := &stage{
		director: newDirector(t, backend.Start(t), map[string]any{"cleaning": map[string]any{
			"manual": step == "clean by hand", "steps": []any{map[string]any{"interface": "deploy", "step": "erase_devices_metadata"}},
		}}),
		macs: []string{backend.NewMAC()}, agent: uuid.NewString(),
	}
	if step != "define node" {
		deploy := "fake"
		if step == "clean by hand" {
			deploy = "direct" // fake knows no clean steps
		}
		s.node = s.director.node(backend.NodeSpec{Name: s.class, MACs: s.macs, State: "manageable", Deploy: deploy, Properties: twoDisks})
	}
	return s
}

func (s *stage) vm() vmSpec {
	v := vmSpec{agent: s.agent}
	if s.node == "" {
		v.cloud = map[string]any{"macs": s.macs, "ironic_params": map[string]any{
			"driver": "fake", "name": s.class, "resource_class": s.class, "properties": twoDisks,
			"network_interface": "noop", "deploy_interface": "fake",
		}}
	}
	return v
}

// check looks at what is left when the VM is gone: the node as it was, and nothing else.
func (s *stage) check(t *testing.T) {
	t.Helper()
	if files := s.webdav.Files(t); len(files) > 3 { // the stemcell's
		t.Errorf("left in the repository: %v", files)
	}
	if s.node == "" {
		ports, _ := s.backend.Get(t, "/v1/ports?address="+s.macs[0])["ports"].([]any)
		if status, _ := s.backend.Do(t, http.MethodGet, "/v1/nodes/"+s.class, nil); status != http.StatusNotFound || len(ports) > 0 {
			t.Errorf("the node that the CPI made is still there: %d, ports %v", status, ports)
		}
		return
	}
	n := s.backend.Node(t, s.node)
	extra, _ := n["extra"].(map[string]any)
	if n["provision_state"] != "manageable" || n["instance_uuid"] != nil || n["name"] != s.class || len(extra) > 0 {
		t.Errorf("node is left %v, instance %v, name %v, extra %v; want it as it was", n["provision_state"], n["instance_uuid"], n["name"], extra)
	}
}

// A node that the CPI makes goes other ways: it is deleted where others are given back.
func TestKilledWithANodeOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, point := range []string{
		"create_vm/claim node/after", "create_vm/deploy/after", "create_vm/finish/after", "delete_vm/tear down/after", "delete_vm/forget VM/before",
	} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			killed(t, newStage(t, "define node"), point)
		})
	}
}

// Whatever moment the process dies at, the next call goes on from there. The program itself lists its steps:
// one that no scenario reaches fails this test.
func TestKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	for _, point := range cpi.FaultPoints() {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			_, rest, _ := strings.Cut(point, "/")
			step, _, _ := strings.Cut(rest, "/")
			killed(t, newStage(t, step), point)
		})
	}
}

// killed kills a process at point, lets the next one go on, and sees that nothing is left in the end.
func killed(t *testing.T, s *stage, point string) {
	t.Helper()
	v := s.vm()
	v.stemcell = s.stemcell()
	var cid string
	if strings.HasPrefix(point, "create_vm/") {
		s.killAt(point, "create_vm", s.arguments(v)...)
		cid = s.create(v)
	} else {
		cid = s.create(v)
		s.must("set_vm_metadata", cid, map[string]any{"job": s.class, "index": "0"})
		s.killAt(point, "delete_vm", cid)
	}
	s.must("delete_vm", cid)
	s.must("delete_vm", cid)
	if got := string(s.must("has_vm", cid)); got != "false" {
		t.Errorf("has_vm after delete_vm = %s", got)
	}
	s.check(t)
}

func (s *stage) create(v vmSpec) string {
	s.t.Helper()
	cid, _ := s.createVM(v)
	return cid
}

// killAt runs a request that must die at point.
func (d *director) killAt(point, method string, arguments ...any) {
	d.t.Helper()
	killed := *d
	killed.env = []string{"BOSH_IRONIC_KILL_AT=" + point}
	if a := killed.call(method, arguments...); !a.killed {
		d.t.Fatalf("%s did not pass %s: %s %v\n%s", method, point, a.Result, a.Error, a.stderr)
	}
}
