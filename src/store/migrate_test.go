package store

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
)

// rawOf is a database below the store.
func rawOf(t *testing.T, address string) (*sql.DB, dialect) {
	t.Helper()
	var db *sql.DB
	var err error
	d := sqlite
	if strings.HasPrefix(address, "postgres://") {
		d = postgres
		db, err = sql.Open("pgx", address)
	} else {
		if err := os.MkdirAll(filepath.Dir(address), 0o700); err != nil {
			t.Fatal(err)
		}
		db, err = openFile(address, "immediate", 2)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db, d
}

// runSQL executes a file of statements.
func runSQL(t *testing.T, db *sql.DB, text string) {
	t.Helper()
	for statement := range strings.SplitSeq(text, ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%v\n%s", err, statement)
		}
	}
}

// versionOf is the schema's version; 0 also without one.
func versionOf(t *testing.T, db *sql.DB) (version int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), "SELECT COALESCE(MAX(version), 0) FROM schema_version").Scan(&version); err != nil {
		t.Fatal(err)
	}
	return version
}

// expected is what testdata/rows says, in each of its versions.
func expected() ([]*conductor.Node, []conductor.Row, *conductor.Port) {
	no := false
	node := &conductor.Node{
		UUID: uuidOf(1), Name: "n1", InstanceUUID: uuidOf(1001), ChassisUUID: uuidOf(700), AllocationUUID: uuidOf(1001),
		Driver: "fake-hardware", ResourceClass: "gold", ConductorGroup: "group", Owner: "owner", Lessee: "lessee", Shard: "shard",
		Description: `A 100% sure thing; it's "so"`, ProvisionState: baremetal.WaitCallBack, TargetProvisionState: baremetal.Active,
		PowerState: baremetal.PowerOn, TargetPowerState: baremetal.PowerOff, Reservation: "host", LastError: "none",
		Maintenance: true, MaintenanceReason: "fans", Fault: "power failure", Retired: true, RetiredReason: "old", Protected: true,
		ProtectedReason: "dear", CreatedAt: 1, UpdatedAt: 2, ProvisionUpdatedAt: 3, InspectionStartedAt: 4, InspectionFinishedAt: 5,
		Details: conductor.Details{
			Interfaces: map[string]string{"power": "fake"}, AutomatedClean: &no, Properties: conductor.Object(`{"cpus":4}`),
			DriverInfo: conductor.Object(`{"ipmi_password":"hunter2"}`), Extra: conductor.Object(`{"bosh_cpi":{"version":1}}`),
			InstanceInfo: conductor.Object(`{"image_source":"x"}`), DriverInternalInfo: conductor.Object(`{"a":1}`),
			NetworkData: conductor.Object(`{"b":1}`), TargetRAIDConfig: conductor.Object(`{"c":1}`), Traits: []string{"CUSTOM_A"},
			BootMode: "uefi", DriverState: map[string]string{"s": "t"},
			Work: &conductor.Work{
				Kind: "deploy", Event: "heartbeat", Deadline: 6, Data: map[string]any{"k": "v"}, Manual: true,
				Steps: []conductor.Step{{Interface: "deploy", Step: "deploy", Priority: 100, Args: map[string]any{"x": 1.0}, InBand: true}},
			},
			Agent: &conductor.Agent{Token: "t", Told: true, URL: "u", Version: "v", Heartbeat: 7},
		},
	}
	bare := &conductor.Node{UUID: uuidOf(2), Driver: "ipmi", ProvisionState: baremetal.Enroll, CreatedAt: 8}
	port := &conductor.Port{
		UUID: uuidOf(101), NodeUUID: uuidOf(1), Address: "52:54:00:00:00:01", PXEEnabled: true, PhysicalNetwork: "storage",
		LocalLinkConnection: conductor.Object(`{"switch_id":"x"}`), CreatedAt: 9, UpdatedAt: 10,
	}
	rows := []conductor.Row{
		{Kind: conductor.KindPort, UUID: uuidOf(101), Name: "52:54:00:00:00:01", NodeUUID: uuidOf(1)},
		{Kind: conductor.KindConductor, UUID: "host", Name: "host"},
		{Kind: conductor.KindHistory, UUID: uuidOf(301), NodeUUID: uuidOf(1)},
	}
	return []*conductor.Node{node, bare}, rows, port
}

