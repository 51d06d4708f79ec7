package ssh

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"

	bmc "bosh-ironic-cpi/src/bmc/virsh"
	"bosh-ironic-cpi/src/driver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const password = "hunter2"

// fast is the driver with no patience.
var fast = hardware{connect: 10 * time.Second, command: 10 * time.Second, looks: 3, pause: time.Millisecond}

// domains are two, of which node2 is the node's.
func domains() *bmc.Host {
	return bmc.NewHost(
		bmc.Domain{Name: "node1", MACs: []string{"52:54:00:aa:00:01"}, Boot: "hd"},
		bmc.Domain{Name: "node2", MACs: []string{"52:54:00:AA:00:02", "52:54:00:aa:01:02"}, Boot: "hd"},
	)
}

// serve starts a host, and ends it with the test.
func serve(t *testing.T, h *bmc.Host, a bmc.Account) *bmc.Server {
	t.Helper()
	s, err := bmc.Serve(t.Context(), h, a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// start is a host that takes a password, and a node on it.
func start(t *testing.T) (*bmc.Server, *driver.Node) {
	t.Helper()
	s := serve(t, domains(), bmc.Account{User: "ironic", Password: password})
	return s, nodeAt(s)
}

func nodeAt(s *bmc.Server) *driver.Node {
	host, port := s.Address()
	return &driver.Node{
		UUID: "3f2c1a0b-5d6e-4f70-8a9b-0c1d2e3f4a5b", Name: "web-1", MACs: []string{"52:54:00:ff:ff:ff", "52:54:00:aa:01:02"},
		Info: map[string]any{
			"ssh_address": host, "ssh_port": port, "ssh_username": "ironic", "ssh_virt_type": "virsh", "ssh_password": password,
		},
	}
}

// A pair is a private key as operators have it, and its line for authorized_keys.
type pair struct{ private, public string }

// form renders a key in OpenSSH's form, with a passphrase unless it is empty.
func form(t testing.TB, key crypto.Signer, passphrase string) pair {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(key, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pair{string(pem.EncodeToMemory(block)), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))}
}

func newKey(t testing.TB) pair {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return form(t, key, "")
}

// closedPort is one that nobody listens at.
func closedPort(t testing.TB) string {
	t.Helper()
	return strconv.Itoa(listen(t, nil))
}
