package api_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/conductor/api"
	"bosh-ironic-cpi/src/keystone"
	"bosh-ironic-cpi/src/secret"
)

// underKeystone serves a conductor to those with a token of the Keystone at an address.
func underKeystone(t testing.TB, cfg keystone.Config) string {
	t.Helper()
	tokens, err := keystone.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(api.New(api.Config{Conductor: start(t, nil).conductor, Keystone: &api.Keystone{
		Tokens: tokens, Admins: []string{"admin", "service"}, Readers: []string{"observer"},
	}}).Operators())
	t.Cleanup(func() {
		web.Close()
		_ = tokens.Close()
	})
	return web.URL
}

// Without Keystone nobody is let in, and what is open to all stays open.
func TestKeystoneIsDown(t *testing.T) {
	url := underKeystone(t, keystone.Config{URL: "http://127.0.0.1:1", Username: "ironic", Password: secret.New("hunter2"), Project: "service"})
	tests := []struct {
		path, token string
		status      int
	}{
		{"/", "", 200},
		{"/v1", "", 200},
		{"/v1/lookup?addresses=52:54:00:00:00:01", "", 404},
		{"/v1/nodes", "", 401},
		{"/v1/nodes", "gAAAAAB", 503},
	}
	for _, tt := range tests {
		status, _, body := exchangeAs(t, url, http.MethodGet, tt.path, tt.token)
		if status != tt.status || strings.Contains(string(body), "127.0.0.1:1/") {
			t.Errorf("%s with token %q: %d %s; want %d", tt.path, tt.token, status, body, tt.status)
		}
	}
}

func exchangeAs(t testing.TB, base, method, path, token string) (int, http.Header, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(map[string]string{http.MethodPost: "{}"}[method]))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-OpenStack-Ironic-API-Version", "1.82")
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("X-Auth-Token", token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, text
}
