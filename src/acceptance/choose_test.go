//go:build integration

package acceptance

import (
	"fmt"
	"maps"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"bosh-ironic-cpi/src/backend"
)

// chosen tells the name of the node that create_vm takes. The process dies with the claim in hand: nothing is
// deployed, and the node stays claimed, so that the next VM gets the next best.
func (d *director) chosen(s vmSpec) string {
	d.t.Helper()
	s.agent = uuid.NewString()
	d.killAt("create_vm/claim node/after", "create_vm", d.arguments(s)...)
	nodes, _ := d.backend.Get(d.t, "/v1/nodes?sort_key=updated_at&sort_dir=desc&fields=name,extra&resource_class="+d.class)["nodes"].([]any)
	for _, n := range nodes {
		if strings.Contains(fmt.Sprint(n), s.agent) {
			return strings.TrimPrefix(n.(map[string]any)["name"].(string), d.class+"-")
		}
	}
	d.t.Fatal("no node of the test is claimed for the VM")
	return ""
}

// named enrols an instant node with disks that take a config drive. In Ironic its name begins with the class.
func (d *director) named(name string, spec backend.NodeSpec) string {
	d.t.Helper()
	spec.Name, spec.Deploy = d.class+"-"+name, "fake"
	properties := map[string]any{}
	maps.Copy(properties, twoDisks)
	maps.Copy(properties, spec.Properties)
	spec.Properties = properties
	return d.node(spec)
}

// stateOf is what must be as before when a node is given back.
func (d *director) stateOf(node string) string {
	d.t.Helper()
	n := d.backend.Node(d.t, node)
	return fmt.Sprintf("%v, instance %v, extra %v", n["provision_state"], n["instance_uuid"], n["extra"])
}

// A MAC list is a list of candidates, in its order, in whichever state they are free; each goes back to that.
func TestNodesByMAC(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t))
	first, second := backend.NewMAC(), backend.NewMAC()
	manageable := d.named("manageable", backend.NodeSpec{MACs: []string{backend.NewMAC(), first}, State: "manageable"})
	available := d.named("available", backend.NodeSpec{MACs: []string{second}})
	vm := vmSpec{stemcell: d.stemcell(), cloud: map[string]any{
		"macs": []string{backend.NewMAC(), strings.ToUpper(strings.ReplaceAll(first, ":", "-")), second},
	}}
	one, _ := d.createVM(vm)
	if got := d.nodeOf(one)["uuid"]; got != manageable {
		t.Errorf("the first of the list is node %s; VM is on %v", manageable, got)
	}
	two, _ := d.createVM(vm)
	if got := d.nodeOf(two)["uuid"]; got != available {
		t.Errorf("the second of the list is node %s; VM is on %v", available, got)
	}
	message := d.fails("VMCreationFailed", true, "create_vm", d.arguments(vm)...)
	for _, want := range []string{"of 2 looked at", "provision_state is active, available or manageable wanted; is not free"} {
		if !strings.Contains(message, want) {
			t.Errorf("%q is not in %q", want, message)
		}
	}
	vm.cloud["macs"] = []string{backend.NewMAC()}
	if message := d.fails("VMCreationFailed", false, "create_vm", d.arguments(vm)...); !strings.Contains(message, "macs: no node") {
		t.Errorf("a MAC that nobody has: %s", message)
	}
	d.must("delete_vm", one)
	d.must("delete_vm", two)
	if got, want := d.stateOf(manageable), "manageable, instance <nil>, extra map[]"; got != want {
		t.Errorf("node is left %s; want %s", got, want)
	}
	if got, want := d.stateOf(available), "available, instance <nil>, extra map[]"; got != want {
		t.Errorf("node is left %s; want %s", got, want)
	}
}

