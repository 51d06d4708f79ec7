package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const cloud = `azs:
- name: z1
  cloud_properties: {availability_zone: rack-1, resource_class: small}
vm_types:
- name: any
- name: large
  cloud_properties: {ironic_properties: {memory_mb: 4096}, resource_class: big, trait: [X]}
- name: lab
  cloud_properties: {macs: [52-54-00-00-00-0B, "52:54:00:00:00:0a", "52:54:00:00:00:ff"]}
- name: giant
  cloud_properties: {ironic_properties: {memory_mb: 1000000}}
vm_extensions:
- name: ssd
  cloud_properties: {traits: [CUSTOM_SSD], resource_class: small}
`

func pool(t *testing.T) *fakeAPI {
	t.Helper()
	memory := func(mb any) map[string]any { return map[string]any{"memory_mb": mb, "rack": "rack-1"} }
	fake := newFake(t,
		map[string]any{"name": "a", "resource_class": "big", "properties": memory(8192)},
		map[string]any{"name": "b", "resource_class": "small", "properties": memory("2048"), "traits": []any{"CUSTOM_SSD"}},
		map[string]any{"name": "c", "maintenance": true, "maintenance_reason": "fan 2", "properties": memory(2048)},
		map[string]any{
			"name": "d", "provision_state": "active", "instance_uuid": "8a17d3fc-0000-4000-8000-000000000001",
			"extra": map[string]any{"bosh_cpi": vm("8a17d3fc-0000-4000-8000-000000000001", "ready")},
		},
		map[string]any{"name": "e", "instance_uuid": "5c1fd5b6-0000-4000-8000-000000000001", "extra": map[string]any{"bosh_cpi": kept()}},
	)
	fake.ports = []map[string]any{
		{"uuid": "1", "node_uuid": fake.nodes[0]["uuid"], "address": "52:54:00:00:00:0a"},
		{"uuid": "2", "node_uuid": fake.nodes[1]["uuid"], "address": "52:54:00:00:00:0b"},
	}
	return fake
}

func TestMatch(t *testing.T) {
	pool(t)
	name := file(t, "cloud-config.yml", cloud)
	got := tell(t, "", "match", "-f", name, "-o", "json").want(t, exitDone, `vm_types.large.cloud_properties.trait: unknown key, did you mean "traits"?`)
	var list []matched
	if err := json.Unmarshal([]byte(got.out), &list); err != nil {
		t.Fatal(err)
	}
	fits := map[string][]string{}
	why := map[string]string{}
	for _, m := range list {
		for _, f := range m.Fits {
			fits[m.VMType] = append(fits[m.VMType], f.Name)
		}
		for _, miss := range m.Misses {
			why[m.VMType+" "+miss.Name] = strings.Join(miss.Failed, "; ")
		}
	}
	wantFits := map[string][]string{"any": {"b", "a"}, "large": {"a"}, "lab": {"b", "a"}}
	if diff := cmp.Diff(fits, wantFits); diff != "" {
		t.Errorf("fits (-got +want):\n%s", diff)
	}
	for node, want := range map[string]string{
		"any c":   "is in maintenance: fan 2",
		"any d":   "is not free: VM 8a17d3fc",
		"any e":   "is kept for its persistent disks: disk-1",
		"large b": "memory_mb is 2048, 4096 wanted; resource_class is small, big wanted",
		"lab c":   "has none of the macs",
		"giant a": "memory_mb is 8192, 1000000 wanted",
	} {
		if !strings.Contains(why[node], want) {
			t.Errorf("%s: %q; want %q", node, why[node], want)
		}
	}
}

func TestMatchAsInAZone(t *testing.T) {
	pool(t)
	name := file(t, "cloud-config.yml", cloud)
	tests := []struct {
		args []string
		want []string
	}{
		{[]string{"--vm-type", "any", "--az", "z1"}, []string{"any b"}},
		{[]string{"--vm-type", "large", "--az", "z1"}, []string{"large a"}}, // the VM type wins
		{[]string{"--vm-type", "any", "--extension", "ssd"}, []string{"any b"}},
		{[]string{"--vm-type", "any", "--az", "z1", "--zone-field", "properties/rack"}, []string{"any b"}},
		{[]string{"--vm-type", "any", "--az", "z1", "--zone-field", "owner"}, nil},
	}
	for _, tt := range tests {
		got := tell(t, "", append([]string{"match", "-f", name, "-o", "name"}, tt.args...)...).want(t, exitDone)
		if lines := strings.FieldsFunc(got.out, func(r rune) bool { return r == '\n' }); !slices.Equal(lines, tt.want) {
			t.Errorf("match %v = %q; want %q", tt.args, lines, tt.want)
		}
	}
	tell(t, "", "match", "-f", name, "--vm-type", "giant").want(t, exitDone).shows(t, "giant    none   -     no node fits", "memory_mb is 8192")
}

func TestMatchRefuses(t *testing.T) {
	pool(t)
	tests := []struct {
		text string
		args []string
		want string
	}{
		{cloud, []string{"--vm-type", "x"}, `there is no VM type "x", but any, large, lab, giant`},
		{cloud, []string{"--az", "z9"}, `there is no availability zone "z9", but z1`},
		{cloud, []string{"--az", "z1", "--zone-field", "shelf"}, `zone field "shelf"`},
		{"azs: []", nil, "there are no vm_types in it"},
		{"- a", nil, "cannot unmarshal"},
		{"vm_types: [{name: x, cloud_properties: {macs: 5}}]", nil, "vm_types.x.cloud_properties.macs: want a list, got a number"},
	}
	for _, tt := range tests {
		tell(t, tt.text, append([]string{"match", "-f", "-"}, tt.args...)...).want(t, exitWrong, tt.want)
	}
}

// A manifest for bosh create-env has resource pools.
func TestMatchOfCreateEnv(t *testing.T) {
	pool(t)
	manifest := "name: bosh\nresource_pools:\n- name: vms\n  cloud_properties: {macs: [\"52:54:00:00:00:0c\"], ironic_params: {driver: ipmi}}\n"
	tell(t, manifest, "match", "-f", "-").want(t, exitDone).shows(t, "ironic_params: where no node has these macs")
}

func TestCapacity(t *testing.T) {
	fake := pool(t)
	fake.add(5, map[string]any{"resource_class": "small", "provision_state": "cleaning", "target_provision_state": "available"})
	fake.add(6, map[string]any{"resource_class": "small", "provision_state": "clean failed", "target_provision_state": "available"})
	fake.add(7, map[string]any{"resource_class": "small", "instance_uuid": "5c1fd5b6-0000-4000-8000-000000000009"})
	want := "RESOURCE_CLASS  NODES  FREE  USED  KEPT  BUSY  OUT\n" +
		"-               3      0     1     1     0     1\n" +
		"big             1      1     0     0     0     0\n" +
		"small           4      1     1     0     1     1\n"
	if got := tell(t, "", "capacity").want(t, exitDone).out; got != want {
		t.Errorf("capacity (-got +want):\n%s", cmp.Diff(got, want))
	}
	tell(t, "", "capacity", "-o", "json").want(t, exitDone).shows(t, `"resource_class": "big"`)
}
