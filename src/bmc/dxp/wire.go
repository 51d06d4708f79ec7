package dxp

import (
	"encoding/binary"
	"io"
	"net"
	"slices"
	"strings"
	"time"
)

const hello = "hello-000"

// A command has a header of 47 bytes: command, user and password of 21 bytes each, descriptor, parameter, and the
// sequence number, least byte first. The payload's size is the descriptor's.
const (
	headerSize = 47
	nameSize   = 21

	commandIO = 3

	changeRelay = 1
	getRelays   = 4
	pulseRelay  = 7
)

// What relays are told to be, and what they say that they are.
const (
	off      = 0
	on       = 1
	noChange = 2
)

// Answers to commands that change something.
const (
	done    = 0
	refused = 1
)

// payload is the size of what follows the header, by descriptor.
var payload = map[byte]int{changeRelay: 2, 2: 32, 3: 1, getRelays: 0, 5: 1, 6: 0, pulseRelay: 4}

// A session is one connection.
type session struct {
	pdu      *PDU
	conn     net.Conn
	number   int
	sequence uint16 // of the next command, less one
	faults   Faults
}

// serve speaks with a client until it goes, or says something wrong.
func (s *session) serve() {
	said := make([]byte, len(hello))
	if _, err := io.ReadFull(s.conn, said); err != nil || string(said) != hello {
		return
	}
	switch {
	case s.faults.Reset:
		reset(s.conn)
		return
	case s.faults.CloseAtHello:
		return
	case s.faults.Silent:
		hang(s.conn)
		return
	}
	for again := s.answer(binary.LittleEndian.AppendUint16(nil, s.sequence)); again; {
		again = s.command()
	}
}

// command takes a command and answers it, and tells whether there may be another.
func (s *session) command() bool {
	b := make([]byte, headerSize)
	if _, err := io.ReadFull(s.conn, b); err != nil {
		return false
	}
	c := Command{Connection: s.number, At: time.Now(), Descriptor: b[43], Sequence: binary.LittleEndian.Uint16(b[45:])}
	b = append(b, make([]byte, payload[c.Descriptor])...)
	if _, err := io.ReadFull(s.conn, b[headerSize:]); err != nil {
		return false
	}
	if c.Descriptor == changeRelay || c.Descriptor == pulseRelay {
		c.Relay, c.State = b[47], b[48]
	}
	c.Bytes = b
	s.pdu.note(c)
	s.sequence++
	right := name(b[1:]) == s.pdu.cfg.User && name(b[1+nameSize:]) == s.pdu.cfg.Password && c.Sequence == s.sequence
	switch {
	case !right || s.faults.CloseAtCommand:
		return false
	case s.faults.SilentAtCommand:
		hang(s.conn)
		return false
	}
	s.sequence++ // the answer's
	return s.answer(s.carryOut(b[0], c, b[headerSize:]))
}

// carryOut does what a command says, and gives the answer.
func (s *session) carryOut(command byte, c Command, payload []byte) []byte {
	ok := false
	switch {
	case command != commandIO:
	case c.Descriptor == getRelays:
		return s.pdu.read(s.faults)
	case c.Descriptor == changeRelay:
		ok = s.pdu.change(c.Relay, c.State, s.faults)
	case c.Descriptor == pulseRelay:
		ok = s.pdu.pulse(c.Relay, c.State, binary.LittleEndian.Uint16(payload[2:]), s.faults)
	}
	if ok {
		return []byte{done}
	}
	return []byte{refused}
}

// answer sends an answer, in one piece or byte by byte.
func (s *session) answer(b []byte) bool {
	pieces := [][]byte{b}
	if s.faults.PauseBetweenBytes > 0 {
		pieces = slices.Collect(slices.Chunk(b, 1))
	}
	for i, piece := range pieces {
		if i > 0 {
			time.Sleep(s.faults.PauseBetweenBytes) //nolint:forbidigo // a slow device has nobody to wait for
		}
		if _, err := s.conn.Write(piece); err != nil {
			return false
		}
	}
	return true
}

// name reads a field that is padded with NUL.
func name(field []byte) string { return strings.TrimRight(string(field[:nameSize]), "\x00") }
