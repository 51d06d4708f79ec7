package driver_test

import (
	"errors"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/driver"
)

func TestVendorArguments(t *testing.T) {
	m := driver.VendorMethod{Name: "limit", Schema: `{
		"type": "object", "required": ["watts", "domain"], "additionalProperties": false,
		"properties": {"watts": {"type": "integer", "minimum": 0}, "domain": {"enum": ["platform", "cpu"]}}
	}`}
	tests := []struct {
		name string
		args map[string]any
		want string // empty: accepted
	}{
		{"right", map[string]any{"watts": 100.0, "domain": "cpu"}, ""},
		{"nothing", nil, "Parameter 'watts' not passed to method 'limit'."},
		{"one is missing", map[string]any{"watts": 1.0}, "Parameter 'domain' not passed to method 'limit'."},
		{"below the limit", map[string]any{"watts": -1.0, "domain": "cpu"}, "Input data validation error: method limit: at '/watts'"},
		{"another type", map[string]any{"watts": "1", "domain": "cpu"}, "at '/watts': got string, want integer"},
		{"one of", map[string]any{"watts": 1.0, "domain": "disk"}, "at '/domain'"},
		{"one too many", map[string]any{"watts": 1.0, "domain": "cpu", "colour": "red"}, "'colour'"},
	}
	for _, tt := range tests {
		err := m.Check(tt.args)
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if e, ok := errors.AsType[*driver.ArgumentError](err); !ok || !strings.Contains(e.Problem, tt.want) {
			t.Errorf("%s: %v; want %q", tt.name, err, tt.want)
		}
	}
	broken := driver.VendorMethod{Name: "limit", Schema: `{"type": "intejer"}`}
	if err := broken.Check(nil); err == nil || errors.As(err, new(*driver.ArgumentError)) {
		t.Errorf("a broken schema: %v; want an error that is none of the caller's", err)
	}
}
