package rmcp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/secret"
	"bosh-ironic-cpi/src/wait"
)

// A Config says whom to talk to, and as who.
type Config struct {
	Address   string // name or IP address
	Port      int    // UDP
	Username  string // at most 16 bytes
	Password  secret.Text
	Privilege byte  // 1 callback, 2 user, 3 operator, 4 administrator
	Version15 bool  // a session of IPMI 1.5
	Suites    []int // cipher suites, in the order in which they are tried; empty: 17, then 3
	// Tries says how long to wait for an answer before asking again, and then before giving up. Empty: 1, 1, 2 and
	// 3 seconds.
	Tries []time.Duration
}

// Suites are the cipher suites that a session can have.
var Suites = []int{1, 2, 3, 15, 16, 17}

var (
	defaultSuites = []int{17, 3}
	defaultTries  = []time.Duration{time.Second, time.Second, 2 * time.Second, 3 * time.Second}
)

// errSilent is a try without an answer.
var errSilent = errors.New("no answer")

// A Session is open until [Session.Close]. It is for one goroutine at a time.
type Session struct {
	conn   net.Conn
	cfg    Config
	frame  framing
	suite  int
	seq    byte
	dead   bool // the BMC answers no more
	strays int  // datagrams that were not for us
	buffer [2048]byte
}

// A framing puts messages into packets and takes them out of packets.
type framing interface {
	pack(kind byte, payload []byte) ([]byte, error)
	// unpack says no to what is not from the other end of this session, or was changed on its way. The payload may
	// lie in the packet.
	unpack(packet []byte) (kind byte, payload []byte, ok bool)
	id() uint32 // the BMC's name for the session; 0: none yet
}

// Open begins a session at the privilege level asked for. Errors: [driver.ErrUnreachable], [driver.ErrAuthentication],
// [driver.ErrUnsupported], or the context's.
func Open(ctx context.Context, cfg Config) (*Session, error) {
	if len(cfg.Suites) == 0 {
		cfg.Suites = defaultSuites
	}
	if len(cfg.Tries) == 0 {
		cfg.Tries = defaultTries
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "udp", net.JoinHostPort(cfg.Address, strconv.Itoa(cfg.Port)))
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%w: %w: check ipmi_address", driver.ErrUnreachable, err)
	}
	s := &Session{conn: conn, cfg: cfg, frame: &framing15{}}
	if err := s.open(ctx); err != nil {
		s.Close(ctx)
		return nil, err
	}
	return s, nil
}

func (s *Session) open(ctx context.Context) error {
	can, err := s.capabilities(ctx)
	if err != nil {
		return err
	}
	if s.cfg.Version15 {
		err = s.open15(ctx, can)
	} else {
		err = s.open20(ctx, can)
	}
	if err != nil {
		return err
	}
	const callback = 1 // which can do nothing, and need not say so
	if s.cfg.Privilege <= callback {
		return nil
	}
	_, err = s.Send(ctx, nil, Request{netFnApp, cmdSetSessionPrivilege, []byte{s.cfg.Privilege}})
	if e, ok := errors.AsType[*CompletionError](err); ok {
		return fmt.Errorf("%w at privilege level %d: %w: lower ipmi_priv_level, or give the user more rights on this channel",
			driver.ErrAuthentication, s.cfg.Privilege, e)
	}
	return err
}

// Suite is the cipher suite of the session; 0: it is one of IPMI 1.5.
func (s *Session) Suite() int { return s.suite }

// capabilities are a BMC's answer to Get Channel Authentication Capabilities (IPMI 2.0, table 22-15), after the
// channel's number.
type capabilities [7]byte

func (c capabilities) offers(authType byte) bool { return c[0]&(1<<authType) != 0 }
func (c capabilities) speaks20() bool            { return c[0]&0x80 == 0 || c[2]&0x02 != 0 } // what old ones do not tell, they may be able to
func (c capabilities) wantsKg() bool             { return c[1]&0x20 != 0 }
func (c capabilities) laxAuthentication() bool   { return c[1]&0x18 != 0 }

// capabilities is the first question, in the old framing also for IPMI 2.0: ipmi_sim answers in no other.
func (s *Session) capabilities(ctx context.Context) (c capabilities, err error) {
	const thisChannel, and20 = 0x0e, 0x80
	data, err := s.Send(ctx, nil, Request{netFnApp, cmdGetAuthCapabilities, []byte{thisChannel | and20, s.cfg.Privilege}})
	switch {
	case errors.Is(err, errSilent):
		return c, fmt.Errorf("%w: check ipmi_address and ipmi_port, that the BMC has IPMI over LAN enabled, and that UDP reaches it", err)
	case err != nil:
		return c, err
	case len(data) < 4:
		return c, fmt.Errorf("authentication capabilities of %d bytes: %w", len(data), driver.ErrUnsupported)
	}
	copy(c[:], data[1:])
	return c, nil
}

