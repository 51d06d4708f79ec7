package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/conductor/api"
	"bosh-ironic-cpi/src/httpauth"
	"bosh-ironic-cpi/src/secret"
)

// The answers are those of Ironic's http_basic (recorded on Ironic 21.4).
func TestBasicAuth(t *testing.T) {
	users, err := httpauth.New(httpauth.User{Name: "admin", Password: secret.New("secret")})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(api.New(api.Config{Conductor: start(t, nil).conductor, Users: users}).Operators())
	defer web.Close()
	tests := []struct {
		path, header string
		status       int
		body         string
	}{
		{"/", "", 200, `"versions"`},
		{"/v1", "", 200, `"media_types"`},
		{"/v1/lookup", "", 404, `Resource could not be found`}, // 1.1
		{"/v1/nodes", "", 401, `{"error":{"code":401,"message":"Authorization required"}}`},
		{"/v1/nodes", "Basic YWRtaW46c2VjcmV0", 200, `{"nodes":[]}`},
		{"/v1/nodes", "Basic YWRtaW46d3Jvbmc=", 401, `{"error":{"code":401,"message":"Incorrect username or password"}}`},
		{"/v1/nodes", "Bearer zzz", 400, `{"error":{"code":400,"message":"Unsupported authorization type \"Bearer\""}}`},
		{"/v1/nodes", "Basic zzz", 400, `{"error":{"code":400,"message":"Could not decode authorization token"}}`},
	}
	for _, tt := range tests {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, web.URL+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if tt.header != "" {
			req.Header.Set("Authorization", tt.header)
		}
		answer := httptest.NewRecorder()
		web.Config.Handler.ServeHTTP(answer, req)
		if answer.Code != tt.status || !strings.Contains(answer.Body.String(), tt.body) {
			t.Errorf("%s with %q: %d %s; want %d %s", tt.path, tt.header, answer.Code, answer.Body, tt.status, tt.body)
		}
		if want := map[bool]string{true: `Basic realm="Baremetal API"`}[tt.status == http.StatusUnauthorized]; answer.Header().Get("WWW-Authenticate") != want {
			t.Errorf("%s with %q: WWW-Authenticate %q; want %q", tt.path, tt.header, answer.Header().Get("WWW-Authenticate"), want)
		}
	}
}
