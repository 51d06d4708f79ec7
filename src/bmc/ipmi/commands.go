package ipmi

import (
	"context"
	"encoding/binary"

	"github.com/bougou/go-ipmi/pkg/handlers"
	"github.com/bougou/go-ipmi/pkg/types"
)

// register lays our commands over the server's.
func (b *BMC) register(r *handlers.Registry) {
	at := func(c Command, h Handler) {
		r.RegisterFunc(types.Command{ID: c.Cmd, NetFn: types.NetFn(c.NetFn)},
			func(_ context.Context, _ *handlers.HandlerContext, data []byte) ([]byte, types.CompletionCode, error) {
				code, answer := h(c, data)
				return answer, types.CompletionCode(code), nil
			})
	}
	r.RegisterFunc(types.CommandChassisControl, b.control)
	r.RegisterFunc(types.CommandColdReset, b.reset(0))
	r.RegisterFunc(types.CommandWarmReset, b.reset(1))
	at(Command{0x0a, 0x20}, b.repository)
	r.RegisterFunc(types.Command{ID: 0x34, NetFn: 0x06, Name: "Send Message"}, b.sendMessage)
	for c, h := range b.cfg.Commands {
		at(c, h)
	}
}

// control is Chassis Control. Flags for one boot are gone when the machine has started.
func (b *BMC) control(ctx context.Context, _ *handlers.HandlerContext, data []byte) ([]byte, types.CompletionCode, error) {
	if len(data) < 1 {
		return nil, types.CodeRequestDataTruncated, nil
	}
	action := Action(data[0] & 0x0f)
	if action > SoftOff {
		return nil, types.CodeParameterOutOfRange, nil
	}
	b.mu.Lock()
	stuck, flags := b.fault.Stuck, b.flags
	b.mu.Unlock()
	if stuck {
		return nil, types.CodeOK, nil
	}
	on, err := b.cfg.Machine.Powered(ctx)
	if err == nil {
		err = b.cfg.Machine.Do(ctx, action, boot(flags))
	}
	if err != nil {
		return nil, types.CodeUnspecifiedError, nil
	}
	if action == On && !on || on && action.Starts() && action != On {
		b.mu.Lock()
		if b.flags[0]&0x40 == 0 {
			b.flags[0] &^= 0x80
		}
		b.mu.Unlock()
	}
	return nil, types.CodeOK, nil
}

// reset is the BMC's own. It forgets the session that asked for it, once it has answered.
func (b *BMC) reset(kind int) handlers.HandlerFunc {
	return func(_ context.Context, h *handlers.HandlerContext, _ []byte) ([]byte, types.CompletionCode, error) {
		b.mu.Lock()
		b.resets[kind]++
		b.mu.Unlock()
		b.later(func() { // the server holds ProcMu until the answer is out
			if s := h.Session; s != nil {
				s.ProcMu.Lock()
				defer s.ProcMu.Unlock()
				_ = b.core.Sessions.Close(s.BMCID)
			}
			if s := h.V15Session; s != nil {
				s.ProcMu.Lock()
				defer s.ProcMu.Unlock()
				_ = b.core.V15Sessions.Close(s.SessionID)
			}
		})
		return nil, types.CodeOK, nil
	}
}

// repository is Get SDR Repository Info. The server's has a new time at every call, and freeipmi's cache no peace.
func (b *BMC) repository(Command, []byte) (byte, []byte) {
	const version, changed, reserves = 0x51, 0x5f000000, 0x02
	info := binary.LittleEndian.AppendUint16([]byte{version}, uint16(len(b.cfg.Records))) //nolint:gosec // a handful
	info = binary.LittleEndian.AppendUint16(info, 0xffff)                                 // free space: unspecified
	info = binary.LittleEndian.AppendUint32(info, changed)
	info = binary.LittleEndian.AppendUint32(info, changed)
	return 0, append(info, reserves)
}
