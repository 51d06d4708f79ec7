// Package dxp is a power strip that speaks DxP, as Dataprobe's iBoot does: the far end of the wire for tests and for the
// virtual rack.
//
// It knows the commands for relays: change, read, pulse; everything else it refuses, as devices do. It has no AES mode.
// What a device does about a wrong password is written nowhere: this one closes the connection, as it does for a wrong
// sequence number. It can be told to be broken, see [Faults].
//
// Wire: Dataprobe, "DxP Protocol Version 1.2", with relays counted from 1 and 1 for on, as an iBoot G2 has it and the
// document has not.
package dxp

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"
)

// A Config is what a PDU is made with. Zero values mean what is said.
type Config struct {
	Listen   string // empty: 127.0.0.1, a free port
	User     string
	Password string
	Relays   int    // how many; 0: 8
	Sequence uint16 // the number that the first connection is told
}

// Faults are ways to be broken. The zero value works.
type Faults struct {
	Lasts int // that many connections, after which all is well again; 0: until told otherwise

	Reset             bool          // connections are reset, once the client has said hello
	CloseAtHello      bool          // closed, once the client has said hello
	CloseAtCommand    bool          // closed, once there is a command
	Silent            bool          // hello is not answered
	SilentAtCommand   bool          // commands are not answered
	Refuse            bool          // commands are refused
	Stuck             bool          // commands are accepted, and nothing happens
	Late              int           // so many reads of the relays tell the state before the last change
	Answers           int           // reads tell the state of the first so many relays; 0: all; -1: none
	Odd               bool          // reads tell 7 for relays that are on
	PauseBetweenBytes time.Duration // in answers, that to hello too
}

// A Command is one that a client sent, well or badly.
type Command struct {
	Connection int // from 1
	At         time.Time
	Descriptor byte
	Relay      byte // from 1; of change and pulse
	State      byte // as the wire has it
	Sequence   uint16
	Bytes      []byte // as they came
}

// A PDU is a power strip. Its methods may be called at once.
type PDU struct {
	cfg     Config
	socket  net.Listener
	all     sync.WaitGroup
	mu      sync.Mutex
	next    uint16 // sequence number of the next connection
	relays  []byte // as the wire has them
	before  []byte // the relays before the last change
	late    int    // reads that still tell those
	faults  Faults
	count   int // of connections
	journal []Command
	open    map[net.Conn]bool
	pulses  map[*time.Timer]bool
	closed  bool
}

// Start switches a PDU on; all relays are off. Call Close.
func Start(cfg Config) (*PDU, error) {
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	if cfg.Relays == 0 {
		cfg.Relays = 8
	}
	socket, err := net.Listen("tcp", cfg.Listen) //nolint:noctx // it listens until Close
	if err != nil {
		return nil, fmt.Errorf("start a PDU: %w", err)
	}
	p := &PDU{
		cfg: cfg, socket: socket, next: cfg.Sequence, relays: make([]byte, cfg.Relays),
		open: map[net.Conn]bool{}, pulses: map[*time.Timer]bool{},
	}
	p.all.Go(p.accept)
	return p, nil
}

// Addr is where it listens.
func (p *PDU) Addr() *net.TCPAddr { return p.socket.Addr().(*net.TCPAddr) }

// Close ends all connections, and returns when nothing of it is left.
func (p *PDU) Close() error {
	err := p.socket.Close()
	p.mu.Lock()
	p.closed = true
	for conn := range p.open {
		_ = conn.Close()
	}
	for pulse := range p.pulses {
		pulse.Stop()
	}
	p.mu.Unlock()
	p.all.Wait()
	return err
}

// Break has the PDU be broken from the next connection on.
func (p *PDU) Break(f Faults) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = f
}

// Relay tells whether a relay, counted from 1, is on.
func (p *PDU) Relay(relay int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.relays[relay-1] == on
}

// Connections counts those that there were.
func (p *PDU) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

// Journal lists the commands that came, the first first.
func (p *PDU) Journal() []Command {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.journal)
}

func (p *PDU) accept() {
	for {
		conn, err := p.socket.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			_ = conn.Close()
			return
		}
		p.open[conn] = true
		p.count++
		s := session{pdu: p, conn: conn, number: p.count, sequence: p.next, faults: p.faults}
		p.next += 0x1235 // no connection has the last one's
		if p.faults.Lasts--; p.faults.Lasts == 0 {
			p.faults = Faults{}
		}
		p.mu.Unlock()
		p.all.Go(func() {
			s.serve()
			_ = conn.Close()
			p.mu.Lock()
			delete(p.open, conn)
			p.mu.Unlock()
		})
	}
}

// change switches a relay, and tells whether it could.
func (p *PDU) change(relay, state byte, f Faults) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f.Refuse || relay < 1 || int(relay) > len(p.relays) || state > noChange {
		return false
	}
	if !f.Stuck && state != noChange {
		p.before, p.late = slices.Clone(p.relays), f.Late
		p.relays[relay-1] = state
	}
	return true
}

// pulse switches a relay for so many seconds, and then back.
func (p *PDU) pulse(relay, state byte, seconds uint16, f Faults) bool {
	if !p.change(relay, state, f) || state == noChange {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var back *time.Timer
	back = time.AfterFunc(time.Duration(seconds)*time.Second, func() {
		p.change(relay, 1-state, f)
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.pulses, back)
	})
	p.pulses[back] = true
	return true
}

// read is the answer to a question for the relays.
func (p *PDU) read(f Faults) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	told := slices.Clone(p.relays)
	if p.late > 0 {
		p.late--
		told = slices.Clone(p.before)
	}
	if f.Answers != 0 {
		told = told[:max(f.Answers, 0)]
	}
	for i := range told {
		if f.Odd && told[i] == on {
			told[i] = 7
		}
	}
	return told
}

func (p *PDU) note(c Command) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.journal = append(p.journal, c)
}

// reset closes a connection so that the client sees a reset.
func reset(conn net.Conn) {
	if c, ok := conn.(*net.TCPConn); ok {
		_ = c.SetLinger(0)
	}
	_ = conn.Close()
}

// hang reads and answers nothing, until the client goes or the PDU is closed.
func hang(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }
