package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// abreast does something with many servers, so many of them at once, and shows how far it is. It returns the error of
// each; those whose turn has not come when ctx ends are not touched.
func (c *console) abreast(ctx context.Context, list []*server, most int, do func(ctx context.Context, i int) error) []error {
	failures := make([]error, len(list))
	b := &bar{console: c, of: len(list), shown: len(list) > 1 && c.messages.isTerminal()}
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(most, len(list)) {
		workers.Go(func() {
			for i := range next {
				if ctx.Err() != nil {
					failures[i] = fmt.Errorf("not asked: %w", ctx.Err())
					continue
				}
				failures[i] = do(ctx, i)
				b.step(failures[i])
			}
		})
	}
	for i := range list {
		next <- i
	}
	close(next)
	workers.Wait()
	c.messages.show("")
	return failures
}

// someFailed is errSome where some of many failed, or says how far it came before it was interrupted.
func someFailed(what string, failures []error) error {
	failed, interrupted := 0, 0
	for _, err := range failures {
		switch {
		case errors.Is(err, context.Canceled):
			interrupted++
		case err != nil:
			failed++
		}
	}
	switch of := len(failures); {
	case interrupted > 0:
		return fmt.Errorf("%s: %d of %d servers done: %w", what, of-interrupted, of, context.Canceled)
	case failed > 0:
		return fmt.Errorf("%s: %w: %d of %d", what, errSome, failed, of)
	}
	return nil
}

// A bar shows on a terminal how many of many are done.
type bar struct {
	*console
	mu               sync.Mutex
	done, failed, of int
	shown            bool
}

const barWidth = 40 // characters

func (b *bar) step(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done++
	if err != nil {
		b.failed++
	}
	if !b.shown {
		return
	}
	full := barWidth * b.done / b.of
	line := fmt.Sprintf("[%s%s] %d of %d", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), b.done, b.of)
	if b.failed > 0 {
		line += fmt.Sprintf(", %d failed", b.failed)
	}
	b.messages.show(line)
}
