package main

import (
	"strings"
	"testing"
)

const twoNodes = `- &rack
  name: rack-1
  driver: ipmi
  driver_info: {ipmi_address: 10.0.0.3, ipmi_password: "0815"}
  properties: {memory_mb: 65536, cpu_arch: x86_64}
  resource_class: large
  traits: [CUSTOM_SSD]
  ports: ["52:54:00:00:00:01", {address: 52-54-00-00-00-02, pxe_enabled: false, physical_network: storage}]
- <<: *rack
  name: rack-2
  traits: []
  ports: [52:54:00:00:00:03]
`

func TestNodeCreateFromYAML(t *testing.T) {
	fake := newFake(t)
	name := file(t, "nodes.yaml", twoNodes)
	tell(t, "", "node", "create", "-f", name, "--check").want(t, exitDone, "2 nodes, nothing is wrong")
	if asked := fake.requests(""); len(asked) > 0 {
		t.Fatalf("--check asked %q", asked)
	}
	tell(t, "", "node", "create", "-f", name).want(t, exitDone).shows(t, "rack-1  ipmi    created", "rack-2  ipmi    created")
	n := fake.node("rack-1")
	if n["properties"].(map[string]any)["memory_mb"] != 65536.0 || n["driver_info"].(map[string]any)["ipmi_password"] != "0815" ||
		len(n["traits"].([]any)) != 1 || n["ports"] != nil {
		t.Errorf("rack-1 is %v", n)
	}
	if len(fake.ports) != 3 || fake.ports[1]["address"] != "52:54:00:00:00:02" || fake.ports[1]["pxe_enabled"] != false ||
		fake.ports[1]["physical_network"] != "storage" || fake.ports[0]["pxe_enabled"] != true {
		t.Errorf("ports are %v", fake.ports)
	}
	tell(t, twoNodes, "node", "create", "-f", "-").want(t, exitDone).shows(t, "rack-1  ipmi    exists", "rack-2  ipmi    exists")
	if len(fake.nodes) != 2 {
		t.Errorf("there are %d nodes; want 2", len(fake.nodes))
	}
}

// The file that "baremetal create" takes.
func TestNodeCreateFromJSONOfOld(t *testing.T) {
	fake := newFake(t)
	text := `{"nodes": [{"name": "old", "driver": "ipmi", "ports": [{"address": "52:54:00:00:00:01"}]}]}`
	tell(t, "", "node", "create", "-f", file(t, "nodes.json", text), "-o", "name").want(t, exitDone).shows(t, "old\n")
	if len(fake.ports) != 1 {
		t.Errorf("ports are %v", fake.ports)
	}
}

func TestNodeCreateFromCSV(t *testing.T) {
	fake := newFake(t)
	text := "\ufeffname,driver,mac,driver_info.ipmi_address,driver_info.ipmi_password,properties/memory_mb,resource_class,traits,automated_clean\n" +
		"# the first rack\n" +
		"rack-1,ipmi,52:54:00:00:00:01 52:54:00:00:00:02,10.0.0.3,0815,65536,12,CUSTOM_A;CUSTOM_B,False\n" +
		"\"rack-2\",ipmi,,10.0.0.4,\"a,b\",,,,\n"
	tell(t, "", "node", "create", "-f", file(t, "nodes.csv", text)).want(t, exitDone).shows(t, "rack-1", "rack-2")
	n := fake.node("rack-1")
	info, properties := n["driver_info"].(map[string]any), n["properties"].(map[string]any)
	if info["ipmi_password"] != "0815" || properties["memory_mb"] != 65536.0 || n["resource_class"] != "12" ||
		n["automated_clean"] != false || len(n["traits"].([]any)) != 2 || len(fake.ports) != 2 {
		t.Errorf("rack-1 is %v with ports %v", n, fake.ports)
	}
	if n := fake.node("rack-2"); n["resource_class"] != nil || n["driver_info"].(map[string]any)["ipmi_password"] != "a,b" {
		t.Errorf("rack-2 is %v", n)
	}
}

