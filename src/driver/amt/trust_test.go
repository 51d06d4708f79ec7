package amt

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	bmc "bosh-ironic-cpi/src/bmc/amt"
	"bosh-ironic-cpi/src/driver"
)

// ownCertificate is what AMT makes for itself: no address in it, and its clock in 2004.
func ownCertificate(t *testing.T, key any, public any) tls.Certificate {
	t.Helper()
	then := time.Date(2004, 1, 1, 0, 0, 0, 0, time.UTC)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "PC-0815"}, NotBefore: then, NotAfter: then.AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// newTLS is a fake AMT by https.
func newTLS(t *testing.T, settings *tls.Config) (*httptest.Server, *driver.Node) {
	t.Helper()
	server := httptest.NewUnstartedServer(bmc.New(bmc.Config{Username: "admin", Password: password}))
	server.TLS = settings
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	server.StartTLS()
	t.Cleanup(server.Close)
	n := nodeAt(t, server.Listener.Addr().String())
	n.Info["amt_protocol"] = "https"
	return server, n
}

// written puts certificates into a file, in a directory of its own.
func written(t *testing.T, ders ...[]byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	var text []byte
	for _, der := range ders {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestTrust(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	own := ownCertificate(t, key, key.Public())
	_, selfSigned := newTLS(t, &tls.Config{Certificates: []tls.Certificate{own}})
	testServer, proper := newTLS(t, nil) // net/http's certificate, which is its own authority, for 127.0.0.1
	elsewhere := *proper
	ownFile, properFile := written(t, own.Certificate[0]), written(t, testServer.Certificate().Raw)
	tests := []struct {
		name   string
		node   *driver.Node
		verify any
		says   string // empty: trusted
	}{
		{"by default nobody unknown", selfSigned, nil, "amt_verify_ca"},
		{"true", selfSigned, true, "not trusted"},
		{"true, in words", proper, "True", "not trusted"},
		{"false", selfSigned, false, ""},
		{"false, in words", selfSigned, "no", ""},
		{"AMT's own certificate in a file", selfSigned, ownFile, ""},
		{"in a directory", selfSigned, filepath.Dir(ownFile), ""},
		{"an authority in a file", proper, properFile, ""},
		{"another one's certificate", selfSigned, properFile, "not trusted"},
		{"another authority", proper, ownFile, "not trusted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.node.Info["amt_verify_ca"] = tt.verify
			_, err := newHardware(nil).PowerState(t.Context(), tt.node)
			if tt.says != "" {
				said(t, err, "3f2c", "AMT at 127.0.0.1:", tt.says, "certificate")
				if !errors.Is(err, driver.ErrUntrusted) {
					t.Errorf("%v; want %v", err, driver.ErrUntrusted)
				}
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("http and https confused", func(t *testing.T) {
		elsewhere.Info["amt_verify_ca"], elsewhere.Info["amt_protocol"] = false, "http"
		_, err := newHardware(nil).PowerState(t.Context(), &elsewhere)
		said(t, err, "3f2c", "amt_protocol") // Go answers 400, and sometimes the end of the connection is faster
		_, n := newBMC(t, bmc.Config{}, nil)
		n.Info["amt_protocol"] = "https"
		_, err = newHardware(nil).PowerState(t.Context(), n)
		said(t, err, "3f2c", "amt_protocol")
	})
}

// A certificate of a known authority for somebody else is not taken.
func TestTrustIsForTheAddress(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	root, err := x509.CreateCertificate(rand.Reader, authority, authority, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	for address, trusted := range map[string]bool{"127.0.0.1": true, "10.0.4.7": false} {
		leaf := &x509.Certificate{SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.ParseIP(address)}}
		der, err := x509.CreateCertificate(rand.Reader, leaf, authority, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		_, n := newTLS(t, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
		n.Info["amt_verify_ca"] = written(t, root)
		if _, err := newHardware(nil).PowerState(t.Context(), n); (err == nil) != trusted {
			t.Errorf("a certificate for %s = %v; want trust %t", address, err, trusted)
		}
	}
}

// AMT 7 speaks TLS 1.0 with an RSA key exchange and nothing newer.
func TestOldTLS(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	own := ownCertificate(t, key, key.Public())
	_, n := newTLS(t, &tls.Config{
		Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10,
		CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA},
	})
	n.Info["amt_verify_ca"] = written(t, own.Certificate[0])
	if _, err := newHardware(nil).PowerState(t.Context(), n); err != nil {
		t.Error(err)
	}
}

// Whoever asks us to go elsewhere does not get our credentials there.
func TestRedirectIsNotFollowed(t *testing.T) {
	var s spy
	elsewhere := httptest.NewServer(s.wrap(http.NotFoundHandler()))
	defer elsewhere.Close()
	_, n := newBMC(t, bmc.Config{}, func(http.Handler) http.Handler {
		return http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect)
	})
	if _, err := newHardware(nil).PowerState(t.Context(), n); err == nil || len(s.all()) > 0 {
		t.Errorf("PowerState = %v, with %d requests elsewhere; want an error and none", err, len(s.all()))
	}
}
