// Package tlsclient says whom a client of ours trusts and who it is: what every service that the CPI asks over
// HTTPS has in its configuration. It makes no connections.
package tlsclient

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"bosh-ironic-cpi/src/secret"
)

// A Config holds PEM texts. The zero value trusts the system's certificate authorities and shows no certificate.
type Config struct {
	CA         string      // trusted instead of the system's authorities
	ClientCert string      // goes with ClientKey
	ClientKey  secret.Text // goes with ClientCert
	Insecure   bool        // no verification at all
}

// TLS makes the settings, TLS 1.2 or newer. The error names what is not PEM, or does not go together, and quotes
// nothing.
func (c Config) TLS() (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: c.Insecure} //nolint:gosec // the operator's choice
	if c.CA != "" {
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM([]byte(c.CA)) {
			return nil, errors.New("tls: the CA holds no certificate: give PEM text, from -----BEGIN CERTIFICATE-----")
		}
	}
	if c.ClientCert == "" && c.ClientKey.IsZero() {
		return t, nil
	}
	pair, err := tls.X509KeyPair([]byte(c.ClientCert), []byte(c.ClientKey.Reveal()))
	if err != nil {
		return nil, fmt.Errorf("tls: client certificate and key: %w", err)
	}
	t.Certificates = []tls.Certificate{pair}
	return t, nil
}
