//go:build integration

package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/wait"
)

// startPostgres runs Debian's PostgreSQL until the test ends, and names an empty database of it.
func startPostgres(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts PostgreSQL: not with -short")
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("no PostgreSQL here")
		}
		t.Skip("no PostgreSQL here: as root, apt-get install --no-install-recommends postgresql-15")
	}
	dir, err := os.MkdirTemp("", "postgres-") //nolint:usetesting // t.TempDir lies where nobody may not look
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil { // for nobody: PostgreSQL refuses to be root
		t.Fatal(err)
	}
	as := func(program string, args ...string) *exec.Cmd {
		line := append([]string{filepath.Join(filepath.Dir(found[len(found)-1]), program)}, args...)
		if os.Geteuid() == 0 {
			line = append([]string{"setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"}, line...)
		}
		cmd := exec.Command(line[0], line[1:]...)
		cmd.Dir = dir
		return cmd
	}
	data := filepath.Join(dir, "data")
	if out, err := as("initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	var log bytes.Buffer
	run := as("postgres", "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=100")
	run.Stdout, run.Stderr = &log, &log
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = run.Process.Signal(os.Interrupt)
		_ = run.Wait()
	})
	address := "postgres:///postgres?user=postgres&host=" + url.QueryEscape(dir)
	db := openPostgres(t, address)
	err = wait.Until(t.Context(), wait.Pace{Every: 50 * time.Millisecond, Limit: 30 * time.Second}, "PostgreSQL", func(ctx context.Context) (bool, string, error) {
		err := db.PingContext(ctx)
		return err == nil, fmt.Sprint(err), nil
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	return address
}

func openPostgres(t *testing.T, address string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// A handover is a change of a node's lock, as PostgreSQL itself saw it.
type handover struct {
	node, from, to string
	at             time.Time
}

// watchLocks has PostgreSQL keep book of every lock that is taken or given back. The answer reads the book.
func watchLocks(t *testing.T, db *sql.DB) func() []handover {
	t.Helper()
	for _, statement := range []string{
		"CREATE TABLE handovers (id BIGSERIAL, node TEXT, was TEXT, now TEXT, at TIMESTAMPTZ DEFAULT clock_timestamp())",
		`CREATE FUNCTION note() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN
			INSERT INTO handovers (node, was, now) VALUES (NEW.uuid, COALESCE(OLD.reservation, ''), COALESCE(NEW.reservation, ''));
			RETURN NEW;
		END $$`,
		"CREATE TRIGGER note AFTER UPDATE ON nodes FOR EACH ROW WHEN (OLD.reservation IS DISTINCT FROM NEW.reservation) EXECUTE FUNCTION note()",
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return func() []handover {
		rows, err := db.QueryContext(t.Context(), "SELECT node, was, now, at FROM handovers ORDER BY id")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var all []handover
		for rows.Next() {
			var h handover
			if err := rows.Scan(&h.node, &h.from, &h.to, &h.at); err != nil {
				t.Fatal(err)
			}
			all = append(all, h)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return all
	}
}

// fakeNodes makes available nodes of fake hardware, at once.
func (s *served) fakeNodes(count int, fields m) []string {
	s.t.Helper()
	uuids := make([]string, count)
	abreast(count, func(i int) {
		node := m{"driver": "fake-hardware", "deploy_interface": "fake"}
		maps.Copy(node, fields)
		uuids[i] = fmt.Sprint(s.must(http.MethodPost, "/v1/nodes", node)["uuid"])
		s.walk(uuids[i], baremetal.Available)
	})
	return uuids
}

// abreast calls act count times at once, and returns when all are done.
func abreast(count int, act func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range count {
		all.Go(func() {
			<-start
			act(i)
		})
	}
	close(start)
	all.Wait()
}

// One of two daemons is killed, and started again.
func TestConductorTakeover(t *testing.T) {
	t.Parallel()
	takeover(t, func(one *served) { one.Kill() }, func(one *served) { one.Restart(t) })
}

// takeover has two daemons share a database and 20 deployments, until one of them ends. The other one takes over when the
// lease has run out, and not before; all nodes come to their end, and a lock is never taken from a conductor that lives.
// Then the first one is back.
func takeover(t *testing.T, end, back func(one *served)) {
	t.Helper()
	address := startPostgres(t)
	one := serveConductor(t, m{"database": address})
	locks := watchLocks(t, openPostgres(t, address))
	two := serveConductor(t, m{"database": address, "hostname": "two"})
	nodes := one.fakeNodes(20, m{"driver_info": m{"fake_step_delay": "3s"}})
	abreast(len(nodes), func(i int) {
		by := []*served{one, two}[i%2]
		by.must(http.MethodPut, "/v1/nodes/"+nodes[i]+"/states/provision", m{"target": "active"})
	})
	for i, uuid := range nodes {
		if n := two.node(uuid); n["reservation"] != []string{"one", "two"}[i%2] {
			t.Fatalf("node %d is locked by %v before the kill", i, n["reservation"])
		}
	}
	end(one)
	killed := time.Now()
	for _, uuid := range nodes {
		if n := two.rests(uuid); n["provision_state"] != "active" || n["last_error"] != nil {
			t.Errorf("node %s ends %v, %v", uuid, n["provision_state"], n["last_error"])
		}
	}
	taken := map[string]int{}
	for _, h := range locks() {
		if h.from == "" || h.to == "" {
			continue
		}
		taken[h.node]++
		if wait := h.at.Sub(killed); h.from != "one" || h.to != "two" || wait < 8*time.Second || wait > 25*time.Second {
			t.Errorf("%s took the lock of node %s from %s %s after the kill", h.to, h.node, h.from, wait)
		}
	}
	for i, uuid := range nodes {
		if want := 1 - i%2; taken[uuid] != want {
			t.Errorf("node %d changed hands %d times; want %d", i, taken[uuid], want)
		}
	}

	back(one) // and has nothing left to do
	abreast(len(nodes), func(i int) { []*served{one, two}[i%2].walk(nodes[i], baremetal.Available) })
	for _, h := range locks() {
		if h.from != "" && h.to != "" && (h.from != "one" || h.to != "two" || h.at.Sub(killed) > 25*time.Second) {
			t.Errorf("%s took the lock of node %s from %s, which lives", h.to, h.node, h.from)
		}
	}
}

// A hundred clients want the same: one claim of a node succeeds, one verb is accepted, fifty nodes go to fifty allocations.
func TestConductorCrowd(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		s := serveConductor(t, nil)
		crowdOn(t, s, s)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		address := startPostgres(t)
		crowdOn(t, serveConductor(t, m{"database": address}), serveConductor(t, m{"database": address, "hostname": "two"}))
	})
}

const clients = 100

func crowdOn(t *testing.T, conductors ...*served) {
	t.Helper()
	s := conductors[0]
	node := s.fakeNodes(1, m{"driver_info": m{"fake_step_delay": "3s"}})[0]
	// statuses sends a request from each client, to one conductor after the other, and counts the answers.
	statuses := func(request func(i int) (method, path string, body any)) map[int]int {
		var mu sync.Mutex
		counts := map[int]int{}
		abreast(clients, func(i int) {
			method, path, body := request(i)
			status, _ := conductors[i%len(conductors)].try(t.Context(), method, path, body)
			mu.Lock()
			defer mu.Unlock()
			counts[status]++
		})
		return counts
	}
	got := statuses(func(i int) (string, string, any) {
		claim := fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
		return http.MethodPatch, "/v1/nodes/" + node, []m{{"op": "add", "path": "/instance_uuid", "value": claim}}
	})
	if got[http.StatusOK] != 1 || got[http.StatusConflict] != clients-1 {
		t.Errorf("%d claims of one node: %v; want one 200, else 409", clients, got)
	}
	got = statuses(func(int) (string, string, any) {
		return http.MethodPut, "/v1/nodes/" + node + "/states/provision", m{"target": "active"}
	})
	if got[http.StatusAccepted] != 1 || got[http.StatusConflict] != clients-1 {
		t.Errorf("%d times active on one node: %v; want one 202, else 409", clients, got)
	}
	if n := s.rests(node); n["provision_state"] != "active" {
		t.Errorf("the node ends %v, %v", n["provision_state"], n["last_error"])
	}

	const free = clients / 2
	nodes := s.fakeNodes(free, m{"resource_class": "gold"})
	abreast(free, func(i int) { // an allocation wants to know whether a node is on
		s.must(http.MethodPut, "/v1/nodes/"+nodes[i]+"/states/power", m{"target": "power off"})
		s.rests(nodes[i])
	})
	got = statuses(func(i int) (string, string, any) {
		return http.MethodPost, "/v1/allocations", m{"name": fmt.Sprint("a", i), "resource_class": "gold"}
	})
	if got[http.StatusCreated] != clients {
		t.Errorf("%d allocations: %v; want 201", clients, got)
	}
	states, owners := map[string]int{}, map[string]int{}
	for i := range clients {
		a := s.must(http.MethodGet, fmt.Sprint("/v1/allocations/a", i), nil)
		states[fmt.Sprint(a["state"])]++
		if uuid, ok := a["node_uuid"].(string); ok {
			owners[uuid]++
			if n := s.node(uuid); n["instance_uuid"] != a["uuid"] || n["allocation_uuid"] != a["uuid"] {
				t.Errorf("node %s is %v's; want it to be %v's", uuid, n["instance_uuid"], a["uuid"])
			}
		}
	}
	if states["active"] != free || states["error"] != clients-free || len(owners) != free {
		t.Errorf("allocations %v on %d nodes; want %d active, each with a node of its own, and %d in error", states, len(owners), free, clients-free)
	}
}
