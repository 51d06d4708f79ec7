package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
)

// A transaction implements conductor.Tx.
type transaction struct {
	*Store
	ctx    context.Context //nolint:containedctx // the transaction's own
	db     *sql.DB
	tx     *sql.Tx
	writes bool
}

var _ conductor.Tx = (*transaction)(nil)

// A query is a statement that is ready to run: database/sql's Stmt, or a text for pgx, which prepares by itself.
type query interface {
	QueryContext(ctx context.Context, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, args ...any) *sql.Row
	ExecContext(ctx context.Context, args ...any) (sql.Result, error)
}

type text struct {
	tx  *sql.Tx
	sql string
}

func (q text) QueryContext(ctx context.Context, args ...any) (*sql.Rows, error) {
	return q.tx.QueryContext(ctx, q.sql, args...)
}

func (q text) QueryRowContext(ctx context.Context, args ...any) *sql.Row {
	return q.tx.QueryRowContext(ctx, q.sql, args...)
}

func (q text) ExecContext(ctx context.Context, args ...any) (sql.Result, error) {
	return q.tx.ExecContext(ctx, q.sql, args...)
}

func (t *transaction) prepared(sql string) (query, error) {
	if t.dialect == postgres {
		return text{t.tx, postgres.rebind(sql)}, nil
	}
	s, err := t.statement(t.ctx, t.db, sql)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", sql, err)
	}
	return t.tx.StmtContext(t.ctx, s), nil
}

// locking is what a query ends with so that nobody else changes its rows meanwhile.
func (t *transaction) locking() string {
	if t.writes {
		return t.dialect.locking
	}
	return ""
}

func (t *transaction) exec(query string, args ...any) error {
	s, err := t.prepared(query)
	if err != nil {
		return err
	}
	_, err = s.ExecContext(t.ctx, args...)
	return err
}

// Node implements conductor.Tx.
func (t *transaction) Node(ident string) (*conductor.Node, error) {
	column := "name"
	if len(ident) == 36 && strings.Count(ident, "-") == 4 {
		column = "uuid"
	}
	s, err := t.prepared(wholeNode + " FROM nodes WHERE " + column + " = ?" + t.locking())
	if err != nil {
		return nil, err
	}
	n := &conductor.Node{}
	var details []byte
	err = s.QueryRowContext(t.ctx, ident).Scan(append(fields(n), &details)...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, conductor.NotFound(ident)
	}
	if err != nil {
		return nil, fmt.Errorf("read node %s: %w", ident, err)
	}
	return n, t.decode(details, n, nil)
}

// Nodes implements conductor.Tx.
func (t *transaction) Nodes(q conductor.NodeQuery) ([]*conductor.Node, error) {
	var all []*conductor.Node
	err := t.EachNode(q, func(n *conductor.Node) error {
		kept := *n
		all = append(all, &kept)
		return nil
	})
	return all, err
}

// EachNode implements conductor.Tx.
func (t *transaction) EachNode(q conductor.NodeQuery, each func(*conductor.Node) error) error {
	columns, query, args, err := t.nodesQuery(q)
	if err != nil {
		return err
	}
	rows, err := t.tx.QueryContext(t.ctx, t.dialect.rebind(query), args...) // clients can think of too many to keep them prepared
	if err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	defer rows.Close()
	n := &conductor.Node{}
	into := fieldsOf(n, columns)
	var details sql.RawBytes
	if !q.Brief {
		into = append(into, &details)
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("list nodes: %w", err)
		}
		n.Details = conductor.Details{}
		if !q.Brief {
			if err := t.decode(details, n, q.OnlyDetails); err != nil {
				return err
			}
		}
		if err := each(n); err != nil {
			return err
		}
	}
	return rows.Err()
}

