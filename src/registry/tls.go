package registry

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"bosh-ironic-cpi/src/secret"
)

// TLS says whom to trust and who we are. The zero value trusts the system's certificate authorities.
type TLS struct {
	CA         string      // PEM; trusted instead of the system's authorities
	ClientCert string      // PEM; goes with ClientKey
	ClientKey  secret.Text // PEM
	Insecure   bool        // no verification at all
}

func (t TLS) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: t.Insecure} //nolint:gosec // the operator's choice
	if t.CA != "" {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(t.CA)) {
			return nil, errors.New("ca: no certificate in it, want PEM")
		}
	}
	if t.ClientCert == "" && t.ClientKey.IsZero() {
		return c, nil
	}
	pair, err := tls.X509KeyPair([]byte(t.ClientCert), []byte(t.ClientKey.Reveal()))
	if err != nil {
		return nil, fmt.Errorf("client_cert and client_key: %w", err)
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}
