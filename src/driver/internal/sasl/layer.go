package sasl

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // DIGEST-MD5 it is
	"crypto/rc4" //nolint:gosec // libvirt's own choice on plain TCP
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
)

// rc4Only is the one cipher of RFC 2831 that is of use: des, rc4-56 and rc4-40 can be broken by anybody, and Cyrus SASL
// 2.1.28 offers 3des without being able to do it ("couldn't init cipher '3des'").
const rc4Only = "rc4"

// overhead is what a frame has beside its message: MAC, type and number.
const overhead = macSize + 2 + 4

const macSize = 10

// A layer is a connection on which frames travel, encrypted and signed: length (4 bytes), cipher text of message and MAC,
// type (always 1, 2 bytes), number of the frame (4 bytes).
type layer struct {
	net.Conn
	out, in direction
	most    int    // bytes of a message in one frame
	rest    []byte // read, and not yet asked for
	broken  error
}

// direction is what one side needs to seal, or to open, what it says.
type direction struct {
	stream cipher.Stream
	key    []byte // of the MAC
	number uint32
}

func newLayer(conn net.Conn, session [md5.Size]byte, peerMax int) *layer {
	return &layer{
		Conn: conn, out: newDirection(session, "client-to-server"), in: newDirection(session, "server-to-client"), most: peerMax - overhead,
	}
}

// newDirection makes the keys of one way (RFC 2831, 2.3 and 2.4).
func newDirection(session [md5.Size]byte, way string) direction {
	sum := func(text string) []byte {
		h := md5.Sum(append(slices.Clone(session[:]), text...)) //nolint:gosec // as RFC 2831 has it
		return h[:]
	}
	stream, err := rc4.NewCipher(sum("Digest H(A1) to " + way + " sealing key magic constant")) //nolint:gosec // see rc4Only
	if err != nil {
		panic(err) // the key has 16 bytes
	}
	return direction{stream: stream, key: sum("Digest session key to " + way + " signing key magic constant")}
}

func (d *direction) mac(message []byte) []byte {
	h := hmac.New(md5.New, d.key)
	_ = binary.Write(h, binary.BigEndian, d.number)
	h.Write(message)
	return h.Sum(nil)[:macSize]
}

// seal makes a frame.
func (d *direction) seal(message []byte) []byte {
	size := len(message) + overhead
	frame := binary.BigEndian.AppendUint32(make([]byte, 0, 4+size), uint32(size)) //nolint:gosec // at most maxFrame
	frame = append(append(frame, message...), d.mac(message)...)
	d.stream.XORKeyStream(frame[4:], frame[4:])
	frame = binary.BigEndian.AppendUint16(frame, 1)
	frame = binary.BigEndian.AppendUint32(frame, d.number)
	d.number++
	return frame
}

var errTampered = errors.New("SASL layer: a frame that is not the server's next one")

// open reads what stands behind a frame's length, and is overwritten.
func (d *direction) open(frame []byte) ([]byte, error) {
	if len(frame) < overhead {
		return nil, errTampered
	}
	text, tail := frame[:len(frame)-6], frame[len(frame)-6:]
	if binary.BigEndian.Uint16(tail) != 1 || binary.BigEndian.Uint32(tail[2:]) != d.number {
		return nil, errTampered
	}
	d.stream.XORKeyStream(text, text)
	message, mac := text[:len(text)-macSize], text[len(text)-macSize:]
	if !hmac.Equal(mac, d.mac(message)) {
		return nil, errTampered
	}
	d.number++
	return message, nil
}

// Read implements net.Conn.
func (l *layer) Read(p []byte) (int, error) {
	for len(l.rest) == 0 && l.broken == nil {
		l.rest, l.broken = l.frame()
	}
	if len(l.rest) == 0 {
		return 0, l.broken
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

func (l *layer) frame() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(l.Conn, head[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxFrame {
		return nil, fmt.Errorf("SASL layer: a frame of %d bytes; %d were agreed upon", size, maxFrame)
	}
	frame := make([]byte, size)
	if _, err := io.ReadFull(l.Conn, frame); errors.Is(err, io.EOF) {
		return nil, io.ErrUnexpectedEOF
	} else if err != nil {
		return nil, err
	}
	return l.in.open(frame)
}

// Write implements net.Conn.
func (l *layer) Write(p []byte) (n int, err error) {
	for part := range slices.Chunk(p, l.most) {
		if _, err := l.Conn.Write(l.out.seal(part)); err != nil {
			return n, err
		}
		n += len(part)
	}
	return n, nil
}
