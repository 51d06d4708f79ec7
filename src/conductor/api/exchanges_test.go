package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/docstest"
)

// A request is one to both, or a state to wait for.
type request struct {
	method, path string
	body         any    // []byte: as it is; (images) and (token) stand for what a test finds out
	version      string // empty: 1.82; none: no header
	about        aspect // what it is sent for, where the request itself does not show that
	intended     string // why the answers differ

	settle string // no request: wait until the node, or the allocation's path, is in this state
	held   bool   // settle: the state is one on the way, with the node locked
	serve  bool   // no request: from here on images are there
}

// name tells a request from the others.
func (x request) name() string {
	name := strings.TrimSpace(x.method + " " + x.path + " " + x.text())
	if x.version != "" {
		name += " at " + x.version
	}
	return name
}

// minor is that of the version spoken.
func (x request) minor() int {
	minor := 82
	if x.version == "none" {
		return 1
	}
	_, _ = fmt.Sscanf(x.version, "1.%d", &minor)
	return minor
}

func (x request) text() string {
	if b, ok := x.body.([]byte); ok {
		return string(b)
	}
	if x.body == nil {
		return ""
	}
	text, _ := json.Marshal(x.body)
	return string(text)
}

type m = map[string]any

// The reasons that several answers differ for.
const (
	clientsFault  = "what is the client's fault is 4xx; Ironic says 500"
	noJSON        = "a body that is no JSON is refused; Ironic takes it for an empty one"
	ourWords      = "the text says what is wrong; Ironic's is a library's, or a slip"
	atOnce        = "the answer holds the outcome; Ironic answers before there is one"
	otherHardware = "hardware types, interfaces and keys of driver_info are our own; fake hardware has a disk and an inventory"
	otherNext     = "next keeps the request's filters and writes the query in another order"
	notServed     = "consoles and RAID are not served"
	laterIronic   = "ramdisks report what they found, as to Ironic 24.1"
	foreignHere   = "validation says what interfaces come to here that nothing stands behind"
	noStranger    = "a stranger is not told which nodes there are"
)

// The nodes of the script.
const (
	n1      = "11111111-0000-4000-8000-000000000001"
	n2      = "11111111-0000-4000-8000-000000000002"
	nobody  = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
	claim   = "22222222-0000-4000-8000-000000000001"
	other   = "22222222-0000-4000-8000-000000000002"
	p1      = "33333333-0000-4000-8000-000000000001"
	chassis = "44444444-0000-4000-8000-000000000001"
	alloc   = "55555555-0000-4000-8000-000000000001"
)

func get(path string) request { return request{method: http.MethodGet, path: path} }
func put(path string, body any) request {
	return request{method: http.MethodPut, path: path, body: body}
}

func post(path string, body any) request {
	return request{method: http.MethodPost, path: path, body: body}
}

func patch(path string, ops ...any) request {
	return request{method: http.MethodPatch, path: path, body: ops}
}
func del(path string) request          { return request{method: http.MethodDelete, path: path} }
func rests(node, state string) request { return request{path: node, settle: state} }

func (x request) at(version string) request { x.version = version; return x }
func (x request) but(why string) request    { x.intended = why; return x }
func (x request) showing(a aspect) request  { x.about = a; return x }

func op(op, path string, value any) m {
	if op == "remove" {
		return m{"op": op, "path": path}
	}
	return m{"op": op, "path": path, "value": value}
}

func verb(node, verb string) request {
	return put("/v1/nodes/"+node+"/states/provision", m{"target": verb})
}

// exchanges is the script: both servers start empty, and go through it in order.
func exchanges() []request {
	var all []request
	add := func(xs ...request) { all = append(all, xs...) }
	add(versions()...)
	add(creation()...)
	add(lists()...)
	add(patches()...)
	add(portsAndChassis()...)
	add(verbs()...)
	add(states()...)
	add(others()...)
	add(allocations()...)
	add(busy()...)
	add(generated()...)
	add(
		del("/v1/nodes/"+n1), del("/v1/nodes/"+n1), del("/v1/nodes/two"), del("/v1/nodes/nobody"), get("/v1/nodes"), get("/v1/ports"),
	)
	return all
}

