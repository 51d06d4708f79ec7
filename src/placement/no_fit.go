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
	Count  int      // how many nodes
	Nodes  []string // the first of them, at most three: "lab1 (uuid)"
	Failed []string // like "memory_mb is 65536, 131072 wanted"
}

const (
	maxMisses = 10 // groups in a NoFit
	maxLabels = 3  // nodes that a group names
)

// Error lists the near misses, a line each.
func (e *NoFit) Error() string {
	if e.Looked == 0 {
		return ErrNoneFits.Error() + ": there is none to choose from"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%v, of %d looked at:", ErrNoneFits, e.Looked)
	for _, m := range e.Misses {
		names := strings.Join(m.Nodes, ", ")
		switch {
		case m.Count == 1:
			fmt.Fprintf(&b, "\n- node %s: ", names)
		case m.Count == len(m.Nodes):
			fmt.Fprintf(&b, "\n- %d nodes (%s): ", m.Count, names)
		default:
			fmt.Fprintf(&b, "\n- %d nodes (%s, ...): ", m.Count, names)
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
	groups := group(nodes, requirements)
	slices.SortFunc(groups, func(a, b *missGroup) int {
		return cmp.Or(
			cmp.Compare(len(a.failed), len(b.failed)),
			cmp.Compare(a.count, b.count),
			byName(a.first[0], b.first[0]),
		)
	})
	e := &NoFit{Looked: len(nodes), Rest: len(nodes)}
	for _, g := range groups[:min(maxMisses, len(groups))] {
		m := Miss{Count: g.count, Failed: g.failed}
		if g.count == 1 {
			m.Failed = failures(g.first[0], requirements, true)
		}
		for _, c := range g.first {
			m.Nodes = append(m.Nodes, c.Node.Label())
		}
		e.Misses = append(e.Misses, m)
		e.Rest -= m.Count
	}
	return e
}

type missGroup struct {
	failed []string
	count  int
	first  []*Candidate // the first maxLabels by name
}

// group puts the nodes with the same failures together.
func group(nodes []*Candidate, requirements []requirement) []*missGroup {
	byFailures := map[string]*missGroup{}
	var groups []*missGroup
	var key []byte
	for _, c := range nodes {
		key = key[:0]
		for i := range requirements {
			if r := &requirements[i]; !r.met(c) {
				key = append(append(key, r.why(c)...), 0)
			}
		}
		g := byFailures[string(key)]
		if g == nil {
			g = &missGroup{failed: failures(c, requirements, false)}
			byFailures[string(key)] = g
			groups = append(groups, g)
		}
		g.add(c)
	}
	return groups
}

// failures says what c lacks, with the details of the node or as for a group.
func failures(c *Candidate, requirements []requirement, details bool) []string {
	var failed []string
	for _, r := range requirements {
		switch {
		case r.met(c):
		case details && r.detail != nil:
			failed = append(failed, r.why(c)+r.detail(c))
		default:
			failed = append(failed, r.why(c))
		}
	}
	return failed
}

func (g *missGroup) add(c *Candidate) {
	g.count++
	if len(g.first) == maxLabels && byName(c, g.first[maxLabels-1]) >= 0 {
		return
	}
	at, _ := slices.BinarySearchFunc(g.first, c, byName)
	g.first = slices.Insert(g.first, at, c)
	g.first = g.first[:min(maxLabels, len(g.first))]
}
