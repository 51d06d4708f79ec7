package rmcp

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/bougou/go-ipmi/pkg/crypto"
	"github.com/bougou/go-ipmi/pkg/types"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/secret"
)

// The RMCP header of every packet: version 6, no acknowledgement wanted, class IPMI.
var rmcpHeader = []byte{0x06, 0x00, 0xff, 0x07}

// framing15 is IPMI 1.5's (13.6); the zero value is that of messages outside of sessions.
type framing15 struct {
	authType  types.AuthType
	session   uint32
	sequence  uint32 // of the packet to come; 0: the session is not active yet
	password  secret.Text
	laxAnswer bool // the BMC has said that it authenticates its answers only in part
}

func (f *framing15) id() uint32 {
	if f.sequence == 0 {
		return 0
	}
	return f.session
}

func (f *framing15) pack(_ byte, payload []byte) ([]byte, error) {
	if len(payload) > 255 {
		return nil, fmt.Errorf("message of %d bytes in a session of IPMI 1.5: %w", len(payload), driver.ErrUnsupported)
	}
	sequence := f.sequence
	if f.sequence != 0 {
		if f.sequence++; f.sequence == 0 {
			f.sequence = 1
		}
	}
	p := append(bytes.Clone(rmcpHeader), byte(f.authType))
	p = binary.LittleEndian.AppendUint32(p, sequence)
	p = binary.LittleEndian.AppendUint32(p, f.session)
	if f.authType != types.AuthTypeNone {
		p = append(p, f.code(f.session, sequence, payload)...)
	}
	return append(append(p, byte(len(payload))), payload...), nil //nolint:gosec // checked above
}

func (f *framing15) code(session, sequence uint32, payload []byte) []byte {
	return crypto.AuthCodeMultiSession(f.authType, []byte(f.password.Reveal()), session, sequence, payload)
}

func (f *framing15) unpack(p []byte) (kind byte, payload []byte, ok bool) {
	if len(p) < 14 || !bytes.Equal(p[:2], rmcpHeader[:2]) || p[3] != rmcpHeader[3] {
		return 0, nil, false
	}
	authType, sequence, session := types.AuthType(p[4]), binary.LittleEndian.Uint32(p[5:]), binary.LittleEndian.Uint32(p[9:])
	rest, code := p[13:], []byte(nil)
	if authType != types.AuthTypeNone {
		if len(rest) < 17 {
			return 0, nil, false
		}
		code, rest = rest[:16], rest[16:]
	}
	// Some answer Activate Session under the number that the session has from then on.
	if len(rest) < 1+int(rest[0]) || session != f.session && f.sequence != 0 {
		return 0, nil, false
	}
	payload = rest[1 : 1+int(rest[0])]
	switch authType {
	case types.AuthTypeNone:
		ok = f.authType == types.AuthTypeNone || f.laxAnswer
	case f.authType:
		ok = subtle.ConstantTimeCompare(code, f.code(session, sequence, payload)) == 1
	}
	if !ok && f.sequence == 0 { // who does not know our password says so in a way that we cannot check
		a, whole := parseAnswer(payload)
		ok = whole && a.cmd == cmdActivateSession && a.code != 0
	}
	return payloadIPMI, payload, ok
}

// open15 begins a session of IPMI 1.5 (13.14), with the best authentication that the BMC offers.
func (s *Session) open15(ctx context.Context, can capabilities) error {
	authType := types.AuthTypeNone
	for _, t := range []types.AuthType{types.AuthTypeMD5, types.AuthTypeMD2, types.AuthTypePassword} {
		if can.offers(byte(t)) {
			authType = t
			break
		}
	}
	if authType == types.AuthTypeNone && !s.cfg.Password.IsZero() {
		return fmt.Errorf("the BMC offers neither MD5, MD2 nor passwords for IPMI 1.5: %w; set ipmi_protocol_version 2.0", driver.ErrUnsupported)
	}
	ask := append([]byte{byte(authType)}, make([]byte, 16)...)
	copy(ask[1:], s.cfg.Username)
	challenge, err := s.Send(ctx, nil, Request{netFnApp, cmdGetSessionChallenge, ask})
	if e, ok := errors.AsType[*CompletionError](err); ok {
		return fmt.Errorf("%w: user %q: %w: check ipmi_username", driver.ErrAuthentication, s.cfg.Username, e)
	} else if err != nil {
		return err
	}
	if len(challenge) < 20 {
		return fmt.Errorf("session challenge of %d bytes: %w", len(challenge), driver.ErrUnsupported)
	}
	f := &framing15{
		authType: authType, session: binary.LittleEndian.Uint32(challenge), password: s.cfg.Password, laxAnswer: can.laxAuthentication(),
	}
	s.frame = f
	activate := append([]byte{byte(authType), s.cfg.Privilege}, challenge[4:20]...)
	activate = append(activate, 1, 0, 0, 0) // the number that the BMC's packets begin with; odd, so never 0
	if _, err := rand.Read(activate[19:]); err != nil {
		return err
	}
	tries := s.cfg.Tries
	s.cfg.Tries = tries[:min(len(tries), 2)] // it has answered so far, and silence has a meaning here
	active, err := s.Send(ctx, nil, Request{netFnApp, cmdActivateSession, activate})
	s.cfg.Tries = tries
	e, refused := errors.AsType[*CompletionError](err)
	switch {
	case refused:
		return fmt.Errorf("%w: %w: check ipmi_username, ipmi_password and ipmi_priv_level", driver.ErrAuthentication, e)
	case errors.Is(err, errSilent):
		// That is how many refuse a password.
		return fmt.Errorf("%w: no answer to Activate Session: check ipmi_password", driver.ErrAuthentication)
	case err != nil:
		return err
	case len(active) < 10:
		return fmt.Errorf("activated session of %d bytes: %w", len(active), driver.ErrUnsupported)
	}
	f.authType = types.AuthType(active[0])
	if f.session = binary.LittleEndian.Uint32(active[1:]); f.session == 0 {
		return fmt.Errorf("activated session has number 0: %w", driver.ErrUnsupported)
	}
	f.sequence = max(binary.LittleEndian.Uint32(active[5:]), 1)
	return nil
}
