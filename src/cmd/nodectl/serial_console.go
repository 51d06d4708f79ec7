package main

import (
	"context"
	"errors"
	"io"
	"os/signal"
	"sync"
	"syscall"

	"bosh-ironic-cpi/src/driver"
)

// serialConsole is "console".
type serialConsole struct {
	hardwareFlags
	ID string `arg:"" optional:"" name:"server" help:"Name or UUID in the inventory."`
}

// Help is the end of the command's help.
func (serialConsole) Help() string {
	return "~. at the beginning of a line ends it, ~~ is one ~.\n\nExamples:\n" +
		"  nodectl console rack-3-unit-7 --inventory nodes.yaml\n  nodectl console rack-3-unit-7 --inventory nodes.yaml > boot.log"
}

// Run joins the server's serial port to standard input and output, until one of them ends or ~. is typed.
func (k *serialConsole) Run(ctx context.Context, c *console) error {
	// None of the signals that end a process may leave the terminal raw.
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP, syscall.SIGQUIT)
	defer stop()
	signal.Ignore(syscall.SIGPIPE) // an output that nobody reads is an error of writing then
	defer signal.Reset(syscall.SIGPIPE)
	s, err := k.server(c, k.ID)
	if err != nil {
		return err
	}
	var port io.ReadWriteCloser
	err = c.within(ctx, func(ctx context.Context) error {
		able, err := can[driver.Console](s, "power", "serial console")
		if err == nil {
			port, err = able.Console(ctx, s.Node)
		}
		return err
	})
	if err := errors.Join(s.about(err), k.remember([]*server{s})); err != nil {
		if port != nil {
			err = errors.Join(err, port.Close())
		}
		return err
	}
	c.note("%s: ~. at the beginning of a line ends the console", s.name)
	err = c.converse(ctx, port)
	c.note("%s: the console is closed", s.name)
	return s.about(err)
}

// converse copies between the streams and a serial port, and closes the port. It returns nil when the user or the hardware
// has ended it.
func (c *console) converse(ctx context.Context, port io.ReadWriteCloser) (err error) {
	restore, err := rawTerminal(c.in)
	if err != nil {
		return errors.Join(err, port.Close())
	}
	defer restore()
	keys, err := newKeyboard(c.in)
	if err != nil {
		return errors.Join(err, port.Close())
	}
	var both sync.WaitGroup
	ended := make(chan error, 2)
	both.Go(func() {
		_, err := io.Copy(c.out, port)
		ended <- err
	})
	both.Go(func() {
		if err := keys.typeInto(port); !errors.Is(err, io.EOF) { // nothing more is typed, and one may go on watching
			ended <- err
		}
	})
	select {
	case err = <-ended:
	case <-ctx.Done():
		err = ctx.Err()
	}
	restore() // first: to close may take a moment
	keys.stop()
	err = errors.Join(err, port.Close())
	both.Wait()
	return errors.Join(err, keys.Close())
}
