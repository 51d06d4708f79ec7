package rmcp

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bougou/go-ipmi/pkg/crypto"
	"github.com/bougou/go-ipmi/pkg/protocol"
	"github.com/bougou/go-ipmi/pkg/rmcpplus"
	"github.com/bougou/go-ipmi/pkg/types"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/wait"
)

// Kinds of payload (IPMI 2.0, table 13-16).
const (
	payloadIPMI = byte(types.PayloadTypeIPMI)
	payloadSOL  = byte(types.PayloadTypeSOL)
)

// framing20 is that of an RMCP+ session (IPMI 2.0, 13.6, 13.28, 13.29).
type framing20 struct {
	suite
	console, bmc uint32 // the two names of the session
	k1, k2       []byte
	sequence     uint32 // of the last packet sent
}

// A suite is the algorithms of a cipher suite.
type suite struct {
	auth      types.AuthAlg
	integrity types.IntegrityAlg
	crypt     types.CryptAlg
}

func (f *framing20) id() uint32 { return f.bmc }

func (f *framing20) pack(kind byte, payload []byte) ([]byte, error) {
	var flags byte
	if f.crypt != types.CryptAlg_None {
		iv := make([]byte, 16)
		_, _ = rand.Read(iv) // never fails
		sealed, err := crypto.EncryptAESPayload(payload, f.k2, iv)
		if err != nil {
			return nil, err
		}
		payload, flags = sealed, flags|types.PayloadFlagEncrypted
	}
	if f.integrity != types.IntegrityAlg_None {
		flags |= types.PayloadFlagAuthenticated
	}
	if f.sequence++; f.sequence == 0 {
		f.sequence = 1
	}
	p := protocol.BuildRMCPPlusPacket(kind, flags, f.bmc, f.sequence, payload)
	if f.integrity == types.IntegrityAlg_None {
		return p, nil
	}
	padding := -(len(p) - len(rmcpHeader) + 2) & 3
	p = append(p, []byte{0xff, 0xff, 0xff}[:padding]...)
	p = append(p, byte(padding), rmcpHeader[3])
	code, err := crypto.SessionIntegrityAuthCode(f.integrity, p[len(rmcpHeader):], f.k1, "")
	return append(p, code...), err
}

// unpack checks everything but the packet's number: some BMCs repeat theirs, ipmitool lets them, and an answer is
// found by the number of its request.
func (f *framing20) unpack(p []byte) (kind byte, payload []byte, ok bool) {
	if len(p) < 16 || !bytes.Equal(p[:2], rmcpHeader[:2]) || p[3] != rmcpHeader[3] || p[4] != byte(types.AuthTypeRMCPPlus) {
		return 0, nil, false
	}
	session, _, kind, flags, payload, ok := protocol.ParseRMCPPlusHeader(p)
	if !ok || session != f.console {
		return 0, nil, false
	}
	if size, _ := crypto.IntegrityAuthCodeLen(f.integrity); size > 0 {
		covered := len(p) - size
		if flags&types.PayloadFlagAuthenticated == 0 || covered < 16+len(payload)+2 {
			return 0, nil, false
		}
		code, err := crypto.SessionIntegrityAuthCode(f.integrity, p[len(rmcpHeader):covered], f.k1, "")
		if err != nil || !crypto.Equal(code, p[covered:]) {
			return 0, nil, false
		}
	}
	if flags&types.PayloadFlagEncrypted == 0 {
		return kind, payload, true // serial data need not be encrypted
	}
	if f.crypt == types.CryptAlg_None || len(payload) < 32 || len(payload)%16 != 0 {
		return 0, nil, false
	}
	payload, err := crypto.DecryptAESPayload(payload, f.k2)
	return kind, payload, err == nil
}

// errRefused is a BMC that does not want a cipher suite.
var errRefused = errors.New("cipher suite refused")

// open20 begins an RMCP+ session (IPMI 2.0, 13.15) by the first of our cipher suites that the BMC takes.
//
// It is not asked for its list: ipmi_sim has none to give, and real BMCs list what they then refuse. A suite that gets no
// answer has its next try after all others had theirs.
func (s *Session) open20(ctx context.Context, can capabilities) error {
	if !can.speaks20() {
		return fmt.Errorf("the BMC speaks IPMI 1.5 only: %w: set ipmi_protocol_version 1.5", driver.ErrUnsupported)
	}
	left, began := slices.Clone(s.cfg.Suites), time.Now()
	var refusals []error
	var full error
	for _, limit := range s.cfg.Tries {
		for _, number := range slices.Clone(left) {
			err := s.handshake(ctx, number, limit)
			switch {
			case err == nil:
				s.suite = number
				return nil
			case errors.Is(err, errRefused):
				refusals = append(refusals, err)
				left = slices.DeleteFunc(left, func(n int) bool { return n == number })
			case errors.Is(err, errNoRoom):
				full = err
				if err := wait.Pause(ctx, limit/4); err != nil {
					return err
				}
			case !errors.Is(err, errSilent):
				if can.wantsKg() && errors.Is(err, driver.ErrAuthentication) {
					err = fmt.Errorf("%w; the BMC has a Kg key set, which is not supported: remove it there", err)
				}
				return err
			}
		}
		if len(left) == 0 {
			return fmt.Errorf("cipher suites %v: %w: %w: set ipmi_cipher_suite to one that the BMC has enabled",
				s.cfg.Suites, errors.Join(refusals...), driver.ErrUnsupported)
		}
	}
	if full != nil {
		return fmt.Errorf("%w: %w: it forgets idle ones after a minute; ipmitool session info active shows whose they are", driver.ErrUnreachable, full)
	}
	s.dead = true
	return s.silence(fmt.Sprintf("session with cipher suite %v", left), began)
}

