package amt

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"time"

	"bosh-ironic-cpi/src/tlsclient"
)

// trustOf makes TLS settings for an address.
func trustOf(address string, whom tlsclient.Config) (*tls.Config, error) {
	settings, err := whom.TLS()
	if err != nil {
		return nil, err
	}
	settings.MinVersion = tls.VersionTLS10 // all that AMT 7 to 10 have; refusing them would only leave http
	settings.CipherSuites = suites()
	if whom.CA == "" {
		return settings, nil
	}
	trusted := certificates(whom.CA)
	settings.InsecureSkipVerify = true // by Go; VerifyConnection does it
	settings.VerifyConnection = func(state tls.ConnectionState) error { return check(state, address, trusted) }
	return settings, nil
}

// suites are Go's own, and those with an RSA key exchange, which older AMT needs. RC4 and 3DES stay out.
func suites() (ids []uint16) {
	for _, s := range tls.CipherSuites() {
		ids = append(ids, s.ID)
	}
	return append(ids, tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA)
}

// check takes a certificate that the operator gave as it is, whatever name and dates it bears: the one that AMT makes
// for itself names no address, and its clock is often wrong. Anything else has to be signed by one of the given, and
// be for this address, which state does not know where it is a number.
func check(state tls.ConnectionState, address string, trusted []*x509.Certificate) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("no certificate")
	}
	leaf := state.PeerCertificates[0]
	if slices.ContainsFunc(trusted, leaf.Equal) {
		return nil
	}
	options := x509.VerifyOptions{
		DNSName: address, Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: time.Now(),
	}
	for _, c := range trusted {
		options.Roots.AddCert(c)
	}
	for _, c := range state.PeerCertificates[1:] {
		options.Intermediates.AddCert(c)
	}
	if _, err := leaf.Verify(options); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
	}
	return nil
}

// certificates are those in PEM text.
func certificates(text string) (all []*x509.Certificate) {
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		if c, err := x509.ParseCertificate(block.Bytes); block.Type == "CERTIFICATE" && err == nil {
			all = append(all, c)
		}
	}
	return all
}
