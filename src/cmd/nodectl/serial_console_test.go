package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"bosh-ironic-cpi/src/bmc/ipmi"
	"bosh-ironic-cpi/src/driver"
)

func TestEscape(t *testing.T) {
	tests := []struct {
		typed, want string
		ends        bool
	}{
		{"ls\r", "ls\r", false},
		{"~.", "", true},
		{"ls\r~.more", "ls\r", true},
		{"ls\n~.", "ls\n", true},
		{"ls ~.", "ls ~.", false},
		{"~~.", "~.", false},
		{"~~~.", "~~.", false},
		{"~a\r~.", "~a\r", true},
		{"~\r~.", "~\r", true},
		{"~~\r~.", "~\r", true},
		{"cd ~\r~~/x", "cd ~\r~/x", false},
	}
	for _, tt := range tests {
		for size := 1; size <= len(tt.typed); size++ { // as it may come
			e := newEscape()
			var got []byte
			ends := false
			for rest := []byte(tt.typed); len(rest) > 0 && !ends; {
				n := min(size, len(rest))
				text, end := e.filter(rest[:n])
				got, ends, rest = append(got, text...), end, rest[n:]
			}
			if string(got) != tt.want || ends != tt.ends {
				t.Errorf("%q by %d: %q, %v; want %q, %v", tt.typed, size, got, ends, tt.want, tt.ends)
			}
		}
	}
}

// shout is a serial port that says what it is told, louder.
func shout(context.Context) (io.ReadWriteCloser, error) {
	r, w := io.Pipe()
	return &shouter{PipeReader: r, w: w}, nil
}

type shouter struct {
	*io.PipeReader
	w *io.PipeWriter
}

func (s *shouter) Write(p []byte) (int, error) {
	return s.w.Write(bytes.ToUpper(p))
}

func (s *shouter) Close() error { return errors.Join(s.w.Close(), s.PipeReader.Close()) }

// By pipes: what is typed arrives.
func TestConsoleByPipes(t *testing.T) {
	before := goleak.IgnoreCurrent()
	w := wireIPMI(t, ipmi.Config{Console: shout})
	in, typing := pipe(t)
	showing, out := pipe(t)
	var messages bytes.Buffer
	done := make(chan int, 1)
	go func() {
		done <- nodectl(t.Context(), append([]string{"console"}, w.flags...), in, out, &messages)
	}()
	text := strings.Repeat("the quick brown fox. ", 200)
	go func() { _, _ = io.WriteString(typing, text) }()
	got := make([]byte, len(text))
	if _, err := io.ReadFull(showing, got); err != nil || string(got) != strings.ToUpper(text) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := io.WriteString(typing, "\n~."); err != nil {
		t.Error(err)
	}
	if status := <-done; status != exitDone {
		t.Errorf("status %d: %s", status, messages.String())
	}
	w.secretFree(t, told{err: messages.String()})
	if n := w.Sessions(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	goleak.VerifyNone(t, before)
}

// The end of what is typed is not the end: one may go on watching. That of the hardware is, and so is an interruption.
func TestConsoleEnds(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, tt := range []struct {
		name string
		end  func(*shouter, context.CancelFunc)
		want error
	}{
		{"hardware ends", func(s *shouter, _ context.CancelFunc) { _ = s.w.Close() }, nil},
		{"hardware fails", func(s *shouter, _ context.CancelFunc) { _ = s.w.CloseWithError(driver.ErrUnreachable) }, driver.ErrUnreachable},
		{"interrupted", func(_ *shouter, cancel context.CancelFunc) { cancel() }, context.Canceled},
	} {
		for _, typing := range []bool{false, true} {
			ctx, cancel := context.WithCancel(t.Context())
			in, keys := pipe(t)
			showing, out := pipe(t)
			r, w := io.Pipe()
			port := &shouter{PipeReader: r, w: w}
			c := &console{in: in, out: out, messages: &screen{w: io.Discard}}
			done := make(chan error, 1)
			go func() { done <- c.converse(ctx, port) }()
			_, _ = io.WriteString(keys, "hello\r")
			if !typing {
				_ = keys.Close()
			}
			got := make([]byte, len("hello\r"))
			if _, err := io.ReadFull(showing, got); err != nil || string(got) != "HELLO\r" {
				t.Errorf("%s: %q, %v", tt.name, got, err)
			}
			tt.end(port, cancel)
			if err := <-done; !errors.Is(err, tt.want) {
				t.Errorf("%s: %v; want %v", tt.name, err, tt.want)
			}
			cancel()
		}
	}
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.Close()
		_ = w.Close()
	})
	return r, w
}

// On a terminal every key goes to the server, Ctrl-C too. However it ends, the terminal is as it was.
func TestConsoleOnATerminal(t *testing.T) {
	type way struct {
		name   string
		keys   string
		signal syscall.Signal
		status int
	}
	for _, tt := range []way{
		{name: "escape", keys: "\r~.", status: exitDone},
		{name: "SIGTERM", signal: syscall.SIGTERM, status: exitInterrupted},
		{name: "SIGINT", signal: syscall.SIGINT, status: exitInterrupted},
		{name: "SIGHUP", signal: syscall.SIGHUP, status: exitInterrupted},
		{name: "SIGQUIT", signal: syscall.SIGQUIT, status: exitInterrupted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := wireIPMI(t, ipmi.Config{Console: shout})
			screen := newTerminal(t)
			before := screen.mode(t)
			cmd := program(t.Context(), append([]string{"console"}, w.flags...)...)
			var messages bytes.Buffer
			cmd.Stdin, cmd.Stdout, cmd.Stderr = screen.theirs, screen.theirs, &messages
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(screen, "hello\r")
			screen.await(t, "HELLO")
			if now := screen.mode(t); now.Lflag&(unix.ECHO|unix.ICANON|unix.ISIG) != 0 {
				t.Errorf("the terminal is not raw: %#x", now.Lflag)
			}
			_, _ = io.WriteString(screen, "\x03still here\r")
			screen.await(t, "\x03STILL HERE")
			_, _ = io.WriteString(screen, tt.keys)
			if tt.signal != 0 {
				_ = cmd.Process.Signal(tt.signal)
			}
			if status := exitStatus(t, cmd.Wait()); status != tt.status {
				t.Errorf("status %d; want %d: %s", status, tt.status, messages.String())
			}
			if after := screen.mode(t); after != before {
				t.Errorf("the terminal is left as %+v; it was %+v", after, before)
			}
		})
	}
}

// A console whose output nobody takes any more ends, and the terminal is as it was.
func TestConsoleWithoutReader(t *testing.T) {
	w := wireIPMI(t, ipmi.Config{Console: shout})
	keys := newTerminal(t)
	before := keys.mode(t)
	cmd := program(t.Context(), append([]string{"console"}, w.flags...)...)
	showing, out := pipe(t)
	cmd.Stdin, cmd.Stdout = keys.theirs, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = out.Close()
	_, _ = io.WriteString(keys, "hello\r")
	if _, err := io.ReadFull(showing, make([]byte, len("HELLO"))); err != nil {
		t.Error(err)
	}
	_ = showing.Close()
	_, _ = io.WriteString(keys, "hello\r")
	if status := exitStatus(t, cmd.Wait()); status != exitFailed {
		t.Errorf("status %d; want %d", status, exitFailed)
	}
	if after := keys.mode(t); after != before {
		t.Errorf("the terminal is left as %+v; it was %+v", after, before)
	}
}