func versions() []request {
	all := []request{
		get("/").at("none"), get("/").at("1.999"), get("/nothing"), get("/v1/nothing"), get("/v1/nodes").at("1.999"), get("/v1/nodes").at("1.0"),
		get("/v1/nodes").at("2.1"), get("/v1/nodes").at("garbage"), get("/v1/nodes").at("latest"), get("/v1/nodes").at("none"),
		put("/v1/nodes", m{}), get("/v1/allocations").at("1.51"), get("/v1/conductors").at("1.48"), get("/v1/portgroups").at("1.22"),
		get("/v1/shards").at("1.81"),
	}
	for _, v := range []string{"none", "1.1", "1.9", "1.31", "1.46", "1.58", "1.69", "1.72", "1.81", "1.82"} {
		all = append(all, get("/v1").at(v))
	}
	return all
}

func creation() []request {
	return []request{
		post("/v1/nodes", m{}), post("/v1/nodes", []any{}), post("/v1/nodes", m{"driver": "nonsense"}),
		post("/v1/nodes", []byte("{")).but(clientsFault),
		post("/v1/nodes", m{"driver": "fake-hardware", "colour": "red"}),
		post("/v1/nodes", m{"driver": "fake-hardware", "power_state": "power on"}),
		post("/v1/nodes", m{"driver": "fake-hardware", "properties": "cpus=4"}),
		post("/v1/nodes", m{"driver": "fake-hardware", "name": "a b"}),
		post("/v1/nodes", m{"driver": "fake-hardware", "name": "maintenance"}),
		post("/v1/nodes", m{"driver": "fake-hardware", "uuid": "123"}),
		post("/v1/nodes", m{"driver": "fake-hardware", "name": "x"}).at("1.1"),
		post("/v1/nodes", m{"driver": "fake-hardware", "conductor_group": "elsewhere"}),
		post("/v1/nodes", m{
			"uuid": n1, "name": "one", "driver": "fake-hardware", "driver_info": m{"ipmi_password": "hunter2", "address": "x"}, "resource_class": "gold",
			"properties": m{"cpus": 4, "memory_mb": "8192"}, "extra": m{"rack": "r1", "deep": m{"a": 1}}, "description": "The third from below",
		}),
		post("/v1/nodes", m{"uuid": n1, "driver": "fake-hardware"}).showing(wrongState),
		post("/v1/nodes", m{"name": "one", "driver": "fake-hardware"}),
		post("/v1/nodes", m{"uuid": n2, "name": "two", "driver": "fake-hardware", "automated_clean": false, "lessee": "them"}),
		post("/v1/nodes", m{"uuid": nobody, "name": "manual", "driver": "manual-management"}), del("/v1/nodes/manual"),
		post("/v1/nodes", m{"uuid": nobody, "name": "manual", "driver": "manual-management", "raid_interface": "agent", "boot_interface": "pxe"}), del("/v1/nodes/manual"),
		get("/v1/nodes/one"), get("/v1/nodes/" + n1), get("/v1/nodes/one.json"), get("/v1/nodes/nobody"), get("/v1/nodes/" + nobody),
		get("/v1/nodes/one").at("1.1"), get("/v1/nodes/" + n1).at("1.1"), get("/v1/nodes/" + n1).at("1.9"), get("/v1/nodes/" + n1).at("1.31"),
		get("/v1/nodes/" + n1).at("1.46"), get("/v1/nodes/" + n1).at("1.58"), get("/v1/nodes/" + n1).at("1.69"), get("/v1/nodes/" + n1).at("1.72"),
		get("/v1/nodes/" + n1).at("1.81"), get("/v1/nodes/one?fields=uuid,name,properties"), get("/v1/nodes/one?fields=uuid,colour"),
		get("/v1/nodes/one?fields=uuid,traits").at("1.36"), get("/v1/nodes/one?fields=uuid").at("1.7"),
	}
}