// nodesQuery writes the SELECT. Values travel as arguments only.
func (t *transaction) nodesQuery(q conductor.NodeQuery) ([]column, string, []any, error) {
	columns, query, err := selected(q)
	if err != nil {
		return nil, "", nil, err
	}
	var where []string
	var args []any
	for _, c := range q.Where {
		col, err := known(c.Column)
		if err != nil {
			return nil, "", nil, err
		}
		value := c.Value
		if b, ok := value.(bool); ok {
			value = truth(b)
		}
		switch c.Op {
		case "=", "!=":
			where = append(where, col.expression()+" "+c.Op+" ?")
			if col.nullable && c.Op == "=" && value != "" { // so that the index is used
				where[len(where)-1] = col.name + " = ?"
			}
		case "contains":
			where = append(where, "LOWER("+col.expression()+") LIKE ? ESCAPE '!'")
			value = "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(strings.ToLower(fmt.Sprint(value))) + "%"
		default:
			return nil, "", nil, fmt.Errorf("no operator %q", c.Op)
		}
		args = append(args, value)
	}
	order, above := "id", ">"
	if q.Desc {
		above = "<"
	}
	sort := "id"
	if q.SortBy != "" {
		col, err := known(q.SortBy)
		if err != nil {
			return nil, "", nil, err
		}
		sort = col.expression()
		order = sort + direction(q.Desc) + ", id"
	}
	if q.After != "" {
		marker := "(SELECT id FROM nodes WHERE uuid = ?)"
		if sort == "id" {
			where = append(where, "id "+above+" "+marker)
			args = append(args, q.After)
		} else {
			value := "(SELECT " + sort + " FROM nodes WHERE uuid = ?)"
			where = append(where, "("+sort+" "+above+" "+value+" OR ("+sort+" = "+value+" AND id "+above+" "+marker+"))")
			args = append(args, q.After, q.After, q.After)
		}
	}
	query += " FROM nodes"
	if len(where) > 0 {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	query += " ORDER BY " + order + direction(q.Desc)
	if q.Limit > 0 {
		query += " LIMIT ?"
		args = append(args, q.Limit)
	}
	return columns, query + t.locking(), args, nil
}

func direction(desc bool) string {
	if desc {
		return " DESC"
	}
	return ""
}

// PutNode implements conductor.Tx.
func (t *transaction) PutNode(n *conductor.Node) error {
	details, err := t.encode(n)
	if err != nil {
		return err
	}
	args := append(arguments(n), details)
	if n.ID == 0 {
		s, err := t.prepared(insertNode)
		if err != nil {
			return err
		}
		return nodeError(s.QueryRowContext(t.ctx, args...).Scan(&n.ID), n)
	}
	return nodeError(t.exec(updateNode, append(args, n.ID)...), n)
}

// nodeError says in Ironic's words what is taken.
func nodeError(err error, n *conductor.Node) error {
	if err == nil {
		return nil
	}
	column, ok := taken(err)
	if !ok {
		return fmt.Errorf("store node %s: %w", n.UUID, err)
	}
	switch column {
	case "name":
		return &conductor.Error{Kind: baremetal.ErrTaken, Text: "A node with name " + n.Name + " already exists."}
	case "instance_uuid":
		return &conductor.Error{Kind: baremetal.ErrAssociated, Text: "Instance " + n.InstanceUUID +
			" is already associated with a node, it cannot be associated with this other node " + n.UUID}
	}
	return &conductor.Error{Kind: baremetal.ErrTaken, Text: "A node with UUID " + n.UUID + " already exists."}
}

// DeleteNode implements conductor.Tx.
func (t *transaction) DeleteNode(uuid string) error {
	return t.exec("DELETE FROM nodes WHERE uuid = ?", uuid)
}

// Row implements conductor.Tx.
func (t *transaction) Row(kind conductor.Kind, ident string) (conductor.Row, error) {
	rows, err := t.rows("WHERE kind = ? AND uuid = ?", kind, string(kind), ident)
	if err == nil && len(rows) == 0 {
		rows, err = t.rows("WHERE kind = ? AND name = ?", kind, string(kind), ident)
	}
	if err != nil {
		return conductor.Row{}, err
	}
	if len(rows) == 0 {
		return conductor.Row{}, &conductor.Error{Kind: baremetal.ErrNotFound, Text: noun(kind) + " " + ident + " could not be found."}
	}
	return rows[0], nil
}

// Rows implements conductor.Tx.
func (t *transaction) Rows(q conductor.RowQuery) ([]conductor.Row, error) {
	where, args := "WHERE kind = ?", []any{string(q.Kind)}
	if q.NodeUUID != "" {
		where += " AND node_uuid = ?"
		args = append(args, q.NodeUUID)
	}
	if q.Name != "" {
		where += " AND name = ?"
		args = append(args, q.Name)
	}
	if q.After != "" {
		where += " AND id > (SELECT id FROM records WHERE kind = ? AND uuid = ?)"
		args = append(args, string(q.Kind), q.After)
	}
	where += " ORDER BY id"
	if q.Limit > 0 {
		where += " LIMIT ?"
		args = append(args, q.Limit)
	}
	return t.rows(where, q.Kind, args...)
}

func (t *transaction) rows(where string, kind conductor.Kind, args ...any) ([]conductor.Row, error) {
	s, err := t.prepared("SELECT id, uuid, COALESCE(name, ''), node_uuid, document FROM records " + where + t.locking())
	if err != nil {
		return nil, err
	}
	found, err := s.QueryContext(t.ctx, args...)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", kind, err)
	}
	defer found.Close()
	var all []conductor.Row
	for found.Next() {
		r := conductor.Row{Kind: kind}
		if err := found.Scan(&r.ID, &r.UUID, &r.Name, &r.NodeUUID, &r.Document); err != nil {
			return nil, fmt.Errorf("list %s: %w", kind, err)
		}
		all = append(all, r)
	}
	return all, found.Err()
}

const insertRow = "INSERT INTO records (kind, uuid, name, node_uuid, document) VALUES (?, ?, ?, ?, ?) ON CONFLICT (kind, uuid) DO "

