package api

import (
	"strconv"
	"sync"
)

// pieces are a long answer: a thousand nodes with all their fields are megabytes, and one room for them would be
// copied again and again while it grows.
type pieces [][]byte

const pieceSize = 64 << 10

// freePieces are those of earlier answers.
var freePieces = sync.Pool{New: func() any {
	b := make([]byte, 0, pieceSize)
	return &b
}}

// append has write add something, an item of a list at most.
func (p *pieces) append(write func([]byte) []byte) {
	last := len(*p) - 1
	if last < 0 || len((*p)[last]) > pieceSize-pieceSize/8 {
		*p = append(*p, (*freePieces.Get().(*[]byte))[:0])
		last++
	}
	(*p)[last] = write((*p)[last])
}

// free gives the pieces back.
func (p *pieces) free() {
	for _, b := range *p {
		if cap(b) <= 2*pieceSize {
			freePieces.Put(&b)
		}
	}
	*p = nil
}

// answerPieces is answer for a long text.
func (c *call) answerPieces(status int, p pieces) error {
	length := 0
	for _, b := range p {
		length += len(b)
	}
	h := c.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(length))
	c.w.WriteHeader(status)
	for _, b := range p {
		if _, err := c.w.Write(b); err != nil {
			c.log.DebugContext(c.r.Context(), "client is gone", "err", err)
			return nil
		}
	}
	return nil
}