func lists() []request {
	all := []request{
		get("/v1/nodes"), get("/v1/nodes/"), get("/v1/nodes?limit=1&fields=uuid,name").but(otherNext),
		get("/v1/nodes?limit=2&marker=" + n2), get("/v1/nodes?marker=one"), get("/v1/nodes?marker=" + nobody), get("/v1/nodes/detail"), get("/v1/nodes?detail=True"),
		get("/v1/nodes?detail=True&fields=uuid"), get("/v1/nodes?limit=0"), get("/v1/nodes?limit=-1"), get("/v1/nodes?limit=ten"), get("/v1/nodes?limit=5000"),
		get("/v1/nodes?sort_key=name&sort_dir=desc&fields=name"), get("/v1/nodes?sort_dir=up"), get("/v1/nodes?sort_key=extra"), get("/v1/nodes?sort_key=colour"),
		get("/v1/nodes").at("1.1"), get("/v1/nodes").at("1.9"),
	}
	for _, filter := range []string{
		"provision_state=enroll", "provision_state=active", "provision_state=nonsense", "driver=fake-hardware", "driver=ipmi", "resource_class=gold", "associated=true",
		"associated=False", "associated=maybe", "maintenance=true", "maintenance=banana", "retired=0", "instance_uuid=" + claim, "instance_uuid=vm",
		"chassis_uuid=" + nobody, "owner=x", "lessee=them", "conductor_group=", "conductor=127.0.0.1", "fault=power%20failure", "fault=nonsense",
		"description_contains=third", "shard=s1", "sharded=false", "name=one", "traits=CUSTOM_A",
	} {
		all = append(all, get("/v1/nodes?fields=uuid,name&"+filter))
	}
	return append(all, get("/v1/nodes?provision_state=enroll").at("1.8"), get("/v1/nodes?resource_class=gold").at("1.20"), get("/v1/nodes?retired=true").at("1.60"))
}

// hidden holds secrets as Ironic knows them: by their names, also in objects, and in texts.
var hidden = m{
	"ipmi_password": "hunter2", "address": "x", "port": 623, "nothing": nil, "SSH_Passphrase": "hunter2", "pin": "4711", "list": []any{1, "two"},
	"ssh": m{"private_key_path": "hunter2", "user": "u", "deep": m{"auth_token": "hunter2", "on": true}}, "secret": m{"a": 1}, "empty_password": "",
	"kernel": "console=ttyS0 rootpassword=hunter2 quiet", "line": "run --password hunter2 --user u", "sum": "1 = 2", "configdrive": "hunter2",
}

func patches() []request {
	p := func(ops ...any) request { return patch("/v1/nodes/one", ops...) }
	return []request{
		p(op("add", "/extra/rack", "r2")), p(op("replace", "/extra/deep/a", 2)), p(op("add", "/extra/no/b", 1)), p(op("remove", "/extra/nothing", nil)),
		p(op("replace", "/extra/nothing", 1)), p(op("remove", "/description", nil)), p(op("remove", "/description", nil)), p(op("frob", "/name", "x")),
		p(op("test", "/name", "one")), p(op("add", "name", "x")), p(m{"op": "add", "value": "x"}), p(op("add", "/uuid", nobody)), p(op("add", "/traits", []any{"A"})),
		p(op("add", "/colour", "red")), p(m{"op": "add", "path": "/name"}).but(clientsFault),
		{method: http.MethodPatch, path: "/v1/nodes/one", body: m{"name": "x"}},
		{method: http.MethodPatch, path: "/v1/nodes/one", body: []any{}},
		p(op("add", "/extra/x", 1), op("replace", "/extra/nothing", 1)), get("/v1/nodes/one?fields=extra"),
		p(op("replace", "/name", "two")), p(op("replace", "/extra", m{"only": "this"})), p(op("add", "/properties/capabilities", "boot_mode:bios")),
		p(op("add", "/instance_uuid", "vm-1")), p(op("add", "/instance_uuid", claim)), p(op("add", "/instance_uuid", claim)), p(op("replace", "/instance_uuid", other)),
		patch("/v1/nodes/two", op("add", "/instance_uuid", claim)), p(op("remove", "/instance_uuid", nil)), p(op("remove", "/instance_uuid", nil)),
		p(op("add", "/protected", true)), p(op("add", "/retired", true)), p(op("add", "/retired", false)), p(op("add", "/automated_clean", true)),
		p(op("replace", "/automated_clean", nil)), p(op("add", "/maintenance", true)), p(op("add", "/maintenance", false)), p(op("add", "/driver_info/port", 623)),
		p(op("add", "/driver_info", hidden), op("add", "/instance_info", hidden)), get("/v1/nodes/one"), get("/v1/nodes?fields=driver_info,instance_info"),
		p(op("add", "/owner", "team")), p(op("add", "/conductor_group", "x")), p(op("add", "/shard", "s1")).at("1.81"), p(op("add", "/shard", "s1")),
		patch("/v1/nodes/nobody", op("add", "/name", "x")), get("/v1/nodes/one"),
	}
}

