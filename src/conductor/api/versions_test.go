package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// At each of the 82 versions each object has the fields that it has in Ironic at that version, and no others.
func TestFieldsOfEveryVersion(t *testing.T) {
	text, err := os.ReadFile("testdata/fields-by-version.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded map[string]map[string]struct{ Added []string }
	if err := json.Unmarshal(text, &recorded); err != nil {
		t.Fatal(err)
	}
	r := start(t, nil)
	r.must("POST", "/v1/nodes", m{"uuid": n1, "driver": "fake-hardware"})
	r.must("POST", "/v1/ports", m{"uuid": p1, "node_uuid": n1, "address": "52:54:00:aa:00:01"})
	paths := map[string]string{ // and the list that the object is in
		"node": "/v1/nodes/" + n1, "states": "/v1/nodes/" + n1 + "/states", "port": "/v1/ports/" + p1, "root_v1": "/v1", "driver": "/v1/drivers/fake-hardware",
		"node_list_item": "/v1/nodes", "port_list_item": "/v1/ports",
	}
	lists := map[string]string{"node_list_item": "nodes", "port_list_item": "ports"}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(recorded)), slices.Sorted(maps.Keys(paths))); diff != "" {
		t.Fatalf("kinds of object (-recorded +asked for):\n%s", diff)
	}
	want := map[string][]string{}
	for minor := 1; minor <= 82; minor++ {
		version := fmt.Sprint("1.", minor)
		for kind, path := range paths {
			want[kind] = append(want[kind], recorded[kind][version].Added...)
			slices.Sort(want[kind])
			status, got := send(t, r.url, http.MethodGet, path, version, nil)
			if list := lists[kind]; list != "" && status == http.StatusOK {
				got = got[list].([]any)[0].(map[string]any)
			}
			if diff := cmp.Diff(want[kind], slices.Sorted(maps.Keys(got))); status != http.StatusOK || diff != "" {
				t.Errorf("%s at %s: %d (-Ironic +ours):\n%s", kind, version, status, diff)
			}
		}
		if t.Failed() {
			return
		}
	}
}