// The smallest node that satisfies, available ones first. Inspection wrote numbers as texts for years (B3), and
// nodes without a property are passed over (B2).
func TestB3BestFitWithNumbersAsTexts(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t))
	d.named("unknown", backend.NodeSpec{Properties: map[string]any{"memory_mb": nil}})
	d.named("small", backend.NodeSpec{Properties: map[string]any{"memory_mb": "65536", "cpus": 64}})
	d.named("large", backend.NodeSpec{Properties: map[string]any{"memory_mb": 262144, "cpus": 8}})
	d.named("fitting", backend.NodeSpec{Properties: map[string]any{"memory_mb": "131072", "cpus": "8"}})
	d.named("manageable", backend.NodeSpec{State: "manageable", Properties: map[string]any{"memory_mb": 131072, "cpus": 8}})
	vm := vmSpec{stemcell: d.stemcell(), cloud: map[string]any{
		"ironic_properties": map[string]any{"memory_mb": 100000, "cpus": "4", "cpu_arch": "x86_64"},
	}}
	var got []string
	for range 3 {
		got = append(got, d.chosen(vm))
	}
	if want := []string{"fitting", "large", "manageable"}; !slices.Equal(got, want) {
		t.Errorf("nodes are taken in the order %v; want %v", got, want)
	}
	message := d.fails("VMCreationFailed", true, "create_vm", d.arguments(vm)...)
	for _, want := range []string{"memory_mb is not set, 100000 wanted", "memory_mb is 65536, 100000 wanted"} {
		if !strings.Contains(message, want) {
			t.Errorf("%q is not in %q", want, message)
		}
	}
}

// picky is a VM that asks for something of every kind.
func picky(stemcell string) vmSpec {
	return vmSpec{stemcell: stemcell, cloud: map[string]any{
		"traits": []string{"CUSTOM_SSD", "HW_CPU_X86_VMX"}, "capabilities": map[string]any{"profile": "compute", "sockets": 2},
		"availability_zone": "r1", "ironic_properties": map[string]any{"memory_mb": 4096, "sgx": true},
	}}
}

// pickyNodes satisfy it.
func (d *director) pickyNodes(n int) []string {
	d.t.Helper()
	return d.backend.AddNodes(d.t, n, backend.NodeSpec{
		Name: d.class, ResourceClass: d.class, Deploy: "fake", Traits: []string{"CUSTOM_SSD", "HW_CPU_X86_VMX", "CUSTOM_MORE"},
		Properties: map[string]any{
			"disks": twoDisks["disks"], "rack": "r1", "sgx": "True", "capabilities": "boot_mode:bios,profile:compute,sockets:2",
		},
	})
}

// Each node but one lacks one thing, and the refusal says which.
func TestNearMisses(t *testing.T) {
	t.Parallel()
	misses := []struct{ path, value, want string }{
		{"/properties/memory_mb", `2048`, "memory_mb is 2048, 4096 wanted"},
		{"/properties/sgx", `false`, "sgx is false, true wanted"},
		{"/properties/capabilities", `"profile:storage,sockets:2"`, "capability profile is storage, compute wanted"},
		{"/properties/rack", `"r2"`, "properties/rack is r2, r1 wanted"},
		{"/properties/cpu_arch", `"aarch64"`, "cpu_arch is aarch64, x86_64 for the stemcell wanted"},
		{"/properties/capabilities", `"profile:compute,sockets:2,boot_mode:uefi"`, "boot_mode is uefi, bios for the stemcell wanted"},
		{"/resource_class", `"other"`, "resource_class is other"},
	}
	d := newDirector(t, backend.Start(t), map[string]any{"placement": map[string]any{"zone_field": "properties/rack"}})
	nodes := d.pickyNodes(len(misses) + 2)
	for i, m := range misses {
		d.backend.Patch(t, nodes[i], m.path, decode[any](t, []byte(m.value)))
	}
	noTrait, fits := nodes[len(misses)], nodes[len(misses)+1]
	if status, body := d.backend.Do(t, http.MethodDelete, "/v1/nodes/"+noTrait+"/traits/CUSTOM_SSD", nil); status != http.StatusNoContent {
		t.Fatalf("remove a trait: %d %v", status, body)
	}
	vm := picky(d.stemcell())
	if got := d.chosen(vm); d.backend.Node(t, fits)["name"] != d.class+"-"+got {
		t.Errorf("node %s is taken; want the one that fits", got)
	}
	message := d.fails("VMCreationFailed", true, "create_vm", d.arguments(vm)...)
	for i, m := range misses {
		d.missed(message, nodes[i], m.want)
	}
	d.missed(message, noTrait, "trait CUSTOM_SSD is missing")

	d.backend.RemoveNode(t, fits) // then it is no question of time any more
	if message := d.fails("VMCreationFailed", false, "create_vm", d.arguments(vm)...); !strings.Contains(message, "enrol a node that fits") {
		t.Errorf("no advice in %q", message)
	}
}

