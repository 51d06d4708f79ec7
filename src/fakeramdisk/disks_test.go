package fakeramdisk

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const uuid = "c1680008-634b-47fb-a178-c6cb7602d9d5"

// decoded is a value as it comes out of JSON.
func decoded(t *testing.T, text string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestDisksDeclared(t *testing.T) {
	tests := []struct {
		name, properties string
		want             []Disk
		err              string
	}{
		{
			name: "bytes and GiB, as numbers and texts",
			properties: `{"disks": [{"name": "/dev/sda", "size": "1048576", "wwn": "0x1", "serial": "A"},
				{"name": "nvme0n1", "size_gb": 2, "wwn": "eui.2", "serial": "B", "model": "fast"}]}`,
			want: []Disk{
				{Name: "sda", Bytes: mib, WWN: "0x1", Serial: "A"},
				{Name: "nvme0n1", Bytes: 2 * gib, WWN: "eui.2", Serial: "B", Model: "fast"},
			},
		},
		{name: "no name", properties: `{"disks": [{"size": 1}]}`, err: "properties.disks[0]: name"},
		{name: "no size", properties: `{"disks": [{"name": "sda"}]}`, err: "sda: want size"},
		{name: "bad size", properties: `{"disks": [{"name": "sda", "size_gb": "big"}]}`, err: "size_gb: want"},
		{name: "no object", properties: `{"disks": ["sda"]}`, err: "properties.disks[0]: name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Disks(uuid, decoded(t, tt.properties), nil)
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Fatalf("Disks error = %v; want %q", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestDisksLayout: nodes that declare nothing get stable names that no other disk has.
func TestDisksLayout(t *testing.T) {
	layout, err := ParseLayout("sda=1024,sdb=1,sdc=1024")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, node := range []string{uuid, "another"} {
		disks, err := Disks(node, nil, layout)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := Disks(node, map[string]any{"disks": []any{}}, layout)
		if diff := cmp.Diff(disks, again); diff != "" {
			t.Error(diff)
		}
		for _, d := range disks {
			if d.WWN == "" || d.Serial == "" || seen[d.WWN] || seen[d.Serial] {
				t.Errorf("disk %+v is empty or not alone", d)
			}
			seen[d.WWN], seen[d.Serial] = true, true
		}
	}
	if layout[0].WWN != "" {
		t.Error("Disks changed the layout that it was given")
	}
}

func TestParseLayoutRefuses(t *testing.T) {
	for _, text := range []string{"", "sda", "sda=", "=1", "sda=0", "sda=x", "sda=1,", "../sda=1"} {
		if disks, err := ParseLayout(text); err == nil {
			t.Errorf("ParseLayout(%q) = %v; want an error", text, disks)
		}
	}
}

func TestHints(t *testing.T) {
	d := Disk{Name: "sda", Bytes: 10*gib + 5, WWN: "0x5000AB", Serial: "S1 X", Model: "Fast 9"}
	tests := []struct {
		hints string
		want  bool
	}{
		{`{"name": "/dev/sda"}`, true},
		{`{"name": "sda"}`, true},
		{`{"name": "/dev/sdb"}`, false},
		{`{"wwn": "0x5000ab"}`, true},
		{`{"wwn": "0x5000ab", "serial": "other"}`, false},
		{`{"serial": "s== s1 x"}`, true},
		{`{"serial": "s!= s1 x"}`, false},
		{`{"model": "<in> fast"}`, true},
		{`{"model": "<or> slow <or> fast 9"}`, true},
		{`{"model": "<or> slow <or> slower"}`, false},
		{`{"size": 10}`, true},
		{`{"size": "10"}`, true},
		{`{"size": 11}`, false},
		{`{"size": ">= 10"}`, true},
		{`{"size": "> 10"}`, false},
		{`{"size": "<= 10"}`, true},
		{`{"size": "< 10"}`, false},
		{`{"size": "!= 10"}`, false},
		{`{"size": "= 9"}`, true},
		{`{"size": "== ten"}`, false},
		{`{"size": "~ 10"}`, false},
		{`{"rotational": false}`, true},
		{`{"rotational": true}`, false},
		{`{"hctl": "0:0:0:0"}`, false},
	}
	for _, tt := range tests {
		list, err := hintsOf(decoded(t, tt.hints))
		if err != nil {
			t.Fatal(err)
		}
		if got := list[0].match(d); got != tt.want {
			t.Errorf("%s matches %+v = %v; want %v", tt.hints, d, got, tt.want)
		}
	}
}

func TestHintsRefuse(t *testing.T) {
	for _, text := range []string{`{"h": "sda"}`, `{"h": ["sda"]}`, `{"h": [{}]}`, `{"h": 5}`} {
		if list, err := hintsOf(decoded(t, text)["h"]); err == nil {
			t.Errorf("hintsOf(%s) = %v; want an error: such hints would match every disk", text, list)
		}
	}
}

func TestRoot(t *testing.T) {
	tests := []struct {
		name, node, want, err string
	}{
		{name: "the smallest of at least 4 GiB", node: `{}`, want: "sdc"},
		{name: "hint", node: `{"properties": {"root_device": {"serial": "A"}}}`, want: "sda"},
		{
			name: "instance before properties", want: "sdb",
			node: `{"instance_info": {"root_device": {"wwn": "0x2"}}, "properties": {"root_device": {"serial": "A"}}}`,
		},
		{name: "never one to skip", node: `{"properties": {"skip_block_devices": [{"wwn": "0x3"}]}}`, want: "sdb"},
		{
			name: "hint for one to skip", err: "no suitable device",
			node: `{"properties": {"root_device": {"serial": "C"}, "skip_block_devices": [{"serial": "C"}]}}`,
		},
		{
			name: "all to skip", err: "no suitable device",
			node: `{"properties": {"skip_block_devices": [{"wwn": "<in> 0x"}]}}`,
		},
		{name: "no such disk", node: `{"properties": {"root_device": {"serial": "Z"}}}`, err: "no suitable device"},
		{name: "bad hints to skip", node: `{"properties": {"skip_block_devices": ["sda"]}}`, err: "skip_block_devices"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := machine{disks: []Disk{
				{Name: "sdb", Bytes: 9 * gib, WWN: "0x2", Serial: "B"},
				{Name: "sdc", Bytes: 8 * gib, WWN: "0x3", Serial: "C"},
				{Name: "sda", Bytes: 1 * gib, WWN: "0x1", Serial: "A"},
			}}
			if err := json.Unmarshal([]byte(tt.node), &m.node); err != nil {
				t.Fatal(err)
			}
			got, err := m.root()
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Fatalf("root error = %v; want %q", err, tt.err)
			}
			if got.Name != tt.want {
				t.Errorf("root = %s; want %s", got.Name, tt.want)
			}
		})
	}
}

// TestRootIgnoresOrder: the choice does not depend on the order in which disks are listed, and is never one to skip.
func TestRootIgnoresOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m machine
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"sda", "sdb", "sdc", "sdd"}), 1, 4, rapid.ID).Draw(t, "names") {
			m.disks = append(m.disks, Disk{Name: name, Bytes: gib * int64(rapid.IntRange(1, 9).Draw(t, "GiB"))})
		}
		skip := rapid.SampledFrom(m.disks).Draw(t, "skip").Name
		m.node.Properties = map[string]any{"skip_block_devices": []any{map[string]any{"name": "/dev/" + skip}}}
		got, err := m.root()
		if len(m.disks) == 1 {
			if err == nil {
				t.Fatal("the only disk is to be skipped, and was chosen")
			}
			return
		}
		m.disks = rapid.Permutation(m.disks).Draw(t, "order")
		again, err2 := m.root()
		if err != nil || err2 != nil || got != again || got.Name == skip {
			t.Fatalf("root = %v, %v; in another order %v, %v; skip %s", got, err, again, err2, skip)
		}
	})
}

func TestOpenMachineNeverShortens(t *testing.T) {
	dir := t.TempDir()
	m, err := openMachine(dir, node{UUID: uuid}, []Disk{{Name: "sda", Bytes: mib}})
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{3 * mib, 2 * mib} {
		if _, err := openMachine(dir, node{UUID: uuid}, []Disk{{Name: "sda", Bytes: size}}); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(m.file(m.disks[0]))
		if err != nil || info.Size() != 3*mib {
			t.Errorf("sda.img = %v, %v; want 3 MiB", info, err)
		}
	}
}
