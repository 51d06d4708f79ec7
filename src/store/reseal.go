package store

import (
	"context"
	"errors"
	"fmt"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
)

// allSealed is the name of the record that says that no node is left from before there was a key.
const allSealed = "driver_info is sealed"

// sealRest seals the driver_info of nodes that were stored before there was a key, once. What a file held of them in the
// clear is written over; PostgreSQL keeps old rows until it vacuums.
func (s *Store) sealRest(ctx context.Context) error {
	done := func(tx conductor.Tx) error {
		_, err := conductor.Get[conductor.Shared](tx, allSealed)
		return err
	}
	if err := s.View(ctx, done); !errors.Is(err, baremetal.ErrNotFound) {
		return err
	}
	err := s.Update(ctx, func(tx conductor.Tx) error {
		nodes, err := tx.Nodes(conductor.NodeQuery{})
		if err != nil {
			return err
		}
		for _, n := range nodes {
			if len(n.Details.DriverInfo) == 0 {
				continue
			}
			if err := tx.PutNode(n); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if s.dialect == sqlite {
		for _, tidy := range []string{"VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"} {
			switch _, err := s.writes.ExecContext(ctx, tidy); {
			case err != nil && atOnce(err): // others have it open: the next one who opens it does this again
				return nil
			case err != nil:
				return fmt.Errorf("write over what was in the clear: %w", err)
			}
		}
	}
	return s.Update(ctx, func(tx conductor.Tx) error { return conductor.Put(tx, &conductor.Shared{Name: allSealed}) })
}
