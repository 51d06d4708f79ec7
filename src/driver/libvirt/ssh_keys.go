package libvirt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/secret"
)

// keys are what we show sshd: the file that the operator named, then what ssh-agent has, and the user's default keys if no
// file is named.
type keys struct {
	signers []ssh.Signer
	from    []string // for people
	agent   io.Closer
}

// String says where the keys come from.
func (k *keys) String() string {
	if len(k.from) == 0 {
		return "no key at all (no ssh_key_filename, no ssh-agent, none in ~/.ssh)"
	}
	return strings.Join(k.from, ", ")
}

// close lets go of the agent, which signs during the handshake only.
func (k *keys) close() {
	if k.agent != nil {
		_ = k.agent.Close()
	}
}

func newKeys(ctx context.Context, p parameters) (*keys, error) {
	k := &keys{}
	locked := false
	if p.keyFile != "" {
		signer, err := readKey(p.keyFile, p.Passphrase)
		_, locked = errors.AsType[*ssh.PassphraseMissingError](err)
		switch {
		case err == nil:
			k.add(p.keyFile, signer)
		case !locked:
			return nil, err
		}
	}
	k.addAgent(ctx)
	if locked && len(k.signers) == 0 {
		k.close()
		return nil, &driver.ParameterError{
			Key: "ssh_key_passphrase", Problem: "is missing: " + p.keyFile + " is encrypted, and there is no ssh-agent (SSH_AUTH_SOCK) with its key",
		}
	}
	if home, err := os.UserHomeDir(); err == nil && p.keyFile == "" {
		for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
			file := filepath.Join(home, ".ssh", name)
			if signer, err := readKey(file, p.Passphrase); err == nil { // absent, or encrypted and for the agent
				k.add(file, signer)
			}
		}
	}
	return k, nil
}

func (k *keys) add(from string, signers ...ssh.Signer) {
	k.signers, k.from = append(k.signers, signers...), append(k.from, from)
}

// addAgent takes what ssh-agent has. One that does not answer is as good as none: its process may be long gone.
func (k *keys) addAgent(ctx context.Context) {
	socket := os.Getenv("SSH_AUTH_SOCK")
	if socket == "" {
		return
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return
	}
	k.agent = conn
	var signers []ssh.Signer
	err = within(ctx, dialLimit, conn, func() (err error) {
		signers, err = agent.NewClient(conn).Signers()
		return err
	})
	if err == nil && len(signers) > 0 {
		k.add("ssh-agent", signers...)
	}
}

// readKey reads a private key. Errors are a [driver.ParameterError], or *[ssh.PassphraseMissingError].
func readKey(file string, passphrase secret.Text) (ssh.Signer, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, &driver.ParameterError{Key: "ssh_key_filename", Problem: fmt.Sprintf("cannot be read: %v", err)}
	}
	signer, err := ssh.ParsePrivateKey(text)
	if _, locked := errors.AsType[*ssh.PassphraseMissingError](err); locked {
		if passphrase.IsZero() {
			return nil, err
		}
		if signer, err = ssh.ParsePrivateKeyWithPassphrase(text, []byte(passphrase.Reveal())); err != nil {
			return nil, &driver.ParameterError{Key: "ssh_key_passphrase", Problem: "does not open " + file}
		}
	}
	if err != nil {
		return nil, &driver.ParameterError{Key: "ssh_key_filename", Problem: file + " is no private key that can be read"}
	}
	return signer, nil
}
