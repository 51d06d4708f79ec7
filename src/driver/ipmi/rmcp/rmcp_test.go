package rmcp

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/bougou/go-ipmi/pkg/protocol"
	"github.com/bougou/go-ipmi/pkg/rmcpplus"
	"github.com/bougou/go-ipmi/pkg/types"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/secret"
)

// The bytes that ipmitool 1.8.19 sends, recorded: staging-drivers.md 5.8.
func TestBridgedBytes(t *testing.T) {
	got := Via{Channel: 0, Target: 0x2c}.bridged(Request{0x2e, 0xca, []byte{0x57, 0x01, 0x00}}, 6)
	if want := "402cb81c8118ca57010045"; got.NetFn != 6 || got.Cmd != 0x34 || hex.EncodeToString(got.Data) != want {
		t.Errorf("%+v, data %x; want %s", got, got.Data, want)
	}
}

func TestParseAnswer(t *testing.T) {
	for text, ok := range map[string]bool{
		"811c63200401005560d800": false, // a byte too many
		"811c6320040100ff":       false,
		"":                       false,
		"811c6320043800a3":       false,
		"811c632004380004":       false,
		"811c6320043800a4":       true, // 81+1c+63 and 20+04+38+00+a4 are 0
	} {
		m, _ := hex.DecodeString(text)
		if a, got := parseAnswer(m); got != ok {
			t.Errorf("parseAnswer(%s) = %+v, %t; want %t", text, a, got, ok)
		}
	}
}

// keys is a session's framing at both ends: as we are, and as the BMC is.
func keys(s int) (ours, theirs *framing20) {
	auth, integrity, crypt, _ := types.GetCipherSuiteAlgorithms(types.CipherSuiteID(s))
	k := func(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }
	ours = &framing20{suite: suite{auth, integrity, crypt}, console: 0x01020304, bmc: 0x0a0b0c0d, k1: k(1), k2: k(2)}
	theirs = &framing20{suite: ours.suite, console: ours.bmc, bmc: ours.console, k1: ours.k1, k2: ours.k2}
	return ours, theirs
}

// A packet of another session, or one of which a bit was changed, is not taken.
func TestChangedPackets(t *testing.T) {
	message := Request{NetFn: 7, Cmd: 1, Data: []byte("0123456789abcdef0123")}.message(0x81, 0x20, 9)
	for _, s := range []int{2, 3, 16, 17} {
		ours, theirs := keys(s)
		packet, err := theirs.pack(payloadIPMI, message)
		if err != nil {
			t.Fatal(err)
		}
		if kind, got, ok := ours.unpack(bytes.Clone(packet)); !ok || kind != payloadIPMI || !bytes.Equal(got, message) {
			t.Fatalf("suite %d: %x, %t; want %x", s, got, ok, message)
		}
		theirs.bmc++
		other, _ := theirs.pack(payloadIPMI, message) // rightly signed, and of another session
		if _, _, ok := ours.unpack(other); ok {
			t.Errorf("suite %d: takes a packet of another session", s)
		}
		for i := range len(packet) * 8 {
			changed := bytes.Clone(packet)
			changed[i/8] ^= 1 << (i % 8)
			unsigned := i/8 == 2 // the RMCP sequence number, which nobody reads
			if _, _, ok := ours.unpack(changed); ok && !unsigned {
				t.Errorf("suite %d: takes a packet with bit %d of byte %d changed", s, i%8, i/8)
			}
		}
		for n := range packet {
			if _, _, ok := ours.unpack(packet[:n:n]); ok {
				t.Errorf("suite %d: takes %d of %d bytes", s, n, len(packet))
			}
		}
	}
}

func TestChangedPacketsOf15(t *testing.T) {
	for _, authType := range []types.AuthType{types.AuthTypeMD5, types.AuthTypeMD2} {
		f := &framing15{authType: authType, session: 0x01020304, sequence: 5, password: secret.New("secret")}
		packet, err := f.pack(payloadIPMI, Request{NetFn: 7, Cmd: 1}.message(0x81, 0x20, 9))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, ok := f.unpack(packet); !ok {
			t.Fatal("does not take its own")
		}
		for i := range len(packet) * 8 {
			changed := bytes.Clone(packet)
			changed[i/8] ^= 1 << (i % 8)
			if _, _, ok := f.unpack(changed); ok && i/8 != 2 {
				t.Errorf("takes a packet with bit %d of byte %d changed", i%8, i/8)
			}
		}
		plain := &framing15{session: f.session, sequence: 5} // says that it is not authenticated
		packet, _ = plain.pack(payloadIPMI, []byte("12345678"))
		if _, _, ok := f.unpack(packet); ok {
			t.Error("takes a packet without authentication")
		}
		f.laxAnswer = true
		if _, _, ok := f.unpack(packet); !ok {
			t.Error("does not take one without, of a BMC that has said so")
		}
	}
	if _, err := (&framing15{}).pack(payloadIPMI, make([]byte, 256)); err == nil {
		t.Error("a message of 256 bytes is sent")
	}
}

// Somebody in between who has the BMC seem to want no authentication gets no session.
func TestNoWeakerAlgorithms(t *testing.T) {
	far, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	go func() {
		buffer := make([]byte, 512)
		for {
			n, from, err := far.ReadFrom(buffer)
			if err != nil {
				return
			}
			p := buffer[:n]
			if p[4] == 0 { // Get Channel Authentication Capabilities; the request's number is in byte 18
				can := Request{NetFn: 7, Cmd: cmdGetAuthCapabilities, Data: []byte{0, 1, 0x80, 4, 2, 0, 0, 0, 0}}
				p, _ = (&framing15{}).pack(payloadIPMI, can.message(0x81, 0x20, p[18]>>2))
			} else {
				opened := rmcpplus.OpenSessionResponse{MessageTag: p[16], ManagedSystemSessionID: 1, RemoteConsoleSessionID: binary.LittleEndian.Uint32(p[20:])}
				p = protocol.BuildRMCPPlusPacket(byte(types.PayloadTypeRmcpOpenSessionResponse), 0, 0, 0, opened.Pack())
			}
			_, _ = far.WriteTo(p, from)
		}
	}()
	s, err := Open(t.Context(), Config{Address: "127.0.0.1", Port: far.LocalAddr().(*net.UDPAddr).Port, Privilege: 4})
	if !errors.Is(err, driver.ErrUnsupported) || !strings.Contains(err.Error(), "other algorithms") {
		t.Errorf("%v, %v", s, err)
	}
}