// errNoRoom is a BMC that has as many sessions as it can.
var errNoRoom = errors.New("the BMC has no room for another session")

// handshake sends each of the three messages once. One that gets lost means beginning anew, with other numbers: a BMC
// that gets the same message twice may draw a new random number, and then neither answer fits.
func (s *Session) handshake(ctx context.Context, number int, limit time.Duration) error {
	f := &framing20{}
	var ok bool
	f.auth, f.integrity, f.crypt, ok = types.GetCipherSuiteAlgorithms(types.CipherSuiteID(number)) //nolint:gosec // one of Suites
	if !ok || !slices.Contains(Suites, number) {
		return fmt.Errorf("cipher suite %d: %w", number, driver.ErrUnsupported)
	}
	var draw [21]byte
	_, _ = rand.Read(draw[:]) // never fails
	f.console = binary.LittleEndian.Uint32(draw[:]) | 1
	h := handshake{Session: s, framing20: f, limit: limit, tag: draw[4]}
	copy(h.consoleRandom[:], draw[5:])
	if err := h.openSession(ctx); err != nil {
		return err
	}
	if err := h.exchangeRandoms(ctx); err != nil {
		return err
	}
	if err := h.exchangeProofs(ctx); err != nil {
		return err
	}
	s.frame = f
	return nil
}

// A handshake is an RMCP+ session that is being made.
type handshake struct {
	*Session
	*framing20
	limit                    time.Duration
	tag                      byte
	consoleRandom, bmcRandom [16]byte
	guid                     [16]byte
}

func (h *handshake) role() byte { // with name-only lookup: the user is found by name, whatever the level
	return h.cfg.Privilege | 0x10
}

func (h *handshake) key() []byte { return crypto.PadPassword20([]byte(h.cfg.Password.Reveal())) }

// step sends a message outside of the session and has accept look at payloads of the kind that answers it. A status other
// than 0 is the error that it means; ipmi_sim then sends no more than tag and status.
func (h *handshake) step(ctx context.Context, send, want types.PayloadType, payload []byte, accept func([]byte) bool) error {
	packet := protocol.BuildRMCPPlusPacket(byte(send), 0, 0, 0, payload)
	status := types.RmcpStatusCodeNoErrors
	err := h.ask(ctx, h.limit, packet, func(p []byte) (done, ours bool) {
		if len(p) < 16 || p[3] != rmcpHeader[3] || p[4] != byte(types.AuthTypeRMCPPlus) {
			return false, false
		}
		session, _, kind, _, payload, ok := protocol.ParseRMCPPlusHeader(p)
		if !ok || session != 0 || kind != byte(want) || len(payload) < 2 || payload[0] != h.tag {
			return false, false
		}
		status = types.RmcpStatusCode(payload[1])
		done = status != types.RmcpStatusCodeNoErrors || accept(payload)
		return done, done
	})
	if err != nil {
		return err
	}
	return refusal(status)
}

func (h *handshake) openSession(ctx context.Context) error {
	request := &rmcpplus.OpenSessionRequest{MessageTag: h.tag, RemoteConsoleSessionID: h.console}
	request.AuthenticationPayload, request.IntegrityPayload, request.ConfidentialityPayload = rmcpplus.NewAlgorithmPayloads(h.auth, h.integrity, h.crypt)
	var opened rmcpplus.OpenSessionResponse
	err := h.step(ctx, types.PayloadTypeRmcpOpenSessionRequest, types.PayloadTypeRmcpOpenSessionResponse, request.Pack(), func(p []byte) bool {
		opened = rmcpplus.OpenSessionResponse{}
		return opened.Unpack(p) == nil && opened.RemoteConsoleSessionID == h.console
	})
	if err != nil {
		return err
	}
	got := suite{types.AuthAlg(opened.AuthAlg), types.IntegrityAlg(opened.IntegrityAlg), types.CryptAlg(opened.CryptAlg)}
	if got != h.framing20.suite { // weaker ones, perhaps by somebody's doing in between
		return fmt.Errorf("%w: the BMC answers with other algorithms", errRefused)
	}
	h.bmc = opened.ManagedSystemSessionID
	return nil
}

