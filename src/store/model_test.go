package store

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
)

// A model is what a store is to be: nodes and rows in order of creation.
type model struct {
	nodes []*conductor.Node
	rows  []conductor.Row
}

func (m *model) clone() *model {
	c := &model{rows: slices.Clone(m.rows)}
	for _, n := range m.nodes {
		c.nodes = append(c.nodes, n.Clone())
	}
	return c
}

func (m *model) node(uuid string) *conductor.Node {
	for _, n := range m.nodes {
		if n.UUID == uuid {
			return n
		}
	}
	return nil
}

// putNode stores a node, or says why not: all reasons.
func (m *model) putNode(n *conductor.Node) error {
	var refused error
	for _, other := range m.nodes {
		if other.UUID == n.UUID {
			continue
		}
		if n.Name != "" && other.Name == n.Name {
			refused = errors.Join(refused, baremetal.ErrTaken)
		}
		if n.InstanceUUID != "" && other.InstanceUUID == n.InstanceUUID {
			refused = errors.Join(refused, baremetal.ErrAssociated)
		}
	}
	if refused != nil {
		return refused
	}
	if here := m.node(n.UUID); here != nil {
		*here = *n.Clone()
		return nil
	}
	m.nodes = append(m.nodes, n.Clone())
	return nil
}

func (m *model) putRow(r conductor.Row) error {
	at := slices.IndexFunc(m.rows, func(o conductor.Row) bool { return o.Kind == r.Kind && o.UUID == r.UUID })
	for i, o := range m.rows {
		if i != at && r.Name != "" && o.Kind == r.Kind && o.Name == r.Name {
			return baremetal.ErrTaken
		}
	}
	if at < 0 {
		m.rows = append(m.rows, r)
		return nil
	}
	m.rows[at] = r
	return nil
}

func (m *model) addRow(r conductor.Row) error {
	if slices.ContainsFunc(m.rows, func(o conductor.Row) bool { return o.Kind == r.Kind && o.UUID == r.UUID }) {
		return baremetal.ErrTaken
	}
	return m.putRow(r)
}

// fieldNamed is a node's column as the model compares it.
func fieldNamed(n *conductor.Node, name string) any {
	for _, c := range columns {
		if c.name != name {
			continue
		}
		switch v := c.field(n).(type) {
		case *string:
			return *v
		case *int64:
			return *v
		case *bool:
			return *v
		}
	}
	panic("no column " + name)
}

func compareFields(a, b any) int {
	switch a := a.(type) {
	case string:
		return cmp.Compare(a, b.(string))
	case int64:
		return cmp.Compare(a, b.(int64))
	case bool:
		return cmp.Compare(truth(a), truth(b.(bool)))
	}
	panic(fmt.Sprintf("%T", a))
}

func asciiLower(text string) string { // of ASCII alone, as SQLite does it
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
}

// query selects as a conductor.Tx does. The page begins behind a node that is there.
func (m *model) query(q conductor.NodeQuery) []*conductor.Node {
	sorted := slices.Clone(m.nodes)
	place := map[*conductor.Node]int{}
	for i, n := range m.nodes {
		place[n] = i
	}
	slices.SortFunc(sorted, func(a, b *conductor.Node) int {
		order := 0
		if q.SortBy != "" {
			order = compareFields(fieldNamed(a, q.SortBy), fieldNamed(b, q.SortBy))
		}
		order = cmp.Or(order, cmp.Compare(place[a], place[b]))
		if q.Desc {
			return -order
		}
		return order
	})
	if q.After != "" {
		at := slices.IndexFunc(sorted, func(n *conductor.Node) bool { return n.UUID == q.After })
		sorted = sorted[at+1:]
	}
	var found []*conductor.Node
	for _, n := range sorted {
		if q.Limit > 0 && len(found) == q.Limit {
			break
		}
		if !slices.ContainsFunc(q.Where, func(c conductor.Condition) bool { return !meets(n, c) }) {
			found = append(found, n)
		}
	}
	return found
}

func meets(n *conductor.Node, c conductor.Condition) bool {
	got := fieldNamed(n, c.Column)
	switch c.Op {
	case "=":
		return got == c.Value
	case "!=":
		return got != c.Value
	}
	return strings.Contains(asciiLower(got.(string)), asciiLower(c.Value.(string)))
}

