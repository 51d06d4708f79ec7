package amt

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// trustOf makes TLS settings for an address of amt_verify_ca, which is true, false, or a path.
func trustOf(address, verify string) (*tls.Config, error) {
	settings := &tls.Config{ //nolint:gosec // AMT 7 to 10 speak TLS 1.0 and 1.1 alone; refusing them would only leave http
		MinVersion:   tls.VersionTLS10,
		CipherSuites: suites(),
	}
	switch strings.ToLower(verify) {
	case "true", "yes", "on", "1":
		return settings, nil
	case "false", "no", "off", "0":
		settings.InsecureSkipVerify = true
		return settings, nil
	}
	trusted, err := certificates(verify)
	if err != nil {
		return nil, err
	}
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

// certificates reads a file of PEM text, or all files of a directory.
func certificates(path string) ([]*x509.Certificate, error) {
	stat, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("is %q, which is not true, false or a path that can be read", path)
	}
	files := []string{path}
	if stat.IsDir() {
		files, _ = filepath.Glob(filepath.Join(path, "*"))
	}
	var all []*x509.Certificate
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil && !stat.IsDir() {
			return nil, fmt.Errorf("is %q, which cannot be read", path)
		}
		for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
			if c, err := x509.ParseCertificate(block.Bytes); block.Type == "CERTIFICATE" && err == nil {
				all = append(all, c)
			}
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("is %q, which holds no certificate in PEM text", path)
	}
	return all, nil
}