// What a program of any earlier version has stored is there after the migration, and can be changed.
func TestMigrationFromEveryVersion(t *testing.T) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil || len(files) != newest {
		t.Fatalf("%d files of migrations, %v; the newest version is %d", len(files), err, newest)
	}
	for v := 1; v <= newest; v++ {
		t.Run(fmt.Sprint(v), func(t *testing.T) {
			text, err := os.ReadFile(fmt.Sprintf("testdata/rows/%04d.sql", v))
			if err != nil {
				t.Fatalf("%v: write rows there as version %d has them", err, v)
			}
			on(t, func(t *testing.T, address string) {
				db, d := rawOf(t, address)
				if err := migrate(t.Context(), db, d, migrations, v); err != nil {
					t.Fatal(err)
				}
				if got := versionOf(t, db); got != v {
					t.Fatalf("migrated to %d; want %d", got, v)
				}
				runSQL(t, db, string(text))
				s := open(t, address, Options{})
				if got := versionOf(t, db); got != newest {
					t.Errorf("opened, the schema has version %d; want %d", got, newest)
				}
				nodes, rows := everything(t, s)
				wantNodes, wantRows, port := expected()
				if diff := cmp.Diff(wantNodes, nodes); diff != "" {
					t.Errorf("nodes (-want +got):\n%s", diff)
				}
				for i := range rows {
					rows[i].Document = nil
				}
				if diff := cmp.Diff(wantRows, rows); diff != "" {
					t.Errorf("records (-want +got):\n%s", diff)
				}
				err := s.Update(t.Context(), func(tx conductor.Tx) error {
					got, err := conductor.Get[conductor.Port](tx, port.UUID)
					if diff := cmp.Diff(port, got); diff != "" {
						t.Errorf("port (-want +got):\n%s", diff)
					}
					if err != nil {
						return err
					}
					n, err := tx.Node("n1")
					if err != nil {
						return err
					}
					n.Name = "renamed"
					return tx.PutNode(n)
				})
				if err != nil {
					t.Error(err)
				}
				put(t, s, full(5))
			})
		})
	}
}

// Opening again changes nothing, and a schema of tomorrow is left alone.
func TestNewerSchemaIsRefused(t *testing.T) {
	on(t, func(t *testing.T, address string) {
		put(t, open(t, address, Options{}), full(1))
		put(t, open(t, address, Options{}), full(2))
		db, d := rawOf(t, address)
		if _, err := db.ExecContext(t.Context(), d.rebind("INSERT INTO schema_version (version) VALUES (?)"), newest+1); err != nil {
			t.Fatal(err)
		}
		s, err := Open(t.Context(), address, Options{})
		want := fmt.Sprintf("its schema is version %d, and this program knows %d: use a newer one", newest+1, newest)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("open: %v, %v; want %s", s, err, want)
		}
		if got := versionOf(t, db); got != newest+1 {
			t.Errorf("the schema has version %d now", got)
		}
	})
}

var creates = regexp.MustCompile(`(?m)^CREATE (?:UNIQUE )?(?:TABLE|INDEX) (\w+)`)

