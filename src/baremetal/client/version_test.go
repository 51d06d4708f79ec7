package client

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bosh-ironic-cpi/src/baremetal"
)

func TestOneRequestWhenTheServerSpeaksOurVersion(t *testing.T) {
	c, f := newFar(t, Config{}, "nodes/page-1")
	if _, err := c.NodeByInstance(t.Context(), instanceID); err != nil {
		t.Fatal(err)
	}
	if n := len(f.requests()); n != 1 {
		t.Errorf("%d requests; want 1", n)
	}
	if got := f.full[0].Header.Get(headerVersion); got != "1.82" {
		t.Errorf("spoke %s; want 1.82", got)
	}
}

func TestAnOlderServerIsSpokenToInItsVersion(t *testing.T) {
	c, f := newFar(t, Config{}, "max 1.61", "nodes/show-by-uuid")
	for range 2 {
		if _, err := c.Node(t.Context(), nodeID); err != nil {
			t.Fatal(err)
		}
	}
	var spoken []string
	for _, r := range f.full {
		spoken = append(spoken, r.Header.Get(headerVersion))
	}
	if want := []string{"1.82", "1.61", "1.61"}; !slices.Equal(spoken, want) {
		t.Errorf("spoke %v; want %v", spoken, want)
	}
}

func TestFieldsAreCutToTheVersion(t *testing.T) {
	tests := []struct {
		max     string
		missing []string
	}{
		{"1.61", nil},
		{"1.60", []string{"retired"}},
		{"1.45", []string{"conductor_group", "automated_clean", "protected", "owner", "retired"}},
		{"1.38", []string{"fault", "conductor_group", "automated_clean", "protected", "owner", "retired"}},
	}
	for _, tt := range tests {
		t.Run(tt.max, func(t *testing.T) {
			c, f := newFar(t, Config{}, "max "+tt.max, "nodes/show-by-uuid")
			if _, err := c.Node(t.Context(), nodeID); err != nil {
				t.Fatal(err)
			}
			asked := strings.Split(f.full[1].URL.Query().Get("fields"), ",")
			var missing []string
			for _, field := range nodeFields {
				if !slices.Contains(asked, field) {
					missing = append(missing, field)
				}
			}
			slices.Sort(missing)
			slices.Sort(tt.missing)
			if d := cmp.Diff(tt.missing, missing); d != "" {
				t.Errorf("fields left out (-want +got):\n%s", d)
			}
		})
	}
}

func TestVersionsThatWillNotDo(t *testing.T) {
	tests := []struct {
		name    string
		answers []string
		text    string
	}{
		{"too old", []string{"max 1.31"}, "the server speaks up to 1.31; 1.38"},
		{"something in the request is too new", []string{"nodes/create-name-1.1"}, "Request not acceptable"},
		{"no version in the answer", []string{"versions/accept-html"}, "could not be generated"},
		{"never content", []string{"max 1.70", "max 1.60", "max 1.50", "max 1.50"}, "Not Acceptable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, f := newFar(t, Config{}, tt.answers...)
			_, err := c.Node(t.Context(), nodeID)
			if !errors.Is(err, baremetal.ErrVersion) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("error = %v; want ErrVersion with %q", err, tt.text)
			}
			if n := len(f.requests()); n != len(tt.answers) {
				t.Errorf("%d requests; want %d", n, len(tt.answers))
			}
		})
	}
}

func TestWhatNeedsANewerVersionSaysWhich(t *testing.T) {
	c, f := newFar(t, Config{}, "max 1.60", "nodes/show-by-uuid")
	if _, err := c.Node(t.Context(), nodeID); err != nil {
		t.Fatal(err)
	}
	steps := []baremetal.Step{{Interface: "deploy", Step: "inject_files"}}
	err := c.Provision(t.Context(), nodeID, baremetal.Provision{Target: baremetal.VerbActive, DeploySteps: steps})
	if !errors.Is(err, baremetal.ErrVersion) || !strings.Contains(err.Error(), "1.69") {
		t.Errorf("deploy steps: error = %v; want ErrVersion that names 1.69", err)
	}
	if _, err := c.Inventory(t.Context(), nodeID); !errors.Is(err, baremetal.ErrNotFound) || !strings.Contains(err.Error(), "1.81") {
		t.Errorf("inventory: error = %v; want ErrNotFound that names 1.81", err)
	}
	if n := len(f.requests()); n != 2 {
		t.Errorf("%d requests; want none after the first two", n)
	}
}

func TestFieldVersionsAreAsRecorded(t *testing.T) {
	data, err := os.ReadFile("testdata/fields-by-version.json")
	if err != nil {
		t.Fatal(err)
	}
	var kinds map[string]map[string]struct{ Added []string }
	if err := json.Unmarshal(data, &kinds); err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{}
	known := map[string]bool{}
	for version, v := range kinds["node"] {
		minor, _ := strconv.ParseInt(strings.TrimPrefix(version, "1."), 10, 64)
		for _, field := range v.Added {
			known[field] = true
			if minor > oldest {
				want[field] = minor
			}
		}
	}
	if d := cmp.Diff(want, fieldSince); d != "" {
		t.Errorf("fieldSince (-recorded +ours):\n%s", d)
	}
	for _, field := range nodeFields {
		if !known[field] {
			t.Errorf("Ironic has no field %q", field)
		}
	}
}
