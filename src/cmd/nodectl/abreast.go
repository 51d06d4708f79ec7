package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// abreast does something with many servers, so many of them at once, and shows how far it is. It returns the error of
// each.
func (c *console) abreast(ctx context.Context, list []*server, most int, do func(ctx context.Context, i int) error) []error {
	failures := make([]error, len(list))
	b := &bar{console: c, of: len(list), shown: len(list) > 1 && c.onTerminal()}
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(most, len(list)) {
		workers.Go(func() {
			for i := range next {
				failures[i] = do(ctx, i)
				b.step(failures[i])
			}
		})
	}
	for i := range list {
		if ctx.Err() != nil {
			failures[i] = ctx.Err()
			continue
		}
		next <- i
	}
	close(next)
	workers.Wait()
	b.end()
	return failures
}

// someFailed is errSome where one of many failed.
func someFailed(what string, failures []error) error {
	failed := 0
	for _, err := range failures {
		if errors.Is(err, context.Canceled) {
			return err
		}
		if err != nil {
			failed++
		}
	}
	if failed == 0 {
		return nil
	}
	return fmt.Errorf("%s: %w: %d of %d", what, errSome, failed, len(failures))
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
	fmt.Fprintf(b.messages, "\r\x1b[K[%s%s] %d of %d", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), b.done, b.of)
	if b.failed > 0 {
		fmt.Fprintf(b.messages, ", %d failed", b.failed)
	}
}

func (b *bar) end() {
	if b.shown {
		fmt.Fprint(b.messages, "\r\x1b[K")
	}
}
