package libvirt

import (
	"fmt"
	"os"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/secret"
)

// parameters is what driver_info says. Secrets are exported, so that fmt asks them how to print.
type parameters struct {
	target     target
	username   string // of SASL
	Password   secret.Text
	keyFile    string // of SSH; empty: agent and default keys
	Passphrase secret.Text
	firstKey   string // of the SSH host: the one that it showed first; dial sets it
}

func (p parameters) where() string { return "libvirt at " + p.target.String() }

// parse reads driver_info. Errors are a [driver.ParameterError].
func parse(n *driver.Node) (parameters, error) {
	r := n.Reader()
	var p parameters
	t, err := parseURI(r.Text("libvirt_uri", "qemu+unix:///system"))
	if err != nil {
		return p, err
	}
	p = parameters{
		target: t, username: r.Text("sasl_username", ""), Password: secret.New(r.Text("sasl_password", "")),
		keyFile: r.Text("ssh_key_filename", ""), Passphrase: secret.New(r.Text("ssh_key_passphrase", "")),
	}
	switch {
	case p.username != "" && !p.Password.IsZero() && p.keyFile != "":
		return p, &driver.ParameterError{Key: "ssh_key_filename", Problem: "is set, and sasl_username and sasl_password too: it is one or the other"}
	case p.username != "" && p.Password.IsZero():
		return p, &driver.ParameterError{Key: "sasl_password"}
	case p.username == "" && !p.Password.IsZero():
		return p, &driver.ParameterError{Key: "sasl_username"}
	}
	if p.keyFile == "" {
		p.keyFile = t.keyFile
	} else {
		// Ironic's staging driver adds keyfile=FILE&no_verify=1 to the URI. What the URI says itself goes first.
		p.target.keyFile = p.keyFile
		if p.target.hostKey == "" {
			p.target.hostKey = hostKeyUnlessOther
		}
	}
	if p.keyFile != "" {
		if _, err := os.Stat(p.keyFile); err != nil {
			return p, &driver.ParameterError{Key: "ssh_key_filename", Problem: fmt.Sprintf("SSH key file %s not found.", p.keyFile)}
		}
	}
	return p, nil
}
