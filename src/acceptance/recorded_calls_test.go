//go:build integration

package acceptance

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/backend"
)

// A recording replays the requests of the bosh CLI. Rewritten are only what a recording cannot know: CIDs, the
// stemcell's path, the sizes of the scratch disks, and nothing else.
type recording struct {
	*director
	cids  map[string]string // recorded to ours
	disks int
}

// The scratch disks have 1 and 2 GiB where the recorded servers had 64 and 98.
var recordedSizes = map[float64]float64{65536: 512, 99999: 1500}

func TestRecordedCreateEnvCalls(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t, backend.WithClean()), map[string]any{
		"agent": map[string]any{"mbus": "https://mbus:secret@0.0.0.0:6868"},
	})
	node := d.node(backend.NodeSpec{
		Name: "lab-" + d.class, MACs: []string{backend.NewMAC(), backend.NewMAC()},
		Properties: map[string]any{"disks": []any{
			map[string]any{"name": "/dev/sda", "size_gb": 1, "wwn": "0x5000c500a0000001", "root": true},
			map[string]any{"name": "/dev/sdb", "size_gb": 1, "wwn": "0x5000c500a0000002"},
			map[string]any{"name": "/dev/sdc", "size_gb": 1, "wwn": "0x5000c500a0000003"},
			map[string]any{"name": "/dev/sdd", "size_gb": 2, "wwn": "0x5000c500a0000004"},
		}},
	})
	// The recorded cloud properties ask for nothing that nodes have: the zone keeps other tests' nodes away.
	d.keepToOwnNodes(node)
	r := &recording{director: d, cids: map[string]string{}}

	r.replay("1-first-create")
	first := d.nodeOf(r.cids["vm-cid-1"])
	r.replay("3-recreate")
	if again := d.nodeOf(r.cids["vm-cid-1"]); again["uuid"] != first["uuid"] {
		t.Errorf("the VM came back on node %v, its disk is in %v", again["uuid"], first["uuid"])
	}
	r.replay("4-disk-resize")
	r.replay("7-delete-env")

	after := d.backend.Node(t, node)
	if after["provision_state"] != "available" || after["instance_uuid"] != nil || after["name"] != "lab-"+d.class {
		t.Errorf("node at the end: %v, instance %v, name %v", after["provision_state"], after["instance_uuid"], after["name"])
	}
	if files := d.webdav.Files(t); len(files) > 0 {
		t.Errorf("left in the repository: %v", files)
	}
}

// keepToOwnNodes gives the test's nodes a zone of their own and has the CPI use it through its cpi-config.
func (d *director) keepToOwnNodes(nodes ...string) {
	for _, n := range nodes {
		d.backend.Patch(d.t, n, "/properties/zone", d.class)
	}
	d.config["placement"] = map[string]any{"zone_field": "properties/zone"}
}

func (r *recording) replay(folder string) {
	r.t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "create-env-calls", folder, "*.json"))
	if err != nil || len(files) == 0 {
		r.t.Fatalf("no recording %s: %v", folder, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			r.t.Fatal(err)
		}
		var request struct {
			Method     string         `json:"method"`
			Arguments  []any          `json:"arguments"`
			Context    map[string]any `json:"context"`
			APIVersion int            `json:"api_version"`
		}
		if err := json.Unmarshal(text, &request); err != nil {
			r.t.Fatalf("%s: %v", f, err)
		}
		r.rewrite(request.Method, request.Arguments)
		sent, err := json.Marshal(request)
		if err != nil {
			r.t.Fatal(err)
		}
		a := r.send(sent)
		if a.Error != nil {
			r.t.Fatalf("%s: %s: %s\n%s", f, a.Error.Type, a.Error.Message, a.stderr)
		}
		r.check(f, request.Method, request.Arguments, a)
	}
}

