package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
)

var (
	oneKey     = []byte("0123456789abcdef0123456789abcdef")
	anotherKey = []byte("fedcba9876543210fedcba9876543210")
)

// director is the node that create-env has left: active, claimed by a VM.
func director() *conductor.Node {
	n := full(1)
	n.Maintenance, n.MaintenanceReason, n.Retired, n.Details.Work = false, "", false, nil
	n.Details.Extra = conductor.Object(`{"bosh_cpi":{"claim":{"` + n.InstanceUUID + `":1},"big":12345678901234567890,"html":"<&>"}}`)
	return n
}

// puts stores records of every kind for a node, and the registration of a conductor.
func puts(t *testing.T, s *Store, n *conductor.Node) {
	t.Helper()
	err := s.Update(t.Context(), func(tx conductor.Tx) error {
		return errors.Join(
			conductor.Put(tx, &conductor.Registration{Hostname: "laptop", Drivers: []string{"fake-hardware"}, Until: conductor.Now() + 1e9}),
			conductor.Put(tx, &conductor.Chassis{UUID: uuidOf(700), Description: "ü <b>"}),
			conductor.Put(tx, &conductor.Port{UUID: uuidOf(101), NodeUUID: n.UUID, Address: "52:54:00:00:00:01", PXEEnabled: true, CreatedAt: 7}),
			conductor.Put(tx, &conductor.Port{UUID: uuidOf(102), NodeUUID: n.UUID, Address: "52:54:00:00:00:02", Extra: conductor.Object(`{"a":[1.50,null]}`)}),
			conductor.Put(tx, &conductor.Portgroup{UUID: uuidOf(200), NodeUUID: n.UUID, Name: "bond0"}),
			conductor.Put(tx, &conductor.Allocation{UUID: n.InstanceUUID, Name: "a", NodeUUID: n.UUID, State: "active"}),
			conductor.Put(tx, &conductor.Incident{UUID: uuidOf(300), NodeUUID: n.UUID, Conductor: "laptop", Event: "<ok>"}),
			conductor.Put(tx, &conductor.NodeInventory{NodeUUID: n.UUID, Inventory: []byte(`{"cpu": {"count": 4}}`), Plugin: []byte(`{}`)}),
		)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// everything is what a store has, as its own code reads it, without what cannot travel.
func everything(t *testing.T, s *Store) (nodes []*conductor.Node, rows []conductor.Row) {
	t.Helper()
	err := s.View(t.Context(), func(tx conductor.Tx) (err error) {
		if nodes, err = tx.Nodes(conductor.NodeQuery{}); err != nil {
			return err
		}
		for _, kind := range []conductor.Kind{
			conductor.KindPort, conductor.KindPortgroup, conductor.KindChassis, conductor.KindAllocation, conductor.KindConductor,
			conductor.KindHistory, conductor.KindInventory, conductor.KindTemplate,
		} {
			more, err := tx.Rows(conductor.RowQuery{Kind: kind})
			if err != nil {
				return err
			}
			rows = append(rows, more...)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		rows[i].ID = 0
	}
	for _, n := range nodes {
		n.ID = 0
	}
	return nodes, rows
}

func exported(t *testing.T, s *Store, o ExportOptions) string {
	t.Helper()
	var file bytes.Buffer
	if _, err := s.Export(t.Context(), &file, o); err != nil {
		t.Fatal(err)
	}
	return file.String()
}

// imported imports a file that must go in, without a way to read it twice.
func imported(t *testing.T, s *Store, file string, o ImportOptions) Summary {
	t.Helper()
	done, err := s.Import(t.Context(), io.MultiReader(strings.NewReader(file)), o)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// between runs a test from each kind of database to each.
func between(t *testing.T, test func(t *testing.T, from, to string)) {
	kinds := []struct {
		name string
		make func(*testing.T) string
	}{
		{"SQLite", func(t *testing.T) string { return filepath.Join(t.TempDir(), "state.sqlite") }},
		{"PostgreSQL", postgresURL},
	}
	for _, from := range kinds {
		for _, to := range kinds {
			t.Run(from.name+" to "+to.name, func(t *testing.T) { test(t, from.make(t), to.make(t)) })
		}
	}
}

func TestHandOver(t *testing.T) {
	between(t, func(t *testing.T, from, to string) {
		laptop, target := open(t, from, Options{}), open(t, to, Options{Key: oneKey})
		put(t, laptop, director(), &conductor.Node{UUID: uuidOf(2), Name: "free", ProvisionState: baremetal.Available})
		puts(t, laptop, director())
		file := exported(t, laptop, ExportOptions{})
		done := imported(t, target, file, ImportOptions{})
		want := Summary{Nodes: []ImportedNode{{uuidOf(1), "n1", baremetal.Active, Imported}, {uuidOf(2), "free", baremetal.Available, Imported}}, Records: 7}
		if diff := cmp.Diff(want, done); diff != "" {
			t.Errorf("import (-want +got):\n%s", diff)
		}

		nodes, rows := everything(t, laptop)
		rows = slicesWithout(rows, conductor.KindConductor)
		gotNodes, gotRows := everything(t, target)
		if diff := cmp.Diff(nodes, gotNodes); diff != "" {
			t.Errorf("nodes (-laptop +target):\n%s", diff)
		}
		if diff := cmp.Diff(rows, gotRows); diff != "" {
			t.Errorf("records (-laptop +target):\n%s", diff)
		}
		var raw string
		if err := target.reads.QueryRowContext(t.Context(), "SELECT details FROM nodes ORDER BY id").Scan(&raw); err != nil || strings.Contains(raw, "hunter2") {
			t.Errorf("the target has a key, and keeps %s, %v", raw, err)
		}

		again := imported(t, target, file, ImportOptions{})
		want.Records, want.RecordsHere = 0, 7
		want.Nodes[0].Result, want.Nodes[1].Result = Here, Here
		if diff := cmp.Diff(want, again); diff != "" {
			t.Errorf("the second import (-want +got):\n%s", diff)
		}
		if text := withoutHead(exported(t, target, ExportOptions{})); text != withoutHead(file) {
			t.Errorf("exported again:\n%s\nwant:\n%s", text, file)
		}
	})
}

func slicesWithout(rows []conductor.Row, kind conductor.Kind) (left []conductor.Row) {
	for _, r := range rows {
		if r.Kind != kind {
			left = append(left, r)
		}
	}
	return left
}

func withoutHead(file string) string {
	_, rest, _ := strings.Cut(file, "\n")
	return rest
}

// Sealed driver_info stays sealed in the file, and opens only where the same key is.
func TestExportSealed(t *testing.T) {
	between(t, func(t *testing.T, from, to string) {
		source := open(t, from, Options{Key: oneKey})
		put(t, source, director())
		clear, sealed := exported(t, source, ExportOptions{}), exported(t, open(t, from, Options{}), ExportOptions{Sealed: true})
		if !strings.Contains(clear, "hunter2") || strings.Contains(sealed, "hunter2") {
			t.Errorf("clear:\n%s\nsealed:\n%s", clear, sealed)
		}
		if _, err := open(t, from, Options{}).Export(t.Context(), io.Discard, ExportOptions{}); err == nil || !strings.Contains(err.Error(), "give the key file") {
			t.Errorf("export without the key: %v", err)
		}
		tests := []struct {
			name string
			key  []byte
			err  string
		}{
			{name: "no key", err: "is sealed: give the key file"},
			{name: "another key", key: anotherKey, err: "was sealed with another key"},
			{name: "the key", key: oneKey},
		}
		for _, tt := range tests {
			target := open(t, to, Options{Key: tt.key})
			_, err := target.Import(t.Context(), strings.NewReader(sealed), ImportOptions{})
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: %v; want %q", tt.name, err, tt.err)
			}
			want := 0
			if tt.err == "" {
				want = 1
			}
			nodes, _ := everything(t, target)
			if len(nodes) != want {
				t.Errorf("%s: %d nodes; want %d", tt.name, len(nodes), want)
			}
			if want == 1 && string(nodes[0].Details.DriverInfo) != `{"ipmi_password":"hunter2"}` {
				t.Errorf("driver_info = %s", nodes[0].Details.DriverInfo)
			}
		}
	})
}

func TestExportCounts(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s"), Options{})
	put(t, s, director(), &conductor.Node{UUID: uuidOf(2), Name: "b", ProvisionState: baremetal.CleanWait, Reservation: "laptop"})
	puts(t, s, director())
	for _, sealed := range []bool{true, false} {
		var file bytes.Buffer
		done, err := s.Export(t.Context(), &file, ExportOptions{Sealed: sealed})
		if err != nil {
			t.Fatal(err)
		}
		want := Exported{Nodes: 2, Records: 7, InClear: 1, Underway: []string{"b (" + uuidOf(2) + ")"}}
		if diff := cmp.Diff(want, done); diff != "" {
			t.Errorf("sealed %v (-want +got):\n%s", sealed, diff)
		}
		for _, never := range []string{"laptop\",\"drivers", "reservation", `"kind":"conductor"`} {
			if strings.Contains(file.String(), never) {
				t.Errorf("the file has %s:\n%s", never, file.String())
			}
		}
		if !strings.HasPrefix(file.String(), `{"format":"bosh-ironic-cpi state","version":1,`) {
			t.Errorf("first line: %.100s", file.String())
		}
	}
	if _, err := s.Export(t.Context(), full2{}, ExportOptions{}); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("export to a full disk: %v", err)
	}
}

// full2 is a disk without room.
type full2 struct{}

func (full2) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestImportOfNodesUnderWay(t *testing.T) {
	states := []struct{ state, arrives baremetal.ProvisionState }{
		{baremetal.Verifying, baremetal.Enroll},
		{baremetal.Deploying, baremetal.DeployFailed},
		{baremetal.WaitCallBack, baremetal.DeployFailed},
		{baremetal.Cleaning, baremetal.CleanFailed},
		{baremetal.CleanWait, baremetal.CleanFailed},
		{baremetal.Deleting, baremetal.ErrorState},
		{baremetal.Inspecting, baremetal.InspectFailed},
		{baremetal.InspectWait, baremetal.InspectFailed},
		{baremetal.Adopting, baremetal.AdoptFailed},
		{baremetal.Rescuing, baremetal.RescueFailed},
		{baremetal.RescueWait, baremetal.RescueFailed},
		{baremetal.Unrescuing, baremetal.UnrescueFailed},
	}
	between(t, func(t *testing.T, from, to string) {
		source, target := open(t, from, Options{}), open(t, to, Options{})
		for i, s := range states {
			n := full(i)
			n.ProvisionState, n.TargetProvisionState, n.Reservation = s.state, baremetal.Active, "laptop"
			n.Details.Agent = &conductor.Agent{Token: "t"}
			put(t, source, n)
		}
		put(t, source, &conductor.Node{UUID: uuidOf(99), Name: "calm", ProvisionState: baremetal.Active, Reservation: "laptop", PowerState: baremetal.PowerOn, TargetPowerState: baremetal.PowerOff})
		file := exported(t, source, ExportOptions{})
		_, err := target.Import(t.Context(), strings.NewReader(file), ImportOptions{})
		if !errors.Is(err, ErrUnderway) || errors.Is(err, ErrConflict) {
			t.Fatalf("import: %v", err)
		}
		for i, s := range states {
			if want := fmt.Sprintf("node n%d (%s) is in state %s: something was under way", i, uuidOf(i), s.state); !strings.Contains(err.Error(), want) {
				t.Errorf("%v\nlacks %s", err, want)
			}
		}
		if strings.Contains(err.Error(), "calm") {
			t.Errorf("%v: calm is calm", err)
		}
		if nodes, _ := everything(t, target); len(nodes) != 0 {
			t.Errorf("%d nodes arrived", len(nodes))
		}

		done := imported(t, target, file, ImportOptions{Force: true})
		nodes, _ := everything(t, target)
		if len(nodes) != len(states)+1 {
			t.Fatalf("%d nodes; want %d", len(nodes), len(states)+1)
		}
		for i, s := range states {
			n := nodes[i]
			if n.ProvisionState != s.arrives || n.Reservation != "" || n.Details.Work != nil || n.Details.Agent != nil ||
				!strings.Contains(n.LastError, "in state "+string(s.state)) || n.InstanceUUID != uuidOf(1000+i) || done.Nodes[i].Result != Failed {
				t.Errorf("%s arrives as %+v, %v", s.state, n, done.Nodes[i])
			}
		}
		if n := nodes[len(states)]; n.ProvisionState != baremetal.Active || n.Reservation != "" || n.TargetPowerState != "" || n.LastError == "" {
			t.Errorf("a power change under way arrives as %+v", n)
		}
		if again := imported(t, target, file, ImportOptions{Force: true}); again.Nodes[0].Result != Here || again.Nodes[len(states)].Result != Here {
			t.Errorf("again: %+v", again.Nodes)
		}
		if back := imported(t, source, file, ImportOptions{}); back.Nodes[0].Result != Here {
			t.Errorf("into where it comes from: %+v", back.Nodes)
		}
	})
}

// What is here and other than what comes keeps all of it out.
func TestImportConflicts(t *testing.T) {
	port := func(uuid int, node int) *conductor.Port {
		return &conductor.Port{UUID: uuidOf(uuid), NodeUUID: uuidOf(node), Address: "52:54:00:00:00:01", PXEEnabled: true, CreatedAt: 7}
	}
	tests := []struct {
		name string
		node *conductor.Node
		port *conductor.Port
		want string // "": it goes in
	}{
		{name: "another power state", node: changed(func(n *conductor.Node) { n.PowerState, n.UpdatedAt, n.Reservation = baremetal.PowerOff, 99, "x" })},
		{name: "equal port", node: director(), port: port(101, 1)},
		{
			name: "fields differ", node: changed(func(n *conductor.Node) { n.Owner = "o2"; n.Details.Extra = nil; n.Details.BootMode = "uefi" }),
			want: "node n1 (" + uuidOf(1) + ") conflicts with what is here: boot_mode, extra, owner",
		},
		{
			name: "name", node: &conductor.Node{UUID: uuidOf(5), Name: "n1"},
			want: "node n1 (" + uuidOf(1) + ") conflicts with what is here: name n1 is that of node " + uuidOf(5),
		},
		{
			name: "instance", node: &conductor.Node{UUID: uuidOf(5), InstanceUUID: uuidOf(1001)},
			want: "node n1 (" + uuidOf(1) + ") conflicts with what is here: instance_uuid " + uuidOf(1001) + " is that of node " + uuidOf(5),
		},
		{
			name: "address", node: &conductor.Node{UUID: uuidOf(5)}, port: port(500, 5),
			want: "port 52:54:00:00:00:01 (" + uuidOf(101) + ") of node " + uuidOf(1) + " conflicts with what is here: port " + uuidOf(500) + " of node " + uuidOf(5) + " has it",
		},
		{
			name: "port", node: &conductor.Node{UUID: uuidOf(5)}, port: port(101, 5),
			want: "port 52:54:00:00:00:01 (" + uuidOf(101) + ") of node " + uuidOf(1) + " conflicts with what is here",
		},
	}
	source := open(t, filepath.Join(t.TempDir(), "s"), Options{})
	put(t, source, director(), &conductor.Node{UUID: uuidOf(2), Name: "free", ProvisionState: baremetal.Available})
	puts(t, source, director())
	file := exported(t, source, ExportOptions{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			on(t, func(t *testing.T, address string) {
				s := open(t, address, Options{})
				own := tt.node.Clone()
				put(t, s, own)
				if tt.port != nil {
					if err := s.Update(t.Context(), func(tx conductor.Tx) error { return conductor.Put(tx, tt.port) }); err != nil {
						t.Fatal(err)
					}
				}
				nodes, rows := everything(t, s)
				_, err := s.Import(t.Context(), strings.NewReader(file), ImportOptions{})
				if tt.want == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				if !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("import: %v; want %s", err, tt.want)
				}
				nodesAfter, rowsAfter := everything(t, s)
				if diff := cmp.Diff(nodes, nodesAfter) + cmp.Diff(rows, rowsAfter); diff != "" {
					t.Errorf("a refused import changed (-before +after):\n%s", diff)
				}
			})
		})
	}
}

// changed is the director's node after a change.
func changed(change func(*conductor.Node)) *conductor.Node {
	n := director()
	change(n)
	return n
}

func TestImportOfADamagedFile(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s"), Options{})
	put(t, s, director(), &conductor.Node{UUID: uuidOf(2)})
	puts(t, s, director())
	lines := strings.SplitAfter(strings.TrimSuffix(exported(t, s, ExportOptions{}), "\n"), "\n")
	file := func(lines ...string) string { return strings.Join(lines, "") }
	last := len(lines) - 1
	tests := []struct{ name, file, want string }{
		{"empty", "", "its end is missing"},
		{"another format", `{"format":"x"}` + "\n", `line 1: no file of an export, or not whole: its first line`},
		{"no JSON", "PK\x03\x04", "line 1: "},
		{"newer", strings.Replace(file(lines...), `"version":1`, `"version":2`, 1), "it has version 2, and this program knows 1: use a newer one"},
		{"cut off", file(lines[:last]...), "its end is missing"},
		{"cut off in a line", strings.TrimSuffix(file(lines[:3]...), "}\n"), "line 3: "},
		{"a line is missing", file(append(append([]string{}, lines[:2]...), lines[3:]...)...), "it has 1 nodes and 7 records, and was written with 2 and 7"},
		{"more behind the end", file(lines...) + "\n" + lines[1], "there is more behind its end"},
		{"two in a line", file(lines...) + lines[1], "there is more behind it"},
		{"an unknown column", strings.Replace(file(lines...), `"uuid"`, `"colour":"red","uuid"`, 1), `no column "colour"`},
		{"an unknown detail", strings.Replace(file(lines...), `"details":{`, `"details":{"colour":1,`, 1), `unknown field "colour"`},
		{"a conductor", file(lines[0], `{"record":{"kind":"conductor","uuid":"x","document":{}}}`), `a record of kind "conductor"`},
		{"another type", strings.Replace(file(lines...), `"driver":"fake-hardware"`, `"driver":7`, 1), "line 2: "},
		{"no UUID", file(lines[0], `{"node":{"details":{}}}`), `a node's UUID is ""`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			target := open(t, filepath.Join(t.TempDir(), "t"), Options{})
			_, err := target.Import(t.Context(), strings.NewReader(tt.file), ImportOptions{})
			if !errors.Is(err, ErrFile) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("import: %v; want %q", err, tt.want)
			}
			if nodes, rows := everything(t, target); len(nodes)+len(rows) != 0 {
				t.Errorf("%d nodes and %d rows arrived", len(nodes), len(rows))
			}
		})
	}
}

