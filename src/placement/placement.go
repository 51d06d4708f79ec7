// Package placement says which nodes a VM fits on, best first, and why the others do not do.
//
// It is pure and deterministic: the same nodes and the same ask give the same answer, in whatever order the
// nodes come. It neither reads nor claims nodes: by the time its answer is used a node may be taken, and the
// caller goes on to the next. What can be asked is that of the first CPI (ironic_properties, MAC lists) and
// Ironic's own: traits, resource class, capabilities, conductor group and so on (Ironic, "Node properties").
//
// Start at [Candidates].
package placement

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"bosh-ironic-cpi/src/baremetal"
)

// A Candidate is a node and what the caller knows of it.
type Candidate struct {
	Node       baremetal.Node
	HeldBy     string    // the Director that holds the node; empty: nobody
	HoldsDisks []string  // CIDs of the persistent disks on the node
	Claimed    string    // why it is not free, like "deploying VM x until 12:00"; empty: free
	FailedAt   time.Time // the last deployment that failed, zero: none lately
}

// An Ask is what a VM needs. The zero Ask fits every node that is free.
type Ask struct {
	Nodes         []string          // UUIDs that come into question, in the order of preference; nil: any node
	Properties    map[string]any    // at least these numbers, exactly these texts and booleans; a node without one does not fit
	Traits        []string          // all of them
	ResourceClass string            // exactly
	Capabilities  map[string]string // those of properties.capabilities, exactly
	Zone          Zone
	Architecture  string   // the stemcell's: x86_64; empty: any
	BootModes     []string // what the stemcell boots in: bios, uefi; empty: any
	DiskCIDs      []string // persistent disks of the VM: all on the node
	Director      string   // who asks
	Seed          string   // orders equally good nodes, so that VMs that are made at once begin with different ones
}

// Candidates returns the nodes that fit ask, best first:
//
//  1. nodes that did not fail lately, then those whose failure is oldest;
//  2. with ask.Nodes, in its order;
//  3. available before manageable, which would have to be cleaned first;
//  4. the smallest: by memory_mb, then cpus, then local_gb, unknown sizes last;
//  5. by lot, which ask.Seed draws, else by name, then UUID.
//
// When none fits, the error is a [*NoFit], which wraps [ErrNoneFits]. An ask that no node could answer (a
// zone field that does not exist) is [ErrBadAsk].
func Candidates(nodes []Candidate, ask Ask) ([]Candidate, error) {
	requirements, err := ask.requirements()
	if err != nil {
		return nil, err
	}
	preference := make(map[string]int, len(ask.Nodes))
	for i, uuid := range slices.Backward(ask.Nodes) {
		preference[uuid] = i
	}
	var seed uint64
	if ask.Seed != "" {
		seed = hash(hashStart, ask.Seed)
	}
	fits := make([]ranked, 0, len(nodes))
	var misses []*Candidate
	for i := range nodes {
		c := &nodes[i]
		place := 0
		if ask.Nodes != nil {
			var listed bool
			if place, listed = preference[c.Node.UUID]; !listed {
				continue
			}
		}
		if meets(c, requirements) {
			fits = append(fits, rank(c, place, seed))
		} else {
			misses = append(misses, c)
		}
	}
	if len(fits) == 0 {
		return nil, noFit(misses, requirements)
	}
	order := make([]*ranked, len(fits)) // pointers: a sort moves its elements often
	for i := range fits {
		order[i] = &fits[i]
	}
	slices.SortFunc(order, (*ranked).compare)
	best := make([]Candidate, len(order))
	for i, r := range order {
		best[i] = *r.Candidate
	}
	return best, nil
}

// meets reports whether c meets all requirements.
func meets(c *Candidate, requirements []requirement) bool {
	for i := range requirements {
		if !requirements[i].met(c) {
			return false
		}
	}
	return true
}

// ranked is a candidate with what it is ordered by.
type ranked struct {
	*Candidate
	failed     int64 // Unix time; 0: not lately
	place      int
	manageable bool
	size       [3]uint64
	name       string // here, since the nodes themselves are too large for a cache
	lot        uint64
}

func rank(c *Candidate, place int, seed uint64) ranked {
	r := ranked{Candidate: c, name: c.Node.Name, place: place, manageable: c.Node.ProvisionState == baremetal.Manageable}
	if !c.FailedAt.IsZero() {
		r.failed = c.FailedAt.UnixNano()
	}
	for i, key := range sizeKeys {
		r.size[i] = unknownSize
		if n, ok := number(c.Node.Properties[key]); ok {
			r.size[i] = math.Float64bits(max(n, 0)) // ordered as the numbers are, from 0 on
		}
	}
	if seed != 0 {
		r.lot = hash(seed, c.Node.UUID)
	}
	return r
}

const hashStart = 14695981039346656037

// hash carries an FNV-1a hash on over text; hash/fnv would copy each text and begin anew with each node.
func hash(h uint64, text string) uint64 {
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	return h
}

// sizeKeys are the properties that make a node small or large, the weightiest first.
var sizeKeys = [3]string{"memory_mb", "cpus", "local_gb"}

const unknownSize = math.MaxUint64

func (r *ranked) compare(other *ranked) int {
	if c := cmp.Compare(r.failed, other.failed); c != 0 {
		return c
	}
	if c := cmp.Compare(r.place, other.place); c != 0 {
		return c
	}
	if r.manageable != other.manageable {
		if other.manageable {
			return -1
		}
		return 1
	}
	for i, size := range r.size {
		if c := cmp.Compare(size, other.size[i]); c != 0 {
			return c
		}
	}
	if c := cmp.Compare(r.lot, other.lot); c != 0 {
		return c
	}
	if c := strings.Compare(r.name, other.name); c != 0 {
		return c
	}
	return strings.Compare(r.Node.UUID, other.Node.UUID)
}

func byName(a, b *Candidate) int {
	if c := strings.Compare(a.Node.Name, b.Node.Name); c != 0 {
		return c
	}
	return strings.Compare(a.Node.UUID, b.Node.UUID)
}
