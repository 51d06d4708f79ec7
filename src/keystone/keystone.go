// Package keystone asks OpenStack's Identity service whose a token is: the server's side of X-Auth-Token.
//
// A service has a user of its own there, whose token it shows when it asks about another's (Identity API v3, "Validate and
// show information for token"). Answers are remembered for a few minutes, so that not every request costs another: a
// token that is revoked is believed until then. What its roles permit is for the caller to say. Tokens with access rules
// are refused, because Keystone tells them only to those who say that they heed them.
//
// It fetches no tokens for clients of other services: package baremetal/client does. Start at [New].
package keystone

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"bosh-ironic-cpi/src/secret"
	"bosh-ironic-cpi/src/tlsclient"
)

// ErrInvalid is returned for a token that Keystone does not know, or no longer.
var ErrInvalid = errors.New("the token is not valid")

// A Config says where Keystone is and who we are there: a user in a project, or an application credential.
type Config struct {
	URL           string // with or without /v3
	Username      string
	Password      secret.Text
	Project       string
	UserDomain    string // name; empty: Default
	ProjectDomain string // name; empty: Default

	ApplicationCredentialID     string // instead of all these
	ApplicationCredentialSecret secret.Text

	TLS      tlsclient.Config
	Remember time.Duration // how long an answer counts; 0: 5 min, never longer than the token
}

// A Token is what Keystone says of one.
type Token struct {
	User    string // name, or id where Keystone tells no name
	Roles   []string
	System  bool // it is for the whole system and not for a project
	Expires time.Time
}

// Has reports whether the token has one of the roles.
func (t Token) Has(roles ...string) bool {
	return slices.ContainsFunc(t.Roles, func(r string) bool { return slices.Contains(roles, r) })
}

// Tokens are those that a Keystone gives out. It may be used by several goroutines.
type Tokens struct {
	base     string // ends in /v3
	login    []byte // what we send to be known
	remember time.Duration
	client   *http.Client

	turn chan struct{} // holds one token: whose turn it is to log in
	own  ownToken      // guarded by turn

	mu    sync.Mutex
	known map[[sha256.Size]byte]remembered
}

// ownToken is what we show Keystone.
type ownToken struct {
	text    secret.Text
	expires time.Time
}

type remembered struct {
	Token

	until time.Time
}

const (
	patience  = 10 * time.Second
	longest   = 1 << 20 // bytes of an answer
	most      = 10000   // tokens remembered
	margin    = time.Minute
	keepAlive = 90 * time.Second
)

// New checks the configuration. It asks nothing yet. Its errors hold no secrets.
func New(c Config) (*Tokens, error) {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return nil, errors.New("auth_url: want http://HOST:PORT or https://HOST:PORT, with or without a path")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("auth_url: want no user, query or fragment in it")
	}
	identity, err := c.identity()
	if err != nil {
		return nil, err
	}
	login, err := json.Marshal(map[string]any{"auth": identity})
	if err != nil {
		return nil, err
	}
	secure, err := c.TLS.TLS()
	if err != nil {
		return nil, err
	}
	if c.Remember <= 0 {
		c.Remember = 5 * time.Minute
	}
	return &Tokens{
		base: strings.TrimSuffix(strings.TrimRight(c.URL, "/"), "/v3") + "/v3", login: login, remember: c.Remember,
		turn: make(chan struct{}, 1), known: map[[sha256.Size]byte]remembered{},
		client: &http.Client{
			Timeout:       patience,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // tokens go nowhere else
			Transport: &http.Transport{
				Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: patience}).DialContext,
				TLSClientConfig: secure, ForceAttemptHTTP2: true, IdleConnTimeout: keepAlive, MaxIdleConnsPerHost: 8,
			},
		},
	}, nil
}

// identity is the part of a login that says who we are.
func (c Config) identity() (map[string]any, error) {
	if c.ApplicationCredentialID != "" {
		if c.ApplicationCredentialSecret.IsZero() {
			return nil, errors.New("application_credential_secret: required by application_credential_id")
		}
		credential := map[string]any{"id": c.ApplicationCredentialID, "secret": c.ApplicationCredentialSecret.Reveal()}
		return map[string]any{"identity": map[string]any{
			"methods": []string{"application_credential"}, "application_credential": credential,
		}}, nil
	}
	if c.Username == "" || c.Password.IsZero() || c.Project == "" {
		return nil, errors.New("want username, password and project, or application_credential_id and its secret")
	}
	domain := func(name string) map[string]any {
		if name == "" {
			name = "Default"
		}
		return map[string]any{"name": name}
	}
	user := map[string]any{"name": c.Username, "password": c.Password.Reveal(), "domain": domain(c.UserDomain)}
	return map[string]any{
		"identity": map[string]any{"methods": []string{"password"}, "password": map[string]any{"user": user}},
		"scope":    map[string]any{"project": map[string]any{"name": c.Project, "domain": domain(c.ProjectDomain)}},
	}, nil
}

