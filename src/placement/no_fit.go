package placement

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrNoneFits means that no node can take the VM now.
var ErrNoneFits = errors.New("no node fits")

// NoFit says why no node fits. It wraps [ErrNoneFits].
type NoFit struct {
	Looked int    // nodes that came into question
	Misses []Miss // those that lack least first, at most ten
	Rest   int    // nodes that are not in Misses
}

// A Miss is a group of nodes that fail the same requirements.
type Miss struct {
	Nodes  []string // their labels: "lab1 (uuid)"
	Failed []string // like "memory_mb is 65536, 131072 wanted"
}

const (
	maxMisses = 10 // groups in a NoFit
	maxLabels = 3  // nodes of a group that the text names
)

// Error lists the near misses, a line each.
func (e *NoFit) Error() string {
	if e.Looked == 0 {
		return ErrNoneFits.Error() + ": there is none to choose from"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%v, of %d looked at:", ErrNoneFits, e.Looked)
	for _, m := range e.Misses {
		if len(m.Nodes) == 1 {
			fmt.Fprintf(&b, "\n- node %s: ", m.Nodes[0])
		} else {
			shown := m.Nodes[:min(maxLabels, len(m.Nodes))]
			fmt.Fprintf(&b, "\n- %d nodes (%s", len(m.Nodes), strings.Join(shown, ", "))
			if len(shown) < len(m.Nodes) {
				b.WriteString(", ...")
			}
			b.WriteString("): ")
		}
		b.WriteString(strings.Join(m.Failed, "; "))
	}
	if e.Rest > 0 {
		fmt.Fprintf(&b, "\n- and %d more", e.Rest)
	}
	return b.String()
}

// Unwrap gives [ErrNoneFits].
func (e *NoFit) Unwrap() error { return ErrNoneFits }

// noFit groups the nodes that do not fit: fewest failures first, of as many the smaller group, since one
// node that lacks one thing is more telling than a thousand that are in use.
func noFit(nodes []*Candidate, requirements []requirement) *NoFit {
	groups := map[string]*Miss{}
	for _, c := range nodes {
		var failed []string
		for _, r := range requirements {
			if !r.met(c) {
				failed = append(failed, r.why(c))
			}
		}
		key := strings.Join(failed, "\n")
		if groups[key] == nil {
			groups[key] = &Miss{Failed: failed}
		}
		groups[key].Nodes = append(groups[key].Nodes, c.Node.Label())
	}
	e := &NoFit{Looked: len(nodes)}
	for _, m := range groups {
		slices.Sort(m.Nodes)
		e.Misses = append(e.Misses, *m)
	}
	slices.SortFunc(e.Misses, func(a, b Miss) int {
		return cmp.Or(
			cmp.Compare(len(a.Failed), len(b.Failed)),
			cmp.Compare(len(a.Nodes), len(b.Nodes)),
			cmp.Compare(a.Nodes[0], b.Nodes[0]),
		)
	})
	if len(e.Misses) > maxMisses {
		for _, m := range e.Misses[maxMisses:] {
			e.Rest += len(m.Nodes)
		}
		e.Misses = e.Misses[:maxMisses]
	}
	return e
}