// PutRow implements conductor.Tx.
func (t *transaction) PutRow(r conductor.Row) error {
	_, err := t.insert("UPDATE SET name = excluded.name, node_uuid = excluded.node_uuid, document = excluded.document", r)
	return err
}

// AddRow implements conductor.Tx.
func (t *transaction) AddRow(r conductor.Row) error {
	count, err := t.insert("NOTHING", r)
	if err == nil && count == 0 {
		return &conductor.Error{Kind: baremetal.ErrTaken, Text: indefinite(r.Kind) + " with UUID " + r.UUID + " already exists."}
	}
	return err
}

// insert stores a row, or does otherwise where its UUID is there. It tells how many rows it wrote.
func (t *transaction) insert(otherwise string, r conductor.Row) (int64, error) {
	var name any
	if r.Name != "" {
		name = r.Name
	}
	s, err := t.prepared(insertRow + otherwise)
	if err != nil {
		return 0, err
	}
	done, err := s.ExecContext(t.ctx, string(r.Kind), r.UUID, name, r.NodeUUID, string(r.Document))
	if err == nil {
		return done.RowsAffected()
	}
	if _, ok := taken(err); !ok {
		return 0, fmt.Errorf("store %s %s: %w", r.Kind, r.UUID, err)
	}
	text := indefinite(r.Kind) + " with name " + r.Name + " already exists."
	if r.Kind == conductor.KindPort {
		text = "A port with MAC address " + r.Name + " already exists."
	}
	return 0, &conductor.Error{Kind: baremetal.ErrTaken, Text: text}
}

// indefinite is a kind with its article.
func indefinite(kind conductor.Kind) string {
	if kind == conductor.KindAllocation {
		return "An allocation"
	}
	return "A " + strings.ToLower(noun(kind))
}

func noun(kind conductor.Kind) string {
	text := strings.ReplaceAll(string(kind), "_", " ")
	return strings.ToUpper(text[:1]) + text[1:]
}

// DeleteRow implements conductor.Tx.
func (t *transaction) DeleteRow(kind conductor.Kind, uuid string) error {
	return t.exec("DELETE FROM records WHERE kind = ? AND uuid = ?", string(kind), uuid)
}

// DeleteRowsOf implements conductor.Tx.
func (t *transaction) DeleteRowsOf(nodeUUID string) error {
	return t.exec("DELETE FROM records WHERE node_uuid = ?", nodeUUID)
}

// encode writes a node's details, with driver_info sealed if there is a key.
func (t *transaction) encode(n *conductor.Node) (string, error) {
	details := n.Details
	if t.sealed != nil && len(details.DriverInfo) > 0 {
		details.DriverInfo = t.seal(details.DriverInfo, n.UUID)
	}
	text, err := json.Marshal(details)
	if err != nil {
		return "", fmt.Errorf("store node %s: %w", n.UUID, err)
	}
	return string(text), nil
}

// decode reads a node's details, or those wanted. Their objects are parts of one copy of the text: most are passed on
// as they are.
func (t *transaction) decode(text []byte, n *conductor.Node, wanted []string) error {
	d := &n.Details
	var err error
	known := conductor.Object(bytes.Clone(text)).Members(func(name string, value []byte) {
		into := object(d, name)
		switch {
		case err != nil, wanted != nil && !slices.Contains(wanted, name):
		case into != nil:
			if string(value) != "{}" && string(value) != "null" {
				*into = value
			}
		case name == "interfaces":
			d.Interfaces, err = texts(string(value))
		default:
			err = json.Unmarshal(fmt.Appendf(nil, `{"%s":%s}`, name, value), d)
		}
	})
	if !known {
		*d = conductor.Details{}
		err = json.Unmarshal(text, d)
	}
	if err != nil {
		return fmt.Errorf("stored node %s: %w", n.UUID, err)
	}
	d.DriverInfo, err = t.open(d.DriverInfo, n.UUID)
	return err
}

// object is where a member of the details that is an object goes, nil for others.
func object(d *conductor.Details, name string) *conductor.Object {
	switch name {
	case "properties":
		return &d.Properties
	case "driver_info":
		return &d.DriverInfo
	case "extra":
		return &d.Extra
	case "instance_info":
		return &d.InstanceInfo
	case "driver_internal_info":
		return &d.DriverInternalInfo
	case "network_data":
		return &d.NetworkData
	case "target_raid_config":
		return &d.TargetRAIDConfig
	}
	return nil
}

// texts reads an object of strings.
func texts(text string) (map[string]string, error) {
	m := map[string]string{}
	if strings.Contains(text, `\`) {
		return m, json.Unmarshal([]byte(text), &m)
	}
	parts := strings.Split(text, `"`) // {"a":"b","c":"d"}
	for i := 1; i+2 < len(parts); i += 4 {
		m[parts[i]] = parts[i+2]
	}
	return m, nil
}
