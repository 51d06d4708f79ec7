package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// asProgram in the environment makes the test binary nodectl itself: for tests of signals, of several processes at once, and
// of its own memory.
const (
	asProgram = "NODECTL_TEST_PROGRAM"
	peakFile  = "NODECTL_TEST_PEAK" // where it writes the most memory that it had, in KiB
)

// runIfProgram is for the beginning of TestMain.
func runIfProgram() {
	if os.Getenv(asProgram) == "" {
		return
	}
	status := run()
	if path := os.Getenv(peakFile); path != "" {
		_ = os.WriteFile(path, []byte(strconv.Itoa(peakKiB())), 0o600)
	}
	os.Exit(status)
}

// program is a command line as a process of its own.
func program(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1", "GORACE=atexit_sleep_ms=0") // the race detector would have each wait a second
	return cmd
}

// peakKiB is the most memory that this process had.
func peakKiB() int {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			n, _ := strconv.Atoi(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte("kB")))))
			return n
		}
	}
	return 0
}

// exitStatus is what a process ended with.
func exitStatus(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return exitDone
	}
	e, ok := err.(*exec.ExitError) //nolint:errorlint // as os/exec gives it
	if !ok {
		t.Fatal(err)
	}
	return e.ExitCode()
}
