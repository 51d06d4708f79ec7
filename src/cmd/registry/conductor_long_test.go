//go:build integration && long

package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"bosh-ironic-cpi/src/wait"
)

// One of two daemons stands still until the other one has taken over, and then goes on as if nothing had happened: it
// leaves what is no longer its own.
func TestConductorStalls(t *testing.T) {
	t.Parallel()
	signal := func(one *served, s syscall.Signal) {
		if err := syscall.Kill(one.PID(), s); err != nil {
			t.Fatal(err)
		}
	}
	wake := func(one *served) {
		signal(one, syscall.SIGCONT)
		pace := wait.Pace{Every: 20 * time.Millisecond, Limit: 20 * time.Second}
		err := wait.Until(t.Context(), pace, "its workers to see that their locks are lost", func(context.Context) (bool, string, error) {
			log, err := os.ReadFile(one.Log)
			n := strings.Count(string(log), "left a node")
			return n == 10, fmt.Sprint(n), err
		})
		if err != nil {
			t.Error(err)
		}
	}
	takeover(t, func(one *served) { signal(one, syscall.SIGSTOP) }, wake)
}
