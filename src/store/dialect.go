package store

import (
	"errors"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// A dialect is where the two databases differ.
type dialect struct {
	identity string // type of a column that numbers rows
	numbered bool   // placeholders are $1, $2
	locking  string // what makes a query lock its rows
}

var (
	sqlite   = dialect{identity: "INTEGER PRIMARY KEY AUTOINCREMENT"}
	postgres = dialect{identity: "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", numbered: true, locking: " FOR UPDATE"}
)

// rebind writes placeholders as the database wants them.
func (d dialect) rebind(query string) string {
	if !d.numbered {
		return query
	}
	var b strings.Builder
	n := 0
	for part := range strings.SplitSeq(query, "?") {
		if n > 0 {
			b.WriteString("$" + strconv.Itoa(n))
		}
		b.WriteString(part)
		n++
	}
	return b.String()
}

// taken tells which unique column a statement violated, if that is why it failed.
func taken(err error) (column string, ok bool) {
	if e, is := errors.AsType[*pgconn.PgError](err); is && e.Code == "23505" {
		text := strings.TrimSuffix(e.ConstraintName, "_key") // nodes_name_key, records_kind_name_key
		return text[strings.Index(text, "_")+1:], true
	}
	_, columns, found := strings.Cut(err.Error(), "UNIQUE constraint failed: ")
	if !found {
		return "", false
	}
	columns, _, _ = strings.Cut(columns, " (")
	return columns[strings.LastIndex(columns, ".")+1:], true
}

// again reports whether a transaction failed only because another one was faster.
func again(err error) bool {
	e, is := errors.AsType[*pgconn.PgError](err)
	return is && (e.Code == "40001" || e.Code == "40P01")
}
