package rmcp

import (
	"testing"

	"github.com/bougou/go-ipmi/pkg/rmcpplus"
	"github.com/bougou/go-ipmi/pkg/types"
)

// FuzzUnpack has a BMC, or somebody in between, send anything in or outside of a session.
func FuzzUnpack(f *testing.F) {
	for _, s := range []int{1, 3, 17} {
		_, theirs := keys(s)
		packet, _ := theirs.pack(payloadIPMI, Request{NetFn: 7, Cmd: 1}.message(0x81, 0x20, 1))
		f.Add(packet)
	}
	plain, _ := (&framing15{}).pack(payloadIPMI, Request{NetFn: 7, Cmd: 0x38}.message(0x81, 0x20, 1))
	f.Add(plain)
	f.Fuzz(func(_ *testing.T, packet []byte) {
		for _, s := range []int{1, 2, 3, 17} {
			ours, _ := keys(s)
			ours.unpack(packet)
			if len(packet) > 16 { // as if it had been signed: what is behind the integrity check has to stand it too
				ours.integrity = types.IntegrityAlg_None
				ours.console = uint32(packet[6]) | uint32(packet[7])<<8 | uint32(packet[8])<<16 | uint32(packet[9])<<24
				ours.unpack(packet)
			}
		}
		for _, old := range []*framing15{{}, {authType: types.AuthTypeMD5, sequence: 1}} {
			old.unpack(packet)
		}
	})
}

// FuzzHandshake has it answer the messages that make a session with anything.
func FuzzHandshake(f *testing.F) {
	f.Add((&rmcpplus.OpenSessionResponse{ManagedSystemSessionID: 1}).Pack())
	f.Add((&rmcpplus.RAKPMessage2{KeyExchangeAuthenticationCode: make([]byte, 32)}).Pack())
	f.Add((&rmcpplus.RAKPMessage4{IntegrityCheckValue: make([]byte, 16)}).Pack())
	f.Fuzz(func(_ *testing.T, p []byte) {
		_ = (&rmcpplus.OpenSessionResponse{}).Unpack(p)
		for _, auth := range []types.AuthAlg{types.AuthAlg_HMAC_SHA1, types.AuthAlg_HMAC_SHA256} {
			_ = (&rmcpplus.RAKPMessage2{AuthAlg: auth}).Unpack(p)
			_ = (&rmcpplus.RAKPMessage4{AuthAlg: auth}).Unpack(p)
		}
		var sol types.SOLPayloadPacket
		_ = sol.Unpack(p)
	})
}

// FuzzMessage has a BMC say anything in answer to a command, bridged or not.
func FuzzMessage(f *testing.F) {
	f.Add(Request{NetFn: 7, Cmd: 1, Data: []byte{0}}.message(0x81, 0x20, 1))
	inner := Request{NetFn: 0x2f, Cmd: 0xca, Data: []byte{0, 0x57, 1, 0}}.message(0x81, 0x2c, 1)
	f.Add(inner)
	f.Add(Request{NetFn: 7, Cmd: cmdSendMessage, Data: append([]byte{0}, inner...)}.message(0x81, 0x20, 1))
	f.Fuzz(func(t *testing.T, message []byte) {
		for _, via := range []*Via{nil, {Target: 0x2c}} {
			c := conversation{request: Request{NetFn: 0x2e, Cmd: 0xca}, via: via, seq: 1}
			if done, ours := c.take(message); done && !ours {
				t.Error("done with what is not ours")
			}
		}
	})
}
