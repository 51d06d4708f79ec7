package libvirt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"bosh-ironic-cpi/src/driver"
)

const (
	// dialLimit is for reaching a daemon, by whatever transport, and for authentication.
	dialLimit = 20 * time.Second
	// callLimit is for one call: to kill a virtual machine that hangs in its disk takes libvirt half a minute.
	callLimit = time.Minute
)

// dial connects to the daemon; nothing is said yet.
func dial(ctx context.Context, p *parameters) (net.Conn, error) {
	switch p.target.transport {
	case "unix":
		return dialUnix(ctx, p.target)
	case "tcp":
		return dialTCP(ctx, p.target, "16509")
	case "tls":
		return dialTLS(ctx, p.target)
	default:
		return dialSSH(ctx, p)
	}
}

func dialUnix(ctx context.Context, t target) (net.Conn, error) {
	var first error
	for _, socket := range t.sockets() {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
		if err == nil {
			return conn, nil
		}
		if first == nil {
			first = err
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	hint := "check that libvirtd runs"
	if errors.Is(first, fs.ErrPermission) {
		hint = "check that this user may open the socket (group libvirt)"
	}
	return nil, fmt.Errorf("%w: %w: %s", driver.ErrUnreachable, first, hint)
}

func dialTCP(ctx context.Context, t target, port string) (net.Conn, error) {
	if t.port != "" {
		port = t.port
	}
	timed, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(timed, "tcp", net.JoinHostPort(t.host, port))
	switch {
	case err == nil:
		return conn, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return nil, fmt.Errorf("%w: %w: check address, firewall, and that it listens for %s", driver.ErrUnreachable, err, t.transport)
}

// dialTLS ends when the server has taken our certificate: then it sends a byte with the value one.
func dialTLS(ctx context.Context, t target) (net.Conn, error) {
	config, err := tlsConfig(t)
	if err != nil {
		return nil, err
	}
	plain, err := dialTCP(ctx, t, "16514")
	if err != nil {
		return nil, err
	}
	conn := tls.Client(plain, config)
	err = within(ctx, dialLimit, plain, func() error {
		if err := conn.HandshakeContext(ctx); err != nil {
			return explainTLS(err)
		}
		var taken [1]byte
		if _, err := io.ReadFull(conn, taken[:]); err != nil || taken[0] != 1 {
			return fmt.Errorf("%w: it takes neither our certificate nor our address (%s)", driver.ErrAuthentication, ending(err))
		}
		return nil
	})
	if err != nil {
		_ = plain.Close()
		return nil, err
	}
	return conn, nil
}

func explainTLS(err error) error {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("%w: its certificate: %w: check cacert.pem and the host in libvirt_uri, or set no_verify=1", driver.ErrUntrusted, err)
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok || strings.Contains(err.Error(), "remote error: tls:") {
		return fmt.Errorf("%w: %w: check clientcert.pem and clientkey.pem", driver.ErrAuthentication, err)
	}
	return fmt.Errorf("%w: TLS: %w: check that it listens for tls at this port", driver.ErrUnreachable, err)
}

// ending is how a connection ended, in words.
func ending(err error) string {
	if err == nil {
		return "it said something else"
	}
	return err.Error()
}

// tlsConfig reads libvirt's certificates, at libvirt's places: cacert.pem, clientcert.pem, clientkey.pem. A client
// certificate is not needed where SASL does the work (tls_no_verify_certificate).
func tlsConfig(t target) (*tls.Config, error) {
	cas, certs, keys := []string{"/etc/pki/CA"}, []string{"/etc/pki/libvirt"}, []string{"/etc/pki/libvirt/private"}
	if t.pki != "" {
		cas, certs, keys = []string{t.pki}, []string{t.pki}, []string{t.pki}
	} else if home, err := os.UserHomeDir(); err == nil && os.Getuid() != 0 {
		dir := []string{filepath.Join(home, ".pki", "libvirt")}
		cas, certs, keys = append(dir, cas...), append(dir, certs...), append(dir, keys...)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.host, InsecureSkipVerify: t.noVerify} //nolint:gosec // the operator's wish
	if !t.noVerify {
		ca, err := first(cas, "cacert.pem")
		if err != nil {
			return nil, uriProblem("needs the certificate of the daemon's CA: %v; pkipath=FOLDER tells another place", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(ca) {
			return nil, uriProblem("needs the certificate of the daemon's CA, and there is none in cacert.pem")
		}
	}
	for i := range certs {
		cert, key := filepath.Join(certs[i], "clientcert.pem"), filepath.Join(keys[i], "clientkey.pem")
		if _, err := os.Stat(cert); err != nil {
			continue
		}
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, uriProblem("needs clientcert.pem and clientkey.pem that go together: %v", err)
		}
		config.Certificates = []tls.Certificate{pair}
		break
	}
	return config, nil
}

func first(folders []string, name string) (content []byte, err error) {
	for _, dir := range folders {
		if content, err = os.ReadFile(filepath.Join(dir, name)); err == nil {
			return content, nil
		}
	}
	return nil, err
}

// within runs f and closes conn, which ends it, when ctx ends or the limit is reached.
func within(ctx context.Context, limit time.Duration, conn io.Closer, f func() error) error {
	timed, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	stop := context.AfterFunc(timed, func() { _ = conn.Close() })
	err := f()
	switch {
	case stop():
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return lost(fmt.Errorf("no answer within %s", limit))
}