// missed looks for a node's line in the refusal of create_vm.
func (d *director) missed(message, node, want string) {
	d.t.Helper()
	for line := range strings.Lines(message) {
		if strings.Contains(line, node) && strings.Contains(line, want) {
			return
		}
	}
	d.t.Errorf("node %s: %q is not in %q", node, want, message)
}

// Nodes that would fit and are not to be had: each for a reason of its own, which the refusal gives.
func TestNodesThatAreNotFree(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t), map[string]any{"placement": map[string]any{"zone_field": "properties/rack"}})
	nodes := d.pickyNodes(7)
	maintained, retired, protected, faulty, locked, claimed, moved := nodes[0], nodes[1], nodes[2], nodes[3], nodes[4], nodes[5], nodes[6]
	instance := uuid.NewString()
	d.backend.Patch(t, claimed, "/instance_uuid", instance)
	if status, body := d.backend.Do(t, http.MethodPut, "/v1/nodes/"+maintained+"/maintenance", map[string]any{"reason": "new fans"}); status != http.StatusAccepted {
		t.Fatalf("maintenance: %d %v", status, body)
	}
	d.backend.Provision(t, retired, "manage", "manageable")
	d.backend.Patch(t, retired, "/retired", true)
	// The API sets these itself, and only in states that are not free; the CPI must not rely on that.
	d.database("UPDATE nodes SET protected = 1 WHERE uuid = %s", protected)
	d.database("UPDATE nodes SET fault = 'power failure' WHERE uuid = %s", faulty)
	if backend.Kind() != "ironic" { // a lock of nobody's would be taken over
		d.database("INSERT OR REPLACE INTO records (kind, uuid, name, node_uuid, document) VALUES ('conductor', 'conductor-9', 'conductor-9', '', " +
			"json_object('hostname', 'conductor-9', 'drivers', json_array(), 'until', 9000000000000000, 'created_at', 1, 'updated_at', 1))")
		defer d.database("DELETE FROM records WHERE uuid = 'conductor-9'")
	}
	d.database("UPDATE nodes SET reservation = 'conductor-9' WHERE uuid = %s", locked)
	d.database("UPDATE nodes SET provision_state = 'inspect failed' WHERE uuid = %s", moved)
	defer d.database("UPDATE nodes SET reservation = NULL WHERE uuid = %s", locked)

	message := d.fails("VMCreationFailed", true, "create_vm", d.arguments(picky(d.stemcell()))...)
	d.missed(message, maintained, "is in maintenance: new fans")
	d.missed(message, retired, "is retired")
	d.missed(message, protected, "is protected")
	d.missed(message, faulty, "has the fault power failure")
	d.missed(message, locked, "is locked by the conductor conductor-9")
	d.missed(message, claimed, "is claimed, instance_uuid is "+instance)
	d.missed(message, moved, "provision_state is inspect failed, available or manageable wanted")
}

// database changes what no request can, in the engine's own tables: %s stands for an argument.
func (d *director) database(statement string, args ...string) {
	d.t.Helper()
	program := `
import pymysql, sys
db = pymysql.connect(unix_socket=sys.argv[1], user="root", database="ironic", autocommit=True)
db.cursor().execute(sys.argv[2], sys.argv[3:])
`
	file := filepath.Join(d.backend.Dir, "db.sock")
	if backend.Kind() != "ironic" {
		program = `
import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=60) as db: db.execute(sys.argv[2].replace("%s", "?").replace("NULL", "''"), sys.argv[3:])
`
		file = filepath.Join(d.backend.Dir, "data", "conductor.sqlite")
	}
	if out, err := exec.Command("/usr/bin/python3", append([]string{"-c", program, file, statement}, args...)...).CombinedOutput(); err != nil {
		d.t.Fatalf("%s: %v\n%s", statement, err, out)
	}
}

