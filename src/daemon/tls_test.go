package daemon_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"bosh-ironic-cpi/src/daemon"
)

// certify writes a certificate of that name for 127.0.0.1, and its key.
func certify(t *testing.T, dir, name string) daemon.TLS {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	files := daemon.TLS{CertificateFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	for name, block := range map[string]*pem.Block{
		files.CertificateFile: {Type: "CERTIFICATE", Bytes: der}, files.KeyFile: {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// client takes any certificate, and tells whose it was.
func client(whose *string) *http.Client {
	return &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, DisableKeepAlives: true, TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error {
			*whose = s.PeerCertificates[0].Subject.CommonName
			return nil
		},
	}}}
}

// A new certificate is used without a restart, under load; a broken one is not.
func TestCertificateIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	files := certify(t, dir, "first")
	d := start(t, daemon.Config{Services: one("a", serving("/", says("a")), address(t, "https://127.0.0.1:0")), TLS: files})
	done := make(chan struct{})
	var load sync.WaitGroup
	for range 4 {
		load.Go(func() {
			var whose string
			for {
				select {
				case <-done:
					return
				default:
				}
				resp, err := client(&whose).Get(d.urls[0] + "/")
				if err != nil {
					t.Errorf("under load: %v", err)
					return
				}
				resp.Body.Close()
			}
		})
	}
	serves := func(want string) {
		t.Helper()
		var whose string
		for deadline := time.Now().Add(10 * time.Second); whose != want; {
			resp, err := client(&whose).Get(d.urls[0] + "/")
			if err != nil {
				t.Fatal(err)
			}
			if resp.ProtoMajor != 2 {
				t.Fatalf("protocol is %s; want HTTP/2", resp.Proto)
			}
			resp.Body.Close()
			if time.Now().After(deadline) {
				t.Fatalf("the certificate is %s's; want %s's", whose, want)
			}
		}
	}
	serves("first")
	certify(t, dir, "second")
	serves("second")
	if err := os.WriteFile(files.CertificateFile, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(d.log.String(), "new certificate is not used"); {
		serves("second")
		if time.Now().After(deadline) {
			t.Fatal("nobody says that the certificate is broken")
		}
	}
	serves("second")
	certify(t, dir, "third")
	serves("third")
	close(done)
	load.Wait()
	if n := strings.Count(d.log.String(), "new certificate is not used"); n > 3 { // certificate and key do not change in one moment
		t.Errorf("warned %d times of one certificate", n)
	}
}

func TestClientsMustShowACertificate(t *testing.T) {
	dir := t.TempDir()
	files := certify(t, dir, "server")
	files.ClientCAFile = files.CertificateFile
	d := start(t, daemon.Config{Services: one("a", serving("/", says("a")), address(t, "https://127.0.0.1:0")), TLS: files})
	var whose string
	if resp, err := client(&whose).Get(d.urls[0] + "/"); err == nil {
		resp.Body.Close()
		t.Error("a client without a certificate was served")
	}
	pair, err := tls.LoadX509KeyPair(files.CertificateFile, files.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	c := client(&whose)
	c.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{pair}
	resp, err := c.Get(d.urls[0] + "/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

func TestFilesThatAreNoCertificate(t *testing.T) {
	dir := t.TempDir()
	files := certify(t, dir, "first")
	for _, broken := range []daemon.TLS{
		{CertificateFile: files.CertificateFile},
		{CertificateFile: "/nonexistent", KeyFile: files.KeyFile},
		{CertificateFile: files.KeyFile, KeyFile: files.KeyFile},
		{CertificateFile: files.CertificateFile, KeyFile: files.KeyFile, ClientCAFile: files.KeyFile},
	} {
		if err := broken.Check(); err == nil || strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%+v: %v", broken, err)
		}
	}
}

// Large bodies both ways over HTTP/2, whose deadlines are each stream's own.
func TestBodiesOverHTTP2(t *testing.T) {
	d := start(t, daemon.Config{
		Services: one("a", serving("/", func(w http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(io.Discard, r.Body)
			if err != nil {
				t.Error(err)
			}
			fmt.Fprintf(w, "%d", n)
			_, _ = io.Copy(w, io.LimitReader(endless{}, 8<<20))
		}), address(t, "https://127.0.0.1:0")),
		TLS: certify(t, t.TempDir(), "a"),
	})
	var whose string
	resp, err := client(&whose).Post(d.urls[0]+"/", "x", io.LimitReader(endless{}, 8<<20))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.ProtoMajor != 2 || len(body) != 8<<20+7 || string(body[:7]) != "8388608" {
		t.Errorf("%s: %d bytes, %v", resp.Proto, len(body), err)
	}
}

func BenchmarkServe(b *testing.B) {
	d := start(b, daemon.Config{Services: one("a", serving("/", says("a")), address(b, "127.0.0.1:0"))})
	b.ReportAllocs()
	for b.Loop() {
		resp, err := http.Get(d.urls[0] + "/")
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}
