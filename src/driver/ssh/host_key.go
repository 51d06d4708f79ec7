package ssh

import (
	"bytes"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"bosh-ironic-cpi/src/driver"
)

// hostKey is where the node's state has the key that the host showed first, as a line of known_hosts: address, type, key.
// Another address is another host.
const hostKey = "host_key"

// publicKey reads a key, with or without a host before it.
func publicKey(line string) (ssh.PublicKey, error) {
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	return key, err
}

// expected is the key that the host has to show: the pinned one, or the one that it showed first; nil: it is new to us.
func (s settings) expected(n *driver.Node) ssh.PublicKey {
	if s.pinned != nil {
		return s.pinned
	}
	address, line, _ := strings.Cut(n.State[hostKey], " ")
	if address != s.address {
		return nil
	}
	key, err := publicKey(line)
	if err != nil {
		return nil
	}
	return key
}

// remember keeps the key of a host that let us in.
func (s settings) remember(n *driver.Node, key ssh.PublicKey) {
	n.Remember(hostKey, s.address+" "+strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))))
}

// check compares a host's key with the one that it has to show.
func (s settings) check(shown, expected ssh.PublicKey) error {
	switch {
	case expected == nil || bytes.Equal(shown.Marshal(), expected.Marshal()):
		return nil
	case s.pinned != nil:
		return fmt.Errorf("%w: %w", driver.ErrUntrusted, &driver.ParameterError{
			Key: "ssh_host_key", Problem: fmt.Sprintf("is %s, but %s shows %s: somebody may stand in between, or the host has a new key",
				ssh.FingerprintSHA256(expected), s.address, ssh.FingerprintSHA256(shown)),
		})
	}
	return fmt.Errorf("%w: ssh %s shows another host key than before (%s, it was %s): somebody may stand in between; if the host was installed anew, set driver_info ssh_host_key to its new key",
		driver.ErrUntrusted, s.address, ssh.FingerprintSHA256(shown), ssh.FingerprintSHA256(expected))
}

// algorithms are how a host may prove who it is: with a key of the type that is expected, or else with any key, but not
// with a certificate, which would be another one next month.
func algorithms(expected ssh.PublicKey) []string {
	rsa := []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSA} // the last for hosts as old as this dialect
	switch {
	case expected == nil:
		return append([]string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521}, rsa...)
	case expected.Type() == ssh.KeyAlgoRSA:
		return rsa
	}
	return []string{expected.Type()}
}