// URL is Keystone's address, as those are told who come without a token.
func (k *Tokens) URL() string { return k.base }

// Close ends the idle connections.
func (k *Tokens) Close() error {
	k.client.CloseIdleConnections()
	return nil
}

// Check says whose a token is. The error is [ErrInvalid] if Keystone does not know it; any other means that Keystone
// could not be asked, and that another try may find it.
func (k *Tokens) Check(ctx context.Context, token string) (Token, error) {
	if strings.TrimSpace(token) == "" {
		return Token{}, ErrInvalid
	}
	key := sha256.Sum256([]byte(token))
	if t, ok := k.recall(key); ok {
		return t, nil
	}
	t, err := k.ask(ctx, token)
	if err != nil {
		return Token{}, err
	}
	if !time.Now().Before(t.Expires) {
		return Token{}, ErrInvalid
	}
	k.keep(key, t)
	return t, nil
}

func (k *Tokens) recall(key [sha256.Size]byte) (Token, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	found, ok := k.known[key]
	if ok && !time.Now().Before(found.until) {
		delete(k.known, key)
		ok = false
	}
	return found.Token, ok
}

func (k *Tokens) keep(key [sha256.Size]byte, t Token) {
	now := time.Now()
	until := now.Add(k.remember)
	if t.Expires.Before(until) {
		until = t.Expires
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.known) >= most {
		for other, r := range k.known {
			if !now.Before(r.until) {
				delete(k.known, other)
			}
		}
	}
	for other := range k.known { // all of them live: any may go, and is asked for again
		if len(k.known) < most {
			break
		}
		delete(k.known, other)
	}
	k.known[key] = remembered{t, until}
}

// ask validates a token. Our own may have been revoked meanwhile: then with a new one.
func (k *Tokens) ask(ctx context.Context, token string) (Token, error) {
	var refused secret.Text
	for {
		own, err := k.ownToken(ctx, refused)
		if err != nil {
			return Token{}, err
		}
		status, _, body, err := k.send(ctx, http.MethodGet, "/auth/tokens?nocatalog", nil, map[string]string{
			"X-Auth-Token": own.Reveal(), "X-Subject-Token": token,
		})
		switch {
		case err != nil:
			return Token{}, fmt.Errorf("validate a token: %w", err)
		case status == http.StatusOK:
			return read(body)
		case status == http.StatusNotFound:
			return Token{}, ErrInvalid
		case status == http.StatusUnauthorized && refused.IsZero():
			refused = own
		default:
			return Token{}, fmt.Errorf("validate a token: %s answers %d; has our user the role service or admin there?", k.base, status)
		}
	}
}

// read decodes what Keystone says of a token.
func read(body []byte) (Token, error) {
	var answer struct {
		Token struct {
			User      struct{ ID, Name string }
			Roles     []struct{ Name string }
			System    struct{ All bool }
			ExpiresAt time.Time `json:"expires_at"`
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return Token{}, fmt.Errorf("validate a token: %w", err)
	}
	t := Token{User: answer.Token.User.Name, System: answer.Token.System.All, Expires: answer.Token.ExpiresAt}
	if t.User == "" {
		t.User = answer.Token.User.ID
	}
	for _, r := range answer.Token.Roles {
		t.Roles = append(t.Roles, r.Name)
	}
	return t, nil
}

// ownToken is ours: the one that we have, unless it ends soon or is the one refused; else a new one.
func (k *Tokens) ownToken(ctx context.Context, refused secret.Text) (secret.Text, error) {
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-ctx.Done():
		return secret.Text{}, ctx.Err()
	}
	if !k.own.text.IsZero() && k.own.text.Reveal() != refused.Reveal() && time.Now().Add(margin).Before(k.own.expires) {
		return k.own.text, nil
	}
	status, header, body, err := k.send(ctx, http.MethodPost, "/auth/tokens?nocatalog", k.login, nil)
	if err != nil {
		return secret.Text{}, fmt.Errorf("log in to Keystone: %w", err)
	}
	text := header.Get("X-Subject-Token")
	if status != http.StatusCreated || text == "" {
		return secret.Text{}, fmt.Errorf("log in to Keystone: %s answers %d: are our credentials there right?", k.base, status)
	}
	t, err := read(body)
	if err != nil {
		return secret.Text{}, err
	}
	k.own = ownToken{secret.New(text), t.Expires}
	return k.own.text, nil
}

// send asks Keystone.
func (k *Tokens) send(ctx context.Context, method, path string, body []byte, header map[string]string) (int, http.Header, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, k.base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := k.client.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, longest))
	return resp.StatusCode, resp.Header, text, err
}
