package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"bosh-ironic-cpi/src/store"
)

// databaseVariable is where a database's URL with a password in it may stand.
const databaseVariable = "NODECTL_DATABASE"

// stateFlags name a conductor's database. The state commands open it themselves: no service is asked.
type stateFlags struct {
	Database string `placeholder:"PATH|URL" env:"NODECTL_DATABASE" help:"The conductor's database: path of its SQLite file, or its postgres:// URL."`
	KeyFile  string `placeholder:"FILE" help:"File whose first 32 bytes seal driver_info in the database: the conductor's key_file."`
}

// isURL tells PostgreSQL from a file.
func (f *stateFlags) isURL() bool {
	return strings.HasPrefix(f.Database, "postgres://") || strings.HasPrefix(f.Database, "postgresql://")
}

// open opens the database.
func (f *stateFlags) open(ctx context.Context) (*store.Store, error) {
	if f.Database == "" {
		return nil, wrong(fmt.Errorf("which database? Give --database, or set %s", databaseVariable))
	}
	if f.isURL() && f.Database != os.Getenv(databaseVariable) {
		u, err := url.Parse(f.Database)
		if err != nil {
			return nil, wrong(errors.New("--database: the URL makes no sense")) // its text may hold a password
		}
		if _, there := u.User.Password(); there || u.Query().Has("password") {
			return nil, wrong(fmt.Errorf("--database: everybody on this machine can read a password on the command line: set %s, or PGPASSFILE", databaseVariable))
		}
	}
	var options store.Options
	if f.KeyFile != "" {
		key, err := store.KeyFile(f.KeyFile)
		if err != nil {
			return nil, wrong(fmt.Errorf("--key-file: %w", err))
		}
		options.Key = key
	}
	return store.Open(ctx, f.Database, options)
}

// stateExport is "state export".
type stateExport struct {
	stateFlags
	File   string `short:"f" placeholder:"FILE" help:"File to write, whole or not at all; without it, or with -, standard output."`
	Sealed bool   `help:"Leave driver_info as the database holds it: who imports it needs the same key."`
}

// Help is the end of the command's help.
func (stateExport) Help() string {
	return "Examples:\n  nodectl state export --database state.sqlite -f state.jsonl\n" +
		"  nodectl state export --database postgres:///conductor --sealed -f state.jsonl"
}

// Run writes the file. A conductor may be at work on the database.
func (e *stateExport) Run(ctx context.Context, c *console) (err error) {
	toFile := e.File != "" && e.File != "-"
	if !toFile && isTerminal(c.out) {
		return wrong(errors.New("this has secrets and is not for a terminal: give -f FILE"))
	}
	if e.Database != "" && !e.isURL() {
		if _, err := os.Stat(e.Database); err != nil { // to open it would make it
			return wrong(fmt.Errorf("--database: %w", err))
		}
	}
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	var done store.Exported
	write := func(w io.Writer) (err error) {
		done, err = s.Export(ctx, w, store.ExportOptions{Sealed: e.Sealed})
		return err
	}
	target := "standard output"
	if toFile {
		target = e.File
		err = writeWhole(e.File, write)
	} else {
		err = write(c.out)
	}
	if err != nil {
		return err
	}
	c.note("%s: %d nodes and %d other records", target, done.Nodes, done.Records)
	if done.InClear > 0 {
		c.note("warning: driver_info of %d nodes, with its passwords, is in the clear there: keep it as you keep a password", done.InClear)
	}
	for _, label := range done.Underway {
		c.note("warning: node %s is on its way to another state: state import will refuse it", label)
	}
	return nil
}

// writeWhole writes a file that only this user can read: all of it, on disk, or nothing.
func writeWhole(name string, write func(io.Writer) error) (err error) {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return wrong(fmt.Errorf("%s is not a plain file", name))
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-") // mode 0600
	if err != nil {
		return wrong(err)
	}
	err = write(f)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	folder, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// stateImport is "state import".
type stateImport struct {
	stateFlags
	File  string `short:"f" placeholder:"FILE" help:"File that state export has written; without it, or with -, standard input."`
	Force bool   `help:"Let nodes in that were on their way to another state: as failed, with last_error."`
}

// Help is the end of the command's help.
func (stateImport) Help() string {
	return "Examples:\n  nodectl state import --database conductor.sqlite --key-file driver_info.key -f state.jsonl\n" +
		"  nodectl state export --database state.sqlite | nodectl state import --database postgres:///conductor"
}

// An importAnswer is what json and yaml show.
type importAnswer struct {
	Nodes       []store.ImportedNode `json:"nodes"`
	Records     int                  `json:"records"`
	RecordsHere int                  `json:"records_exist"`
}

// Run imports the file, all of it or nothing. A conductor may be at work on the database.
func (i *stateImport) Run(ctx context.Context, c *console) (err error) {
	in := c.in
	if i.File != "" && i.File != "-" {
		f, err := os.Open(i.File)
		if err != nil {
			return wrong(err)
		}
		defer f.Close()
		in = f
	}
	s, err := i.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	done, err := s.Import(ctx, in, store.ImportOptions{Force: i.Force})
	if err != nil {
		return err
	}
	a := answer{head: []string{"UUID", "NAME", "PROVISION STATE", "RESULT"}}
	for _, n := range done.Nodes {
		a.rows = append(a.rows, []string{n.UUID, n.Name, string(n.ProvisionState), string(n.Result)})
		if n.Name == "" {
			n.Name = n.UUID
		}
		a.names = append(a.names, n.Name)
	}
	a.value = importAnswer{Nodes: append([]store.ImportedNode{}, done.Nodes...), Records: done.Records, RecordsHere: done.RecordsHere}
	if err := c.print(a); err != nil {
		return err
	}
	c.note("%d nodes; %d other records imported, %d were here already", len(done.Nodes), done.Records, done.RecordsHere)
	if i.KeyFile == "" && len(done.Nodes) > 0 {
		c.note("warning: without --key-file, driver_info with its passwords is kept in the clear in the database")
	}
	return nil
}
