package journal

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
)

// The file, all numbers little-endian:
//
//	header  "bosh-ironic settings 1\n\x00" (24 bytes), mark (8 bytes, random)
//	frame   mark (8), CRC-32C of the rest (4), length of the changes (4), number (8), changes
//	change  length of the id (2), kind (1: text, 2: no more text), length of the text (4), id, text
const (
	magic      = "bosh-ironic settings 1\n\x00"
	headerSize = int64(len(magic)) + 8
	frameHead  = 24
	changeHead = 7

	kindText = 1
	kindGone = 2

	maxID    = 1 << 10
	maxText  = 64 << 20
	maxFrame = 4<<20 + maxText + maxID + changeHead // a commit takes no more changes once it has 4 MiB

	next = ".new" // end of the name of a file that is to become the journal
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A mark starts every frame of one file. It is random, so that no text can look like a frame.
type mark [8]byte

// newFile makes a journal without frames.
func newFile(path string) (*os.File, mark, error) {
	var m mark
	if _, err := rand.Read(m[:]); err != nil {
		return nil, m, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return nil, m, err
	}
	if _, err := f.WriteAt(append([]byte(magic), m[:]...), 0); err != nil {
		return nil, m, errors.Join(err, f.Close())
	}
	return f, m, nil
}

// startFrame leaves room for a frame's head.
func startFrame(b []byte) []byte { return append(b[:0], make([]byte, frameHead)...) }

// appendChange adds a change. Where the text begins in b is returned too.
func appendChange(b []byte, id string, kind byte, text []byte) ([]byte, int64) {
	b = binary.LittleEndian.AppendUint16(b, uint16(len(id))) //nolint:gosec // at most maxID
	b = append(b, kind)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(text))) //nolint:gosec // at most maxText
	b = append(b, id...)
	return append(b, text...), int64(len(b))
}

// sealFrame writes the frame's head.
func sealFrame(b []byte, m mark, number uint64) {
	copy(b, m[:])
	binary.LittleEndian.PutUint32(b[12:], uint32(len(b)-frameHead)) //nolint:gosec // at most maxFrame
	binary.LittleEndian.PutUint64(b[16:], number)
	binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b[12:], castagnoli))
}

// A frameHeader is what a frame says about itself.
type frameHeader struct {
	sum    uint32
	length int64
	number uint64
}

// parseHead reads a frame's head; ok is false when it cannot be one.
func parseHead(b []byte, m mark) (h frameHeader, ok bool) {
	if len(b) < frameHead || mark(b[:8]) != m {
		return h, false
	}
	h.sum = binary.LittleEndian.Uint32(b[8:])
	h.length = int64(binary.LittleEndian.Uint32(b[12:]))
	h.number = binary.LittleEndian.Uint64(b[16:])
	return h, h.length <= maxFrame
}

// whole reports whether head and changes belong together.
func (h frameHeader) whole(head, changes []byte) bool {
	return crc32.Update(crc32.Checksum(head[12:frameHead], castagnoli), castagnoli, changes) == h.sum
}

var errChanges = errors.New("changes of a frame make no sense")

// eachChange calls do for the changes of a whole frame; at is where the text begins among them.
func eachChange(changes []byte, do func(id string, kind byte, text []byte, at int64)) error {
	for at := 0; at < len(changes); {
		b := changes[at:]
		if len(b) < changeHead {
			return errChanges
		}
		id, text := int(binary.LittleEndian.Uint16(b)), int(binary.LittleEndian.Uint32(b[3:]))
		kind := b[2]
		if kind != kindText && kind != kindGone || len(b) < changeHead+id+text {
			return errChanges
		}
		b = b[changeHead:]
		do(string(b[:id]), kind, b[id:id+text], int64(at+changeHead+id))
		at += changeHead + id + text
	}
	return nil
}
