package dxp

import (
	"context"
	"encoding/hex"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bosh-ironic-cpi/src/wait"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T) *PDU {
	t.Helper()
	pdu, err := Start(Config{User: "admin", Password: "secret", Sequence: 0x1234})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pdu.Close(); err != nil {
			t.Error(err)
		}
	})
	return pdu
}

// A peer is a client that sends the bytes it is given.
type peer struct {
	t    *testing.T
	conn net.Conn
}

func dial(t *testing.T, pdu *PDU) peer {
	t.Helper()
	conn, err := net.Dial("tcp", pdu.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return peer{t, conn}
}

// says sends bytes, where U and P stand for the padded user and password, and wants so many bytes of answer.
func (p peer) says(spelled, answer string) {
	p.t.Helper()
	b, err := hex.DecodeString(strings.NewReplacer(
		"U", "61646d696e"+strings.Repeat("00", 16), "P", "736563726574"+strings.Repeat("00", 15), " ", "").Replace(spelled))
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.conn.Write(b); err != nil {
		p.t.Fatal(err)
	}
	got := make([]byte, len(answer)/2)
	if _, err := io.ReadFull(p.conn, got); err != nil || hex.EncodeToString(got) != answer {
		p.t.Errorf("%s is answered %x, %v; want %s", spelled, got, err, answer)
	}
}

// ends wants the connection closed without another byte.
func (p peer) ends() {
	p.t.Helper()
	if rest, err := io.ReadAll(p.conn); err != nil || len(rest) > 0 {
		p.t.Errorf("%x, %v; want the connection closed", rest, err)
	}
}

const helloBytes = "68656c6c6f2d303030"

// The bytes are those that python-iboot sent to a recorder, when the device had said 0x1234.
func TestVectors(t *testing.T) {
	tests := []struct{ name, command, answer, relays string }{
		{"relay 1 on", "03 U P 01 00 35 12 01 01", "00", "0100000000000000"},
		{"relay 1 off", "03 U P 01 00 35 12 01 00", "00", "0000000000000000"},
		{"relay 3 off", "03 U P 01 00 35 12 03 00", "00", "0000000000000000"},
		{"relay 3 on", "03 U P 01 00 35 12 03 01", "00", "0000010000000000"},
		{"read", "03 U P 04 00 35 12", "0000000000000000", "0000000000000000"},
		{"no change", "03 U P 01 00 35 12 01 02", "00", "0000000000000000"},
		{"a relay that is not there", "03 U P 01 00 35 12 09 01", "01", "0000000000000000"},
		{"relay 0", "03 U P 01 00 35 12 00 01", "01", "0000000000000000"},
		{"a state that is none", "03 U P 01 00 35 12 01 03", "01", "0000000000000000"},
		{"changeRelays, which devices do not do", "03 U P 02 00 35 12" + strings.Repeat("01", 32), "01", "0000000000000000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := dial(t, start(t))
			p.says(helloBytes, "3412")
			p.says(tt.command, tt.answer)
			p.says("03 U P 04 00 37 12", tt.relays) // numbers go on with each packet, from either side
		})
	}
}

func TestPulse(t *testing.T) {
	pdu := start(t)
	p := dial(t, pdu)
	p.says(helloBytes, "3412")
	p.says("03 U P 07 00 35 12 01 01 01 00", "00")
	p.says("03 U P 04 00 37 12", "0100000000000000")
	err := wait.Until(t.Context(), wait.Pace{Every: 10 * time.Millisecond, Limit: 10 * time.Second}, "relay 1 to be off", func(context.Context) (bool, string, error) {
		return !pdu.Relay(1), "on", nil
	})
	if err != nil {
		t.Error(err)
	}
	p.says("03 U P 07 00 39 12 01 00 05 00", "00") // the recorded one; it ends with the PDU
	if got := pdu.Journal(); len(got) != 3 || got[2].Relay != 1 || got[2].State != off || got[2].Sequence != 0x1239 {
		t.Errorf("journal %+v", got)
	}
}

// Who says something wrong is not answered.
func TestWrong(t *testing.T) {
	tests := []struct{ name, command string }{
		{"password", "03 U U 04 00 35 12"},
		{"user", "03 P P 04 00 35 12"},
		{"the device's own number", "03 U P 04 00 34 12"},
		{"a number from before", "03 U P 04 00 00 00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := dial(t, start(t))
			p.says(helloBytes, "3412")
			p.says(tt.command, "")
			p.ends()
		})
	}
	pdu := start(t)
	p := dial(t, pdu)
	p.says("474554202f20485454", "") // GET / HTT
	p.ends()
	q := dial(t, pdu)
	q.says(helloBytes, "6924") // each connection has a number of its own
	if pdu.Connections() != 2 {
		t.Errorf("%d connections; want 2", pdu.Connections())
	}
}

func TestFaultsLast(t *testing.T) {
	pdu := start(t)
	pdu.Break(Faults{CloseAtHello: true, Lasts: 2})
	for range 2 {
		p := dial(t, pdu)
		p.says(helloBytes, "")
		p.ends()
	}
	dial(t, pdu).says(helloBytes, "9e36") // 0x1234 and twice 0x1235
}
