package all

import (
	"fmt"
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
