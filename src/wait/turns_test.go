package wait_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"bosh-ironic-cpi/src/wait"
)

func TestTurns(t *testing.T) {
	var turns wait.Turns
	var all sync.WaitGroup
	inside, sum := map[string]int{}, map[string]int{}
	var mu sync.Mutex // of the maps
	for i := range 200 {
		all.Go(func() {
			key := []string{"a", "b"}[i%2]
			leave, err := turns.Take(t.Context(), key)
			if err != nil {
				t.Error(err)
				return
			}
			defer leave()
			mu.Lock()
			inside[key]++
			if inside[key] > 1 {
				t.Errorf("%d at once at %s", inside[key], key)
			}
			mu.Unlock()
			mu.Lock()
			inside[key]--
			sum[key]++
			mu.Unlock()
		})
	}
	all.Wait()
	if sum["a"] != 100 || sum["b"] != 100 {
		t.Errorf("turns were %v; want 100 each", sum)
	}
}

func TestTurnsEndWithTheContext(t *testing.T) {
	var turns wait.Turns
	leave, err := turns.Take(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := turns.Take(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Take with an ended context: %v", err)
	}
	leave()
	leave, err = turns.Take(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	leave()
}
