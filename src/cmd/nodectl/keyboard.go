package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// rawTerminal has a terminal hand on every key, also Ctrl-C, until restore, which may be called twice. Other streams are
// left alone.
func rawTerminal(in io.Reader) (restore func(), err error) {
	if !isTerminal(in) {
		return func() {}, nil
	}
	fd := int(in.(*os.File).Fd())
	before, err := term.MakeRaw(fd)
	if err != nil {
		return nil, err
	}
	return sync.OnceFunc(func() { _ = term.Restore(fd, before) }), nil
}

// A keyboard is standard input as far as it can be left before it ends.
type keyboard struct {
	in           io.Reader
	file         *os.File // the same, if it is one
	wake, waking *os.File // a pipe
	stop         func()
}

func newKeyboard(in io.Reader) (*keyboard, error) {
	k := &keyboard{in: in}
	k.file, _ = in.(*os.File)
	var err error
	if k.wake, k.waking, err = os.Pipe(); err != nil {
		return nil, err
	}
	k.stop = sync.OnceFunc(func() { _ = k.waking.Close() })
	return k, nil
}

// Close implements io.Closer.
func (k *keyboard) Close() error {
	k.stop()
	return k.wake.Close()
}

// typeInto types what comes until ~. or stop, which are nil; the end of the input is io.EOF.
func (k *keyboard) typeInto(port io.Writer) error {
	escape := newEscape()
	chunk := make([]byte, 4096)
	for {
		if stopped, err := k.await(); stopped || err != nil {
			return err
		}
		n, err := k.in.Read(chunk)
		text, end := escape.filter(chunk[:n])
		if len(text) > 0 {
			if _, err := port.Write(text); err != nil {
				return err
			}
		}
		if end || err != nil {
			return err
		}
	}
}

// await waits until there is something to read, or stop was called.
func (k *keyboard) await() (stopped bool, err error) {
	if k.file == nil {
		return false, nil
	}
	fds := []unix.PollFd{
		{Fd: int32(k.file.Fd()), Events: unix.POLLIN}, //nolint:gosec // a file descriptor is small
		{Fd: int32(k.wake.Fd()), Events: unix.POLLIN}, //nolint:gosec // a file descriptor is small
	}
	for {
		_, err := unix.Poll(fds, -1)
		if !errors.Is(err, unix.EINTR) {
			return fds[1].Revents != 0, err
		}
	}
}

// An escape finds ~. in what is typed, as ssh does: at the beginning of a line alone.
type escape struct {
	beginning bool // of a line
	tilde     bool // which is kept back until it is known what follows
}

func newEscape() *escape { return &escape{beginning: true} }

// filter returns what is to be typed, and whether ~. ends it.
func (e *escape) filter(typed []byte) (text []byte, end bool) {
	var out bytes.Buffer
	for _, key := range typed {
		switch {
		case e.tilde && key == '.':
			return out.Bytes(), true
		case e.tilde && key != '~':
			out.WriteByte('~')
		case e.beginning && !e.tilde && key == '~':
			e.tilde = true
			continue
		}
		e.tilde, e.beginning = false, key == '\r' || key == '\n'
		out.WriteByte(key)
	}
	return out.Bytes(), false
}
