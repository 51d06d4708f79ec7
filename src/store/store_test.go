package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
)

// open opens a store of each kind for a test.
func open(t *testing.T, address string, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), address, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// on runs a test on each kind of database.
func on(t *testing.T, test func(t *testing.T, address string)) {
	t.Run("SQLite", func(t *testing.T) { test(t, filepath.Join(t.TempDir(), "a folder", "state.sqlite")) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, postgresURL(t)) })
}

func put(t *testing.T, s *Store, nodes ...*conductor.Node) {
	t.Helper()
	err := s.Update(t.Context(), func(tx conductor.Tx) error {
		for _, n := range nodes {
			if err := tx.PutNode(n); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func uuidOf(i int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", i) }

func full(i int) *conductor.Node {
	no := false
	return &conductor.Node{
		UUID: uuidOf(i), Name: fmt.Sprintf("n%d", i), InstanceUUID: uuidOf(1000 + i), Driver: "fake-hardware", ResourceClass: "gold",
		Owner: "o", Lessee: "l", Shard: "s", Description: "A 100% sure thing", ProvisionState: baremetal.Active, PowerState: baremetal.PowerOn,
		LastError: "none", Maintenance: true, MaintenanceReason: "fans", Retired: true, Protected: true, CreatedAt: 5, UpdatedAt: 6,
		Details: conductor.Details{
			Interfaces: map[string]string{"power": "fake"}, AutomatedClean: &no, Properties: conductor.NewObject(map[string]any{"cpus": 4.0}),
			DriverInfo: conductor.NewObject(map[string]any{"ipmi_password": "hunter2"}), Traits: []string{"CUSTOM_A"},
			Work: &conductor.Work{Kind: "deploy", Steps: []conductor.Step{{Interface: "deploy", Step: "deploy", Priority: 100}}, Index: -1, Data: map[string]any{"k": "v"}},
		},
	}
}

func TestNodesAreKept(t *testing.T) {
	on(t, func(t *testing.T, address string) {
		s := open(t, address, Options{})
		want := full(1)
		put(t, s, want)
		for _, ident := range []string{want.UUID, want.Name} {
			err := s.View(t.Context(), func(tx conductor.Tx) error {
				got, err := tx.Node(ident)
				if err == nil {
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("node %s (-stored +read):\n%s", ident, diff)
					}
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		err := s.View(t.Context(), func(tx conductor.Tx) error { _, err := tx.Node("nobody"); return err })
		if !errors.Is(err, baremetal.ErrNotFound) || err.Error() != "Node nobody could not be found." {
			t.Errorf("unknown node: %v", err)
		}
	})
}

func TestUnique(t *testing.T) {
	on(t, func(t *testing.T, address string) {
		s := open(t, address, Options{})
		put(t, s, full(1), &conductor.Node{UUID: uuidOf(2)}, &conductor.Node{UUID: uuidOf(3)}) // empty names and instances are no name
		tests := []struct {
			node *conductor.Node
			kind error
			text string
		}{
			{&conductor.Node{UUID: uuidOf(1)}, baremetal.ErrTaken, "A node with UUID " + uuidOf(1) + " already exists."},
			{&conductor.Node{UUID: uuidOf(9), Name: "n1"}, baremetal.ErrTaken, "A node with name n1 already exists."},
			{&conductor.Node{UUID: uuidOf(9), InstanceUUID: uuidOf(1001)}, baremetal.ErrAssociated, "Instance " + uuidOf(1001) +
				" is already associated with a node, it cannot be associated with this other node " + uuidOf(9)},
		}
		for _, tt := range tests {
			err := s.Update(t.Context(), func(tx conductor.Tx) error { return tx.PutNode(tt.node) })
			if !errors.Is(err, tt.kind) || err.Error() != tt.text {
				t.Errorf("%v; want %s", err, tt.text)
			}
		}
		port := &conductor.Port{UUID: uuidOf(1), NodeUUID: uuidOf(1), Address: "52:54:00:00:00:01"}
		other := &conductor.Port{UUID: uuidOf(2), NodeUUID: uuidOf(1), Address: "52:54:00:00:00:01"}
		err := s.Update(t.Context(), func(tx conductor.Tx) error {
			return errors.Join(conductor.Put(tx, port), conductor.Put(tx, other))
		})
		if !errors.Is(err, baremetal.ErrTaken) || err.Error() != "A port with MAC address 52:54:00:00:00:01 already exists." {
			t.Errorf("two ports of one address: %v", err)
		}
		err = s.View(t.Context(), func(tx conductor.Tx) error {
			ports, err := conductor.All[conductor.Port](tx, conductor.RowQuery{})
			if len(ports) != 0 {
				t.Errorf("%d ports are there: a refused change left a part", len(ports))
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestQueries(t *testing.T) {
	on(t, func(t *testing.T, address string) {
		s := open(t, address, Options{})
		for i := 1; i <= 6; i++ {
			n := &conductor.Node{UUID: uuidOf(i), ResourceClass: []string{"gold", "tin"}[i%2], Driver: "d", Maintenance: i == 3, Description: "100% of n" + fmt.Sprint(i)}
			if i == 4 {
				n.InstanceUUID, n.Name = uuidOf(44), "four"
			}
			put(t, s, n)
		}
		where := func(column, op string, value any) conductor.NodeQuery {
			return conductor.NodeQuery{Where: []conductor.Condition{{Column: column, Op: op, Value: value}}}
		}
		tests := []struct {
			name string
			q    conductor.NodeQuery
			want []int
		}{
			{"all", conductor.NodeQuery{}, []int{1, 2, 3, 4, 5, 6}},
			{"brief", conductor.NodeQuery{Brief: true}, []int{1, 2, 3, 4, 5, 6}},
			{"page", conductor.NodeQuery{After: uuidOf(2), Limit: 2}, []int{3, 4}},
			{"backwards", conductor.NodeQuery{Desc: true, After: uuidOf(5), Limit: 3}, []int{4, 3, 2}},
			{"sorted", conductor.NodeQuery{SortBy: "resource_class"}, []int{2, 4, 6, 1, 3, 5}},
			{"sorted backwards", conductor.NodeQuery{SortBy: "resource_class", Desc: true}, []int{5, 3, 1, 6, 4, 2}},
			{"sorted page", conductor.NodeQuery{SortBy: "resource_class", After: uuidOf(6), Limit: 2}, []int{1, 3}},
			{"class", where("resource_class", "=", "gold"), []int{2, 4, 6}},
			{"maintenance", where("maintenance", "=", true), []int{3}},
			{"instance", where("instance_uuid", "=", uuidOf(44)), []int{4}},
			{"no instance", where("instance_uuid", "=", ""), []int{1, 2, 3, 5, 6}},
			{"an instance", where("instance_uuid", "!=", ""), []int{4}},
			{"contains", where("description", "contains", "% OF N5"), []int{5}},
		}
		for _, tt := range tests {
			err := s.View(t.Context(), func(tx conductor.Tx) error {
				nodes, err := tx.Nodes(tt.q)
				var got []int
				for _, n := range nodes {
					var i int
					_, _ = fmt.Sscanf(n.UUID[24:], "%d", &i)
					got = append(got, i)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", tt.name, diff)
				}
				return err
			})
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
		if err := s.View(t.Context(), func(tx conductor.Tx) error { _, err := tx.Nodes(where("1 = 1; --", "=", 1)); return err }); err == nil {
			t.Error("a column that is none was let through")
		}
	})
}

// Many claim one node at once; one gets it, and what each transaction saw was true when it was stored.
func TestUpdatesDoNotMeet(t *testing.T) {
	on(t, func(t *testing.T, address string) {
		first, second := open(t, address, Options{}), open(t, address, Options{})
		put(t, first, &conductor.Node{UUID: uuidOf(1)})
		var all sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for i := range 100 {
			s := []*Store{first, second}[i%2]
			all.Go(func() {
				claimed := false
				err := s.Update(t.Context(), func(tx conductor.Tx) error {
					claimed = false
					n, err := tx.Node(uuidOf(1))
					if err != nil || n.Reservation != "" {
						return err
					}
					n.Reservation, claimed = fmt.Sprint(i), true
					return tx.PutNode(n)
				})
				if err != nil {
					t.Error(err)
				}
				if claimed {
					mu.Lock()
					won++
					mu.Unlock()
				}
			})
		}
		all.Wait()
		if won != 1 {
			t.Errorf("%d won the node; want 1", won)
		}
	})
}

// A change that fails or panics does not take its neighbours of the same transaction with it.
func TestNeighboursOfAFailure(t *testing.T) {
	on(t, func(t *testing.T, address string) {
		s := open(t, address, Options{})
		boom := errors.New("boom")
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				err := s.Update(t.Context(), func(tx conductor.Tx) error {
					if err := tx.PutNode(&conductor.Node{UUID: uuidOf(i)}); err != nil {
						return err
					}
					if i%2 == 1 {
						return boom
					}
					return nil
				})
				if want := map[bool]error{true: boom}[i%2 == 1]; !errors.Is(err, want) {
					t.Errorf("%d: %v; want %v", i, err, want)
				}
			})
		}
		all.Wait()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Update(gone, func(conductor.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		err := s.View(t.Context(), func(tx conductor.Tx) error {
			nodes, err := tx.Nodes(conductor.NodeQuery{Brief: true})
			if len(nodes) != 100 {
				t.Errorf("%d nodes; want 100", len(nodes))
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestSealed(t *testing.T) {
	on(t, func(t *testing.T, address string) {
		key := []byte("0123456789abcdef0123456789abcdef")
		s := open(t, address, Options{Key: key})
		put(t, s, full(1))
		var raw string
		if err := s.reads.QueryRowContext(t.Context(), "SELECT details FROM nodes").Scan(&raw); err != nil {
			t.Fatal(err)
		}
		if cmp.Equal(raw, "") || strings.Contains(raw, "hunter2") {
			t.Errorf("stored in the clear: %s", raw)
		}
		read := func(s *Store) (string, error) {
			var info string
			err := s.View(t.Context(), func(tx conductor.Tx) error {
				n, err := tx.Node(uuidOf(1))
				if err == nil {
					info = string(n.Details.DriverInfo)
				}
				return err
			})
			return info, err
		}
		if info, err := read(s); err != nil || info != `{"ipmi_password":"hunter2"}` {
			t.Errorf("read back %s, %v", info, err)
		}
		for name, o := range map[string]Options{"no key": {}, "another key": {Key: []byte("fedcba9876543210fedcba9876543210")}} {
			if _, err := read(open(t, address, o)); err == nil {
				t.Errorf("%s opens it", name)
			}
		}
	})
}

// Of many that store a new record with the same UUID at the same moment, in processes of their own, one succeeds, and the
// others overwrite nothing.
func TestAddedOnce(t *testing.T) {
	on(t, func(t *testing.T, address string) {
		const processes, rounds = 4, 20
		var stores []*Store
		for range processes {
			stores = append(stores, open(t, address, Options{}))
		}
		for round := range rounds {
			var mu sync.Mutex
			var winner string
			var all sync.WaitGroup
			start := make(chan struct{})
			for i, s := range stores {
				all.Go(func() {
					port := &conductor.Port{UUID: uuidOf(round), NodeUUID: uuidOf(1000 + i), Address: fmt.Sprintf("52:54:00:00:%02x:%02x", round, i)}
					<-start
					err := s.Update(t.Context(), func(tx conductor.Tx) error { return conductor.Add(tx, port) })
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err == nil && winner == "":
						winner = port.Address
					case err == nil:
						t.Errorf("round %d: two ports of one UUID were stored: %s and %s", round, winner, port.Address)
					case !errors.Is(err, baremetal.ErrTaken) || err.Error() != "A port with UUID "+port.UUID+" already exists.":
						t.Errorf("round %d: %v", round, err)
					}
				})
			}
			close(start)
			all.Wait()
			err := stores[0].View(t.Context(), func(tx conductor.Tx) error {
				port, err := conductor.Get[conductor.Port](tx, uuidOf(round))
				if err == nil && port.Address != winner {
					t.Errorf("round %d: %s is stored; %s was", round, port.Address, winner)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
}

// A database that gets a key later has nothing in the clear from then on: not in its file either, where that is one.
func TestSealedLater(t *testing.T) {
	on(t, func(t *testing.T, address string) {
		s := open(t, address, Options{})
		for i := range 30 {
			put(t, s, full(i))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time there is nothing to do
			s := open(t, address, Options{Key: oneKey})
			var clear int
			if err := s.reads.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM nodes WHERE details LIKE '%hunter2%'").Scan(&clear); err != nil || clear > 0 {
				t.Errorf("%d nodes in the clear, %v", clear, err)
			}
			err := s.View(t.Context(), func(tx conductor.Tx) error {
				n, err := tx.Node(uuidOf(7))
				if err == nil && string(n.Details.DriverInfo) != `{"ipmi_password":"hunter2"}` {
					t.Errorf("read back %s", n.Details.DriverInfo)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
			for _, end := range []string{"", "-wal"} {
				if text, err := os.ReadFile(address + end); err == nil && bytes.Contains(text, []byte("hunter2")) {
					t.Errorf("the file's %q holds it in the clear", end)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
