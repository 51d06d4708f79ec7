package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/secret"
	"bosh-ironic-cpi/src/tlsclient"
)

func TestNewRefuses(t *testing.T) {
	tests := []struct {
		name string
		cfg  Config
		want string
	}{
		{"no URL", Config{}, "ironic URL is missing"},
		{"no scheme", Config{URL: "ironic.test:6385"}, "ironic URL"},
		{"no host", Config{URL: "http://"}, "must look like http://host:port"},
		{"another scheme", Config{URL: "ftp://h"}, "must look like"},
		{"credentials in the URL", Config{URL: "http://cpi:hunter2@h"}, "holds a user name"},
		{"no URL at all", Config{URL: "http://cpi:hunter2@h:x/"}, "is not a URL"},
		{"query", Config{URL: "http://h/?a=b"}, "query"},
		{"auth", Config{URL: "http://h", Auth: Auth{Type: "kerberos"}}, `"kerberos" is not known`},
		{"token", Config{URL: "http://h", Auth: Auth{Type: "token"}}, "needs a token"},
		{"basic", Config{URL: "http://h", Auth: Auth{Type: "http_basic", Username: "u"}}, "username and password"},
		{"keystone", Config{Auth: Auth{Type: "keystone", KeystoneURL: "http://k"}}, "username, password and project"},
		{"keystone's URL", Config{Auth: Auth{Type: "keystone"}}, "keystone URL is missing"},
		{"credential's secret", Config{Auth: Auth{Type: "keystone", KeystoneURL: "http://k", ApplicationCredentialID: "i"}}, "needs its secret"},
		{
			"credential's user",
			Config{Auth: Auth{Type: "keystone", KeystoneURL: "http://k", ApplicationCredentialName: "n", ApplicationCredentialSecret: secret.New("s")}},
			"needs a username",
		},
		{"CA", Config{URL: "https://h", TLS: tlsclient.Config{CA: "hunter2"}}, "the CA holds no certificate"},
		{"client certificate", Config{URL: "https://h", TLS: tlsclient.Config{ClientCert: "x", ClientKey: secret.New("hunter2")}}, "client certificate and key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(tt.cfg)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error = %v; want one with %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error repeats a secret: %v", err)
			}
		})
	}
}