func TestFilesWithMistakes(t *testing.T) {
	fake := newFake(t)
	tests := []struct {
		name, file, text string
		want             []string
	}{
		{"empty", "n.yaml", "", []string{"n.yaml:1: there is no node in it"}},
		{"not YAML", "n.yaml", "- a: b\n  c: [\n", []string{"n.yaml:", "did not find expected"}},
		{"no list", "n.yaml", "hello", []string{"n.yaml:1: want a list of nodes"}},
		{"other keys", "n.yaml", "chassis: []\nnodes: []\n", []string{"n.yaml:1: chassis: unknown key"}},
		{"several documents", "n.yaml", "- {driver: a}\n---\n- {driver: b}\n", []string{"several documents"}},
		{"no node", "n.yaml", "- rack-1\n", []string{"n.yaml:1: want a node's keys and values"}},
		{
			"many", "n.yaml", `
- name: rack 1
  drivers: ipmi
- name: a
  driver: 5
  driver_info: hunter2
  ports: 52:54:00:00:00:01
  automated_clean: "yes"
- name: a
  driver: ipmi
  uuid: x
  traits: [ssd]
  extra: {bosh_cpi: {}}
  ports:
  - 52:54:00:00:00:01
  - hunter
  - {pxe_enable: false}
  - 52-54-00-00-00-01
`,
			[]string{
				"n.yaml:2: name: only letters", `n.yaml:3: drivers: unknown key, did you mean "driver"?`, "n.yaml:2: driver: required, but missing",
				"n.yaml:5: driver: want a text, got a number", "n.yaml:6: driver_info: want keys and values, got a text",
				"n.yaml:7: ports: want a list, got a text", "n.yaml:8: automated_clean: want true or false, got a text",
				"n.yaml:9: name a is there twice, first in line 4", "n.yaml:11: uuid: it is none", "n.yaml:12: traits[0]: traits are like CUSTOM_SSD",
				"n.yaml:13: extra.bosh_cpi: it is the CPI's", `n.yaml:16: ports[1]: "hunter" is no MAC address`,
				`n.yaml:17: ports[2].address: required, but missing; ports[2].pxe_enable: unknown key, did you mean "pxe_enabled"?`,
				"n.yaml:18: MAC 52:54:00:00:00:01 is there twice, first in line 15",
			},
		},
		{"a key twice", "n.yaml", "- driver: a\n  driver: b\n", []string{"n.yaml:2: ", "already defined"}},
		{"CSV: columns", "n.csv", "name,driver,color,driver_info,name.x\nrack-1,ipmi,red,x,y\n", []string{
			"n.csv:1: color: unknown key", "n.csv:1: column driver_info: name a key in it: driver_info.KEY", "n.csv:1: column name.x: only",
		}},
		{"CSV: cells", "n.csv", "name,driver,mac\nrack-1,ipmi,52:54\nrack-1,,\n", []string{
			`n.csv:2: ports[0]: "52:54" is no MAC address`, "n.csv:3: driver: required", "n.csv:3: name rack-1 is there twice, first in line 2",
		}},
		{"CSV: a row too short", "n.csv", "name,driver\nrack-1\n", []string{"n.csv:2: wrong number of fields"}},
		{"CSV: a quote", "n.csv", "name,driver\n\"rack-1,ipmi\n", []string{"n.csv:"}},
		{"CSV: empty", "n.csv", "name,driver\n", []string{"there is no node in it"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tell(t, "", "node", "create", "-f", file(t, tt.file, tt.text)).want(t, exitWrong, append(tt.want, "nothing was enrolled")...)
			if strings.Contains(got.err, "hunter2") {
				t.Errorf("a value is shown:\n%s", got.err)
			}
		})
	}
	if asked := fake.requests(""); len(asked) > 0 {
		t.Errorf("requests before the mistakes were found: %q", asked)
	}
	tell(t, "", "node", "create", "-f", "/no/such/file").want(t, exitWrong, "no such file")
}

// One node that fails is undone and keeps nobody else; a repeated command goes on from there.
func TestNodeCreateFailsForSome(t *testing.T) {
	fake := newFake(t)
	text := "- {name: a, driver: abacus}\n- {name: b, driver: ipmi, ports: [52:54:00:00:00:01]}\n- {name: c, driver: ipmi}\n"
	fake.refuse["POST /v1/ports"] = "no ports today"
	name := file(t, "n.yaml", text)
	tell(t, "", "node", "create", "-f", name).
		want(t, exitSome, "enrol node a: ", "supports driver abacus", "enrol node b: ", "no ports today", "2 of 3", "hint: ").
		shows(t, "c     ipmi    created")
	if fake.node("b") != nil {
		t.Error("node b is there without its port")
	}
	delete(fake.refuse, "POST /v1/ports")
	tell(t, "", "node", "create", "-f", name).want(t, exitSome, "1 of 3").shows(t, "b     ipmi    created", "c     ipmi    exists")
	tell(t, "", "node", "create", "-f", file(t, "n.yaml", "- {name: a, driver: abacus}")).want(t, exitFailed, "enrol node a: create node")
	other := "- {name: b, driver: ipmi, ports: [52:54:00:00:00:09]}"
	tell(t, "", "node", "create", "-f", file(t, "n.yaml", other)).want(t, exitFailed, "already taken", "its MAC addresses are 52:54:00:00:00:01")
}
