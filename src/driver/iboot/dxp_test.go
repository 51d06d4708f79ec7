package iboot

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/secret"
)

// What python-iboot sent for user admin, password secret and a device that said 0x1234.
var vectors = []struct {
	name       string
	sequence   uint16
	descriptor byte
	payload    []byte
	want       string // U and P stand for the padded names
}{
	{"relay 1 on", 0x1235, changeRelay, []byte{1, on}, "03 U P 01 00 35 12 01 01"},
	{"relay 1 off", 0x1235, changeRelay, []byte{1, off}, "03 U P 01 00 35 12 01 00"},
	{"relay 3 off", 0x1235, changeRelay, []byte{3, off}, "03 U P 01 00 35 12 03 00"},
	{"read", 0x1235, getRelays, nil, "03 U P 04 00 35 12"},
	{"another command on the same connection", 0x1237, changeRelay, []byte{1, on}, "03 U P 01 00 37 12 01 01"},
}

func spelled(t *testing.T, vector string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.NewReplacer(
		"U", "61646d696e"+strings.Repeat("00", 16), "P", "736563726574"+strings.Repeat("00", 15), " ", "").Replace(vector))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVectors(t *testing.T) {
	c := client{user: user, password: secret.New(password)}
	for _, tt := range vectors {
		if got, want := c.command(tt.sequence, tt.descriptor, tt.payload), spelled(t, tt.want); !bytes.Equal(got, want) {
			t.Errorf("%s:\n%x; want\n%x", tt.name, got, want)
		}
	}
	c.user, c.password = strings.Repeat("u", 21), secret.New(strings.Repeat("p", 21))
	if got := c.command(1, getRelays, nil); !bytes.Equal(got[1:43], []byte(c.user+c.password.Reveal())) || len(got) != 47 {
		t.Errorf("%x; want names of full length", got)
	}
}

// spoken lets a client talk to a device that says so much and closes, and gives what the device heard.
func spoken(t testing.TB, c client, says []byte, descriptor byte, payload, answer []byte) (heard []byte, err error) {
	t.Helper()
	ours, theirs := net.Pipe()
	defer ours.Close()
	if err := ours.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	done := make(chan []byte)
	go func() {
		defer close(done)
		b := make([]byte, len(hello))
		_, _ = io.ReadFull(theirs, b)
		_, failed := theirs.Write(says[:min(2, len(says))])
		if failed == nil && len(says) >= 2 {
			more := make([]byte, 47+len(payload))
			n, _ := io.ReadFull(theirs, more)
			b = append(b, more[:n]...)
			_, _ = theirs.Write(says[2:])
		}
		_ = theirs.Close()
		done <- b
	}()
	err = c.talk(ours, descriptor, payload, answer)
	_ = ours.Close()
	return <-done, err
}

// The sequence number goes on from the device's, and round.
func TestSequence(t *testing.T) {
	c := client{user: user, password: secret.New(password), patience: time.Second}
	for said, want := range map[string]string{"\x34\x12": "\x35\x12", "\xff\xff": "\x00\x00", "\xff\x00": "\x00\x01"} {
		heard, err := spoken(t, c, []byte(said+"\x00"), changeRelay, []byte{1, on}, make([]byte, 1))
		if err != nil || !strings.HasPrefix(string(heard), hello) || string(heard[9+45:9+47]) != want {
			t.Errorf("told %x: %v, heard %x; want number %x", said, err, heard, want)
		}
	}
}

// FuzzAnswers: whatever a device says, a relay is read, or there is an error that says of which kind; never a panic.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte("\x34\x12\x00\x01\x01"), byte(3))
	f.Add([]byte("\x34\x12\x00\x01"), byte(3))
	f.Add([]byte("\x34"), byte(1))
	f.Add([]byte{}, byte(255))
	f.Fuzz(func(t *testing.T, says []byte, relay byte) {
		if relay == 0 {
			return // refused before
		}
		c := client{user: user, password: secret.New(password), patience: time.Second}
		answer := make([]byte, relay)
		_, err := spoken(t, c, says, getRelays, nil, answer)
		short, isShort := errors.AsType[*shortError](err)
		switch {
		case len(says) >= 2+int(relay):
			if err != nil || !bytes.Equal(answer, says[2:2+int(relay)]) {
				t.Errorf("%v, %x; want what it said", err, answer)
			}
		case len(says) > 2:
			if !isShort || short.relays != len(says)-2 {
				t.Errorf("%v; want %d relays", err, len(says)-2)
			}
		case len(says) == 2:
			if !errors.Is(err, driver.ErrAuthentication) {
				t.Errorf("%v; want %v", err, driver.ErrAuthentication)
			}
		default:
			if !errors.Is(err, driver.ErrUnreachable) {
				t.Errorf("%v; want %v", err, driver.ErrUnreachable)
			}
		}
	})
}