func TestURLs(t *testing.T) {
	for given, want := range map[string]string{
		"http://h:6385":               "http://h:6385/v1/nodes/x",
		"http://h:6385/":              "http://h:6385/v1/nodes/x",
		"http://h:6385/v1":            "http://h:6385/v1/nodes/x",
		"http://h:6385/v1//":          "http://h:6385/v1/nodes/x",
		"https://h/baremetal":         "https://h/baremetal/v1/nodes/x",
		"https://h/baremetal/v1/":     "https://h/baremetal/v1/nodes/x",
		"http://[::1]:6385":           "http://[::1]:6385/v1/nodes/x",
		"http://[fe80::1%25eth0]/v1/": "http://[fe80::1%25eth0]/v1/nodes/x",
	} {
		f := &far{t: t, answers: []string{free}}
		c := must(t, Config{URL: given, Transport: f})
		if _, err := c.Node(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
		u := *f.full[0].URL
		u.RawQuery = ""
		if u.String() != want {
			t.Errorf("%s: asked %s; want %s", given, &u, want)
		}
	}
}

func TestCredentialsAreSent(t *testing.T) {
	tests := []struct {
		auth   Auth
		header string
		want   string
	}{
		{Auth{}, "Authorization", ""},
		{Auth{Type: "none", Token: secret.New("x")}, "X-Auth-Token", ""},
		{Auth{Type: "token", Token: secret.New("hunter2")}, "X-Auth-Token", "hunter2"},
		{Auth{Type: "http_basic", Username: "admin", Password: secret.New("secret")}, "Authorization", "Basic YWRtaW46c2VjcmV0"},
	}
	for _, tt := range tests {
		c, f := newFar(t, Config{Auth: tt.auth}, free)
		if _, err := c.Node(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
		if got := f.full[0].Header.Get(tt.header); got != tt.want {
			t.Errorf("%s: %s = %q; want %q", tt.auth.Type, tt.header, got, tt.want)
		}
	}
}

func TestAStaticTokenThatIsRefusedIsNotRenewed(t *testing.T) {
	c, f := newFar(t, Config{Auth: Auth{Type: "token", Token: secret.New("hunter2")}}, "auth/none")
	if _, err := c.Node(t.Context(), "x"); !errors.Is(err, baremetal.ErrUnauthorized) || len(f.requests()) != 1 {
		t.Errorf("error = %v after %d requests; want ErrUnauthorized after 1", err, len(f.requests()))
	}
}

// A cloud is a Keystone and an Ironic. Tokens are token-1, token-2 and so on; Ironic takes only the good one.
type cloud struct {
	mu     sync.Mutex
	logins []string // bodies
	good   string   // the token that Ironic takes
	down   int      // requests to Keystone that fail first
	status int      // of Keystone's answers, if not 201
	asked  []string // URLs at Ironic
}

const catalog = `{"token": {"catalog": [{"type": "identity", "endpoints": []}, {"type": "baremetal", "endpoints": [
	{"interface": "internal", "region": "north", "url": "http://internal"},
	{"interface": "public", "region": "north", "url": "http://north:6385"},
	{"interface": "public", "region": "south", "url": "http://south:6385/v1/"}]}]}}`

func (c *cloud) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := httptest.NewRecorder()
	if r.URL.Host == "keystone" {
		body, _ := io.ReadAll(r.Body)
		c.logins = append(c.logins, r.URL.Path+" "+string(body))
		switch {
		case c.down > 0:
			c.down--
			w.WriteHeader(http.StatusServiceUnavailable)
		case c.status != 0:
			w.WriteHeader(c.status)
			fmt.Fprint(w, `{"error": {"code": 401, "message": "The request you have made requires authentication."}}`)
		default:
			w.Header().Set("X-Subject-Token", fmt.Sprintf("token-%d", len(c.logins)))
			w.WriteHeader(http.StatusCreated)
			fmt.Fprint(w, catalog)
		}
		return w.Result(), nil
	}
	c.asked = append(c.asked, r.URL.Host+" "+r.Header.Get("X-Auth-Token"))
	w.Header().Set(headerMaximum, "1.82")
	if r.Header.Get("X-Auth-Token") != c.good {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"error": {"code": 401, "message": "The request you have made requires authentication."}}`)
		return w.Result(), nil
	}
	fmt.Fprintf(w, `{"uuid": "x"}`)
	return w.Result(), nil
}

func byPassword() Auth {
	return Auth{Type: "keystone", KeystoneURL: "http://keystone/v3/", Username: "bosh", Password: secret.New("hunter2"), Project: "servers"}
}

func TestKeystone(t *testing.T) {
	tests := []struct {
		name  string
		cloud cloud
		auth  Auth
		url   string
		asked []string
		want  error
	}{
		{"first region", cloud{good: "token-1"}, byPassword(), "", []string{"north:6385 token-1"}, nil},
		{"its URL overrides the catalogue", cloud{good: "token-1"}, byPassword(), "http://mine", []string{"mine token-1"}, nil},
		{"the token had expired", cloud{good: "token-2"}, byPassword(), "", []string{"north:6385 token-1", "north:6385 token-2"}, nil},
		{"no token will do", cloud{good: "none"}, byPassword(), "", []string{"north:6385 token-1", "north:6385 token-2"}, baremetal.ErrUnauthorized},
		{"wrong password", cloud{status: 401}, byPassword(), "", nil, baremetal.ErrUnauthorized},
		{"no Keystone there", cloud{status: 404}, byPassword(), "", nil, baremetal.ErrInvalid},
		{"Keystone is away for a while", cloud{good: "token-3", down: 2}, byPassword(), "", []string{"north:6385 token-3"}, nil},
	}
	for i := range tests {
		tt := &tests[i]
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := must(t, Config{URL: tt.url, Auth: tt.auth, Transport: &tt.cloud})
				_, err := c.Node(t.Context(), "x")
				if !errors.Is(err, tt.want) || err != nil && strings.Contains(err.Error(), "hunter2") {
					t.Errorf("error = %v; want %v", err, tt.want)
				}
				if d := cmp.Diff(tt.asked, tt.cloud.asked); d != "" {
					t.Errorf("Ironic was asked (-want +got):\n%s", d)
				}
			})
		})
	}
}

func TestKeystoneRegions(t *testing.T) {
	south, nowhere := byPassword(), byPassword()
	south.Region, nowhere.Region = "south", "nowhere"
	k := &cloud{good: "token-1"}
	if _, err := must(t, Config{Auth: south, Transport: k}).Node(t.Context(), "x"); err != nil || k.asked[0] != "south:6385 token-1" {
		t.Errorf("asked %v, error = %v; want south", k.asked, err)
	}
	_, err := must(t, Config{Auth: nowhere, Transport: k}).Node(t.Context(), "x")
	if !errors.Is(err, baremetal.ErrInvalid) || !strings.Contains(err.Error(), `region "nowhere"`) {
		t.Errorf("error = %v; want ErrInvalid that names the region", err)
	}
}

func TestKeystoneIsToldWhoWeAre(t *testing.T) {
	tests := []struct {
		name string
		auth Auth
		want string
	}{
		{
			"password", byPassword(),
			`{"auth": {"identity": {"methods": ["password"], "password": {"user": {"domain": {"name": "Default"}, "name": "bosh", "password": "hunter2"}}},
			"scope": {"project": {"domain": {"name": "Default"}, "name": "servers"}}}}`,
		},
		{
			"application credential",
			Auth{Type: "keystone", KeystoneURL: "http://keystone", ApplicationCredentialID: "i", ApplicationCredentialSecret: secret.New("s")},
			`{"auth": {"identity": {"methods": ["application_credential"], "application_credential": {"id": "i", "secret": "s"}}}}`,
		},
		{
			"application credential by name",
			Auth{
				Type: "keystone", KeystoneURL: "http://keystone/", Username: "u", UserDomain: "d",
				ApplicationCredentialName: "n", ApplicationCredentialSecret: secret.New("s"),
			},
			`{"auth": {"identity": {"methods": ["application_credential"], "application_credential":
			{"name": "n", "secret": "s", "user": {"name": "u", "domain": {"name": "d"}}}}}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := &cloud{good: "token-1"}
			if _, err := must(t, Config{Auth: tt.auth, Transport: k}).Node(t.Context(), "x"); err != nil {
				t.Fatal(err)
			}
			path, body, _ := strings.Cut(k.logins[0], " ")
			var got, want any
			if err := errors.Join(json.Unmarshal([]byte(body), &got), json.Unmarshal([]byte(tt.want), &want)); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" || path != "/v3/auth/tokens" {
				t.Errorf("POST %s (-want +got):\n%s", path, d)
			}
		})
	}
}

func TestManyAtOnceLogInOnce(t *testing.T) {
	k := &cloud{good: "token-1"}
	c := must(t, Config{Auth: byPassword(), Transport: k})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := c.Node(t.Context(), "x"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := len(k.logins); n != 1 {
		t.Errorf("%d logins; want 1", n)
	}
}

func TestLogsHoldNoSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		log := slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))
		k := &cloud{good: "token-2", down: 1}
		c := must(t, Config{Auth: byPassword(), Transport: k, Log: log})
		p := baremetal.Patch{baremetal.Add("/driver_info/ipmi_password", "hunter2")}
		if _, err := c.Patch(t.Context(), "x", p); err != nil {
			t.Fatal(err)
		}
		if s := text.String(); strings.Contains(s, "hunter2") || strings.Contains(s, "token-") || !strings.Contains(s, "status=200") ||
			!strings.Contains(s, "sent again") {
			t.Errorf("log:\n%s", s)
		}
	})
}