var (
	fewNumbers  = rapid.IntRange(0, 7)
	someTexts   = rapid.SampledFrom([]string{"", "a", "A", "b", "ab", "100%", "a_b", "a!b", `'; DROP TABLE nodes; --`, `"?"`, "ä", "\U0001f600", " a", `\`})
	someStates  = rapid.SampledFrom([]baremetal.ProvisionState{baremetal.Enroll, baremetal.Available, baremetal.Active, baremetal.CleanWait})
	someObjects = rapid.SampledFrom([]conductor.Object{nil, conductor.Object(`{"a":1}`), conductor.Object(`{"b":[1.50,null,"\u003c\u0026\u003e"],"c":{"d":12345678901234567890}}`)})
)

func anyNode(rt *rapid.T) *conductor.Node {
	n := &conductor.Node{
		UUID: uuidOf(fewNumbers.Draw(rt, "node")), Name: someTexts.Draw(rt, "name"),
		Driver: someTexts.Draw(rt, "driver"), ResourceClass: someTexts.Draw(rt, "class"), Description: someTexts.Draw(rt, "description"),
		Owner: someTexts.Draw(rt, "owner"), Reservation: someTexts.Draw(rt, "reservation"), ProvisionState: someStates.Draw(rt, "state"),
		Maintenance: rapid.Bool().Draw(rt, "maintenance"), CreatedAt: conductor.Time(rapid.Int64Range(-2, 2).Draw(rt, "created")),
		Details: conductor.Details{Properties: someObjects.Draw(rt, "properties"), DriverInfo: someObjects.Draw(rt, "driver_info"), BootMode: someTexts.Draw(rt, "mode")},
	}
	if rapid.Bool().Draw(rt, "claimed") {
		n.InstanceUUID = uuidOf(1000 + fewNumbers.Draw(rt, "instance"))
	}
	return n
}

func anyRow(rt *rapid.T) conductor.Row {
	return conductor.Row{
		Kind: rapid.SampledFrom([]conductor.Kind{conductor.KindPort, conductor.KindHistory}).Draw(rt, "kind"), UUID: uuidOf(fewNumbers.Draw(rt, "row")),
		Name: someTexts.Draw(rt, "name"), NodeUUID: uuidOf(fewNumbers.Draw(rt, "owner")), Document: []byte(fmt.Sprintf(`{"n":%d}`, fewNumbers.Draw(rt, "document"))),
	}
}

func anyQuery(rt *rapid.T, m *model) conductor.NodeQuery {
	q := conductor.NodeQuery{Desc: rapid.Bool().Draw(rt, "desc"), Limit: rapid.IntRange(0, 4).Draw(rt, "limit"), Brief: rapid.Bool().Draw(rt, "brief")}
	for range rapid.IntRange(0, 2).Draw(rt, "conditions") {
		c := conductor.Condition{Op: rapid.SampledFrom([]string{"=", "!=", "contains"}).Draw(rt, "op")}
		c.Column = rapid.SampledFrom([]string{"name", "driver", "resource_class", "description", "owner", "reservation"}).Draw(rt, "column")
		c.Value = someTexts.Draw(rt, "value")
		if c.Op != "contains" {
			switch rapid.IntRange(0, 3).Draw(rt, "other") {
			case 0:
				c.Column, c.Value = "maintenance", rapid.Bool().Draw(rt, "value")
			case 1:
				c.Column, c.Value = "instance_uuid", uuidOf(1000+fewNumbers.Draw(rt, "value"))
			case 2:
				c.Column, c.Value = "provision_state", string(someStates.Draw(rt, "value"))
			}
		}
		q.Where = append(q.Where, c)
	}
	if rapid.Bool().Draw(rt, "sorted") {
		q.SortBy = columns[rapid.IntRange(0, len(columns)-1).Draw(rt, "by")].name
	}
	if len(m.nodes) > 0 && rapid.Bool().Draw(rt, "paged") {
		q.After = m.nodes[rapid.IntRange(0, len(m.nodes)-1).Draw(rt, "after")].UUID
	}
	return q
}

var (
	errOnPurpose = errors.New("refused on purpose")
	errDisagree  = errors.New("store and model disagree")
)

// A deed is one thing that is done to a store. It is drawn before: a change runs in a goroutine of the store's.
type deed struct {
	kind   int
	node   *conductor.Node
	row    conductor.Row
	giveUp bool // and have all of the change undone
}

func anyDeed(rt *rapid.T) deed {
	return deed{rapid.IntRange(0, 6).Draw(rt, "deed"), anyNode(rt), anyRow(rt), rapid.IntRange(0, 9).Draw(rt, "give up") == 0}
}

// do does it to the store and to the model. Both refuse it, or neither.
func (d deed) do(tx conductor.Tx, m *model) error {
	var got, want error
	switch d.kind {
	case 0, 1:
		n := d.node.Clone()
		if m.node(n.UUID) != nil {
			read, err := tx.Node(n.UUID)
			if err != nil {
				return err
			}
			n.ID = read.ID
		}
		got = tx.PutNode(n)
		n.ID = 0
		want = m.putNode(n)
	case 2, 3:
		got, want = tx.PutRow(d.row), m.putRow(d.row)
	case 6:
		got, want = tx.AddRow(d.row), m.addRow(d.row)
	case 4:
		got = errors.Join(tx.DeleteNode(d.node.UUID), tx.DeleteRowsOf(d.node.UUID))
		m.nodes = slices.DeleteFunc(m.nodes, func(n *conductor.Node) bool { return n.UUID == d.node.UUID })
		m.rows = slices.DeleteFunc(m.rows, func(r conductor.Row) bool { return r.NodeUUID == d.node.UUID })
	case 5:
		got = tx.DeleteRow(d.row.Kind, d.row.UUID)
		m.rows = slices.DeleteFunc(m.rows, func(o conductor.Row) bool { return o.Kind == d.row.Kind && o.UUID == d.row.UUID })
	}
	refusal, _ := errors.AsType[*conductor.Error](got)
	switch {
	case (got == nil) != (want == nil), got != nil && (refusal == nil || !errors.Is(want, refusal.Kind)):
		return fmt.Errorf("%w: the store: %w; the model: %w", errDisagree, got, want)
	case got == nil && d.giveUp:
		return errOnPurpose
	}
	return got
}

// agree compares the store with the model: each node and row, and random queries.
func agree(rt *rapid.T, s *Store, m *model) {
	err := s.View(rt.Context(), func(tx conductor.Tx) error {
		for range rapid.IntRange(1, 4).Draw(rt, "queries") {
			q := anyQuery(rt, m)
			got, err := tx.Nodes(q)
			if err != nil {
				return err
			}
			var want []*conductor.Node
			for _, n := range m.query(q) {
				copied := *n
				if q.Brief {
					copied.Details = conductor.Details{}
				}
				want = append(want, &copied)
			}
			for _, n := range got {
				n.ID = 0
			}
			if diff := gocmp.Diff(want, got); diff != "" {
				rt.Errorf("%+v (-model +store):\n%s", q, diff)
			}
		}
		for i := range 8 {
			got, err := tx.Node(uuidOf(i))
			want := m.node(uuidOf(i))
			if (want == nil) != errors.Is(err, baremetal.ErrNotFound) || want != nil && err != nil {
				rt.Errorf("node %d: %v; the model has %v", i, err, want)
			}
			if want != nil && err == nil {
				got.ID = 0
				if diff := gocmp.Diff(want, got); diff != "" {
					rt.Errorf("node %d (-model +store):\n%s", i, diff)
				}
			}
		}
		return agreeOnRows(rt, tx, m)
	})
	if err != nil {
		rt.Error(err)
	}
}

func agreeOnRows(rt *rapid.T, tx conductor.Tx, m *model) error {
	q := conductor.RowQuery{Kind: anyRow(rt).Kind, Limit: rapid.IntRange(0, 3).Draw(rt, "limit")}
	if rapid.Bool().Draw(rt, "of one node") {
		q.NodeUUID = uuidOf(fewNumbers.Draw(rt, "of"))
	}
	if rapid.Bool().Draw(rt, "of a name") {
		q.Name = someTexts.Draw(rt, "name")
	}
	var ofKind []conductor.Row
	for _, r := range m.rows {
		if r.Kind == q.Kind {
			ofKind = append(ofKind, r)
		}
	}
	if len(ofKind) > 0 && rapid.Bool().Draw(rt, "paged") {
		at := rapid.IntRange(0, len(ofKind)-1).Draw(rt, "after")
		q.After = ofKind[at].UUID
		ofKind = ofKind[at+1:]
	}
	var want []conductor.Row
	for _, r := range ofKind {
		if (q.NodeUUID == "" || r.NodeUUID == q.NodeUUID) && (q.Name == "" || r.Name == q.Name) && (q.Limit == 0 || len(want) < q.Limit) {
			want = append(want, r)
		}
	}
	got, err := tx.Rows(q)
	for i := range got {
		got[i].ID = 0
	}
	if diff := gocmp.Diff(want, got); err == nil && diff != "" {
		rt.Errorf("%+v (-model +store):\n%s", q, diff)
	}
	return err
}

// Whatever is done to a store, it answers as a list in memory does, also after it was closed and opened, and after a round
// through a file.
func TestStoreIsItsModel(t *testing.T) {
	folder := t.TempDir()
	number := 0
	rapid.Check(t, func(rt *rapid.T) {
		number++
		path := filepath.Join(folder, fmt.Sprint(number))
		defer func() {
			for _, end := range []string{"", "-wal", "-shm", ".copy", ".copy-wal", ".copy-shm"} {
				_ = os.Remove(path + end)
			}
		}()
		options := Options{}
		if rapid.Bool().Draw(rt, "sealed") {
			options.Key = oneKey
		}
		s := openFor(rt, path, options)
		m := &model{}
		rt.Repeat(map[string]func(*rapid.T){
			"update": func(rt *rapid.T) {
				deeds := rapid.SliceOfN(rapid.Custom(anyDeed), 1, 5).Draw(rt, "deeds")
				after := m.clone()
				err := s.Update(t.Context(), func(tx conductor.Tx) error {
					for _, d := range deeds {
						if err := d.do(tx, after); err != nil {
							return err
						}
					}
					return nil
				})
				if errors.Is(err, errDisagree) {
					rt.Error(err)
				}
				if err == nil {
					m = after
				}
			},
			"reopen": func(rt *rapid.T) {
				if err := s.Close(); err != nil {
					rt.Fatal(err)
				}
				s = openFor(rt, path, options)
			},
			"": func(rt *rapid.T) { agree(rt, s, m) },
		})
		travel(rt, s, m, path+".copy")
		if err := s.Close(); err != nil {
			rt.Fatal(err)
		}
	})
}

func openFor(rt *rapid.T, path string, o Options) *Store {
	s, err := Open(rt.Context(), path, o)
	if err != nil {
		rt.Fatal(err)
	}
	return s
}

// travel exports a store and imports it elsewhere: what arrives is the model without locks, and what was under way failed.
func travel(rt *rapid.T, s *Store, m *model, path string) {
	var file bytes.Buffer
	if _, err := s.Export(rt.Context(), &file, ExportOptions{}); err != nil {
		rt.Fatal(err)
	}
	there := openFor(rt, path, Options{})
	defer there.Close()
	if _, err := there.Import(rt.Context(), &file, ImportOptions{Force: true}); err != nil {
		rt.Fatal(err)
	}
	arrived := m.clone()
	for _, n := range arrived.nodes {
		n.Reservation = ""
		if n.Underway() {
			interrupt(n)
		}
	}
	got := map[string]*conductor.Node{}
	err := there.View(rt.Context(), func(tx conductor.Tx) error {
		nodes, err := tx.Nodes(conductor.NodeQuery{})
		for i, n := range nodes {
			got[n.UUID] = n
			if arrived.nodes[i].ProvisionUpdatedAt != 0 {
				arrived.nodes[i].ProvisionUpdatedAt = n.ProvisionUpdatedAt
			}
			n.ID = 0
		}
		if diff := gocmp.Diff(arrived.nodes, nodes); diff != "" {
			rt.Errorf("after a round through a file (-model +store):\n%s", diff)
		}
		if err != nil {
			return err
		}
		return agreeOnRows(rt, tx, arrived)
	})
	if err != nil {
		rt.Error(err)
	}
	if len(slices.Collect(maps.Keys(got))) != len(m.nodes) {
		rt.Errorf("%d nodes arrived; want %d", len(got), len(m.nodes))
	}
}
