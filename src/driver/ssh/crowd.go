package ssh

import (
	"context"
	"sync"
)

// most connections to one host at a time: sshd drops some when ten are at its door (MaxStartups), and a conductor asks all its
// nodes side by side.
const atOnce = 8

// crowd is all who are connected, in this process.
var crowd doors

// doors are limits, one for each address.
type doors struct {
	mu sync.Mutex
	at map[string]chan struct{}
}

// enter waits for a place. Call leave once, when the connection is closed.
func (d *doors) enter(ctx context.Context, address string) (leave func(), err error) {
	d.mu.Lock()
	if d.at == nil {
		d.at = map[string]chan struct{}{}
	}
	places := d.at[address]
	if places == nil {
		places = make(chan struct{}, atOnce)
		d.at[address] = places
	}
	d.mu.Unlock()
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
