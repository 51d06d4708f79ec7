package rmcp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/bougou/go-ipmi/pkg/types"

	"bosh-ironic-cpi/src/driver"
)

// A pace is how a console waits (IPMI 2.0, 15.11, and what ipmitool does).
type pace struct {
	resend    time.Duration // until what was typed is sent again
	keepAlive time.Duration // until something is asked, lest the session end
	silence   time.Duration // of the BMC, until it is taken for gone
}

var standard = pace{resend: 500 * time.Millisecond, keepAlive: 15 * time.Second, silence: time.Minute}

const (
	solTries  = 10
	solBuffer = 64 << 10 // bytes that nobody has read yet; more stay with the BMC
)

// Bits of the byte of a SOL packet that tells the state (IPMI 2.0, table 15-2).
const (
	solNAK         = 0x40
	solDeactivated = 0x10
)

// A Console is a server's serial port, by serial over LAN (IPMI 2.0, 15). It is for one reader and one writer side by side.
type Console struct {
	s    *Session
	pace pace
	size int           // of what one packet may hold
	done chan struct{} // closed when nothing is received any more

	sending sync.Mutex // the framing and the socket's sending side
	writing sync.Mutex
	number  byte           // of the packet that was typed last
	acks    chan solAnswer // what the BMC says about it

	mu      sync.Mutex // all below
	more    *sync.Cond
	text    []byte
	last    byte // number and length of the packet that came last
	length  int
	closing bool
	err     error // why nothing comes any more
}

// A solAnswer is how many characters of packet number the BMC has taken.
type solAnswer struct {
	number byte
	taken  int
	nak    bool
}

// Console turns the session into a console, which ends with it.
func (s *Session) Console(ctx context.Context) (*Console, error) { return s.openConsole(ctx, standard) }

func (s *Session) openConsole(ctx context.Context, p pace) (*Console, error) {
	f, ok := s.frame.(*framing20)
	if !ok {
		return nil, fmt.Errorf("serial over LAN in a session of IPMI 1.5: %w: set ipmi_protocol_version 2.0", driver.ErrUnsupported)
	}
	const first = 1
	protect := byte(0)
	if f.crypt != types.CryptAlg_None {
		protect |= 0x80
	}
	if f.integrity != types.IntegrityAlg_None {
		protect |= 0x40
	}
	data, err := s.Send(ctx, nil, Request{netFnApp, cmdActivatePayload, []byte{payloadSOL, first, protect, 0, 0, 0}})
	if e, ok := errors.AsType[*CompletionError](err); ok {
		return nil, fmt.Errorf("activate serial over LAN: %w%s", e, solHint(e.Code))
	} else if err != nil {
		return nil, err
	}
	size := 64
	if len(data) >= 6 {
		if n := int(binary.LittleEndian.Uint16(data[4:])); n > 8 {
			size = min(n-4, 200)
		}
	}
	c := &Console{s: s, pace: p, size: size, done: make(chan struct{}), acks: make(chan solAnswer, 1)}
	c.more = sync.NewCond(&c.mu)
	go c.receive()
	return c, nil
}

func solHint(code byte) string {
	switch code {
	case 0x80:
		return ": somebody else has the console open; ipmitool sol deactivate frees it"
	case 0x81:
		return ": enable it with ipmitool sol set enabled true"
	}
	return ""
}

// receive takes what comes until the console ends.
func (c *Console) receive() {
	defer close(c.done)
	heard, spoke := time.Now(), time.Now()
	for {
		_ = c.s.conn.SetReadDeadline(time.Now().Add(min(time.Second, c.pace.keepAlive)))
		if c.isClosing() { // Close sets a deadline that has passed, after saying so: here, or below
			return
		}
		n, err := c.s.conn.Read(c.s.buffer[:])
		switch {
		case c.isClosing():
			return
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			c.end(fmt.Errorf("%w: %w", driver.ErrUnreachable, err))
			return
		case time.Since(heard) > c.pace.silence:
			c.end(fmt.Errorf("console: no word in %s: %w", c.pace.silence, driver.ErrUnreachable))
			return
		}
		if time.Since(spoke) > c.pace.keepAlive {
			spoke = time.Now()
			c.s.seq = (c.s.seq + 1) & 0x3f
			c.send(payloadIPMI, Request{NetFn: netFnApp, Cmd: cmdGetDeviceID}.message(bmcAddress, consoleAddress, c.s.seq))
		}
		kind, payload, ok := c.s.frame.unpack(c.s.buffer[:max(n, 0)])
		if !ok {
			continue
		}
		heard = time.Now()
		var p types.SOLPayloadPacket
		if kind != payloadSOL || p.Unpack(payload) != nil {
			continue
		}
		if p.ControlByte&solDeactivated != 0 {
			c.end(io.EOF)
			return
		}
		c.take(p)
	}
}

