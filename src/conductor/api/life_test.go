package api_test

import (
	"net/http"
	"testing"
)

// A node's life, from its creation to its end.
func TestLife(t *testing.T) {
	r := start(t, nil)
	r.must("POST", "/v1/nodes", map[string]any{
		"name": "n1", "driver": "fake-hardware", "driver_info": map[string]any{"ipmi_password": "hunter2", "fake_delay": "1ms"},
		"properties": map[string]any{"cpus": 4}, "resource_class": "gold",
	})
	r.verb("n1", "manage", "manageable")
	r.verb("n1", "inspect", "manageable")
	r.must("GET", "/v1/nodes/n1/inventory", nil)
	r.verb("n1", "provide", "available")
	r.must("PUT", "/v1/nodes/n1/states/power", map[string]any{"target": "power on"})
	if n := settle(t, r.url, "n1", "available"); n["power_state"] != "power on" {
		t.Errorf("power_state is %v; want power on", n["power_state"])
	}
	r.must("PATCH", "/v1/nodes/n1", []any{map[string]any{"op": "add", "path": "/instance_uuid", "value": "11111111-aaaa-4bbb-8ccc-000000000001"}})
	n := r.verb("n1", "active", "active")
	if n["last_error"] != nil || n["target_provision_state"] != nil || n["instance_uuid"] != "11111111-aaaa-4bbb-8ccc-000000000001" {
		t.Errorf("active: %v", n)
	}
	r.verb("n1", "rebuild", "active")
	if n = r.verb("n1", "deleted", "available"); n["instance_uuid"] != nil {
		t.Errorf("deleted, and still has the instance %v", n["instance_uuid"])
	}
	if status, _ := r.do(http.MethodDelete, "/v1/nodes/n1", nil); status != http.StatusNoContent {
		t.Errorf("DELETE: %d", status)
	}
	if status, _ := r.do(http.MethodGet, "/v1/nodes/n1", nil); status != http.StatusNotFound {
		t.Errorf("GET after DELETE: %d", status)
	}
}
