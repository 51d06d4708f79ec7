//go:build integration

package backend_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/backend"
)

// What was measured on the registry of 2016 (one row, one or more requests), in an order in which they can be asked.
func TestFoundingRegistryIsAsItWasMeasured(t *testing.T) {
	f := backend.StartFounding(t)
	tests := []struct {
		method, path, body string
		status             int
		answer             string // part of it
	}{
		{"GET", "/instances/a/settings", "", 404, "Id 'a' not found"},
		{"PUT", "/instances/a/settings", `{"x": "ü\"/"}`, 201, ""},
		{"PUT", "/instances/a/settings", `{"x": "ü\"/"}`, 204, ""},
		{"GET", "/instances/a/settings", "", 200, `"{\"x\": \"ü\\\"\/\"}"`},
		{"GET", "/instances/a", "", 200, `"status":"ok"`},
		{"GET", "/instances/a/other", "", 404, "Id 'a' not found"},
		{"PUT", "/instances/b", "no JSON", 201, ""},
		{"PUT", "/instances/c/", "", 201, ""},
		{"PUT", "/instances/d/other", "{}", 404, ""},
		{"HEAD", "/instances/d", "", 404, ""},
		{"PUT", "/instances/e/settings", strings.Repeat("x", 11<<20), 413, ""},
		{"HEAD", "/instances/a/whatever", "", 200, ""},
		{"POST", "/instances/a", "", 409, "already exists"},
		{"POST", "/instances/p", "{}", 201, "\n"},
		{"GET", "/instances/p/settings", "", 404, `"settings":"{}"`},
		{"DELETE", "/instances/p/settings", "", 404, "\n"},
		{"DELETE", "/instances/p/", "", 204, ""},
		{"DELETE", "/instances/p", "", 404, "Id 'p' not found"},
		{"DELETE", "/instances/a/settings", "", 204, ""},
		{"GET", "/instances/a.b/settings", "", 404, "Id 'a' not found"}, // the pattern ends too early
		{"PATCH", "/instances/a", "", 405, ""},
		{"GET", "/other", "", 400, "Error parsing URI"},
	}
	for _, tt := range tests {
		r, err := http.NewRequestWithContext(t.Context(), tt.method, f.Registry+tt.path, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth(f.User, f.Password)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != tt.status || !strings.Contains(string(body), tt.answer) {
			t.Errorf("%s %s: %d %s; want %d %s", tt.method, tt.path, resp.StatusCode, body, tt.status, tt.answer)
		}
	}
}
