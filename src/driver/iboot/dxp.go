package iboot

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/secret"
)

const (
	hello    = "hello-000"
	nameSize = 21 // of user and password

	commandIO   = 3
	changeRelay = 1 // with number and state
	getRelays   = 4 // answered with a byte for each relay

	off = 0
	on  = 1
)

// errRefused is a device that answers, and will not do it.
var errRefused = errors.New("the device refuses")

// A shortError is an answer that ended before the relay that was asked for.
type shortError struct{ relays int }

func (e *shortError) Error() string {
	return fmt.Sprintf("the device tells of %d relays only", e.relays)
}

// A client sends commands to one device, each on a connection of its own: devices take few at a time.
type client struct {
	address  string
	user     string
	password secret.Text
	patience time.Duration // for connecting, asking and the answer
}

// change switches a relay: errRefused, or what reached the device or not.
func (c client) change(ctx context.Context, relay, state byte) error {
	answer := make([]byte, 1)
	if err := c.ask(ctx, changeRelay, []byte{relay, state}, answer); err != nil {
		return err
	}
	if answer[0] != 0 {
		return errRefused
	}
	return nil
}

// read tells a relay's state as the device has it.
func (c client) read(ctx context.Context, relay byte) (byte, error) {
	answer := make([]byte, relay) // there may be more
	if err := c.ask(ctx, getRelays, nil, answer); err != nil {
		return 0, err
	}
	return answer[relay-1], nil
}

// ask sends one command and fills answer.
func (c client) ask(ctx context.Context, descriptor byte, payload, answer []byte) error {
	limited, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	var network net.Dialer
	conn, err := network.DialContext(limited, "tcp", c.address)
	if err != nil {
		err = fmt.Errorf("%w: %w", driver.ErrUnreachable, err)
	} else {
		defer conn.Close()
		defer context.AfterFunc(limited, func() { _ = conn.Close() })()
		err = c.talk(conn, descriptor, payload, answer)
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil:
		return fmt.Errorf("%w within %s", driver.ErrUnreachable, c.patience)
	}
	return err
}

// talk says hello on a new connection, sends a command and reads the answer. It wraps [driver.ErrUnreachable] or
// [driver.ErrAuthentication], or is a shortError.
func (c client) talk(conn net.Conn, descriptor byte, payload, answer []byte) error {
	var number [2]byte
	_, err := conn.Write([]byte(hello))
	if err == nil {
		_, err = io.ReadFull(conn, number[:])
	}
	if err != nil {
		return fmt.Errorf("%w: say hello: %w", driver.ErrUnreachable, err)
	}
	// Numbers go on with each packet, from either side. Ours is the first.
	if _, err := conn.Write(c.command(binary.LittleEndian.Uint16(number[:])+1, descriptor, payload)); err != nil {
		return fmt.Errorf("%w: send the command: %w", driver.ErrUnreachable, err)
	}
	return c.fill(conn, answer)
}

// command is a command's bytes.
func (c client) command(sequence uint16, descriptor byte, payload []byte) []byte {
	b := make([]byte, 1+nameSize+nameSize, 64)
	b[0] = commandIO
	copy(b[1:1+nameSize], c.user)
	copy(b[1+nameSize:], c.password.Reveal())
	b = append(b, descriptor, 0)
	b = binary.LittleEndian.AppendUint16(b, sequence)
	return append(b, payload...)
}

// fill reads an answer, which may come in pieces. Its size is nowhere in it: a device with fewer relays than were asked for
// says no more and leaves the connection open, so once something has come the rest has less time.
func (c client) fill(conn net.Conn, answer []byte) error {
	for n := 0; n < len(answer); {
		more, err := conn.Read(answer[n:])
		n += more
		switch {
		case n == len(answer):
		case err == nil:
			_ = conn.SetReadDeadline(time.Now().Add(c.patience / 5))
		case n > 0 && (errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded)):
			return &shortError{n}
		case errors.Is(err, io.EOF):
			// It said hello and did not like the command. What devices do about a wrong password is written nowhere;
			// python-iboot expects this.
			return fmt.Errorf("%w: it closes the connection when it gets a command", driver.ErrAuthentication)
		default:
			return fmt.Errorf("%w: read the answer: %w", driver.ErrUnreachable, err)
		}
	}
	return nil
}
