package libvirt

import (
	"encoding/binary"
	"errors"
	"net"
	"sync"
)

// packets is a connection of which go-libvirt sees nothing but whole packets that answer the call it waits for. Its reader
// would take a slice of any length that a packet claims, ask a broken connection again and again, and wait for ever for
// somebody to take a second answer.
type packets struct {
	net.Conn
	ended chan struct{} // closed when the reader has been told of the end; it reads no more

	mu      sync.Mutex
	waiting bool   // for the answer to the call
	serial  uint32 // of that call
	cause   error  // why nothing more will come

	unsent int    // of the call's packet; the writer's own
	rest   []byte // of a packet; the reader's own
}

func newPackets(conn net.Conn) *packets { return &packets{Conn: conn, ended: make(chan struct{})} }

// Read implements net.Conn.
func (p *packets) Read(b []byte) (int, error) {
	for len(p.rest) == 0 {
		packet, err := readPacket(p.Conn)
		if err == nil && lies(packet) {
			err = errNoLibvirt
		}
		if err != nil {
			p.end(err)
			return 0, err // not as a *net.OpError, which might seem to pass
		}
		if p.expected(packet) {
			p.rest = packet
		}
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// lies finds a list or text that is longer than its packet: room for all of it would be made before it is read. What is
// called here is answered by a length first, or a number no greater than the four bytes that it takes, or nothing.
func lies(packet []byte) bool {
	body := packet[headerSize:]
	return kindOf(packet) == kindReply && statusOf(packet) == 0 && len(body) >= 4 && int64(binary.BigEndian.Uint32(body)) > int64(len(body))
}

func (p *packets) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cause == nil {
		p.cause = err
		close(p.ended)
	}
}

// why tells what ended the connection; nil: nothing has.
func (p *packets) why() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cause
}

func (p *packets) expected(packet []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	ok := p.waiting && kindOf(packet) == kindReply && serialOf(packet) == p.serial
	if ok {
		p.waiting = false
	}
	return ok
}

// Write implements net.Conn. go-libvirt writes a packet's header and what fits behind it at once.
func (p *packets) Write(b []byte) (int, error) {
	if p.unsent == 0 {
		if len(b) < headerSize {
			return 0, errors.New("a call without its header")
		}
		p.mu.Lock()
		p.waiting, p.serial = true, serialOf(b)
		p.mu.Unlock()
		p.unsent = int(binary.BigEndian.Uint32(b))
	}
	p.unsent -= min(len(b), p.unsent)
	return p.Conn.Write(b)
}
