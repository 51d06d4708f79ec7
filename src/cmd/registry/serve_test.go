package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// writeCertificate makes a certificate for this machine, and returns the paths of its two files.
func writeCertificate(t *testing.T, dir string) (certificate, key string) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &secret.PublicKey, secret)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	return written(t, dir, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))),
		written(t, dir, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}

// freePorts puts free ports into the environment of a script.
func freePorts(env *testscript.Env) error {
	for _, name := range []string{"REGISTRY", "REPOSITORY"} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		_, port, err := net.SplitHostPort(listener.Addr().String())
		if err != nil {
			return err
		}
		env.Setenv(name, port)
		if err := listener.Close(); err != nil {
			return err
		}
	}
	return nil
}

// request METHOD URL STATUS [PART-OF-ANSWER [BODY]] asks until somebody listens, and wants that answer.
func request(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 5 {
		ts.Fatalf("usage: request METHOD URL STATUS [PART [BODY]]")
	}
	args = append(args, "", "")[:5]
	deadline := time.Now().Add(10 * time.Second)
	for {
		req, err := http.NewRequest(args[0], args[1], strings.NewReader(args[4]))
		ts.Check(err)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			if time.Now().After(deadline) {
				ts.Fatalf("%v", err)
			}
			<-time.After(10 * time.Millisecond)
			continue
		}
		body, err := io.ReadAll(resp.Body)
		ts.Check(err)
		resp.Body.Close()
		if !strings.HasPrefix(resp.Status, args[2]+" ") || !strings.Contains(string(body), args[3]) {
			ts.Fatalf("%s %s: %s\n%s", args[0], args[1], resp.Status, body)
		}
		return
	}
}

// envsubst FILE puts the environment's values into a file.
func envsubst(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		path := ts.MkAbs(name)
		ts.Check(os.WriteFile(path, []byte(os.Expand(ts.ReadFile(name), ts.Getenv)), 0o600))
	}
}
