package amt

import (
	"context"
	"sync"
	"time"

	"bosh-ironic-cpi/src/wait"
)

// A prober finds out whether a host is there, and wakes a management engine by that.
type prober interface {
	probe(ctx context.Context, host string, port int) error
}

// awake knows which engines are awake. One goes to sleep when its host is off and nobody has asked for a while
// (IdleTimeout, 60 s by default), and the first packets that wake it are lost. Safe for concurrent use.
type awake struct {
	prober prober
	turns  wait.Turns // one ping at a time for each

	mu   sync.Mutex
	seen map[string]time.Time // when each was last seen awake
}

// More than a process will have. When it is reached, all are forgotten: that costs each node one ping.
const maxAwake = 10000

// ensure returns when the engine is awake, or the prober's error.
func (a *awake) ensure(ctx context.Context, uuid string, i info) error {
	if i.awakeInterval == 0 {
		return nil
	}
	key := uuid + " " + i.hostPort() // a node that moves to another address is another one
	leave, err := a.turns.Take(ctx, key)
	if err != nil {
		return err
	}
	defer leave()
	if a.fresh(key, i.awakeInterval) {
		return nil
	}
	if err := a.prober.probe(ctx, i.address, i.port); err != nil {
		return err
	}
	a.note(key)
	return nil
}

func (a *awake) fresh(key string, interval time.Duration) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	at, ok := a.seen[key]
	return ok && time.Since(at) <= interval
}

func (a *awake) note(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen == nil || len(a.seen) >= maxAwake {
		a.seen = map[string]time.Time{}
	}
	a.seen[key] = time.Now()
}
