package daemon

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

// TLS says where certificate and key are, as PEM files.
type TLS struct {
	CertificateFile string // with its chain
	KeyFile         string
	ClientCAFile    string // not empty: clients must show a certificate of one of these authorities
}

// Check reads the files.
func (t TLS) Check() error {
	_, err := t.config(slog.New(slog.DiscardHandler))
	return err
}

// config is TLS 1.2 and later, with a certificate that is read again when its files change.
func (t TLS) config(log *slog.Logger) (*tls.Config, error) {
	pair := &pair{TLS: t, log: log}
	if err := pair.read(); err != nil {
		return nil, err
	}
	c := &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return pair.current(time.Now()), nil
		},
	}
	if t.ClientCAFile == "" {
		return c, nil
	}
	pem, err := os.ReadFile(t.ClientCAFile)
	if err != nil {
		return nil, fmt.Errorf("authorities of clients: %w", err)
	}
	c.ClientCAs = x509.NewCertPool()
	if !c.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("authorities of clients: no PEM certificate in %s", t.ClientCAFile)
	}
	c.ClientAuth = tls.RequireAndVerifyClientCert
	return c, nil
}

// secured is the server's listener with TLS around it.
func secured(s *server) net.Listener { return tls.NewListener(s.listener, s.TLSConfig) }

// A pair is certificate and key, as they were when they were last read and fitted.
type pair struct {
	TLS
	log *slog.Logger

	mu     sync.Mutex
	loaded *tls.Certificate
	files  [2]stamp // those that loaded was made of, or that did not fit
	lookAt time.Time
}

// A stamp tells whether a file has changed.
type stamp struct {
	modified time.Time
	size     int64
}

// lookEvery is how long a new certificate may go unnoticed.
const lookEvery = time.Second

// current looks for new files, at most once a second, and returns what is valid now. A pair that cannot be read
// or does not fit, perhaps because only one of the two is new, changes nothing.
func (p *pair) current(now time.Time) *tls.Certificate {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Before(p.lookAt) {
		return p.loaded
	}
	p.lookAt = now.Add(lookEvery)
	files, err := p.stamps()
	if err == nil && files == p.files {
		return p.loaded
	}
	if err == nil {
		err = p.read()
	}
	if err != nil {
		p.files = files // once is enough, until they change again
		p.log.Warn("new certificate is not used", "err", err)
		return p.loaded
	}
	p.log.Info("certificate was read again", "file", p.CertificateFile)
	return p.loaded
}

// read loads the pair as it is now.
func (p *pair) read() error {
	files, err := p.stamps()
	if err != nil {
		return err
	}
	loaded, err := tls.LoadX509KeyPair(p.CertificateFile, p.KeyFile)
	if err != nil {
		return fmt.Errorf("certificate %s with key %s: %w", p.CertificateFile, p.KeyFile, err)
	}
	p.loaded, p.files = &loaded, files
	return nil
}

func (p *pair) stamps() (all [2]stamp, err error) {
	if p.CertificateFile == "" || p.KeyFile == "" {
		return all, errors.New("certificate: no file named, or no key")
	}
	for i, name := range []string{p.CertificateFile, p.KeyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return all, fmt.Errorf("certificate: %w", err)
		}
		all[i] = stamp{info.ModTime(), info.Size()}
	}
	return all, nil
}