// The operator chooses the field that holds the zone. (conductor_group: see TestPoolOfManyPages.)
func TestZones(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t))
	status, chassis := d.backend.Do(t, http.MethodPost, "/v1/chassis", map[string]any{"description": d.class})
	if status != http.StatusCreated {
		t.Fatalf("chassis: %d %v", status, chassis)
	}
	id := chassis["uuid"].(string)
	d.named("elsewhere", backend.NodeSpec{Properties: map[string]any{"memory_mb": 1}}) // it would be the best fit
	d.named("racked", backend.NodeSpec{Properties: map[string]any{"rack": 12}})
	d.backend.Patch(t, d.named("owned", backend.NodeSpec{}), "/owner", "team-7")
	d.named("enclosed", backend.NodeSpec{Fields: map[string]any{"chassis_uuid": id}})

	stemcell := d.stemcell()
	for _, tt := range []struct{ field, zone, want string }{
		{"properties/rack", "12", "racked"},
		{"owner", "team-7", "owned"},
		{"chassis", id, "enclosed"},
		{"", "anywhere", "elsewhere"}, // zones are not used
	} {
		zoned := d.with(map[string]any{"placement": map[string]any{"zone_field": tt.field}})
		vm := vmSpec{stemcell: stemcell, cloud: map[string]any{"availability_zone": tt.zone}}
		if got := zoned.chosen(vm); got != tt.want {
			t.Errorf("zone %s by %q: node %s is taken; want %s", tt.zone, tt.field, got, tt.want)
		}
		if tt.field == "" {
			continue
		}
		message := zoned.fails("VMCreationFailed", true, "create_vm", zoned.arguments(vm)...)
		if want := tt.field + " is not set, " + tt.zone + " wanted"; !strings.Contains(message, want) {
			t.Errorf("%q is not in %q", want, message)
		}
	}
}

// A node whose deployment failed is given back, with the reason in its extra, and taken only when no other fits.
func TestFailedNodeComesLast(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t))
	broken := d.node(backend.NodeSpec{Name: d.class + "-broken", Properties: map[string]any{"memory_mb": 1024}})
	d.node(backend.NodeSpec{Name: d.class + "-sound"})
	d.backend.FailStep(t, broken, "write_image", "no space left on device")
	vm := vmSpec{stemcell: d.stemcell()}
	message := d.fails("VMCreationFailed", true, "create_vm", d.arguments(vm)...)
	if !strings.Contains(message, d.class+"-broken") || !strings.Contains(message, "no space left on device") {
		t.Errorf("neither node nor reason are in %q", message)
	}
	left := d.stateOf(broken)
	if !strings.HasPrefix(left, "available, instance <nil>, ") || !strings.Contains(left, "no space left on device") {
		t.Errorf("node is left %s", left)
	}
	if files := d.webdav.Files(t); len(files) > 3 {
		t.Errorf("left in the repository: %v", files)
	}
	if got := []string{d.chosen(vm), d.chosen(vm)}; !slices.Equal(got, []string{"sound", "broken"}) {
		t.Errorf("nodes are taken in the order %v; want the one that failed last", got)
	}
}

// A definition is a server that only the cloud-config knows.
type definition struct {
	*director
	node string
	macs []string
	vm   vmSpec
}

// define describes a server with two NICs by ironic_params and a few keys more.
func (d *director) define(params map[string]any) *definition {
	d.t.Helper()
	def := &definition{director: d, node: uuid.NewString(), macs: []string{strings.ToUpper(backend.NewMAC()), backend.NewMAC()}}
	maps.Copy(params, map[string]any{
		"uuid": def.node, "name": d.class, "resource_class": d.class, "extra": map[string]any{"rack": "r1"},
		"properties": map[string]any{"cpu_arch": "x86_64", "cpus": 8, "capabilities": "boot_mode:bios"},
	})
	def.vm = vmSpec{stemcell: d.stemcell(), cloud: map[string]any{"macs": def.macs, "ironic_params": params}}
	d.t.Cleanup(func() { d.backend.RemoveNode(d.t, def.node) })
	return def
}

// gone checks that Ironic does not know the server any more.
func (d *definition) gone(when string) {
	d.t.Helper()
	ports, _ := d.backend.Get(d.t, "/v1/ports?address="+strings.ToLower(d.macs[0]))["ports"].([]any)
	if status, _ := d.backend.Do(d.t, http.MethodGet, "/v1/nodes/"+d.node, nil); status != http.StatusNotFound || len(ports) > 0 {
		d.t.Errorf("%s the node is still there: %d, ports %v", when, status, ports)
	}
}