// take handles a packet: it may bring characters, and say what became of ours.
func (c *Console) take(p types.SOLPayloadPacket) {
	if p.AckedSequenceNumber != 0 {
		select {
		case c.acks <- solAnswer{p.AckedSequenceNumber, int(p.AcceptedCharacterCount), p.ControlByte&solNAK != 0}:
		default: // nobody waits for it
		}
	}
	if p.SequenceNumber == 0 {
		return
	}
	c.mu.Lock()
	if len(c.text) > solBuffer { // it will be sent again
		c.mu.Unlock()
		return
	}
	fresh := p.CharacterData
	if p.SequenceNumber == c.last { // again, because our answer was lost; it may have grown
		fresh = fresh[min(c.length, len(fresh)):]
	}
	c.last, c.length = p.SequenceNumber, len(p.CharacterData)
	c.text = append(c.text, fresh...)
	c.more.Broadcast()
	c.mu.Unlock()
	count := byte(min(len(p.CharacterData), 255))
	c.send(payloadSOL, (&types.SOLPayloadPacket{AckedSequenceNumber: p.SequenceNumber, AcceptedCharacterCount: count}).Pack())
}

func (c *Console) send(kind byte, payload []byte) {
	c.sending.Lock()
	defer c.sending.Unlock()
	if packet, err := c.s.frame.pack(kind, payload); err == nil {
		_, _ = c.s.conn.Write(packet) // what gets lost is sent again
	}
}

func (c *Console) isClosing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing
}

func (c *Console) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
	c.more.Broadcast()
}

// Read implements io.Reader: what the server writes to its port; io.EOF when the BMC has ended the console.
func (c *Console) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.text) == 0 && c.err == nil {
		c.more.Wait()
	}
	if len(c.text) == 0 {
		return 0, c.err
	}
	n := copy(p, c.text)
	c.text = c.text[n:]
	return n, nil
}

// Write implements io.Writer: what is typed. It returns when the BMC has taken it.
func (c *Console) Write(p []byte) (written int, err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	for written < len(p) {
		chunk := p[written:min(written+c.size, len(p))]
		taken, err := c.typed(chunk)
		written += taken
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// typed sends one packet until the BMC has answered, and says how many of its characters were taken.
func (c *Console) typed(chunk []byte) (int, error) {
	if c.number = (c.number + 1) & 0x0f; c.number == 0 {
		c.number = 1
	}
	for range solTries {
		c.send(payloadSOL, (&types.SOLPayloadPacket{SequenceNumber: c.number, CharacterData: chunk}).Pack())
		resend := time.NewTimer(c.pace.resend)
		for waiting := true; waiting; {
			select {
			case <-c.done:
				resend.Stop()
				c.mu.Lock()
				defer c.mu.Unlock()
				return 0, c.err
			case a := <-c.acks:
				if a.number != c.number {
					continue
				}
				if a.taken > 0 || len(chunk) == 0 {
					resend.Stop()
					return min(a.taken, len(chunk)), nil
				}
				// Full, or switched off: again in a moment.
			case <-resend.C:
				waiting = false
			}
		}
	}
	return 0, fmt.Errorf("console takes no characters: %w", driver.ErrUnreachable)
}

// Close implements io.Closer: the console and its session end.
func (c *Console) Close() error {
	c.mu.Lock()
	if c.closing {
		c.mu.Unlock()
		return nil
	}
	c.closing = true
	c.mu.Unlock()
	c.end(os.ErrClosed)
	_ = c.s.conn.SetReadDeadline(time.Unix(1, 0))
	<-c.done
	c.writing.Lock()
	defer c.writing.Unlock()
	c.s.cfg.Tries = []time.Duration{c.pace.resend}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second) //nolint:forbidigo // io.Closer has no context
	defer cancel()
	_, _ = c.s.Send(ctx, nil, Request{netFnApp, cmdDeactivatePayload, []byte{payloadSOL, 1, 0, 0, 0, 0}})
	c.s.Close(ctx)
	return nil
}
