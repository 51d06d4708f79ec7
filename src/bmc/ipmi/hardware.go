package ipmi

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"sync"

	"github.com/bougou/go-ipmi/pkg/hal"
	"github.com/bougou/go-ipmi/pkg/types"
)

// hardware is the BMC as go-ipmi's server wants to see it.
type hardware struct{ *BMC }

func (hardware) Sensors() hal.SensorHAL    { return nil }
func (hardware) Network() hal.NetworkHAL   { return nil }
func (hardware) GPIO() hal.GPIOHAL         { return nil }
func (hardware) I2C() hal.I2CHAL           { return nil }
func (hardware) FRU() hal.FRUStore         { return nil }
func (hardware) Close() error              { return nil }
func (h hardware) Chassis() hal.ChassisHAL { return chassis(h) }
func (h hardware) Storage() hal.StorageHAL { return h }
func (h hardware) SDR() hal.SDRStore       { return records(h.cfg.Records) }

func (h hardware) Console() hal.ConsoleHAL {
	if h.cfg.Console == nil {
		return nil
	}
	return port(h)
}

// chassis answers what the server's own commands ask; Chassis Control is ours.
type chassis struct{ *BMC }

func (c chassis) PowerState(ctx context.Context) (bool, error) { return c.cfg.Machine.Powered(ctx) }
func (chassis) SetPower(context.Context, bool) error           { return hal.ErrNotSupported }
func (chassis) PowerCycle(context.Context) error               { return hal.ErrNotSupported }
func (chassis) ColdReset(context.Context) error                { return hal.ErrNotSupported }
func (chassis) WarmReset(context.Context) error                { return hal.ErrNotSupported }
func (chassis) Identify(context.Context, uint8) error          { return nil }
func (chassis) IntrusionState(context.Context) (bool, error)   { return false, nil }

func (c chassis) SetBootFlags(_ context.Context, f *types.BootOptionParam_BootFlags) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	copy(c.flags[:], f.Pack())
	return nil
}

func (c chassis) GetBootFlags(context.Context) (*types.BootOptionParam_BootFlags, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var f types.BootOptionParam_BootFlags
	return &f, f.Unpack(c.flags[:])
}

func (c chassis) SetBootInfoAcknowledge(_ context.Context, a *types.BootOptionParam_BootInfoAcknowledge) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	copy(c.ack[:], a.Pack())
	return nil
}

func (c chassis) GetBootInfoAcknowledge(context.Context) (*types.BootOptionParam_BootInfoAcknowledge, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var a types.BootOptionParam_BootInfoAcknowledge
	return &a, a.Unpack(c.ack[:])
}

// records are numbered from 1.
type records [][]byte

func (r records) Read(_ context.Context, id uint16) ([]byte, error) {
	if id == 0 || int(id) > len(r) {
		return nil, hal.ErrNotFound
	}
	return append(binary.LittleEndian.AppendUint16(nil, id), r[id-1]...), nil
}

func (records) Write(context.Context, uint16, []byte) error { return hal.ErrNotSupported }
func (records) Delete(context.Context, uint16) error        { return hal.ErrNotSupported }

func (r records) RecordIDs(context.Context) ([]uint16, error) {
	ids := make([]uint16, len(r))
	for i := range ids {
		ids[i] = uint16(i + 1)
	}
	return ids, nil
}

// A port is the machine's serial port, for one console at a time.
type port struct{ *BMC }

func (p port) Open(ctx context.Context) (hal.ConsoleConn, error) {
	stream, err := p.cfg.Console(ctx)
	if err != nil {
		return nil, err
	}
	l := &line{WriteCloser: stream}
	l.reading.Go(func() { l.read(stream) })
	return l, nil
}

// A line reads a stream ahead, because the server does not want to wait for it.
type line struct {
	io.WriteCloser
	reading sync.WaitGroup

	mu   sync.Mutex
	text []byte
	err  error
}

func (l *line) read(stream io.Reader) {
	chunk := make([]byte, 1024)
	for {
		n, err := stream.Read(chunk)
		l.mu.Lock()
		l.text = append(l.text, chunk[:n]...)
		l.err = err
		l.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (l *line) ReadAvailable(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := copy(p, l.text)
	l.text = l.text[n:]
	if n == 0 && l.err != nil && !errors.Is(l.err, io.EOF) {
		return 0, l.err
	}
	return n, nil
}

func (*line) SendBreak(context.Context) error { return hal.ErrNotSupported }

func (l *line) Close() error {
	err := l.WriteCloser.Close()
	l.reading.Wait()
	return err
}
