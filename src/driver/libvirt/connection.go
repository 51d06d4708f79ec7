package libvirt

import (
	"context"
	"errors"
	"fmt"

	libvirtrpc "github.com/digitalocean/go-libvirt"
	"github.com/digitalocean/go-libvirt/socket/dialers"

	"bosh-ironic-cpi/src/driver"
)

// connection is a hypervisor's daemon that we talk to.
type connection struct {
	rpc  *libvirtrpc.Libvirt
	wire *packets
}

// open connects, authenticates, and asks for the hypervisor. The caller closes the connection.
func open(ctx context.Context, p *parameters) (*connection, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	raw, err := dial(ctx, p)
	if err != nil {
		return nil, err
	}
	conn := raw
	err = within(ctx, dialLimit, raw, func() (err error) {
		conn, err = authenticate(raw, *p)
		return err
	})
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	wire := newPackets(conn)
	c := &connection{rpc: libvirtrpc.NewWithDialer(dialers.NewAlreadyConnected(wire)), wire: wire}
	err = within(ctx, dialLimit, wire, func() error {
		return c.explain(c.rpc.ConnectToURI(libvirtrpc.ConnectURI(p.target.hypervisor)))
	})
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// close ends the connection, and go-libvirt's reader with it.
func (c *connection) close() {
	_ = c.wire.Close()
	<-c.wire.ended
}

// call bounds a call, and says what went wrong in our words.
func (c *connection) call(ctx context.Context, f func() error) error {
	return within(ctx, callLimit, c.wire, func() error { return c.explain(f()) })
}

// explain says why a call has no answer, or what the answer means.
func (c *connection) explain(err error) error {
	if _, refused := errors.AsType[libvirtrpc.Error](err); err == nil || refused || errors.Is(err, libvirtrpc.ErrUnsupported) {
		return explain(err)
	}
	if cause := c.wire.why(); cause != nil {
		err = cause // go-libvirt says no more than "interrupted"
	}
	return lost(err)
}

// lost is a daemon that took the connection and does not answer.
func lost(err error) error {
	if errors.Is(err, errNoLibvirt) {
		return fmt.Errorf("%w: %w", driver.ErrUnreachable, err)
	}
	return fmt.Errorf("%w: %w: check that the daemon runs there and has not reached its max_clients", driver.ErrUnreachable, err)
}

// explain gives errors of libvirt's (virterror.h) the sentinel that callers act on.
func explain(err error) error {
	if errors.Is(err, libvirtrpc.ErrUnsupported) {
		return fmt.Errorf("%w: the daemon does not know the call: is it older than 0.9.13?", driver.ErrUnsupported)
	}
	refusal, ok := errors.AsType[libvirtrpc.Error](err)
	if !ok {
		return err
	}
	text := fmt.Errorf("libvirt says %q (code %d)", refusal.Message, refusal.Code)
	code := libvirtrpc.ErrorNumber(refusal.Code) //nolint:gosec // what is no code is no code of ours
	switch code {
	case libvirtrpc.ErrAuthFailed, libvirtrpc.ErrAuthCancelled, libvirtrpc.ErrAuthUnavailable:
		return fmt.Errorf("%w: %w: check sasl_username and sasl_password, or the groups and polkit rules of this user", driver.ErrAuthentication, text)
	case libvirtrpc.ErrAccessDenied, libvirtrpc.ErrOperationDenied:
		return fmt.Errorf("%w: %w", driver.ErrAuthentication, text)
	case libvirtrpc.ErrNoSupport, libvirtrpc.ErrOperationUnsupported:
		return fmt.Errorf("%w: %w", driver.ErrUnsupported, text)
	default:
		return &callError{code: code, text: text}
	}
}

// callError is libvirt's own word, of which the code still matters here.
type callError struct {
	code libvirtrpc.ErrorNumber
	text error
}

func (e *callError) Error() string { return e.text.Error() }

func isCode(err error, code libvirtrpc.ErrorNumber) bool {
	e, ok := errors.AsType[*callError](err)
	return ok && e.code == code
}