// The node goes when its deployment fails, comes again, and goes with the VM.
func TestNodeDefinedByIronicParams(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t)).define(map[string]any{
		"driver": "manual-management", "power_interface": "fake", "boot_interface": "ipxe", "deploy_interface": "direct",
	})
	d.backend.FailStep(t, d.node, "write_image", "disk is on fire")
	message := d.fails("VMCreationFailed", true, "create_vm", d.arguments(d.vm)...)
	if !strings.Contains(message, "disk is on fire") || strings.Contains(message, "could not undo") {
		t.Errorf("create_vm says %q", message)
	}
	d.gone("after a failed deployment")

	d.backend.MendRamdisk(t, d.node)
	cid, networks := d.createVM(d.vm)
	node := d.nodeOf(cid)
	if extra, _ := node["extra"].(map[string]any); node["uuid"] != d.node || node["name"] != d.class || extra["rack"] != "r1" {
		t.Errorf("VM is on %v, name %v, extra %v; want what ironic_params says", node["uuid"], node["name"], extra)
	}
	if got, want := networks["default"]["mac"], strings.ToLower(d.macs[0]); got != want {
		t.Errorf("network is on NIC %v; want %s", got, want)
	}
	d.must("delete_vm", cid)
	d.gone("after delete_vm")
}

// onBMC describes a server by the name of a driver of 2016.
func onBMC(d *director) *definition {
	bmc := d.backend.Env
	return d.define(map[string]any{"driver": "agent_ipmitool", "driver_info": map[string]any{
		"ipmi_address": bmc["IPMI_ADDRESS"], "ipmi_port": bmc["IPMI_PORT"],
		"ipmi_username": bmc["IPMI_USERNAME"], "ipmi_password": bmc["IPMI_PASSWORD"],
	}})
}

// The name is translated, and Ironic has talked to the BMC before the node is claimed. The rest of such a life
// takes a minute: TestLifeOnABMC.
func TestClassicDriverName(t *testing.T) {
	t.Parallel()
	d := onBMC(newDirector(t, backend.Start(t, backend.WithIPMI())))
	d.killAt("create_vm/claim node/after", "create_vm", d.arguments(d.vm)...)
	n := d.backend.Node(t, d.node)
	if n["driver"] != "ipmi" || n["deploy_interface"] != "direct" || n["power_interface"] != "ipmitool" {
		t.Errorf("driver %v, deploy %v, power %v; want ipmi, direct, ipmitool", n["driver"], n["deploy_interface"], n["power_interface"])
	}
	if n["provision_state"] != "manageable" || n["power_state"] == nil {
		t.Errorf("node is %v, %v; want manageable, with the power that the BMC tells", n["provision_state"], n["power_state"])
	}
}

// ironic_params of a server that is in Ironic already is ignored, also where it names the very node: what the
// operator enrolled stays.
func TestDefinedServerThatIsThereAlready(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t))
	mac := backend.NewMAC()
	node := d.named("enrolled", backend.NodeSpec{MACs: []string{mac}, State: "manageable"})
	params := map[string]any{"driver": "agent_ipmitool", "uuid": node, "name": "ignored"}
	cid, _ := d.createVM(vmSpec{cloud: map[string]any{"macs": []string{mac}, "ironic_params": params}})
	if got := d.nodeOf(cid); got["uuid"] != node || got["driver"] != "fake-hardware" {
		t.Errorf("VM is on node %v with driver %v; want the node enrolled, as it is", got["uuid"], got["driver"])
	}
	d.must("delete_vm", cid)
	if got, want := d.stateOf(node), "manageable, instance <nil>, extra map[]"; got != want {
		t.Errorf("node is left %s; want %s", got, want)
	}
	delete(params, "uuid")
	if got := d.chosen(vmSpec{cloud: map[string]any{"macs": []string{mac}, "ironic_params": params}}); got != "enrolled" {
		t.Errorf("node %s is taken", got)
	}
}

