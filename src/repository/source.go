package repository

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// A source is an upload's reader, watched: it ends with the context, holds the reader to its announced size,
// remembers what went wrong, and can be taken away from whoever still reads.
//
// The last bytes of a reader of known size are handed on only when nothing follows them, so that a server
// never takes a file that is too long for a whole one.
type source struct {
	ctx  context.Context //nolint:containedctx // io.Reader has no room for it; a source lives for one call
	size int64           // -1: not known

	mu   sync.Mutex
	r    io.Reader
	read int64
	err  error // first error of the reader, or ErrSize
}

var errTaken = errors.New("upload is over")

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.r == nil:
		return 0, errTaken
	case s.err != nil:
		return 0, s.err
	case s.ctx.Err() != nil:
		return 0, s.fail(s.ctx.Err())
	case len(p) == 0:
		return 0, nil
	}
	n, err := s.r.Read(p)
	s.read += int64(n)
	if err == nil && s.size >= 0 && s.read == s.size {
		err = s.expectEnd()
	}
	switch {
	case s.size >= 0 && s.read > s.size:
		return 0, s.fail(fmt.Errorf("%w: more than %d bytes", ErrSize, s.size))
	case errors.Is(err, io.EOF) && s.size >= 0 && s.read < s.size:
		return 0, s.fail(fmt.Errorf("%w: %d of %d bytes", ErrSize, s.read, s.size))
	case err != nil && !errors.Is(err, io.EOF):
		return 0, s.fail(err)
	}
	return n, err
}

// expectEnd returns io.EOF when the reader has no more to give.
func (s *source) expectEnd() error {
	var more [1]byte
	for range 100 { // as bufio: a reader that gives neither bytes nor an error is broken
		n, err := s.r.Read(more[:])
		s.read += int64(n)
		if n > 0 || err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

func (s *source) fail(err error) error {
	s.err = err
	return err
}

// take ends the reading: it waits for a Read that is under way. It returns how much was read and the
// reader's error.
func (s *source) take() (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.r = nil
	return s.read, s.err
}
