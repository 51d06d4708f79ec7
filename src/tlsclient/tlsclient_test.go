package tlsclient_test

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/secret"
	"bosh-ironic-cpi/src/tlsclient"
)

func TestTrust(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	certificate := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	der, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	key := secret.New(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	tests := []struct {
		name   string
		config tlsclient.Config
		trusts bool
	}{
		{"system", tlsclient.Config{}, false},
		{"its authority", tlsclient.Config{CA: certificate}, true},
		{"its authority, and a certificate of our own", tlsclient.Config{CA: certificate, ClientCert: certificate, ClientKey: key}, true},
		{"a certificate of our own is no authority", tlsclient.Config{ClientCert: certificate, ClientKey: key}, false},
		{"anybody", tlsclient.Config{Insecure: true}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			settings, err := tt.config.TLS()
			if err != nil {
				t.Fatal(err)
			}
			transport := &http.Transport{TLSClientConfig: settings}
			defer transport.CloseIdleConnections()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := transport.RoundTrip(req)
			if err == nil {
				resp.Body.Close()
			}
			if (err == nil) != tt.trusts {
				t.Errorf("request: %v; want trust %v", err, tt.trusts)
			}
		})
	}
}

func TestFaultsQuoteNothing(t *testing.T) {
	for _, c := range []tlsclient.Config{
		{CA: "hunter2"},
		{ClientCert: "hunter2"},
		{ClientKey: secret.New("hunter2")},
		{ClientCert: "hunter2", ClientKey: secret.New("hunter2")},
	} {
		if _, err := c.TLS(); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("TLS() of %v = %v; want an error that quotes nothing", c, err)
		}
	}
}
