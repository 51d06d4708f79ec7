//go:build integration

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bosh-ironic-cpi/src/backend"
)

// certify writes a certificate for 127.0.0.1 that vouches for itself, and its key.
func certify(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certificate, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate, key
}

// A reply is what a client sees of an answer.
type reply struct {
	status   int
	location string
	body     string
}

// asked sends a request with a password; trust is whom the client trusts.
func asked(t *testing.T, trust *tls.Config, method, url, body string) (reply, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("bosh", "hunter2")
	req.Header.Set("X-OpenStack-Ironic-API-Version", "1.82")
	client := http.Client{Transport: &http.Transport{TLSClientConfig: trust, DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header.Get("Location"), string(text)}, err
}

// Both faces of the conductor by TLS: for those who know the certificate, and for nobody in the clear.
func TestConductorByTLS(t *testing.T) {
	t.Parallel()
	certificate, key := certify(t)
	operators, machines := backend.FreeAddress(), backend.FreeAddress()
	backend.StartDaemon(t, m{
		"tls": m{"certificate": certificate, "key": key},
		"conductor": m{
			"enabled": true, "listen": []any{"https://" + operators}, "machines_listen": []any{"https://" + machines}, "power_sync": "0s",
			"users": []any{m{"name": "bosh", "password": "hunter2"}},
		},
	})
	authorities := x509.NewCertPool()
	text, err := os.ReadFile(certificate)
	if err != nil || !authorities.AppendCertsFromPEM(text) {
		t.Fatal(err)
	}
	trust := &tls.Config{RootCAs: authorities}

	made, err := asked(t, trust, http.MethodPost, "https://"+operators+"/v1/nodes", `{"name": "n1", "driver": "fake-hardware"}`)
	var node struct {
		UUID  string
		Links []struct{ Href string }
	}
	if err != nil || made.status != http.StatusCreated || json.Unmarshal([]byte(made.body), &node) != nil {
		t.Fatalf("create a node: %v, %v", made, err)
	}
	if want := "https://" + operators + "/v1/nodes/" + node.UUID; made.location != want || node.Links[0].Href != want {
		t.Errorf("Location %s, link %s; want %s", made.location, node.Links[0].Href, want)
	}
	if got, err := asked(t, trust, http.MethodGet, "https://"+machines+"/v1/lookup?node_uuid="+node.UUID, ""); err != nil || got.status != http.StatusNotFound {
		t.Errorf("the machines' face: %v, %v", got, err)
	}
	for _, address := range []string{operators, machines} {
		var unknown x509.UnknownAuthorityError
		if _, err := asked(t, nil, http.MethodGet, "https://"+address+"/v1", ""); !errors.As(err, &unknown) {
			t.Errorf("without the certificate: %v; want %T", err, unknown)
		}
		old := &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
		if got, err := asked(t, old, http.MethodGet, "https://"+address+"/v1", ""); err == nil {
			t.Errorf("by TLS 1.1: %v", got)
		}
		if got, err := asked(t, nil, http.MethodGet, "http://"+address+"/v1", ""); err == nil && (got.status != http.StatusBadRequest || strings.Contains(got.body, "version")) {
			t.Errorf("in the clear: %v", got)
		}
	}

	// Somebody else's client.
	if out, err := fromDebian(t, "https://"+operators, "--os-cacert", certificate, "node", "list", "-f", "json"); err != nil || !strings.Contains(out, node.UUID) {
		t.Errorf("baremetal: %s, %v", out, err)
	}
	if out, err := fromDebian(t, "https://"+operators, "node", "list"); err == nil || !strings.Contains(out, "SSL") {
		t.Errorf("baremetal without the certificate: %s, %v", out, err)
	}
}

// fromDebian runs Debian's client.
func fromDebian(t *testing.T, url string, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("baremetal")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("the command baremetal is missing: apt-get install python3-ironicclient")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	access := []string{"--os-auth-type", "http_basic", "--os-endpoint", url, "--os-username", "bosh", "--os-password", "hunter2"}
	out, err := exec.CommandContext(ctx, path, append(access, args...)...).CombinedOutput()
	return string(out), err
}
