package cpi_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/cpi"
)

// The tables in docs/ are made from the code; UPDATE=1 go test ./src/cpi writes them anew.
func TestDocsAreUpToDate(t *testing.T) {
	tests := []struct{ file, section, table string }{
		{"cloud-properties.md", "vm_types", cpi.VMProperties()},
		{"cloud-properties.md", "disk_types", cpi.DiskProperties()},
		{"errors.md", "errors", cpi.Errors()},
	}
	for _, tt := range tests {
		path := "../../docs/" + tt.file
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		begin, end := fmt.Sprintf("<!-- begin %s -->\n", tt.section), fmt.Sprintf("<!-- end %s -->", tt.section)
		before, rest, found := strings.Cut(string(text), begin)
		old, after, ended := strings.Cut(rest, end)
		if !found || !ended {
			t.Fatalf("%s has no place for the table %q", path, tt.section)
		}
		if old == tt.table {
			continue
		}
		if os.Getenv("UPDATE") == "" {
			t.Errorf("%s: table %q is stale: run make docs\n got: %s\nwant: %s", tt.file, tt.section, old, tt.table)
			continue
		}
		if err := os.WriteFile(path, []byte(before+begin+tt.table+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
