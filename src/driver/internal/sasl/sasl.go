// Package sasl is the client's side of SASL, as a hypervisor's daemon asks for it: SCRAM-SHA-256 and SCRAM-SHA-1
// (RFC 5802, RFC 7677), DIGEST-MD5 with its layer that encrypts (RFC 2831), and PLAIN (RFC 4616).
//
// It makes and reads messages; how they travel is the caller's protocol. It knows neither Kerberos (GSSAPI) nor channel
// binding, and hashes passwords as they are typed, without SASLprep, as Cyrus SASL does too.
//
// Start at [New].
package sasl

import (
	"crypto/rand"
	"fmt"
	"net"
	"slices"
	"strings"

	"bosh-ironic-cpi/src/secret"
)

// An Exchange is one authentication under way.
type Exchange interface {
	// Start gives the first message; nil: the server speaks first.
	Start() []byte
	// Step answers a message of the server's; nil: there is nothing to say.
	Step(message []byte) ([]byte, error)
	// Complete tells whether all is said, and the server has proved to know the password too if the mechanism has that.
	Complete() bool
	// Secure lays the layer that was agreed upon over the connection; without one it gives conn itself. What it
	// returns is for one reader and one writer.
	Secure(conn net.Conn) net.Conn
}

// A Login is who authenticates, at what.
type Login struct {
	Username string
	Password secret.Text
	Service  string // as registered with IANA, such as imap
	Host     string
	// Private channels are read by nobody else: TLS, SSH, a socket of the same machine. On others only a mechanism that
	// encrypts all that follows will do.
	Private bool
}

// New begins an exchange by the best mechanism of those that the server offers, and names it.
func New(offered []string, login Login) (mechanism string, e Exchange, err error) {
	nonce := rand.Text()
	known := []struct {
		name  string
		begin func() Exchange
	}{
		{"SCRAM-SHA-256", func() Exchange { return newSCRAM(sha256SCRAM, login, nonce) }},
		{"SCRAM-SHA-1", func() Exchange { return newSCRAM(sha1SCRAM, login, nonce) }},
		{"DIGEST-MD5", func() Exchange { return newDigest(login, nonce) }},
		{"PLAIN", func() Exchange { return &plain{login: login} }},
	}
	var could []string
	for _, k := range known {
		if !login.Private && k.name != "DIGEST-MD5" {
			continue
		}
		could = append(could, k.name)
		if slices.ContainsFunc(offered, func(o string) bool { return strings.EqualFold(o, k.name) }) {
			return k.name, k.begin(), nil
		}
	}
	why := ""
	if !login.Private {
		why = " (on a connection without TLS, only one that encrypts)"
	}
	return "", nil, fmt.Errorf("the server offers the SASL mechanisms %q; of use here: %s%s", offered, strings.Join(could, ", "), why)
}