func portsAndChassis() []request {
	node := func(more m) m {
		b := m{"node_uuid": n1, "address": "52:54:00:aa:00:01"}
		maps.Copy(b, more)
		return b
	}
	return []request{
		post("/v1/ports", m{"address": "52:54:00:aa:00:09"}), post("/v1/ports", m{"node_uuid": n1}), post("/v1/ports", node(m{"node_uuid": "one"})),
		post("/v1/ports", node(m{"node_uuid": nobody})), post("/v1/ports", node(m{"address": "eno1"})), post("/v1/ports", node(m{"address": "52-54-00-aa-00-01"})),
		post("/v1/ports", node(m{"local_link_connection": m{"switch": "x"}})),
		post("/v1/ports", node(m{"uuid": p1, "address": "52:54:00:AA:00:01", "extra": m{"nic": "eno1"}, "physical_network": "net1"})),
		post("/v1/ports", node(nil)), post("/v1/ports", node(m{"uuid": p1, "address": "52:54:00:aa:00:08"})).showing(wrongState), get("/v1/ports"), get("/v1/ports/detail"), get("/v1/ports?detail=True"), get("/v1/ports/" + p1), get("/v1/ports/" + p1).at("1.1"),
		get("/v1/ports/" + p1).at("1.31"), get("/v1/ports?address=52:54:00:AA:00:01"), get("/v1/ports?address=zz"), get("/v1/ports?node=one"), get("/v1/ports?node_uuid=" + n1),
		get("/v1/ports?node=nobody"), get("/v1/nodes/" + n1 + "/ports"), get("/v1/nodes/one/ports").but("a name is as good as a UUID"), get("/v1/ports?fields=uuid,extra"),
		get("/v1/ports/" + nobody), get("/v1/ports/52:54:00:aa:00:01"), patch("/v1/ports/"+p1, op("add", "/extra/nic", "eno2")), patch("/v1/ports/"+p1, op("add", "/address", "52:54:00:aa:00:02")),
		patch("/v1/ports/"+p1, op("add", "/pxe_enabled", false)), patch("/v1/ports/"+p1, op("add", "/pxe_enabled", true)), get("/v1/nodes/" + n1 + "/portgroups"), get("/v1/portgroups"),
		get("/v1/nodes/one/vifs"), post("/v1/nodes/one/vifs", m{}), post("/v1/nodes/one/vifs", m{"id": "net"}), del("/v1/ports/" + nobody),
		post("/v1/chassis", m{"uuid": chassis, "description": "rack 1"}), post("/v1/chassis", m{"uuid": chassis}).showing(wrongState), get("/v1/chassis"), get("/v1/chassis/" + chassis), get("/v1/chassis/" + nobody), get("/v1/chassis/detail"),
		patch("/v1/chassis/"+chassis, op("add", "/description", "rack 2")), patch("/v1/nodes/two", op("add", "/chassis_uuid", chassis)), get("/v1/chassis/" + chassis + "/nodes"),
		get("/v1/nodes?chassis_uuid=" + chassis), del("/v1/chassis/" + chassis).showing(wrongState), patch("/v1/nodes/two", op("remove", "/chassis_uuid", nil)), del("/v1/chassis/" + chassis),
	}
}

