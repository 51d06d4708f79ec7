package cpi_test

import (
	"strings"
	"testing"

	"bosh-ironic-cpi/src/cpi"
)

func TestNodeNameIsOneThatIronicTakes(t *testing.T) {
	tests := []struct {
		name     string
		metadata map[string]any
		want     string
	}{
		{"Director", map[string]any{"job": "diego_cell", "index": "3", "id": "x"}, "diego_cell-3"},
		{"create-env", map[string]any{"job": "bosh", "index": "0"}, "bosh-0"},
		{"index as a number", map[string]any{"job": "db", "index": float64(7)}, "db-7"},
		{"instance group only", map[string]any{"instance_group": "db", "index": "1"}, "db-1"},
		{"no index", map[string]any{"job": "db"}, "db"},
		{"letters that Ironic refuses", map[string]any{"job": "größe & mehr", "index": "0"}, "gr--e---mehr-0"},
		{"too long", map[string]any{"job": strings.Repeat("x", 300), "index": "0"}, strings.Repeat("x", 255)},
		{"nothing", map[string]any{"deployment": "cf"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := cpi.NodeName(tt.metadata); got != tt.want {
				t.Errorf("NodeName(%v) = %q; want %q", tt.metadata, got, tt.want)
			}
		})
	}
}