// Ironic gives 1000 nodes at most at a time. All are looked at, in few requests that ask for single fields.
func TestPoolOfManyPages(t *testing.T) {
	t.Parallel()
	const more = 1100
	d := newDirector(t, backend.Start(t, backend.WithGroup("rack-1")),
		map[string]any{"placement": map[string]any{"zone_field": "conductor_group"}})
	group := map[string]any{"conductor_group": "rack-1"}
	like := d.named("like", backend.NodeSpec{Fields: group})
	d.multiply(like, more)
	d.named("best", backend.NodeSpec{Fields: group, Properties: map[string]any{"memory_mb": 4096}})

	vm := vmSpec{stemcell: d.stemcell(), cloud: map[string]any{"availability_zone": "Rack-1"}}
	d.backend.Proxy.Reset()
	if got := d.chosen(vm); got != "best" { // the last of the last page
		t.Errorf("node %s is taken; want the smallest", got)
	}
	var lists []backend.Request
	for _, r := range d.backend.Proxy.Requests() {
		if r.Path == "/v1/nodes" {
			lists = append(lists, r)
			if !strings.Contains(r.Query, "fields=") {
				t.Errorf("%s?%s asks for whole nodes", r.Path, r.Query)
			}
		}
	}
	if backend.Kind() != "embedded" && len(lists) < 2 {
		t.Errorf("%d nodes in %d lists: there are no pages", more+2, len(lists))
	}
	if len(lists) > 3 { // two pages and an empty one
		t.Errorf("%d nodes cost %d lists: %v", more+2, len(lists), lists)
	}
	vm.cloud["availability_zone"] = "rack-2"
	message := d.fails("VMCreationFailed", false, "create_vm", d.arguments(vm)...)
	for _, want := range []string{fmt.Sprintf("of %d looked at", more+2), "conductor_group is rack-1, rack-2 wanted"} {
		if !strings.Contains(message, want) {
			t.Errorf("%q is not in %q", want, message)
		}
	}
}

// multiply copies a node n times in the engine's database, which by Ironic's API would take minutes.
func (d *director) multiply(node string, n int) {
	d.t.Helper()
	columns := `version driver driver_info driver_internal_info clean_step deploy_step raid_config
		target_raid_config instance_info properties extra power_state provision_state resource_class conductor_group
		maintenance console_enabled automated_clean protected retired inspect_interface deploy_interface boot_interface
		bios_interface console_interface management_interface network_interface power_interface raid_interface
		rescue_interface storage_interface vendor_interface created_at`
	with, uuid, name, numbers := "", "CONCAT('00000000-0000-4000-8000-', LPAD(seq, 12, '0'))", "CONCAT('copy-', seq)", fmt.Sprintf("seq_1_to_%d", n)
	if backend.Kind() != "ironic" {
		columns = `chassis_uuid allocation_uuid driver resource_class conductor_group owner lessee shard description provision_state
			target_provision_state power_state target_power_state reservation last_error maintenance maintenance_reason fault retired retired_reason
			protected protected_reason created_at updated_at provision_updated_at inspection_started_at inspection_finished_at details`
		with = fmt.Sprintf("WITH RECURSIVE numbers(seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM numbers WHERE seq < %d) ", n)
		uuid, name, numbers = "printf('00000000-0000-4000-8000-%012d', seq)", "'copy-' || seq", "numbers"
	}
	columns = strings.Join(strings.Fields(columns), ", ")
	d.database(with+`INSERT INTO nodes (uuid, name, `+columns+`) SELECT `+uuid+`, `+name+`, `+columns+` FROM nodes, `+numbers+` WHERE uuid = %s`, node)
}

// Sizes become those of servers that exist, and a VM that asks for them gets one.
func TestCalculateVMCloudProperties(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t))
	size := func(memory, cpus, disk any) backend.NodeSpec { // larger than any other test's
		return backend.NodeSpec{Properties: map[string]any{"memory_mb": memory, "cpus": cpus, "local_gb": disk}}
	}
	d.named("huge", size(8000000, 256, 9000))
	d.named("big", size("5000000", "128", "4000"))
	d.named("flat", size(5000001, 192, 100))
	wanted := map[string]any{"ram": 4000000, "cpu": 100, "ephemeral_disk_size": 3000 * 1024}
	got := decode[map[string]map[string]float64](t, d.must("calculate_vm_cloud_properties", wanted))
	want := map[string]map[string]float64{"ironic_properties": {"memory_mb": 5000000, "cpus": 128, "local_gb": 4000}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("cloud properties (-want +got):\n%s", diff)
	}
	if got := d.chosen(vmSpec{cloud: map[string]any{"ironic_properties": got["ironic_properties"]}}); got != "big" {
		t.Errorf("node %s is taken; want the smallest", got)
	}
	wanted["ram"] = 9000000
	if message := d.fails("CloudError", false, "calculate_vm_cloud_properties", wanted); !strings.Contains(message, "9000000 wanted") {
		t.Errorf("it says %q", message)
	}
}
