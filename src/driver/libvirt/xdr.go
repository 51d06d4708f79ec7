package libvirt

import (
	"encoding/binary"
	"errors"
)

// xdr is the rest of a reply (RFC 4506). What is missing reads as zero, and is told by problem.
type xdr struct {
	rest []byte
	bad  bool
}

func (x *xdr) problem() error {
	if x.bad {
		return errors.New("a reply that is cut off")
	}
	return nil
}

// take gives the next bytes; nil: there are not that many.
func (x *xdr) take(n int) []byte {
	if n > len(x.rest) {
		x.bad, x.rest = true, nil
		return nil
	}
	taken := x.rest[:n]
	x.rest = x.rest[n:]
	return taken
}

func (x *xdr) number() uint32 {
	taken := x.take(4)
	if taken == nil {
		return 0
	}
	return binary.BigEndian.Uint32(taken)
}

// list reads numbers.
func (x *xdr) list() (all []uint32) {
	for n := x.number(); n > 0 && !x.bad; n-- {
		all = append(all, x.number())
	}
	return all
}

// text reads a string of at most that many bytes.
func (x *xdr) text(most uint32) string {
	n := x.number()
	if n > most || int(n) > len(x.rest) {
		x.bad = true
		return ""
	}
	text := string(x.take(int(n)))
	x.take(min(-int(n)&3, len(x.rest)))
	return text
}

// saslData reads whether there is a message (nil: there is none), and the message. It is declared an array of char, and XDR
// gives each of those four bytes.
func (x *xdr) saslData() []byte {
	none, n := x.number() != 0, x.number()
	if n > maxSASLData || 4*int(n) > len(x.rest) {
		x.bad = true
		return nil
	}
	if none {
		return nil
	}
	message := make([]byte, n)
	for i := range message {
		message[i] = byte(x.number()) //nolint:gosec // the sign may go
	}
	return message
}

func xdrText(text string) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(text))) //nolint:gosec // a mechanism's name
	out = append(out, text...)
	return append(out, make([]byte, -len(text)&3)...)
}

// saslData is the same the other way round; nil: no message.
func saslData(message []byte) []byte {
	if message == nil {
		return []byte{0, 0, 0, 1, 0, 0, 0, 0}
	}
	out := binary.BigEndian.AppendUint32([]byte{0, 0, 0, 0}, uint32(len(message))) //nolint:gosec // our own
	for _, b := range message {
		// A char has a sign, and so has the number that it becomes.
		out = binary.BigEndian.AppendUint32(out, uint32(int32(int8(b)))) //nolint:gosec // meant
	}
	return out
}
