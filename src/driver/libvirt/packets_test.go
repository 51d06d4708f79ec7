package libvirt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/secret"
)

// script is a connection that says what it was told to, whatever it hears.
type script struct {
	net.Conn
	says  *bytes.Reader
	heard bytes.Buffer
}

func said(text []byte) *script { return &script{says: bytes.NewReader(text)} }

func (s *script) Read(b []byte) (int, error)    { return s.says.Read(b) }
func (s *script) Write(b []byte) (int, error)   { return s.heard.Write(b) }
func (s *script) Close() error                  { return nil }
func (s *script) SetDeadline(_ time.Time) error { return nil }

// packet is one of libvirt's protocol.
func packet(procedure, kind, serial, status uint32, body []byte) []byte {
	var out []byte
	for _, field := range []uint32{uint32(headerSize + len(body)), remoteProgram, remoteVersion, procedure, kind, serial, status} {
		out = binary.BigEndian.AppendUint32(out, field)
	}
	return append(out, body...)
}

func TestPacketsThatNobodyAskedFor(t *testing.T) {
	const event = 2
	answer := packet(150, kindReply, 7, 0, []byte{0, 0, 0, 1})
	var wire []byte
	for _, p := range [][]byte{
		packet(318, event, 0, 0, []byte("an event")), packet(150, kindReply, 6, 0, nil), answer, answer, packet(318, event, 7, 0, nil),
	} {
		wire = append(wire, p...)
	}
	p := newPackets(said(wire))
	call := packet(150, 0, 7, 0, []byte("long arguments"))
	if _, err := p.Write(call[:30]); err != nil { // what does not fit into one write comes in the next
		t.Fatal(err)
	}
	if _, err := p.Write(call[30:]); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(p)
	if !bytes.Equal(got, answer) || err == nil {
		t.Errorf("read %x, %v; want the one answer %x, and the end", got, err, answer)
	}
	select {
	case <-p.ended:
	default:
		t.Error("nobody is told of the end")
	}
	if p.why() == nil {
		t.Error("nobody knows why it ended")
	}
}

func TestPacketsOfNoLength(t *testing.T) {
	million := packet(273, kindReply, 1, 0, []byte{0, 0x0f, 0x42, 0x40}) // domains, it says
	for _, text := range []string{"\x00\x00\x00\x00", "\x00\x00\x00\x1b", "\xff\xff\xff\xff", string(million)} {
		if _, err := io.ReadAll(newPackets(said([]byte(text)))); !errors.Is(err, errNoLibvirt) {
			t.Errorf("%x: %v; want %v", text, err, errNoLibvirt)
		}
	}
}

func TestSASLDataHasFourBytesEach(t *testing.T) {
	for _, message := range [][]byte{nil, {}, []byte("\x00user\x00\xff\x80")} {
		x := xdr{rest: saslData(message)}
		got := x.saslData()
		if !bytes.Equal(got, message) || (got == nil) != (message == nil) || x.problem() != nil || len(x.rest) > 0 {
			t.Errorf("%q comes back as %q, %v", message, got, x.problem())
		}
	}
	x := xdr{rest: []byte{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}}
	if got := x.saslData(); got != nil || x.problem() == nil {
		t.Errorf("4 GB of message: %q, %v", got, x.problem())
	}
}

// A daemon that offers a mechanism, and says something then.
func saslScript(mechanism string, messages ...[]byte) []byte {
	wire := packet(procAuthList, kindReply, 1, 0, []byte{0, 0, 0, 1, 0, 0, 0, authSASL})
	wire = append(wire, packet(procSASLInit, kindReply, 2, 0, xdrText(mechanism))...)
	for i, m := range messages {
		wire = append(wire, packet(procSASLStart+uint32(min(i, 1)), kindReply, uint32(3+i), 0, m)...)
	}
	return wire
}

func TestDaemonThatProvesNothing(t *testing.T) {
	p := parameters{username: "admin", Password: secret.New("sesame"), target: target{transport: "tls", host: "kvm1"}}
	complete := append([]byte{0, 0, 0, 1}, saslData(nil)...)
	if _, err := authenticate(said(saslScript("SCRAM-SHA-256", complete)), p); !errors.Is(err, errUnproven) {
		t.Errorf("complete at once: %v; want %v", err, errUnproven)
	}
	var endless [][]byte
	for range 20 {
		endless = append(endless, append([]byte{0, 0, 0, 0}, saslData(nil)...))
	}
	if _, err := authenticate(said(saslScript("PLAIN", endless...)), p); err == nil {
		t.Error("a daemon that comes to no end: no error")
	}
}

// On plain TCP others listen, and may be the ones that answer: no password for them, nor what can be guessed from.
func TestNoPasswordInTheClear(t *testing.T) {
	p := parameters{username: "admin", Password: secret.New("sesame"), target: target{transport: "tcp", host: "kvm1"}}
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-1,PLAIN"} {
		s := said(saslScript(mechanism, append([]byte{0, 0, 0, 1}, saslData(nil)...)))
		_, err := authenticate(s, p)
		if !errors.Is(err, driver.ErrAuthentication) || s.heard.Len() != 2*headerSize {
			t.Errorf("a daemon that offers %s: %v, and it hears %q", mechanism, err, s.heard.Bytes())
		}
	}
}

// Whatever a daemon says: no panic, and nobody is believed without a proof.
func FuzzAuthenticate(f *testing.F) {
	f.Add(saslScript("SCRAM-SHA-256", append([]byte{0, 0, 0, 0}, saslData([]byte("r=x,s=AAAA,i=1"))...)), true)
	f.Add(saslScript("DIGEST-MD5", append([]byte{0, 0, 0, 0}, saslData([]byte(`nonce="n",qop="auth-conf",cipher="rc4",algorithm=md5-sess`))...)), false)
	f.Add(packet(procAuthList, kindReply, 1, 1, append([]byte{0, 0, 0, 45, 0, 0, 0, 7, 0, 0, 0, 1}, xdrText("no")...)), false)
	f.Fuzz(func(t *testing.T, wire []byte, private bool) {
		p := parameters{username: "admin", Password: secret.New("sesame"), target: target{transport: "tcp", host: "kvm1"}}
		if private {
			p.target.transport = "tls"
		}
		conn, err := authenticate(said(wire), p)
		if _, bare := conn.(*script); err == nil && !bare {
			t.Errorf("%x is taken for a daemon that knows the password", wire)
		}
	})
}

// Whatever comes, go-libvirt sees no more than one whole answer.
func FuzzPackets(f *testing.F) {
	f.Add(append(packet(1, kindReply, 1, 0, []byte("body")), packet(1, kindReply, 1, 0, nil)...))
	f.Fuzz(func(t *testing.T, wire []byte) {
		p := newPackets(said(wire))
		if _, err := p.Write(packet(1, 0, 1, 0, nil)); err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(p)
		if len(got) == 0 {
			return
		}
		if len(got) < headerSize || int(binary.BigEndian.Uint32(got)) != len(got) || kindOf(got) != kindReply || serialOf(got) != 1 {
			t.Errorf("%x let by %x", wire, got)
		}
	})
}
