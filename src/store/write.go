package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"bosh-ironic-cpi/src/conductor"
)

// A change waits for the writer.
type change struct {
	ctx  context.Context //nolint:containedctx // of the caller that waits for done
	act  func(conductor.Tx) error
	done chan error
}

// batch is how many changes may share a transaction: more would keep other processes waiting.
const batch = 64

// Update implements conductor.Store.
func (s *Store) Update(ctx context.Context, act func(conductor.Tx) error) error {
	if s.dialect == postgres {
		for {
			err := s.updateAlone(ctx, act)
			if err == nil || !again(err) || ctx.Err() != nil {
				return err
			}
		}
	}
	c := &change{ctx: ctx, act: act, done: make(chan error, 1)}
	select {
	case s.queue <- c:
	case <-ctx.Done():
		return ctx.Err()
	}
	return <-c.done // soon, and it must be known whether it is stored
}

func (s *Store) updateAlone(ctx context.Context, act func(conductor.Tx) error) error {
	tx, err := s.writes.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("write the store: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	if err := act(&transaction{Store: s, ctx: ctx, db: s.writes, tx: tx, writes: true}); err != nil {
		return err
	}
	return tx.Commit()
}

// write is the one writer of a process: it takes what waits into one transaction.
func (s *Store) write() {
	for first := range s.queue {
		changes := []*change{first}
		results := []error{}
		tx, err := s.writes.BeginTx(context.WithoutCancel(first.ctx), nil)
		for i := 0; err == nil && i < len(changes); i++ {
			whole, result := s.one(tx, changes[i])
			results = append(results, result)
			if !whole {
				err = result
				_ = tx.Rollback() // which may be what happened
				break
			}
			if len(changes) < batch {
				select {
				case next, open := <-s.queue:
					if open {
						changes = append(changes, next)
					}
				default:
				}
			}
		}
		if err == nil {
			err = tx.Commit()
		}
		for i, c := range changes {
			switch {
			case i < len(results) && results[i] != nil:
				c.done <- results[i]
			case err != nil:
				c.done <- fmt.Errorf("write the store: %w", err)
			default:
				c.done <- nil
			}
		}
	}
}

// one carries a change out within the common transaction, all or nothing. whole tells whether that still stands: SQLite
// itself ends a transaction for which there is no room on the disk, and what is written then is written at once.
func (s *Store) one(tx *sql.Tx, c *change) (whole bool, err error) {
	if c.ctx.Err() != nil {
		return true, c.ctx.Err()
	}
	ctx := context.WithoutCancel(c.ctx) // a statement that is cut off would end everybody's transaction
	if _, err := tx.ExecContext(ctx, "SAVEPOINT one"); err != nil {
		return false, err
	}
	err = c.act(&transaction{Store: s, ctx: ctx, db: s.writes, tx: tx, writes: true})
	if err != nil {
		if _, undo := tx.ExecContext(ctx, "ROLLBACK TO one"); undo != nil {
			return false, errors.Join(err, undo)
		}
	}
	if _, failed := tx.ExecContext(ctx, "RELEASE one"); failed != nil {
		return false, errors.Join(err, failed)
	}
	return true, err
}
