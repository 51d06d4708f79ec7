// Package registry is a client of the BOSH agent settings registry, which agents of stemcells of API
// version 1 ask for their settings.
//
// It speaks the common ground of the two known servers: bosh-registry, which answers a PUT with 200, and the
// nginx + Lua one of the old CPI, which answers 201 or 204. Both keep one text per instance at
// URL/instances/ID/settings, give it back wrapped in {"settings": "...", "status": "ok"}, and neither knows
// locks or versions. Agents from v2.478.0 (2022) on know no registry.
//
// Start at [New].
package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"bosh-ironic-cpi/src/secret"
	"bosh-ironic-cpi/src/tlsclient"
)

// What a caller acts on.
var (
	ErrNotFound     = errors.New("no settings in the registry")
	ErrUnauthorized = errors.New("registry refused the credentials")
	ErrUnavailable  = errors.New("registry does not answer")
	ErrBadID        = errors.New("not an instance id for the registry: want letters, digits, - and _")
)

// maxSettings is the longest answer that is read, in bytes: the Lua server takes no more than 10 MiB.
const maxSettings = 16 << 20

// Config says where the registry is.
type Config struct {
	URL      string // up to the path before /instances; may hold user:password@
	Username string // wins over the URL's
	Password secret.Text
	TLS      tlsclient.Config
	Timeout  time.Duration // of one request; 30 s if zero
}

// A Client reads and writes settings. It may be used by several goroutines.
type Client struct {
	base *url.URL // without credentials
	user *url.Userinfo
	http *http.Client
}

// New checks cfg; it does not touch the network.
func New(cfg Config) (*Client, error) {
	base, err := url.Parse(cfg.URL)
	if err != nil {
		// The parser's own words may quote a piece of a password with a / in it.
		return nil, errors.New("registry URL: not a URL; give user and password apart, in registry.username and registry.password")
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, errors.New("registry URL: want http://HOST or https://HOST, with or without port and path")
	}
	tlsConfig, err := cfg.TLS.TLS()
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	c := &Client{base: base, user: base.User}
	if cfg.Username != "" || !cfg.Password.IsZero() {
		c.user = url.UserPassword(cfg.Username, cfg.Password.Reveal())
	}
	base.User, base.RawQuery, base.Fragment = nil, "", ""
	if cfg.Timeout <= 0 {
		cfg.Timeout = 30 * time.Second
	}
	c.http = &http.Client{
		Timeout: cfg.Timeout,
		// A redirect would turn the PUT into a GET and take the credentials elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		// A process asks once or twice: nothing is gained by keeping the connection.
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: tlsConfig, DisableKeepAlives: true},
	}
	return c, nil
}

// Endpoint is the URL that agents are given, with the credentials in it, escaped, exactly once.
func (c *Client) Endpoint() string {
	u := *c.base
	u.User = c.user
	return strings.TrimSuffix(u.String(), "/")
}

// Put stores the settings of an instance in place of older ones.
func (c *Client) Put(ctx context.Context, id string, settings []byte) error {
	status, _, err := c.do(ctx, http.MethodPut, id, settings)
	switch {
	case err != nil:
		return err
	case status == http.StatusOK || status == http.StatusCreated || status == http.StatusNoContent:
		return nil
	}
	return refused(http.MethodPut, id, status)
}

// Get returns the settings of an instance, or ErrNotFound.
func (c *Client) Get(ctx context.Context, id string) ([]byte, error) {
	status, body, err := c.do(ctx, http.MethodGet, id, nil)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, refused(http.MethodGet, id, status)
	}
	var answer struct {
		Settings *string `json:"settings"`
		Status   string  `json:"status"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Settings == nil || answer.Status != "ok" {
		return nil, fmt.Errorf("registry: GET settings of %s: answer is none of a registry's (check registry.url)", id)
	}
	return []byte(*answer.Settings), nil
}

// Delete removes the settings of an instance. It is no error when there are none.
func (c *Client) Delete(ctx context.Context, id string) error {
	status, _, err := c.do(ctx, http.MethodDelete, id, nil)
	switch {
	case err != nil:
		return err
	case status == http.StatusOK || status == http.StatusNoContent || status == http.StatusNotFound:
		return nil
	}
	return refused(http.MethodDelete, id, status)
}

var validID = regexp.MustCompile(`^[A-Za-z0-9_-]+$`) // all that the Lua server reads

func (c *Client) do(ctx context.Context, method, id string, body []byte) (status int, answer []byte, err error) {
	if !validID.MatchString(id) {
		return 0, nil, fmt.Errorf("%w: %q", ErrBadID, id)
	}
	address := c.base.JoinPath("instances", id, "settings").String()
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.user != nil {
		password, _ := c.user.Password()
		req.SetBasicAuth(c.user.Username(), password)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, unavailable(ctx, err)
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, maxSettings))
	if err != nil {
		return 0, nil, unavailable(ctx, err)
	}
	return resp.StatusCode, answer, nil
}

// unavailable leaves the caller's own cancellation to itself; all else is the registry's fault.
func unavailable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("registry: %w", err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

func refused(method, id string, status int) error {
	kind := fmt.Errorf("%d %s", status, http.StatusText(status))
	switch {
	case status == http.StatusNotFound:
		kind = ErrNotFound
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		kind = fmt.Errorf("%w (%d)", ErrUnauthorized, status)
	case status >= 500:
		kind = fmt.Errorf("%w: it answered %d", ErrUnavailable, status)
	case status >= 300 && status < 400:
		kind = fmt.Errorf("redirects (%d): give its final address in registry.url", status)
	case status == http.StatusRequestEntityTooLarge:
		kind = fmt.Errorf("settings are larger than the registry takes (%d)", status)
	}
	return fmt.Errorf("registry: %s settings of %s: %w", method, id, kind)
}
