package store

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	_ "github.com/jackc/pgx/v5/stdlib" // driver pgx
	_ "modernc.org/sqlite"             // driver sqlite

	"bosh-ironic-cpi/src/conductor"
)

// A Store is a conductor.Store in a database.
type Store struct {
	dialect dialect
	reads   *sql.DB
	writes  *sql.DB       // SQLite: the writer's
	readers chan struct{} // SQLite: one connection is always left to prepare statements with
	sealed  cipher.AEAD
	queue   chan *change
	ended   sync.WaitGroup
	close   sync.Once

	mu         sync.Mutex
	statements map[string]*sql.Stmt
}

var _ conductor.Store = (*Store)(nil)

// Options of a store.
type Options struct {
	Key []byte // 32 bytes that seal driver_info, also what was stored before; nil: in the clear
}

// Open opens what address names: a file's path, made when it is missing, or a PostgreSQL URL. It brings the schema up to
// date. A schema newer than this program is refused.
func Open(ctx context.Context, address string, o Options) (*Store, error) {
	s := &Store{statements: map[string]*sql.Stmt{}}
	if o.Key != nil {
		block, err := aes.NewCipher(o.Key)
		if err != nil {
			return nil, fmt.Errorf("key of the store: %d bytes, not 32", len(o.Key))
		}
		if s.sealed, err = cipher.NewGCM(block); err != nil {
			return nil, err
		}
	}
	var err error
	if strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://") {
		s.dialect = postgres
		s.reads, err = sql.Open("pgx", address)
		if err != nil {
			return nil, errors.New("the store's PostgreSQL URL makes no sense") // its text may hold a password
		}
		s.reads.SetMaxOpenConns(16)
		s.reads.SetMaxIdleConns(16)
		s.writes = s.reads
	} else {
		s.dialect = sqlite
		if err := os.MkdirAll(filepath.Dir(address), 0o700); err != nil {
			return nil, err
		}
		if s.reads, err = openFile(address, "deferred", readers+1); err != nil {
			return nil, err
		}
		if s.writes, err = openFile(address, "immediate", 2); err != nil {
			return nil, err
		}
	}
	if err := migrate(ctx, s.writes, s.dialect, migrations, newest); err != nil {
		return nil, errors.Join(fmt.Errorf("open the store: %w", err), s.closeAll())
	}
	if s.dialect == sqlite {
		if err := os.Chmod(address, 0o600); err != nil {
			return nil, errors.Join(err, s.closeAll())
		}
		s.queue = make(chan *change, 256)
		s.readers = make(chan struct{}, readers)
		s.ended.Go(s.write)
	}
	if s.sealed != nil {
		if err := s.sealRest(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("seal what was stored before there was a key: %w", err), s.Close())
		}
	}
	return s, nil
}

// readers is how many transactions read a file at once.
const readers = 4

// pageCache is what each connection keeps of a file, in KiB. Readers are several and have the kernel's cache behind
// them; a writer that has too little writes pages before the end of its transaction.
var pageCache = map[string]int{"deferred": 500, "immediate": 2000}

func openFile(path, lock string, connections int) (*sql.DB, error) {
	q := url.Values{"_txlock": {lock}, "_pragma": {
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", fmt.Sprintf("cache_size(-%d)", pageCache[lock]),
	}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// Close waits for changes under way and closes the database.
func (s *Store) Close() error {
	var err error
	s.close.Do(func() {
		if s.queue != nil {
			close(s.queue)
			s.ended.Wait()
		}
		err = s.closeAll()
	})
	return err
}

func (s *Store) closeAll() error {
	if s.reads == s.writes {
		return s.reads.Close()
	}
	return errors.Join(s.reads.Close(), s.writes.Close())
}

// View implements conductor.Store.
func (s *Store) View(ctx context.Context, read func(conductor.Tx) error) error {
	if s.readers != nil {
		select {
		case s.readers <- struct{}{}:
			defer func() { <-s.readers }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	var options sql.TxOptions
	if s.dialect == postgres { // SQLite reads one state anyway
		options = sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}
	}
	tx, err := s.reads.BeginTx(ctx, &options)
	if err != nil {
		return fmt.Errorf("read the store: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	return read(&transaction{Store: s, ctx: ctx, db: s.reads, tx: tx})
}

// statement prepares a query for SQLite once. Queries are few: they are made of columns, not of values.
func (s *Store) statement(ctx context.Context, db *sql.DB, query string) (*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := query
	if db == s.writes {
		key = "w" + query
	}
	if ready, ok := s.statements[key]; ok {
		return ready, nil
	}
	ready, err := db.PrepareContext(context.WithoutCancel(ctx), query) //nolint:sqlclosecheck // kept, and closed with the database
	if err == nil {
		s.statements[key] = ready
	}
	return ready, err
}
