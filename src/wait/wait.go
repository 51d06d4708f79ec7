// Package wait asks again until something has happened.
//
// [Until] is the only way to wait for a state in this module: it asks at once, paces itself, ends when the
// asker says that waiting is useless, and says in its error what it saw last. [Turns] is for those of one process
// who must not do something at the same time.
package wait

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// A Pace says how often to ask and for how long.
type Pace struct {
	First time.Duration // pause after the first question; Every if zero
	Every time.Duration // longest pause: First grows by half each time until it is reached
	Limit time.Duration // how long to wait in all; zero leaves it to the context
}

// Until calls ask until it reports done or an error, and returns that error.
//
// now is what ask saw, in a word or two, for the error text; goal is what is waited for. When the limit or
// the context ends the wait, the error wraps the context's error and reads
// "waiting for GOAL (now: NOW): context deadline exceeded".
func Until(ctx context.Context, p Pace, goal string, ask func(context.Context) (done bool, now string, err error)) error {
	if p.Limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.Limit)
		defer cancel()
	}
	pause := p.First
	if pause <= 0 || pause > p.Every {
		pause = p.Every
	}
	last := "not asked yet"
	for {
		done, now, err := ask(ctx)
		if now != "" {
			last = now
		}
		switch {
		case ctx.Err() != nil && !done:
			return fmt.Errorf("waiting for %s (now: %s): %w", goal, last, ctx.Err())
		case err != nil || done:
			return err
		}
		if err := Pause(ctx, jitter(pause)); err != nil {
			return fmt.Errorf("waiting for %s (now: %s): %w", goal, last, err)
		}
		pause = min(pause+pause/2, p.Every)
	}
}

// Pause waits for d, or until ctx ends; then it returns ctx's error.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// jitter spreads d by a tenth either way, so that many processes do not ask in step.
func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return d - d/10 + rand.N(d/5+1)
}
