package store

import (
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"bosh-ironic-cpi/src/conductor"
)

// SQLite ends a transaction by itself when the disk is full, in the middle of what several callers share. Who is told that
// a change is stored finds it, who is told that it is not does not, and the store goes on.
func TestTransactionThatSQLiteEnds(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state.sqlite"), Options{})
	const changes, broken = 20, 7
	var all sync.WaitGroup
	results := make([]error, changes)
	queued, ended := make(chan struct{}), errors.New("database or disk is full")
	var order atomic.Int64
	for i := range changes {
		all.Go(func() {
			results[i] = s.Update(t.Context(), func(tx conductor.Tx) error {
				<-queued // so that they share a transaction
				if err := tx.PutNode(&conductor.Node{UUID: uuidOf(i)}); err != nil {
					return err
				}
				if order.Add(1) != broken {
					return nil
				}
				return errors.Join(ended, tx.(*transaction).exec("ROLLBACK"))
			})
		})
	}
	close(queued)
	all.Wait()
	failed := 0
	err := s.View(t.Context(), func(tx conductor.Tx) error {
		for i, result := range results {
			_, missing := tx.Node(uuidOf(i))
			if (result == nil) != (missing == nil) {
				t.Errorf("change %d was answered with %v, and reading it with %v", i, result, missing)
			}
			if result != nil {
				failed++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if failed == 0 {
		t.Error("nobody was told that a change is lost")
	}
	put(t, s, &conductor.Node{UUID: uuidOf(changes), Name: "on"})
}
