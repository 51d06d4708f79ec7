package all

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/docstest"
	"bosh-ironic-cpi/src/driver"
)

func TestTable(t *testing.T) {
	table := Table()
	if err := table.Check(); err != nil {
		t.Error(err)
	}
	for _, s := range table.Specs {
		if s.About == "" || s.New == nil {
			t.Errorf("driver %s: no word about it, or no way to make it", s.Name)
		}
		hardware := s.New()
		_, power := hardware.(driver.Power)
		if _, vendor := hardware.(driver.Vendor); !power && !vendor {
			t.Errorf("driver %s has neither power nor vendor methods", s.Name)
		}
	}
	for _, name := range []string{"amt", "fake-hardware", "iboot", "ilo", "ilo5", "ipmi", "libvirt", "manual-management", "nm", "redfish", "ssh", "wol"} {
		if _, ok := table.Type(name); !ok {
			t.Errorf("no hardware type %s", name)
		}
	}
}

// docs/drivers.md shows the table.
func TestDocs(t *testing.T) {
	table := Table()
	var b strings.Builder
	b.WriteString("| hardware type | for | power | management |\n|---|---|---|---|\n")
	for _, h := range table.Types {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", h.Name, h.About,
			strings.Join(h.Enabled["power"], ", "), strings.Join(h.Enabled["management"], ", "))
	}
	for _, s := range table.Specs {
		fmt.Fprintf(&b, "\n### %s\n\n%s.\n", s.Name, strings.ToUpper(s.About[:1])+s.About[1:])
		if len(s.Keys) > 0 {
			b.WriteString("\n| key | meaning | default |\n|---|---|---|\n")
		}
		for _, k := range s.Keys {
			meaning, standard := k.Meaning, k.Default
			if k.Secret {
				meaning += "; secret"
			}
			if k.Required {
				standard = "required"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", k.Name, meaning, standard)
		}
	}
	docstest.Table(t, "drivers.md", "drivers", b.String())
}

// The pages of operators look alike: who knows one finds things in all.
func TestPages(t *testing.T) {
	list, err := os.ReadFile("../../../docs/drivers.md")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(list), "\n## Pages\n"); n != 1 {
		t.Errorf("docs/drivers.md lists pages %d times", n)
	}
	for _, h := range Table().Types {
		if slices.Contains([]string{"fake-hardware", "manual-management", "ilo5"}, h.Name) {
			continue
		}
		page := "drivers/" + h.Name + ".md"
		if !strings.Contains(string(list), "\n- ["+h.Name+"]("+page+"): ") {
			t.Errorf("docs/drivers.md does not list %s", page)
		}
		text, err := os.ReadFile("../../../docs/" + page)
		if err != nil {
			t.Error(err)
			continue
		}
		rest := string(text)
		for _, part := range []string{"# " + h.Name + ": ", "\n## Preparing ", "\n## driver_info\n", "\n## What it can", "\n## Troubleshooting\n"} {
			_, after, found := strings.Cut(rest, part)
			if !found {
				t.Errorf("docs/%s has no %q in its place", page, strings.TrimSpace(part))
				continue
			}
			rest = after
		}
		if !strings.Contains(string(text), "(../drivers.md#") {
			t.Errorf("docs/%s does not lead to the table of keys", page)
		}
	}
}
