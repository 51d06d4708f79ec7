package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	sqlitedriver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"bosh-ironic-cpi/src/wait"
)

//go:embed migrations
var migrations embed.FS

// newest is the version of the schema that this program works with.
const newest = 1

// migrate brings the schema up to a version, one after the other, each in a transaction of its own.
func migrate(ctx context.Context, db *sql.DB, d dialect, files fs.FS, to int) error {
	if err := makeVersion(ctx, db); err != nil {
		return err
	}
	for {
		at, err := climb(ctx, db, d, files, to)
		if err != nil || at == to {
			return err
		}
		if at > to {
			return fmt.Errorf("its schema is version %d, and this program knows %d: use a newer one", at, to)
		}
	}
}

// makeVersion makes the table of the version. Where processes find no database and make it at the same moment, it asks
// again: SQLite does not wait for the lock under which a file gets its write-ahead log, and PostgreSQL looks whether a
// table is there long before it makes it.
func makeVersion(ctx context.Context, db *sql.DB) error {
	pace := wait.Pace{First: 5 * time.Millisecond, Every: 100 * time.Millisecond, Limit: 10 * time.Second}
	return wait.Until(ctx, pace, "others who make the database", func(ctx context.Context) (bool, string, error) {
		_, err := db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)")
		if err != nil && atOnce(err) {
			return false, err.Error(), nil
		}
		return err == nil, "", err
	})
}

// atOnce reports whether a table could not be made because somebody else is making it.
func atOnce(err error) bool {
	if e, is := errors.AsType[*pgconn.PgError](err); is {
		return slices.Contains([]string{"23505", "42P07", "42710"}, e.Code) // a key of the catalogue, a table, its type
	}
	e, is := errors.AsType[*sqlitedriver.Error](err)
	return is && e.Code()&0xff == sqlite3.SQLITE_BUSY
}

// climb goes up one version, unless it is there.
func climb(ctx context.Context, db *sql.DB, d dialect, files fs.FS, to int) (at int, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	if d == postgres {
		if _, err := tx.ExecContext(ctx, "LOCK TABLE schema_version IN EXCLUSIVE MODE"); err != nil {
			return 0, err
		}
	}
	if err := tx.QueryRowContext(ctx, "SELECT COALESCE(MAX(version), 0) FROM schema_version").Scan(&at); err != nil || at >= to {
		return at, err
	}
	at++
	text, err := fs.ReadFile(files, fmt.Sprintf("migrations/%04d.sql", at))
	if err != nil {
		return 0, err
	}
	for statement := range strings.SplitSeq(strings.ReplaceAll(string(text), "$IDENTITY", d.identity), ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return 0, fmt.Errorf("version %d: %w", at, err)
		}
	}
	if _, err := tx.ExecContext(ctx, d.rebind("INSERT INTO schema_version (version) VALUES (?)"), at); err != nil {
		return 0, err
	}
	return at, tx.Commit()
}
