//go:build integration

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"bosh-ironic-cpi/src/backend"
)

func TestMain(m *testing.M) {
	runIfProgram()
	os.Exit(backend.Main(m))
}

// An operator's day, on the engine that the tests run on.
func TestOnARealAPI(t *testing.T) {
	b := backend.Start(t)
	dir := t.TempDir()
	class := "class-" + uuid.NewString()[:8]
	ask := func(args ...string) (string, string, int) {
		var out, logs bytes.Buffer
		status := nodectl(t.Context(), append([]string{"--url", b.URL}, args...), strings.NewReader(""), &out, &logs)
		return out.String(), logs.String(), status
	}
	must := func(args ...string) string {
		t.Helper()
		out, logs, status := ask(args...)
		if status != 0 {
			t.Fatalf("nodectl %s: status %d\n%s%s", strings.Join(args, " "), status, out, logs)
		}
		return out
	}
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	first, second := class+"-1", class+"-2"
	nodes := file("nodes.yaml", fmt.Sprintf(`
- {name: %s, driver: fake-hardware, resource_class: %s, properties: {cpus: 8, memory_mb: 16384}, traits: [CUSTOM_SSD], ports: ["%s"]}
- {name: %s, driver: fake-hardware, resource_class: %s, properties: {cpus: 2, memory_mb: 4096}, ports: ["%s"]}
`, first, class, backend.NewMAC(), second, class, backend.NewMAC()))
	must("node", "create", "-f", nodes)
	must("node", "create", "-f", nodes) // again: they are there
	for _, name := range []string{first, second} {
		t.Cleanup(func() { b.RemoveNode(t, name) })
		must("node", "provision", name, "manage", "--wait")
		must("node", "provision", name, "provide", "--wait")
	}
	must("node", "set", first, "extra/rack=7", "description=third from below")

	var shown map[string]any
	if err := json.Unmarshal([]byte(must("node", "show", first, "-o", "json")), &shown); err != nil {
		t.Fatal(err)
	}
	if shown["provision_state"] != "available" || b.Node(t, first)["description"] != "third from below" || fmt.Sprint(shown["traits"]) != "[CUSTOM_SSD]" {
		t.Errorf("node show: %v", shown)
	}
	if out := must("node", "list", "--resource-class", class, "-o", "name"); strings.Count(out, "\n") != 2 || !strings.Contains(out, second) {
		t.Errorf("node list: %q", out)
	}
	match := must("match", "-f", file("cloud.yml", fmt.Sprintf(`
vm_types:
- {name: big, cloud_properties: {resource_class: %s, ironic_properties: {memory_mb: 8000}}}
`, class)))
	if !strings.Contains(match, first) || !strings.Contains(match, "memory_mb") {
		t.Errorf("match does not say who fits and why the other does not:\n%s", match)
	}
	if out := must("capacity"); !strings.Contains(out, class) {
		t.Errorf("capacity: %s", out)
	}
	must("claims")

	must("node", "power", first, "on")
	must("node", "provision", first, "active", "--wait")
	if _, logs, status := ask("node", "delete", first); status == 0 {
		t.Errorf("an active node was deleted: %s", logs)
	}
	must("node", "provision", first, "deleted", "--wait")
	must("node", "maintenance", first, "on", "--reason", "fans")
	must("node", "maintenance", first, "off")
	for _, name := range []string{first, second} {
		must("node", "delete", name)
	}
	if out := must("driver", "list"); !strings.Contains(out, "fake-hardware") {
		t.Errorf("driver list: %s", out)
	}
	must("driver", "show", "fake-hardware")
}
