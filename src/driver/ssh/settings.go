package ssh

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/virsh"
)

// Settings are a node's driver_info, read.
type settings struct {
	address string // host:port
	user    string
	auth    []ssh.AuthMethod
	with    string        // the key of driver_info that auth comes from
	pinned  ssh.PublicKey // nil: whatever was seen first
	uri     string        // for virsh
}

// others are what else the old driver could speak to, and how virsh reaches it.
var others = map[string]string{
	"vbox":      "VirtualBox's own commands are not spoken: use virsh, with ssh_libvirt_uri vbox:///session, where libvirt drives VirtualBox",
	"vmware":    "VMware's own commands are not spoken: use virsh, with ssh_libvirt_uri vmwareplayer:///session, or BOSH's CPI for vSphere",
	"parallels": "Parallels' own commands are not spoken: use virsh, with ssh_libvirt_uri vz:///system, where libvirt drives Virtuozzo",
	"xenserver": "XenServer's own commands are not spoken: use virsh, with ssh_libvirt_uri xen:///system, where libvirt drives Xen",
}

// read takes driver_info apart: a [driver.ParameterError], or what else the node lacks.
func read(n *driver.Node) (settings, error) {
	if err := Spec.Check(n.Info); err != nil {
		return settings{}, err
	}
	r := n.Reader()
	if kind := r.Text("ssh_virt_type", ""); kind != "virsh" {
		problem, known := others[kind]
		if !known {
			problem = "no such thing is known: use virsh"
		}
		r.Wrong("ssh_virt_type", fmt.Sprintf("is %q: %s", kind, problem))
	}
	s := settings{
		address: net.JoinHostPort(strings.Trim(r.Text("ssh_address", ""), "[]"), strconv.Itoa(r.Port("ssh_port", 22))),
		user:    r.Text("ssh_username", ""), uri: r.Text("ssh_libvirt_uri", virsh.DefaultURI),
	}
	r.Port("ssh_terminal_port", 22)
	if line := r.Text("ssh_host_key", ""); line != "" {
		var err error
		if s.pinned, err = publicKey(line); err != nil {
			r.Wrong("ssh_host_key", "is no public key such as ssh-keyscan prints")
		}
	}
	if r.Err() != nil {
		return settings{}, r.Err()
	}
	if err := s.credentials(r); err != nil {
		return settings{}, err
	}
	if len(n.MACs) == 0 {
		return settings{}, fmt.Errorf("node %s has no port: the driver finds its domain by a port's MAC address, so create one", n.Label())
	}
	return s, nil
}

// credentials reads the one that there is.
func (s *settings) credentials(r *driver.Reader) error {
	var given []string
	for _, key := range []string{"ssh_password", "ssh_key_contents", "ssh_key_filename"} {
		if r.Text(key, "") != "" {
			given = append(given, key)
		}
	}
	if len(given) == 0 {
		return &driver.ParameterError{Key: "ssh_password", Problem: "is missing, as are ssh_key_contents and ssh_key_filename: set one of the three"}
	}
	if len(given) > 1 {
		return &driver.ParameterError{Key: given[1], Problem: "is set beside " + given[0] + ": set one and only one of ssh_password, ssh_key_contents and ssh_key_filename"}
	}
	s.with = given[0]
	value := r.Text(s.with, "")
	if s.with == "ssh_password" {
		// sshd with PAM often asks instead of taking a password that nobody asked for.
		s.auth = []ssh.AuthMethod{ssh.Password(value), ssh.KeyboardInteractive(func(_, _ string, questions []string, echos []bool) ([]string, error) {
			answers := make([]string, len(questions))
			for i := range questions {
				if !echos[i] {
					answers[i] = value
				}
			}
			return answers, nil
		})}
		return nil
	}
	key := []byte(value)
	if s.with == "ssh_key_filename" {
		var err error
		if key, err = keyFile(value); err != nil {
			return err
		}
	}
	signer, err := ssh.ParsePrivateKey(key)
	if _, locked := errors.AsType[*ssh.PassphraseMissingError](err); locked {
		return &driver.ParameterError{Key: s.with, Problem: "is a key with a passphrase: use one without"}
	}
	if err != nil {
		return &driver.ParameterError{Key: s.with, Problem: "is no private key: want PEM or OpenSSH form, line ends included"}
	}
	s.auth = []ssh.AuthMethod{ssh.PublicKeys(signer)}
	return nil
}

func keyFile(name string) ([]byte, error) {
	wrong := func(problem string) error {
		return &driver.ParameterError{Key: "ssh_key_filename", Problem: problem}
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, wrong(fmt.Sprintf("is not there for the conductor to read: %v", err))
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, wrong(fmt.Sprintf("names %s, which is no file", name))
	}
	const most = 1 << 20 // a key has a few thousand bytes
	key, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return nil, wrong(fmt.Sprintf("cannot be read: %v", err))
	}
	return key, nil
}