// A migration that breaks in its midst leaves the version before, whole, and works once the reason is gone.
func TestInterruptedMigration(t *testing.T) {
	for v := 1; v <= newest; v++ {
		text, err := migrations.ReadFile(fmt.Sprintf("migrations/%04d.sql", v))
		if err != nil {
			t.Fatal(err)
		}
		made := creates.FindAllStringSubmatch(string(text), -1)
		if len(made) < 2 {
			t.Logf("version %d makes %d things: its midst cannot be broken so", v, len(made))
			continue
		}
		last := made[len(made)-1][1]
		t.Run(fmt.Sprint(v), func(t *testing.T) {
			on(t, func(t *testing.T, address string) {
				db, d := rawOf(t, address)
				if err := migrate(t.Context(), db, d, migrations, v-1); err != nil {
					t.Fatal(err)
				}
				before := namesIn(t, db, d)
				runSQL(t, db, "CREATE TABLE "+last+" (x BIGINT)")
				s, err := Open(t.Context(), address, Options{})
				if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("open the store: version %d: ", v)) {
					t.Fatalf("open: %v, %v", s, err)
				}
				if got := versionOf(t, db); got != v-1 {
					t.Errorf("the schema has version %d; want %d", got, v-1)
				}
				runSQL(t, db, "DROP TABLE "+last)
				if diff := cmp.Diff(before, namesIn(t, db, d)); diff != "" {
					t.Errorf("half a migration is left (-before +after):\n%s", diff)
				}
				put(t, open(t, address, Options{}), full(1))
			})
		})
	}
}

// namesIn lists what a database has of ours.
func namesIn(t *testing.T, db *sql.DB, d dialect) (all []string) {
	t.Helper()
	query := "SELECT name FROM sqlite_master ORDER BY name"
	if d == postgres {
		query = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY relname"
	}
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		all = append(all, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// childAddress names the database for a test that is run as a process of its own.
const childAddress = "STORE_TEST_DATABASE"

// child starts one test of this binary as a process.
func child(t *testing.T, test, address string, more ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+test+"$", "-test.v=false")
	cmd.Env = append(append(os.Environ(), childAddress+"="+address), more...)
	return cmd
}

// TestChildOpens is TestProcessesOpenAtOnce's other processes: it opens the store when its standard input ends.
func TestChildOpens(t *testing.T) {
	address, given := os.LookupEnv(childAddress)
	if !given {
		t.Skip("a part of TestProcessesOpenAtOnce")
	}
	var one [1]byte
	_, _ = os.Stdin.Read(one[:])
	s, err := Open(t.Context(), address, Options{})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, &conductor.Node{UUID: os.Getenv("STORE_TEST_UUID")})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// Several processes find no database and make it, at the same moment.
func TestProcessesOpenAtOnce(t *testing.T) {
	const rounds, processes = 5, 4
	on(t, func(t *testing.T, first string) {
		for round := range rounds {
			address := first
			if round > 0 {
				address = anew(t, first, round)
			}
			var children []*exec.Cmd
			var outputs []*bytes.Buffer
			var gates []interface{ Close() error }
			for i := range processes {
				cmd := child(t, "TestChildOpens", address, "STORE_TEST_UUID="+uuidOf(i))
				gate, err := cmd.StdinPipe()
				if err != nil {
					t.Fatal(err)
				}
				output := &bytes.Buffer{}
				cmd.Stdout, cmd.Stderr = output, output
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				children, outputs, gates = append(children, cmd), append(outputs, output), append(gates, gate)
			}
			for _, gate := range gates {
				gate.Close()
			}
			for i, cmd := range children {
				if err := cmd.Wait(); err != nil {
					t.Errorf("round %d: %v\n%s", round, err, outputs[i])
				}
			}
			if t.Failed() {
				return
			}
			if nodes, _ := everything(t, open(t, address, Options{})); len(nodes) != processes {
				t.Errorf("round %d: %d nodes; want %d", round, len(nodes), processes)
			}
		}
	})
}

// anew is another empty database of the same kind.
func anew(t *testing.T, address string, n int) string {
	t.Helper()
	if strings.HasPrefix(address, "postgres://") {
		return postgresURL(t)
	}
	return filepath.Join(filepath.Dir(address), fmt.Sprint(n))
}
