package store

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bosh-ironic-cpi/src/wait"
)

// A server is a PostgreSQL of Debian's, on a socket in a folder of its own.
var server struct {
	once sync.Once
	dir  string
	err  error
	stop func()
	used atomic.Int64
}

func TestMain(m *testing.M) {
	code := m.Run()
	if server.stop != nil {
		server.stop()
	}
	os.Exit(code)
}

// postgresURL names an empty database of its own.
func postgresURL(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts PostgreSQL: not with -short")
	}
	server.once.Do(func() { startPostgres(context.WithoutCancel(t.Context())) })
	if server.err != nil {
		if os.Getenv("CI") != "true" {
			t.Skip(server.err)
		}
		t.Fatal(server.err)
	}
	name := fmt.Sprintf("test%d", server.used.Add(1))
	admin, err := sql.Open("pgx", address("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if _, err := admin.ExecContext(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return address(name)
}

func address(database string) string {
	return "postgres:///" + database + "?user=postgres&host=" + url.QueryEscape(server.dir)
}

// startPostgres runs initdb and postgres, which refuse to be root: as nobody then.
func startPostgres(ctx context.Context) {
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(bins) == 0 {
		server.err = fmt.Errorf("no PostgreSQL here: as root, apt-get install --no-install-recommends postgresql-15")
		return
	}
	bin := filepath.Dir(bins[len(bins)-1])
	if server.dir, server.err = os.MkdirTemp("", "postgres-"); server.err != nil {
		return
	}
	server.err = os.Chmod(server.dir, 0o777) // for nobody
	data := filepath.Join(server.dir, "data")
	as := func(program string, args ...string) *exec.Cmd {
		line := append([]string{filepath.Join(bin, program)}, args...)
		if os.Geteuid() == 0 {
			line = append([]string{"setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"}, line...)
		}
		cmd := exec.Command(line[0], line[1:]...)
		cmd.Dir = server.dir
		return cmd
	}
	if out, err := as("initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8").CombinedOutput(); err != nil {
		server.err = fmt.Errorf("initdb: %w\n%s", err, out)
		return
	}
	run := as("postgres", "-D", data, "-k", server.dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200")
	var log bytes.Buffer
	run.Stdout, run.Stderr = &log, &log
	if server.err = run.Start(); server.err != nil {
		return
	}
	server.stop = func() {
		_ = run.Process.Signal(os.Interrupt)
		_ = run.Wait()
		_ = os.RemoveAll(server.dir)
	}
	ready := func() bool {
		out, err := as("psql", "-h", server.dir, "-U", "postgres", "-tAc", "SELECT 1").Output()
		return err == nil && strings.TrimSpace(string(out)) == "1"
	}
	deadline := time.Now().Add(30 * time.Second)
	for !ready() {
		if time.Now().After(deadline) {
			server.err = fmt.Errorf("postgres does not answer:\n%s", log.String())
			return
		}
		_ = wait.Pause(ctx, 50*time.Millisecond)
	}
}