// verbs tries all of them in every state where fake hardware rests, and walks on.
func verbs() []request {
	var all []request
	every := []string{"manage", "provide", "active", "rebuild", "deleted", "inspect", "abort", "adopt", "unrescue", "nonsense", "deploy"}
	bad := func(except ...string) {
	next:
		for _, v := range every {
			for _, good := range except {
				if v == good {
					continue next
				}
			}
			all = append(all, verb("one", v))
		}
	}
	walk := func(v, state string) {
		all = append(all, verb("one", v), rests(n1, state), get("/v1/nodes/one?fields=provision_state,target_provision_state,last_error,power_state,instance_info,instance_uuid"))
	}
	provision := "/v1/nodes/one/states/provision"
	all = append(all, put(provision, m{}), put(provision, m{"target": "manage", "colour": "red"}), put(provision, m{"target": "manage", "configdrive": "abc"}), verb("nobody", "manage"), verb("one", "manage").at("1.3"))
	bad("manage")
	walk("manage", "manageable")
	bad("provide", "inspect", "adopt")
	all = append(
		all, put(provision, m{"target": "clean"}), put(provision, m{"target": "clean", "clean_steps": []any{}}),
		put(provision, m{"target": "clean", "clean_steps": []any{m{"interface": "deploy"}}}).but(ourWords),
		patch("/v1/nodes/one", op("add", "/retired", true)), verb("one", "provide"), patch("/v1/nodes/one", op("add", "/retired", false)),
	)
	walk("inspect", "manageable")
	all = append(all, get("/v1/nodes/one/inventory").but(otherHardware))
	walk("provide", "available")
	bad("manage", "active", "deploy")
	all = append(
		all, patch("/v1/nodes/one", op("add", "/retired", true)), patch("/v1/nodes/one", op("add", "/protected", true)),
		put(provision, m{"target": "active", "configdrive": "{\"a\": 1}"}), put(provision, m{"target": "active", "configdrive": m{"colour": 1}}).but(ourWords),
		put(provision, m{"target": "active", "configdrive": m{"meta_data": m{}}}).at("1.55"), put(provision, m{"target": "active", "clean_steps": []any{m{"interface": "deploy", "step": "x"}}}),
		put("/v1/nodes/one/maintenance", m{"reason": "fans"}), verb("one", "active"), del("/v1/nodes/one/maintenance"),
		patch("/v1/nodes/one", op("add", "/instance_info", m{"traits": []any{"CUSTOM_A"}})), verb("one", "active"),
		patch("/v1/nodes/one", op("add", "/instance_info", m{"image_source": "http://127.0.0.1/x", "rescue_password": "hunter2"}), op("add", "/instance_uuid", claim)),
		get("/v1/nodes/one?fields=instance_info"), del("/v1/nodes/one"),
	)
	walk("active", "active")
	bad("rebuild", "deleted")
	all = append(
		all, put(provision, m{"target": "rescue"}), patch("/v1/nodes/one", op("add", "/protected", true)), verb("one", "deleted"), verb("one", "rebuild"), del("/v1/nodes/one"),
		patch("/v1/nodes/one", op("remove", "/protected", nil)), patch("/v1/nodes/one", op("add", "/resource_class", "tin")), patch("/v1/nodes/one", op("add", "/extra/still", "here")),
		patch("/v1/ports/"+p1, op("add", "/pxe_enabled", false)), patch("/v1/ports/"+p1, op("add", "/extra/x", "y")), patch("/v1/nodes/one", op("add", "/instance_uuid", other)),
	)
	walk("rebuild", "active")
	all = append(all, put(provision, m{"target": "rescue", "rescue_password": "p"}), rests(n1, "rescue"), verb("one", "unrescue"), rests(n1, "active"))
	walk("deleted", "available")
	walk("manage", "manageable")
	walk("provide", "available")
	return all
}

