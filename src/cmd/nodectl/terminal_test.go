package main

import (
	"bytes"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A terminal is one that a test types on and reads from.
type terminal struct {
	*os.File          // of the test
	theirs   *os.File // of the program
	mu       sync.Mutex
	shown    bytes.Buffer
	changed  chan struct{}
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := ours.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var number uint32
	if err := raw.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			number, err = unix.IoctlGetUint32(int(fd), unix.TIOCGPTN)
		}
	}); err != nil {
		t.Fatal(err)
	}
	theirs, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := &terminal{File: ours, theirs: theirs, changed: make(chan struct{}, 1)}
	var reader sync.WaitGroup
	reader.Go(s.read)
	t.Cleanup(func() {
		_ = theirs.Close()
		_ = ours.Close()
		reader.Wait()
	})
	return s
}

func (s *terminal) read() {
	chunk := make([]byte, 4096)
	for {
		n, err := s.Read(chunk)
		s.mu.Lock()
		s.shown.Write(chunk[:n])
		s.mu.Unlock()
		select {
		case s.changed <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

func (s *terminal) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.String()
}

// await waits until the terminal has shown something.
func (s *terminal) await(t *testing.T, text string) {
	t.Helper()
	patience := time.After(30 * time.Second)
	for !bytes.Contains([]byte(s.text()), []byte(text)) {
		select {
		case <-s.changed:
		case <-patience:
			t.Fatalf("the terminal shows no %q:\n%s", text, s.text())
		}
	}
}

// mode is how the terminal is set.
func (s *terminal) mode(t *testing.T) unix.Termios {
	t.Helper()
	mode, err := unix.IoctlGetTermios(int(s.theirs.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *mode
}
