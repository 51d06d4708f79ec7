package client

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"bosh-ironic-cpi/src/secret"
	"bosh-ironic-cpi/src/tlsclient"
	"bosh-ironic-cpi/src/wait"
)

// Config says where the Bare Metal API is and how to ask it. Only URL must be set, and not even that when
// Keystone's catalogue names the service.
type Config struct {
	URL  string // http://host:6385, with or without /v1 and a path before it; no user name in it
	Auth Auth
	TLS  tlsclient.Config

	Transport http.RoundTripper // nil: HTTP; else it is handed every request, Keystone's too, and TLS is unused

	Timeout    time.Duration // one request, answer included; default 60 s
	RetryLimit time.Duration // how long to go on asking while locked or unavailable; default 2 min, negative: never again
	Pace       wait.Pace     // polling a node's state; default First 100 ms, Every 800 ms. Limit is not used

	Log *slog.Logger // nil: none. Debug: each request; Warn: a request that is sent again
}

// Auth says who we are. Type decides which of the other fields count.
type Auth struct {
	Type string // none (or empty), token, http_basic, keystone

	Token secret.Text // token: sent as X-Auth-Token as it is

	Username string // http_basic; keystone with a password, or with an application credential's name
	Password secret.Text

	KeystoneURL   string // with or without /v3
	UserDomain    string // domain names; default "Default"
	ProjectDomain string
	Project       string
	Region        string // empty: the first region of the catalogue that has the service

	ApplicationCredentialID     string
	ApplicationCredentialName   string
	ApplicationCredentialSecret secret.Text
}

// A Client asks one Bare Metal API. It is safe for use by many goroutines.
type Client struct {
	provider   *gophercloud.ProviderClient // carries the requests; it knows neither version nor credentials
	session    *session
	traced     bool // the transport is net/http's: it says whether a connection was made
	timeout    time.Duration
	retryLimit time.Duration
	pace       wait.Pace
	log        *slog.Logger

	minor atomic.Int64 // the API version spoken is 1.minor
}

// New checks cfg and returns a client for it. It sends nothing: the first request logs in.
func New(cfg Config) (*Client, error) {
	c := &Client{
		traced:     cfg.Transport == nil,
		timeout:    cfg.Timeout,
		retryLimit: cfg.RetryLimit,
		pace:       wait.Pace{First: cfg.Pace.First, Every: cfg.Pace.Every},
		log:        cfg.Log,
	}
	c.minor.Store(newest)
	if c.timeout <= 0 {
		c.timeout = time.Minute
	}
	if c.retryLimit == 0 {
		c.retryLimit = 2 * time.Minute
	}
	if c.pace.Every <= 0 {
		// Within a second of Ironic's own end; a look costs Ironic 7 ms.
		c.pace = wait.Pace{First: 100 * time.Millisecond, Every: 800 * time.Millisecond}
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	transport := cfg.Transport
	if transport == nil {
		t, err := newTransport(cfg.TLS)
		if err != nil {
			return nil, err
		}
		transport = t
	}
	c.provider = newProvider(transport)

	var endpoint string
	var err error
	if cfg.URL != "" || cfg.Auth.Type != "keystone" {
		if endpoint, err = endpointOf(cfg.URL); err != nil {
			return nil, err
		}
	}
	c.session, err = newSession(cfg.Auth, endpoint, transport)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Close closes connections that nobody uses. The client may be used again.
func (c *Client) Close() { c.provider.HTTPClient.CloseIdleConnections() }

// newProvider makes gophercloud's part: it builds requests and reads refusals. Redirects are refused, because
// net/http would carry the token to the other host.
func newProvider(transport http.RoundTripper) *gophercloud.ProviderClient {
	p := &gophercloud.ProviderClient{HTTPClient: http.Client{
		Transport:     limitRefusals{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	p.UserAgent.Prepend("bosh-ironic-cpi")
	return p
}

// endpointOf returns the URL of the API's version 1, without a slash at its end. Errors do not repeat the
// text: somebody may have put a password into it.
func endpointOf(text string) (string, error) {
	if err := checkURL("ironic URL", text); err != nil {
		return "", err
	}
	text = strings.TrimRight(text, "/")
	if !strings.HasSuffix(text, "/v1") {
		text += "/v1"
	}
	return text, nil
}

func checkURL(what, text string) error {
	if text == "" {
		return fmt.Errorf("%s is missing: set it to one such as http://host:6385", what)
	}
	u, err := url.Parse(text)
	if err != nil {
		if parse, ok := errors.AsType[*url.Error](err); ok { // its text repeats the URL, its cause does not
			err = parse.Err
		}
		return fmt.Errorf("%s is not a URL: %w", what, err)
	}
	switch {
	case u.User != nil:
		return fmt.Errorf("%s holds a user name: take it out and set auth type http_basic with username and password", what)
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return fmt.Errorf("%s must look like http://host:port or https://host:port", what)
	case u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("%s has a query or fragment: take away what follows ? or #", what)
	}
	return nil
}
