package ipmi

import (
	"context"

	"github.com/bougou/go-ipmi/pkg/bmc"
	"github.com/bougou/go-ipmi/pkg/crypto"
	"github.com/bougou/go-ipmi/pkg/handlers"
	"github.com/bougou/go-ipmi/pkg/protocol"
	"github.com/bougou/go-ipmi/pkg/types"
)

// sendMessage hands a message to a controller (IPMI 2.0, 22.7, and 6.13 for the way of the answer).
func (b *BMC) sendMessage(_ context.Context, h *handlers.HandlerContext, data []byte) ([]byte, types.CompletionCode, error) {
	if len(data) < 8 {
		return nil, types.CodeRequestDataTruncated, nil
	}
	m := data[1:]
	controller := b.cfg.Controllers[Place{data[0] & 0x0f, m[0]}]
	if controller == nil || protocol.Checksum(m[:3]) != 0 || protocol.Checksum(m[3:]) != 0 {
		return nil, types.CodeSendMessageNAKOnWrite, nil
	}
	command := Command{m[1] >> 2, m[5]}
	code, answer := controller(command, m[6:len(m)-1])
	reply := []byte{m[3], (command.NetFn | 1) << 2}
	reply = append(reply, protocol.Checksum(reply))
	reply = append(append(reply, m[0], m[4], command.Cmd, code), answer...)
	reply = append(reply, protocol.Checksum(reply[3:]))
	if s := h.Session; s != nil && b.cfg.TwoPackets {
		b.later(func() {
			s.ProcMu.Lock() // the server holds it until the answer to Send Message is out
			defer s.ProcMu.Unlock()
			b.push(s, reply)
		})
		return nil, types.CodeOK, nil
	}
	return reply, types.CodeOK, nil
}

// push sends a message in a packet of its own.
func (b *BMC) push(s *bmc.Session, message []byte) {
	var flags byte
	if s.CryptAlg != types.CryptAlg_None {
		sealed, err := crypto.EncryptAESPayload(message, s.K2, crypto.RandomBytes(16))
		if err != nil {
			return
		}
		message, flags = sealed, types.PayloadFlagEncrypted
	}
	if s.IntegrityAlg != types.IntegrityAlg_None {
		flags |= types.PayloadFlagAuthenticated
	}
	p := protocol.BuildRMCPPlusPacket(byte(types.PayloadTypeIPMI), flags, s.ConsoleID, s.NextOutboundSeq(), message)
	if s.IntegrityAlg != types.IntegrityAlg_None {
		padding := -(len(p) - 4 + 2) & 3
		p = append(p, []byte{0xff, 0xff, 0xff}[:padding]...)
		p = append(p, byte(padding), 0x07)
		code, err := crypto.SessionIntegrityAuthCode(s.IntegrityAlg, p[4:], s.K1, "")
		if err != nil {
			return
		}
		p = append(p, code...)
	}
	_, _ = b.conn.WriteTo(p, s.GetAddr())
}
