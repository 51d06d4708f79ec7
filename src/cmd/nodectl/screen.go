package main

import (
	"io"
	"os"
	"sync"

	"golang.org/x/term"
)

// A screen is where messages go: drivers at work side by side write there as well. On a terminal there may be a line below
// them that is written over, and says how far the command is.
type screen struct {
	w    io.Writer
	mu   sync.Mutex
	line string
}

const wipe = "\r\x1b[K" // back to the line's beginning, and clear it

// Write implements io.Writer. p ends with a line break.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line == "" {
		return s.w.Write(p)
	}
	if _, err := io.WriteString(s.w, wipe+string(p)+s.line); err != nil {
		return 0, err
	}
	return len(p), nil
}

// show replaces the line; empty: there is none any more. Only a terminal has one.
func (s *screen) show(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line != "" || line != "" {
		_, _ = io.WriteString(s.w, wipe+line)
	}
	s.line = line
}

// isTerminal reports whether people watch the messages as they come.
func (s *screen) isTerminal() bool { return isTerminal(s.w) }

// isTerminal reports whether a stream is one.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
