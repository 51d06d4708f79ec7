package wait

import (
	"context"
	"sync"
)

// Turns lets one at a time at each key. The zero value is ready.
type Turns struct {
	mu   sync.Mutex
	busy map[string]chan struct{} // closed when the turn is over
}

// Take waits until nobody else has the turn at key, or until ctx ends; then it returns ctx's error. Call leave
// once, when the turn is over.
func (t *Turns) Take(ctx context.Context, key string) (leave func(), err error) {
	ours := make(chan struct{})
	for {
		theirs := t.try(key, ours)
		if theirs == nil {
			return func() { t.leave(key) }, nil
		}
		select {
		case <-theirs:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// try takes the turn, or returns what is closed when its holder leaves.
func (t *Turns) try(key string, ours chan struct{}) (theirs chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if theirs := t.busy[key]; theirs != nil {
		return theirs
	}
	if t.busy == nil {
		t.busy = map[string]chan struct{}{}
	}
	t.busy[key] = ours
	return nil
}

func (t *Turns) leave(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.busy[key])
	delete(t.busy, key)
}
