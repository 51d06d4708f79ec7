package keystone

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bosh-ironic-cpi/src/secret"
	"bosh-ironic-cpi/src/tlsclient"
)

// A service is the far end: it knows the tokens in known, and counts. Its own words are those of Keystone 22.
type service struct {
	logins, asked int
	own           string            // the token that our user has now; empty: our login is refused
	known         map[string]string // token: body
	down          bool
}

func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.down {
		return nil, errors.New("connection refused")
	}
	w := httptest.NewRecorder()
	switch {
	case r.Method == http.MethodPost:
		s.logins++
		body, err := io.ReadAll(r.Body)
		if err != nil || s.own == "" || !strings.Contains(string(body), "hunter2") {
			w.WriteHeader(http.StatusUnauthorized)
			break
		}
		w.Header().Set("X-Subject-Token", s.own)
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, token("service", time.Hour))
	case r.Header.Get("X-Auth-Token") != s.own:
		w.WriteHeader(http.StatusUnauthorized)
	default:
		s.asked++
		body, ok := s.known[r.Header.Get("X-Subject-Token")]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprint(w, body)
	}
	return w.Result(), nil
}

// token is what Keystone says of one with a role in a project.
func token(role string, lasts time.Duration) string {
	return fmt.Sprintf(`{"token": {"user": {"id": "5f", "name": "ann"}, "roles": [{"id": "1", "name": %q}], "project": {"id": "7"}, "expires_at": %q}}`,
		role, time.Now().Add(lasts).UTC().Format("2006-01-02T15:04:05.000000Z"))
}

var good = Config{URL: "http://keystone.example/v3/", Username: "ironic", Password: secret.New("hunter2"), Project: "service"}

func newTokens(t *testing.T, s *service) *Tokens {
	t.Helper()
	k, err := New(good)
	if err != nil {
		t.Fatal(err)
	}
	k.client.Transport = s
	return k
}

func TestAnswersAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{own: "a", known: map[string]string{"long": token("admin", time.Hour), "short": token("reader", time.Minute)}}
		k := newTokens(t, s)
		steps := []struct {
			name    string
			wait    time.Duration
			token   string
			want    error
			asked   int // in all
			revoked string
		}{
			{name: "first", token: "long", asked: 1},
			{name: "again", token: "long", asked: 1},
			{name: "one that ends soon", token: "short", asked: 2},
			{name: "it has ended", wait: time.Minute, token: "short", want: ErrInvalid, asked: 3},
			{name: "revoked, and still believed", token: "long", revoked: "long", asked: 3},
			{name: "no longer", wait: 4*time.Minute + time.Second, token: "long", want: ErrInvalid, asked: 4},
			{name: "unknown", token: "other", want: ErrInvalid, asked: 5},
			{name: "unknown is not remembered", token: "other", want: ErrInvalid, asked: 6},
			{name: "none", token: " ", want: ErrInvalid, asked: 6},
		}
		for _, step := range steps {
			<-time.After(step.wait)
			delete(s.known, step.revoked)
			_, err := k.Check(t.Context(), step.token)
			if !errors.Is(err, step.want) || s.asked != step.asked {
				t.Errorf("%s: error = %v after %d questions; want %v after %d", step.name, err, s.asked, step.want, step.asked)
			}
		}
		if s.logins != 1 {
			t.Errorf("%d logins; want 1", s.logins)
		}
	})
}

func TestWhatATokenSays(t *testing.T) {
	s := &service{own: "a", known: map[string]string{
		"project": token("admin", time.Hour),
		"system":  strings.Replace(token("reader", time.Hour), `"project": {"id": "7"}`, `"system": {"all": true}`, 1),
		"bare":    strings.Replace(token("admin", time.Hour), `"roles": [{"id": "1", "name": "admin"}], `, "", 1),
	}}
	k := newTokens(t, s)
	tests := []struct {
		token  string
		roles  []string
		system bool
	}{{"project", []string{"admin"}, false}, {"system", []string{"reader"}, true}, {"bare", nil, false}}
	for _, tt := range tests {
		got, err := k.Check(t.Context(), tt.token)
		if err != nil || got.User != "ann" || got.System != tt.system || !slices.Equal(got.Roles, tt.roles) {
			t.Errorf("%s: %+v, %v; want roles %v of ann, system %v", tt.token, got, err, tt.roles, tt.system)
		}
	}
}

// Our own token is fetched anew when it ends, and when Keystone no longer takes it.
func TestOwnToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{own: "a", known: map[string]string{}}
		k := newTokens(t, s)
		steps := []struct {
			name   string
			wait   time.Duration
			own    string
			logins int
		}{
			{"first", 0, "a", 1},
			{"kept", 58 * time.Minute, "a", 1},
			{"ends soon", time.Minute, "a", 2},
			{"revoked", 0, "b", 3},
		}
		for _, step := range steps {
			<-time.After(step.wait)
			s.own = step.own
			if _, err := k.Check(t.Context(), "x"); !errors.Is(err, ErrInvalid) || s.logins != step.logins {
				t.Errorf("%s: error = %v after %d logins; want ErrInvalid after %d", step.name, err, s.logins, step.logins)
			}
		}
	})
}

// What keeps us from asking is no verdict on the token, and names no secret.
func TestKeystoneThatCannotBeAsked(t *testing.T) {
	tests := []struct {
		name string
		far  service
		want string
	}{
		{"down", service{down: true}, "log in to Keystone: "},
		{"our password is wrong", service{}, "are our credentials there right?"},
		{"no JSON", service{own: "a", known: map[string]string{"x-secret": "<html>"}}, "validate a token: invalid character"},
	}
	for _, tt := range tests {
		_, err := newTokens(t, &tt.far).Check(t.Context(), "x-secret")
		if err == nil || errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error = %v; want %q", tt.name, err, tt.want)
		}
		if text := fmt.Sprint(err); strings.Contains(text, "hunter2") || strings.Contains(text, "x-secret") {
			t.Errorf("%s: the error tells a secret: %s", tt.name, text)
		}
	}
}

func TestNotTooManyAreRemembered(t *testing.T) {
	k := newTokens(t, &service{})
	for i := range most + 10 {
		k.keep([32]byte{byte(i), byte(i >> 8)}, Token{Expires: time.Now().Add(time.Hour)})
	}
	if len(k.known) > most {
		t.Errorf("%d tokens are remembered; want at most %d", len(k.known), most)
	}
}

func TestConfigurationFaults(t *testing.T) {
	tests := []struct {
		name string
		cfg  Config
		want string
	}{
		{"no address", Config{Username: "ironic"}, "auth_url"},
		{"a password in it", Config{URL: "https://a:hunter2@k"}, "auth_url"},
		{"no project", Config{URL: good.URL, Username: "ironic", Password: good.Password}, "project"},
		{"no secret", Config{URL: good.URL, ApplicationCredentialID: "1"}, "application_credential_secret"},
		{"CA", Config{URL: good.URL, ApplicationCredentialID: "1", ApplicationCredentialSecret: good.Password, TLS: tlsclient.Config{CA: "hunter2"}}, "CA"},
	}
	for _, tt := range tests {
		if _, err := New(tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: error = %v; want %q", tt.name, err, tt.want)
		}
	}
}