// Send sends a request, to the BMC or by way of it, and returns the data of the answer, also with a [CompletionError].
// What gets no answer is sent again; a controller knows it by its sequence number.
func (s *Session) Send(ctx context.Context, via *Via, r Request) ([]byte, error) {
	s.seq = (s.seq + 1) & 0x3f
	c := conversation{request: r, via: via, seq: s.seq}
	began := time.Now()
	for _, limit := range s.cfg.Tries {
		packet, err := s.frame.pack(payloadIPMI, c.message())
		if err != nil {
			return nil, err
		}
		err = s.ask(ctx, limit, packet, func(datagram []byte) (done, ours bool) {
			kind, payload, ok := s.frame.unpack(datagram)
			if !ok || kind != payloadIPMI {
				return false, false
			}
			return c.take(payload)
		})
		switch {
		case errors.Is(err, errSilent):
			continue
		case err != nil:
			return nil, err
		}
		if c.reply.code != CodeBusy {
			break
		}
		if err := wait.Pause(ctx, limit/4); err != nil {
			return nil, err
		}
	}
	switch {
	case c.nak:
		return c.reply.data, &CompletionError{netFnApp, cmdSendMessage, c.reply.code}
	case c.reply.netFn != 0 && c.reply.code != 0:
		return c.reply.data, &CompletionError{r.NetFn, r.Cmd, c.reply.code}
	case c.reply.netFn != 0:
		return c.reply.data, nil
	}
	s.dead = true
	what := command(r.NetFn, r.Cmd)
	if c.acked {
		s.dead = false
		what += fmt.Sprintf(" from controller %02xh on channel %d", via.Target, via.Channel)
	}
	return nil, s.silence(what, began)
}

// silence is the error when nothing has come, or nothing that counts.
func (s *Session) silence(what string, began time.Time) error {
	text := fmt.Sprintf("%s: no answer in %s", what, time.Since(began).Round(100*time.Millisecond))
	if s.strays > 0 {
		text += fmt.Sprintf(", and %d packets that are not of this session or were changed on their way", s.strays)
	}
	return &silentError{text}
}

// A silentError is both errSilent and driver.ErrUnreachable.
type silentError struct{ text string }

func (e *silentError) Error() string   { return e.text + ": " + driver.ErrUnreachable.Error() }
func (e *silentError) Unwrap() []error { return []error{errSilent, driver.ErrUnreachable} }

// ask sends a packet and shows accept what comes, until that is done or the limit is over: errSilent.
func (s *Session) ask(ctx context.Context, limit time.Duration, packet []byte, accept func(datagram []byte) (done, ours bool)) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	end := time.Now().Add(limit)
	if err := s.conn.SetReadDeadline(end); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = s.conn.SetReadDeadline(time.Unix(1, 0)) })()
	if _, err := s.conn.Write(packet); err != nil {
		return s.lost(ctx, err)
	}
	for {
		n, err := s.conn.Read(s.buffer[:])
		if err != nil {
			return s.lost(ctx, err)
		}
		done, ours := accept(s.buffer[:n])
		switch {
		case done:
			return nil
		case !ours:
			s.strays++
		}
		if !time.Now().Before(end) { // under a flood of strays the deadline alone would not end it
			return errSilent
		}
	}
}

// lost says what an error of the socket means.
func (s *Session) lost(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errSilent
	}
	s.dead = true
	return fmt.Errorf("%w: %w: check ipmi_address and ipmi_port, and that the BMC has IPMI over LAN enabled", driver.ErrUnreachable, err)
}

// Close ends the session. The BMC is told, and given a moment to agree, unless it is silent or ctx has ended.
func (s *Session) Close(ctx context.Context) {
	if id := s.frame.id(); id != 0 && !s.dead {
		s.cfg.Tries = s.cfg.Tries[:1]
		if ctx.Err() != nil { // no time to wait: one packet that may get lost
			s.seq++
			goodbye := Request{netFnApp, cmdCloseSession, binary.LittleEndian.AppendUint32(nil, id)}
			if packet, err := s.frame.pack(payloadIPMI, goodbye.message(bmcAddress, consoleAddress, s.seq&0x3f)); err == nil {
				_, _ = s.conn.Write(packet)
			}
		} else {
			_, _ = s.Send(ctx, nil, Request{netFnApp, cmdCloseSession, binary.LittleEndian.AppendUint32(nil, id)})
		}
	}
	_ = s.conn.Close()
}
