package libvirt

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"bosh-ironic-cpi/src/driver"
)

// hostKeys decides whether a machine is the one that it says it is.
type hostKeys struct {
	mode  string // hostKeyKnown, hostKeyUnlessOther, hostKeyAny
	known ssh.HostKeyCallback
	files []string
	first string // ADDRESS TYPE FINGERPRINT of the key that was shown first, where known_hosts has none
}

// hostKeyError is a machine that is not known, or not the one that is known.
type hostKeyError struct{ text string }

func (e *hostKeyError) Error() string { return e.text }

func (e *hostKeyError) Unwrap() error { return driver.ErrUntrusted }

func newHostKeys(t target, first string) (*hostKeys, error) {
	h := &hostKeys{mode: or(t.hostKey, hostKeyKnown), files: []string{t.knownHosts}, first: first}
	if t.knownHosts == "" {
		h.files = []string{"/etc/ssh/ssh_known_hosts"}
		if home, err := os.UserHomeDir(); err == nil {
			h.files = append([]string{filepath.Join(home, ".ssh", "known_hosts")}, h.files...)
		}
	}
	var there []string
	for _, file := range h.files {
		if _, err := os.Stat(file); err == nil {
			there = append(there, file)
		} else if file == t.knownHosts {
			return nil, uriProblem("has known_hosts=%s: %v", file, err)
		}
	}
	known, err := knownhosts.New(there...)
	if err != nil && h.mode != hostKeyAny {
		return nil, uriProblem("needs a known_hosts that can be read: %v", err)
	}
	h.known = known
	return h, nil
}

// check implements ssh.HostKeyCallback.
func (h *hostKeys) check(address string, remote net.Addr, key ssh.PublicKey) error {
	if h.mode == hostKeyAny {
		return nil
	}
	err := h.known(address, remote, key)
	e, ok := errors.AsType[*knownhosts.KeyError](err)
	switch {
	case err == nil:
		h.first = ""
		return nil
	case ok && len(e.Want) == 0 && h.mode == hostKeyUnlessOther:
		return h.checkFirst(address, key)
	case ok && len(e.Want) == 0:
		return &hostKeyError{fmt.Sprintf("its SSH host key (%s) is in none of %q: compare it, and add it with ssh-keyscan; or set no_verify=1 in libvirt_uri",
			ssh.FingerprintSHA256(key), h.files)}
	case ok:
		return &hostKeyError{fmt.Sprintf("its SSH host key (%s) is not the one in %s, line %d: the machine was installed anew, or this is another one",
			ssh.FingerprintSHA256(key), e.Want[0].Filename, e.Want[0].Line)}
	}
	return &hostKeyError{fmt.Sprintf("its SSH host key is refused: %v", err)} // revoked
}

// checkFirst takes the key of a machine that is seen for the first time, and from then on no other.
func (h *hostKeys) checkFirst(address string, key ssh.PublicKey) error {
	shown := address + " " + key.Type() + " " + ssh.FingerprintSHA256(key)
	if strings.HasPrefix(h.first, address+" ") && h.first != shown {
		return &hostKeyError{fmt.Sprintf("its SSH host key (%s) is not the one that it showed first (%s): if the machine was installed anew, add its key to %s",
			ssh.FingerprintSHA256(key), h.first, h.files[0])}
	}
	h.first = shown
	return nil
}

// algorithms are those of the keys that we know of the machine: another one of its keys would look like another
// machine. nil: any.
func (h *hostKeys) algorithms(address string) (names []string) {
	if h.mode == hostKeyAny {
		return nil
	}
	none, err := ssh.NewPublicKey(ed25519.PublicKey(make([]byte, ed25519.PublicKeySize)))
	if err != nil {
		return nil
	}
	e, _ := errors.AsType[*knownhosts.KeyError](h.known(address, &net.TCPAddr{IP: net.IPv4zero}, none))
	if e == nil {
		return nil
	}
	types := []string{}
	for _, known := range e.Want {
		types = append(types, known.Key.Type())
	}
	if parts := strings.Fields(h.first); len(types) == 0 && len(parts) == 3 && parts[0] == address {
		types = append(types, parts[1])
	}
	for _, name := range types {
		if name == ssh.KeyAlgoRSA {
			names = append(names, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		} else {
			names = append(names, name)
		}
	}
	return names
}
