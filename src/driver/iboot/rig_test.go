package iboot

import (
	"bytes"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bosh-ironic-cpi/src/bmc/dxp"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/wait"
)

const (
	user     = "admin"
	password = "secret"
	third    = 3 // the relay that nodes hang on
)

// impatient is the driver with a try's ten seconds cut down.
var impatient = hardware{patience: time.Second}

// pace is how a relay is asked: it follows at once.
var pace = wait.Pace{Every: 2 * time.Millisecond, Limit: 10 * time.Second}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start switches a power strip on.
func start(t testing.TB) *dxp.PDU {
	t.Helper()
	pdu, err := dxp.Start(dxp.Config{User: user, Password: password, Sequence: 0xfffe})
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

// on3 hangs a node on the third relay of a power strip. It tries once.
func on3(pdu *dxp.PDU) *driver.Node {
	return &driver.Node{UUID: "6f4e7e6c-0000-4000-8000-000000000001", Name: "n1", Info: map[string]any{
		"iboot_address": pdu.Addr().IP.String(), "iboot_port": pdu.Addr().Port, "iboot_username": user, "iboot_password": password,
		"iboot_relay_id": third, "iboot_max_retry": 0, "iboot_retry_interval": 0.01, "iboot_reboot_delay": 0.01,
	}}
}

// logged has the node log into a text.
func logged(n *driver.Node) *bytes.Buffer {
	var b bytes.Buffer
	n.Log = slog.New(slog.NewTextHandler(&b, nil))
	return &b
}

// told lists what a power strip was told, in words: "read", "3 on", "3 off".
func told(pdu *dxp.PDU) (words []string) {
	for _, c := range pdu.Journal() {
		switch c.Descriptor {
		case getRelays:
			words = append(words, "read")
		case changeRelay:
			words = append(words, string('0'+rune(c.Relay))+map[byte]string{off: " off", on: " on"}[c.State])
		default:
			words = append(words, "?")
		}
	}
	return words
}

func count(words []string, word string) (n int) {
	for _, w := range words {
		if w == word {
			n++
		}
	}
	return n
}

// nowhere is an address that refuses connections.
func nowhere(t *testing.T, n *driver.Node) {
	t.Helper()
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n.Info["iboot_port"] = socket.Addr().(*net.TCPAddr).Port
	socket.Close()
}

// says wants an error to have all parts, and no secret.
func says(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Error("no error")
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v: want %q in it", err, part)
		}
	}
	if strings.Contains(err.Error(), password) {
		t.Errorf("%v: holds the password", err)
	}
}