// rewrite puts our CIDs, paths and sizes into a recorded request.
func (r *recording) rewrite(method string, arguments []any) {
	switch method {
	case "create_stemcell":
		arguments[0] = imagePath(r.t)
	case "create_disk":
		arguments[0] = recordedSizes[arguments[0].(float64)]
	case "create_vm":
		properties := arguments[2].(map[string]any)
		properties["availability_zone"] = r.class
	}
	for i := range arguments {
		arguments[i] = r.known(arguments[i])
	}
}

func (r *recording) known(v any) any {
	switch v := v.(type) {
	case string:
		if ours, ok := r.cids[v]; ok {
			return ours
		}
	case []any:
		for i := range v {
			v[i] = r.known(v[i])
		}
	}
	return v
}

// check holds an answer against what the CLI needs of it.
func (r *recording) check(file, method string, arguments []any, a answer) {
	r.t.Helper()
	wrong := func(want string) { r.t.Errorf("%s: %s answers %s; the CLI wants %s", file, method, a.Result, want) }
	switch method {
	case "info":
		info := decode[struct {
			Formats []string `json:"stemcell_formats"`
			Version int      `json:"api_version"`
		}](r.t, a.Result)
		if !slices.Contains(info.Formats, "openstack-qcow2") || info.Version < 2 {
			wrong("stemcell formats and API version 2 or 3")
		}
	case "create_stemcell":
		r.cids["stemcell-cid-1"] = decode[string](r.t, a.Result)
	case "create_vm":
		result := decode[[]json.RawMessage](r.t, a.Result)
		r.cids["vm-cid-1"] = decode[string](r.t, result[0])
		r.checkVM(file, arguments, decode[map[string]map[string]any](r.t, result[1]))
	case "has_vm":
		if string(a.Result) != "true" {
			wrong("true")
		}
	case "create_disk":
		cid := decode[string](r.t, a.Result)
		if len(cid) < 20 || slices.Contains(slices.Collect(maps.Values(r.cids)), cid) {
			wrong("a new CID of 20 characters or more")
		}
		r.disks++
		r.cids[fmt.Sprintf("disk-cid-0000000000000000%d", r.disks)] = cid
	case "attach_disk":
		hint := decode[map[string]string](r.t, a.Result)
		if !strings.HasPrefix(hint["path"], "/dev/disk/by-id/wwn-0x5000c500a000000") {
			wrong("a hint with a path that survives a reboot")
		}
	case "delete_disk":
		for recorded, ours := range r.cids {
			if ours == arguments[0] && recorded == "disk-cid-00000000000000001" {
				r.cids[recorded] = r.cids["disk-cid-00000000000000002"] // delete-env was recorded with one disk
			}
		}
	default:
		if string(a.Result) != "null" {
			wrong("null")
		}
	}
}

// checkVM looks at what a create_vm has put on the node, and where the networks went.
func (r *recording) checkVM(file string, arguments []any, networks map[string]map[string]any) {
	r.t.Helper()
	recorded := arguments[3].(map[string]any)
	for name, n := range recorded {
		for key, value := range n.(map[string]any) {
			if fmt.Sprint(networks[name][key]) != fmt.Sprint(value) {
				r.t.Errorf("%s: network %s came back with %s %v; want %v", file, name, key, networks[name][key], value)
			}
		}
	}
	if networks["public"]["mac"] != nil {
		r.t.Errorf("%s: a vip network has a NIC: %v", file, networks["public"])
	}
	if networks["default"]["mac"] == networks["dyn"]["mac"] {
		r.t.Errorf("%s: two networks on one NIC: %v", file, networks)
	}
	node := r.nodeOf(r.cids["vm-cid-1"])
	settings := r.settingsOn(node["uuid"].(string))
	if settings["agent_id"] != arguments[0] || settings["mbus"] != "https://mbus:secret@0.0.0.0:6868" {
		r.t.Errorf("%s: settings on the server are those of agent %v", file, settings["agent_id"])
	}
	if got, want := fmt.Sprint(settings["env"]), fmt.Sprint(arguments[5]); got != want {
		r.t.Errorf("%s: env on the server is %s; want %s", file, got, want)
	}
}
