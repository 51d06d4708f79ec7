package conductor

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/docstest"
)

// docs/conductor.md draws the state machine from the table.
func TestDocs(t *testing.T) {
	byState := map[baremetal.ProvisionState][]string{}
	var order []baremetal.ProvisionState
	for _, tr := range transitions {
		if !slices.Contains(order, tr.from) {
			order = append(order, tr.from)
		}
		way := fmt.Sprintf("%s → %s", tr.verb, tr.enters)
		if tr.target != "" {
			way += " → " + string(tr.target)
		}
		byState[tr.from] = append(byState[tr.from], way)
	}
	var b strings.Builder
	b.WriteString("| state | verb → where it leads, at once and in the end |\n|---|---|\n")
	for _, s := range order {
		fmt.Fprintf(&b, "| %s | %s |\n", s, strings.Join(byState[s], "; "))
	}
	b.WriteString("\nWhat breaks leads to the failed state: ")
	var fails []string
	for from, to := range failsTo {
		fails = append(fails, fmt.Sprintf("%s → %s", from, to))
	}
	slices.Sort(fails)
	b.WriteString(strings.Join(fails, ", ") + ".\n")
	docstest.Table(t, "conductor.md", "states", b.String())
}