func states() []request {
	s := "/v1/nodes/one/states"
	mgmt := "/v1/nodes/one/management/boot_device"
	vendor := "/v1/nodes/one/vendor_passthru"
	return []request{
		get(s), get(s).at("1.1"), get("/v1/nodes/" + n1 + "/states").at("1.1"), put(s+"/power", m{}), put(s+"/power", m{"target": "power up"}), put(s+"/power", m{"target": "soft power off"}).at("1.26"),
		put(s+"/power", m{"target": "soft power off", "timeout": 0}), put(s+"/power", m{"target": "power on"}), rests(n1, "available"), get(s), put(s+"/power", m{"target": "rebooting"}),
		rests(n1, "available"), get(s), put(s+"/power", m{"target": "soft power off", "timeout": 5}), rests(n1, "available"), get(s),
		put("/v1/nodes/nobody/states/power", m{"target": "power on"}), get(s + "/console"), put(s+"/console", m{"enabled": true}).but(notServed), rests(n1, "available"), put(s+"/console", m{"enabled": false}).but(notServed), rests(n1, "available"),
		put(s+"/boot_mode", m{"target": "x"}), put(s+"/boot_mode", m{"target": "uefi"}).at("1.75"),
		get(mgmt), get(mgmt + "/supported").but(otherHardware), put(mgmt, m{}), put(mgmt, m{"boot_device": "floppy"}), put(mgmt, m{"boot_device": "pxe", "persistent": true}),
		get("/v1/nodes/one/validate").but(foreignHere), get("/v1/nodes/validate?node=one").but(foreignHere), get("/v1/nodes/nobody/validate"),
		get(vendor + "/methods"), post(vendor, m{}), post(vendor+"/nothing", m{}), post(vendor+"/second_method", m{}), get(vendor + "/second_method"),
		post(vendor+"?method=second_method", m{"bar": "kazoo"}), rests(n1, "available"), post(vendor+"/third_method_sync", m{"bar": "meow"}), post(vendor+"/third_method_sync", m{"bar": "x"}),
		get("/v1/nodes/one/traits"), put("/v1/nodes/one/traits", m{"traits": []any{"CUSTOM_B", "CUSTOM_A", "HW_CPU_X86_VMX"}}), get("/v1/nodes/one/traits"), put("/v1/nodes/one/traits/gpu", nil),
		put("/v1/nodes/one/traits/CUSTOM_GPU", nil), put("/v1/nodes/one/traits/CUSTOM_GPU", nil), put("/v1/nodes/one/traits/CUSTOM_A", m{"traits": []any{}}), del("/v1/nodes/one/traits/CUSTOM_GPU"),
		del("/v1/nodes/one/traits/CUSTOM_GPU"), put("/v1/nodes/one/traits", m{"traits": []any{"NOT_STANDARD"}}), get("/v1/nodes/one/traits").at("1.36"), del("/v1/nodes/one/traits"),
		put("/v1/nodes/one/maintenance", m{"reason": "fans"}), get("/v1/nodes/one?fields=maintenance,maintenance_reason,fault"), put("/v1/nodes/one/maintenance", m{}), del("/v1/nodes/one/maintenance"),
		del("/v1/nodes/one/maintenance"), put("/v1/nodes/nobody/maintenance", m{}), get("/v1/nodes/one/history"), get("/v1/nodes/two/inventory").but(ourWords),
	}
}