// Somebody moves a mark from node to node and to a port meanwhile; every file has it exactly once.
func TestExportIsOneMoment(t *testing.T) {
	on(t, func(t *testing.T, address string) {
		s, daemon := open(t, address, Options{}), open(t, address, Options{})
		const nodes = 40
		for i := range nodes {
			put(t, s, &conductor.Node{UUID: uuidOf(i)})
		}
		stop := make(chan struct{})
		var mover sync.WaitGroup
		mover.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				err := daemon.Update(t.Context(), func(tx conductor.Tx) error {
					for j, mark := range map[int]string{(nodes - i%nodes) % nodes: "", nodes - 1 - i%nodes: fmt.Sprintf("mark-%d-", i)} {
						n, err := tx.Node(uuidOf(j))
						if err != nil {
							return err
						}
						n.Description = mark
						if err := tx.PutNode(n); err != nil {
							return err
						}
					}
					return conductor.Put(tx, &conductor.Port{UUID: uuidOf(500), NodeUUID: uuidOf(1), Address: "a", Name: fmt.Sprintf("mark-%d-", i)})
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
		for range 30 {
			var file bytes.Buffer
			if _, err := s.Export(t.Context(), &file, ExportOptions{}); err != nil {
				t.Error(err)
			}
			if _, after, ok := strings.Cut(file.String(), "mark-"); ok {
				number, _, _ := strings.Cut(after, "-")
				if n := strings.Count(file.String(), "mark-"); n != 2 || strings.Count(file.String(), "mark-"+number+"-") != 2 {
					t.Errorf("a file has the mark %d times:\n%s", n, file.String())
					break
				}
			}
		}
		close(stop)
		mover.Wait()
		target := open(t, filepath.Join(t.TempDir(), "t"), Options{})
		imported(t, target, exported(t, s, ExportOptions{}), ImportOptions{})
	})
}

// A daemon goes on writing while a file comes in: it waits for its turn, and neither loses anything.
func TestImportBesideADaemon(t *testing.T) {
	source := open(t, filepath.Join(t.TempDir(), "s"), Options{})
	const nodes = 500
	err := source.Update(t.Context(), func(tx conductor.Tx) error {
		for i := range nodes {
			n := full(i)
			n.Details.Work, n.ProvisionState = nil, baremetal.Available
			if err := tx.PutNode(n); err != nil {
				return err
			}
			if err := conductor.Put(tx, &conductor.Port{UUID: uuidOf(i), NodeUUID: n.UUID, Address: fmt.Sprint(i)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	file := exported(t, source, ExportOptions{})
	on(t, func(t *testing.T, address string) {
		s, daemon := open(t, address, Options{Key: oneKey}), open(t, address, Options{Key: oneKey})
		put(t, daemon, &conductor.Node{UUID: uuidOf(5000), Description: "x"})
		stop := make(chan struct{})
		var writer sync.WaitGroup
		writes := 0
		writer.Go(func() {
			for {
				err := daemon.Update(t.Context(), func(tx conductor.Tx) error {
					n, err := tx.Node(uuidOf(5000))
					if err != nil {
						return err
					}
					n.Description += "x"
					return tx.PutNode(n)
				})
				if err != nil {
					t.Error(err)
					return
				}
				writes++
				select {
				case <-stop:
					return
				default:
				}
			}
		})
		done := imported(t, s, file, ImportOptions{})
		close(stop)
		writer.Wait()
		got, rows := everything(t, daemon)
		if len(done.Nodes) != nodes || len(got) != nodes+1 || len(rows) != nodes || len(got[0].Description) != writes+1 {
			t.Errorf("%d imported; the daemon sees %d nodes and %d ports, and %d of its %d writes", len(done.Nodes), len(got), len(rows), len(got[0].Description)-1, writes)
		}
	})
}
