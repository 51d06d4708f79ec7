package ipmi

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/ipmi/rmcp"
)

// Commands of the SDR repository (IPMI 2.0, 33).
const (
	netFnStorage  = 0x0a
	cmdReserveSDR = 0x22
	cmdGetSDR     = 0x23
	lastRecord    = 0xffff
	headerSize    = 5 // number, version, type, length of what follows
)

// WalkSDR shows each sensor data record of the BMC's repository, with its header and unparsed, until each wants no more.
func (d Driver) WalkSDR(ctx context.Context, n *driver.Node, each func(record []byte) (more bool)) error {
	return d.with(ctx, n, func(b *bmc) error {
		w := sdrWalk{bmc: b, chunk: 16}
		return w.walk(ctx, each)
	})
}

// An sdrWalk reads records in pieces: few BMCs have room for a whole one in an answer.
type sdrWalk struct {
	*bmc
	reservation [2]byte
	chunk       int
}

func (w *sdrWalk) walk(ctx context.Context, each func(record []byte) (more bool)) error {
	if err := w.reserve(ctx); err != nil {
		return err
	}
	seen := map[uint16]bool{} // some repositories lead in a circle
	for id := uint16(0); id != lastRecord && !seen[id]; {
		seen[id] = true
		record, next, err := w.record(ctx, id)
		if e, ok := errors.AsType[*CompletionError](err); ok && id == 0 && e.Code == rmcp.CodeNotPresent {
			return nil // there are none
		}
		if err != nil {
			return fmt.Errorf("sensor data record %04xh: %w", id, err)
		}
		if !each(record) {
			return nil
		}
		id = next
	}
	return nil
}

// reserve is needed to read in pieces; a BMC that cannot do it lets everybody read.
func (w *sdrWalk) reserve(ctx context.Context) error {
	data, err := w.send(ctx, netFnStorage, cmdReserveSDR)
	if errors.Is(err, driver.ErrUnsupported) {
		return nil
	}
	if err == nil && len(data) >= 2 {
		copy(w.reservation[:], data)
	}
	return err
}

// record reads one. A reservation that somebody else has cancelled is made again.
func (w *sdrWalk) record(ctx context.Context, id uint16) (record []byte, next uint16, err error) {
	const most = 5
	for range most {
		record, next, err = w.pieces(ctx, id)
		e, ok := errors.AsType[*CompletionError](err)
		if !ok || e.Code != rmcp.CodeReservationCancelled {
			return record, next, err
		}
		if err := w.reserve(ctx); err != nil {
			return nil, 0, err
		}
	}
	return nil, 0, err
}

func (w *sdrWalk) pieces(ctx context.Context, id uint16) (record []byte, next uint16, err error) {
	record, next, err = w.piece(ctx, id, 0, headerSize)
	if err != nil {
		return nil, 0, err
	}
	if len(record) != headerSize {
		return nil, 0, fmt.Errorf("header of %d bytes: %w", len(record), driver.ErrUnsupported)
	}
	size := headerSize + int(record[4])
	for len(record) < size {
		more, _, err := w.piece(ctx, id, len(record), min(w.chunk, size-len(record)))
		if e, ok := errors.AsType[*CompletionError](err); ok && e.Code == rmcp.CodeTooManyBytes && w.chunk > 1 {
			w.chunk /= 2
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		if len(more) == 0 {
			return nil, 0, fmt.Errorf("%d of %d bytes: %w", len(record), size, driver.ErrUnsupported)
		}
		record = append(record, more...)
	}
	return record[:size], next, nil
}

func (w *sdrWalk) piece(ctx context.Context, id uint16, offset, count int) (bytes []byte, next uint16, err error) {
	ask := append(w.reservation[:2:2], byte(id), byte(id>>8), byte(offset), byte(count)) //nolint:gosec // a record has at most 260 bytes
	data, err := w.send(ctx, netFnStorage, cmdGetSDR, ask...)
	switch {
	case err != nil:
		return nil, 0, err
	case len(data) < 2:
		return nil, 0, fmt.Errorf("answer of %d bytes: %w", len(data), driver.ErrUnsupported)
	}
	return data[2:], binary.LittleEndian.Uint16(data), nil
}