func allocations() []request {
	const lost = "55555555-0000-4000-8000-000000000002"
	path := "/v1/allocations/" + alloc
	return []request{
		patch("/v1/nodes/one", op("add", "/resource_class", "brass")), put("/v1/nodes/one/states/power", m{"target": "power on"}), rests(n1, "available"),
		put("/v1/nodes/one/traits", m{"traits": []any{"CUSTOM_FAST"}}),
		post("/v1/allocations", m{"uuid": alloc, "name": "a1", "resource_class": "brass", "traits": []any{"CUSTOM_FAST"}, "extra": m{"vm": "1"}}).but(atOnce), rests(path, "active"),
		get(path), get("/v1/allocations/a1"), get("/v1/allocations"), get("/v1/allocations?resource_class=brass"), get("/v1/allocations?state=error"), get("/v1/allocations?node=one"),
		get(path).at("1.52"), get("/v1/nodes/one/allocation"), get("/v1/nodes/one?fields=instance_uuid,allocation_uuid,instance_info"),
		post("/v1/allocations", m{"name": "a1", "resource_class": "brass"}).showing(wrongState), post("/v1/allocations", m{"uuid": alloc, "resource_class": "brass"}).showing(wrongState), patch("/v1/nodes/one", op("add", "/instance_uuid", claim)),
		post("/v1/allocations", m{"uuid": lost, "name": "a2", "resource_class": "brass"}).but(atOnce), rests("/v1/allocations/"+lost, "error"),
		get("/v1/allocations/" + lost), patch(path, op("add", "/name", "a3")), patch(path, op("add", "/state", "error")), patch(path, op("add", "/name", "a4")).at("1.56"),
		del("/v1/allocations/a2"), del("/v1/allocations/a3"), get("/v1/nodes/one?fields=instance_uuid,allocation_uuid"),
		post("/v1/allocations", m{"uuid": lost, "resource_class": "brass"}).but(atOnce), rests("/v1/allocations/"+lost, "active"), del("/v1/nodes/one/allocation"), get("/v1/allocations/" + lost),
		get("/v1/nodes/one?fields=instance_info").but("the traits that an allocation brought go with it"), get("/v1/nodes/one/allocation"), patch("/v1/nodes/one", op("remove", "/instance_info", nil)),
	}
}

func others() []request {
	return []request{
		get("/v1/drivers/nonsense"), get("/v1/drivers/nonsense/properties"), get("/v1/drivers/fake-hardware/properties").but(otherHardware), get("/v1/drivers").but(otherHardware),
		get("/v1/drivers/fake-hardware/vendor_passthru/methods"), post("/v1/drivers/fake-hardware/vendor_passthru?method=x", m{}),
		get("/v1/conductors?fields=hostname,alive"), get("/v1/conductors/nowhere"), get("/v1/conductors/127.0.0.1?fields=hostname"),
		post("/v1/allocations", m{"name": "a"}), post("/v1/allocations", m{"name": "a", "resource_class": "gold", "candidate_nodes": []any{"nothing"}}), get("/v1/allocations"), get("/v1/allocations/nothing"),
		get("/v1/nodes/one/allocation"), del("/v1/allocations/nothing"), get("/v1/shards"),
		post("/v1/events", bodies["POST events"]), post("/v1/events", m{"events": []any{}}), post("/v1/events", m{"events": []any{m{"event": "x"}}}), post("/v1/events", m{"events": []any{m{"event": "network.bind_port"}}}),
		get("/v1/lookup"), get("/v1/lookup?node_uuid=" + n1), get("/v1/lookup?node_uuid=" + nobody), get("/v1/lookup?addresses=52:54:00:aa:00:02"), get("/v1/lookup").at("1.21"),
		post("/v1/heartbeat/"+n1, m{}), post("/v1/heartbeat/"+n1, m{"callback_url": "http://127.0.0.1:9"}), post("/v1/heartbeat/"+nobody, m{"callback_url": "http://127.0.0.1:9", "agent_token": "x", "agent_version": "9.4.0"}).but(noStranger),
		post("/v1/heartbeat/"+n1, m{"callback_url": "http://127.0.0.1:9", "agent_token": "x", "agent_version": "9.4.0"}).showing(wrongState),
		post("/v1/continue_inspection", m{}).at("1.1").but(laterIronic).showing(badBody),
		post("/v1/continue_inspection", report("52:54:00:aa:00:01")).at("1.1").but(laterIronic).showing(wrongState),
	}
}

// docs/conductor.md lists why requests of the script are answered otherwise than by Ironic, each with the shortest example.
func TestDocs(t *testing.T) {
	var reasons []string
	examples := map[string]string{}
	for _, x := range exchanges() {
		switch known, ok := examples[x.intended]; {
		case x.intended == "":
			continue
		case !ok:
			reasons = append(reasons, x.intended)
		case len(known) <= len(x.name()):
			continue
		}
		examples[x.intended] = x.name()
	}
	var b strings.Builder
	b.WriteString("| for instance | what is different |\n|---|---|\n")
	for _, reason := range reasons {
		fmt.Fprintf(&b, "| `%s` | %s |\n", examples[reason], reason)
	}
	docstest.Table(t, "conductor.md", "differences", b.String())
}
