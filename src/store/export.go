package store

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"bosh-ironic-cpi/src/conductor"
)

// A file of Export is lines of JSON: a head, a line for each node and each record, in order of creation, and an end that
// counts them. Nodes have the columns of their table as keys, where they are not empty, and details. Version 1 has no
// column that a reader may leave out, so one that it does not know is an error.
const (
	fileFormat  = "bosh-ironic-cpi state"
	fileVersion = 1
)

// A fileHead is the first line. Later versions keep its first two keys.
type fileHead struct {
	Format     string    `json:"format"`
	Version    int       `json:"version"`
	DriverInfo string    `json:"driver_info"` // clear, or sealed: as the database holds it
	Written    time.Time `json:"written"`
}

const (
	infoClear  = "clear"
	infoSealed = "sealed"
)

// A fileRecord is a conductor.Row.
type fileRecord struct {
	Kind     conductor.Kind  `json:"kind"`
	UUID     string          `json:"uuid"`
	Name     string          `json:"name,omitempty"`
	NodeUUID string          `json:"node_uuid,omitempty"`
	Document json.RawMessage `json:"document"`
}

// A fileEnd is the last line: without it the file is not whole.
type fileEnd struct {
	Nodes   int `json:"nodes"`
	Records int `json:"records"`
}

// ExportOptions of [Store.Export].
type ExportOptions struct {
	Sealed bool // leave driver_info as the database holds it; else it is opened, which needs the key it was sealed with
}

// Exported is what came into a file.
type Exported struct {
	Nodes    int
	Records  int      // ports, allocations, history and so on
	InClear  int      // nodes whose driver_info can be read in the file
	Underway []string // nodes that [Store.Import] will refuse
}

// Export writes everything that a conductor keeps, as it was at one moment, whoever changes it meanwhile. Registrations
// of conductors and their locks are left out: they mean nothing elsewhere. What it writes holds secrets.
func (s *Store) Export(ctx context.Context, w io.Writer, o ExportOptions) (Exported, error) {
	out := bufio.NewWriterSize(w, 1<<16)
	e := exporter{store: s, options: o, lines: json.NewEncoder(out)}
	e.lines.SetEscapeHTML(false) // documents stay as they are
	err := s.snapshot(ctx, func(tx *sql.Tx) error {
		head := fileHead{Format: fileFormat, Version: fileVersion, DriverInfo: infoClear, Written: time.Now().UTC().Truncate(time.Second)}
		if o.Sealed {
			head.DriverInfo = infoSealed
		}
		if err := e.lines.Encode(head); err != nil {
			return err
		}
		if err := e.nodes(ctx, tx); err != nil {
			return err
		}
		return e.records(ctx, tx)
	})
	if err == nil {
		err = e.lines.Encode(map[string]any{"end": fileEnd{Nodes: e.done.Nodes, Records: e.done.Records}})
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return Exported{}, fmt.Errorf("export: %w", err)
	}
	return e.done, nil
}

// snapshot reads one state of the whole database, with as many queries as it takes.
func (s *Store) snapshot(ctx context.Context, read func(*sql.Tx) error) error {
	var mode sql.TxOptions // SQLite: what the first query sees is what all see
	if s.dialect == postgres {
		mode = sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	}
	if s.readers != nil {
		select {
		case s.readers <- struct{}{}:
			defer func() { <-s.readers }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	tx, err := s.reads.BeginTx(ctx, &mode)
	if err != nil {
		return fmt.Errorf("read the store: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	return read(tx)
}

// An exporter writes one file.
type exporter struct {
	store   *Store
	options ExportOptions
	lines   *json.Encoder
	done    Exported
}

func (e *exporter) nodes(ctx context.Context, tx *sql.Tx) error {
	rows, err := tx.QueryContext(ctx, wholeNode+" FROM nodes ORDER BY id")
	if err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		n := &conductor.Node{}
		var details []byte
		if err := rows.Scan(append(fields(n), &details)...); err != nil {
			return fmt.Errorf("list nodes: %w", err)
		}
		if err := json.Unmarshal(details, &n.Details); err != nil {
			return fmt.Errorf("stored node %s: %w", n.UUID, err)
		}
		if err := e.node(n); err != nil {
			return err
		}
	}
	return rows.Err()
}

// node writes a node's line.
func (e *exporter) node(n *conductor.Node) (err error) {
	if !e.options.Sealed {
		if n.Details.DriverInfo, err = e.store.open(n.Details.DriverInfo, n.UUID); err != nil {
			return err
		}
	}
	if len(n.Details.DriverInfo) > 0 && (!e.options.Sealed || !bytes.HasPrefix(n.Details.DriverInfo, sealedPrefix)) {
		e.done.InClear++
	}
	if n.Underway() {
		e.done.Underway = append(e.done.Underway, n.Label())
	}
	n.Reservation = ""
	line := map[string]any{"details": n.Details}
	for _, c := range columns {
		switch v := c.field(n).(type) {
		case *string:
			if *v != "" {
				line[c.name] = *v
			}
		case *int64:
			if *v != 0 {
				line[c.name] = *v
			}
		case *bool:
			if *v {
				line[c.name] = true
			}
		}
	}
	e.done.Nodes++
	return e.lines.Encode(map[string]any{"node": line})
}

func (e *exporter) records(ctx context.Context, tx *sql.Tx) error {
	const all = "SELECT kind, uuid, COALESCE(name, ''), node_uuid, document FROM records WHERE kind NOT IN (?, ?) ORDER BY id"
	rows, err := tx.QueryContext(ctx, e.store.dialect.rebind(all), string(conductor.KindConductor), string(conductor.KindShared))
	if err != nil {
		return fmt.Errorf("list records: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r fileRecord
		var document []byte
		if err := rows.Scan(&r.Kind, &r.UUID, &r.Name, &r.NodeUUID, &document); err != nil {
			return fmt.Errorf("list records: %w", err)
		}
		r.Document = document
		if err := e.lines.Encode(map[string]any{"record": r}); err != nil {
			return fmt.Errorf("%s %s: %w", r.Kind, r.UUID, err)
		}
		e.done.Records++
	}
	return rows.Err()
}