// exchangeRandoms is RAKP messages 1 and 2. The BMC proves that it knows the password, so a wrong one is found here.
func (h *handshake) exchangeRandoms(ctx context.Context) error {
	request := &rmcpplus.RAKPMessage1{
		MessageTag: h.tag, ManagedSystemSessionID: h.bmc, RemoteConsoleRandomNumber: h.consoleRandom, NameOnlyLookup: true,
		RequestedMaximumPrivilegeLevel: types.PrivilegeLevel(h.cfg.Privilege),
		UsernameLength:                 byte(len(h.cfg.Username)), Username: []byte(h.cfg.Username), //nolint:gosec // at most 16
	}
	reply := rmcpplus.RAKPMessage2{}
	err := h.step(ctx, types.PayloadTypeRAKPMessage1, types.PayloadTypeRAKPMessage2, request.Pack(), func(p []byte) bool {
		reply = rmcpplus.RAKPMessage2{AuthAlg: h.auth}
		return reply.Unpack(p) == nil && reply.RemoteConsoleSessionID == h.console
	})
	if err != nil {
		return err
	}
	h.bmcRandom, h.guid = reply.ManagedSystemRandomNumber, reply.ManagedSystemGUID
	proof, err := crypto.RAKP2AuthCode(h.auth, h.console, h.bmc, h.consoleRandom[:], h.bmcRandom[:], h.guid[:], h.role(), h.cfg.Username, h.key())
	if err != nil {
		return err
	}
	if !crypto.Equal(proof, reply.KeyExchangeAuthenticationCode) {
		return fmt.Errorf("%w: it knows user %q by another password: check ipmi_password", driver.ErrAuthentication, h.cfg.Username)
	}
	return nil
}

// exchangeProofs is RAKP messages 3 and 4.
func (h *handshake) exchangeProofs(ctx context.Context) error {
	proof, err := crypto.RAKP3AuthCode(h.auth, h.bmcRandom[:], h.console, h.role(), h.cfg.Username, h.key())
	if err != nil {
		return err
	}
	request := &rmcpplus.RAKPMessage3{MessageTag: h.tag, ManagedSystemSessionID: h.bmc, KeyExchangeAuthenticationCode: proof}
	reply := rmcpplus.RAKPMessage4{}
	err = h.step(ctx, types.PayloadTypeRAKPMessage3, types.PayloadTypeRAKPMessage4, request.Pack(), func(p []byte) bool {
		reply = rmcpplus.RAKPMessage4{AuthAlg: h.auth}
		return reply.Unpack(p) == nil && reply.MgmtConsoleSessionID == h.console
	})
	if err != nil {
		return err
	}
	sik, k1, k2, err := crypto.DeriveSessionKeys(h.auth, h.consoleRandom[:], h.bmcRandom[:], h.role(), h.cfg.Username, h.key())
	if err != nil {
		return err
	}
	check, err := crypto.RAKP4ICV(h.auth, h.consoleRandom[:], h.bmc, h.guid[:], sik)
	if err != nil {
		return err
	}
	if !crypto.Equal(check, reply.IntegrityCheckValue) {
		return fmt.Errorf("%w: its session keys are others than ours: is a Kg key set there? It is not supported", driver.ErrAuthentication)
	}
	h.k1, h.k2 = k1, k2
	return nil
}

// refusal is what a status other than 0 means (IPMI 2.0, table 13-15).
func refusal(code types.RmcpStatusCode) error {
	status := fmt.Errorf("%s (status %02xh)", code, byte(code))
	switch code {
	case types.RmcpStatusCodeNoErrors:
		return nil
	case types.RmcpStatusCodeNoResToCreateSess, types.RmcpStatusCodeNoResToCreateSessAtRole:
		return fmt.Errorf("%w: %w", errNoRoom, status)
	case types.RmcpStatusCodeInvalidRole, types.RmcpStatusCodeUnauthorizedRoleOfPriLevel:
		return fmt.Errorf("%w: %w: check ipmi_priv_level, and the user's rights on this channel", driver.ErrAuthentication, status)
	case types.RmcpStatusCodeUnauthorizedName, types.RmcpStatusCodeUnauthorizedGUID, types.RmcpStatusCodeInvalidNameLength,
		types.RmcpStatusCodeInvalidIntegrityCheckValue:
		return fmt.Errorf("%w: %w: check ipmi_username and ipmi_password, and that the user may use IPMI over LAN", driver.ErrAuthentication, status)
	case types.RmcpStatusCodeInvalidSessionID, types.RmcpStatusCodeInactiveSessionID:
		return errSilent // it has forgotten us meanwhile: begin anew
	}
	return fmt.Errorf("%w: %w", errRefused, status)
}
