package main

import (
	"bytes"
	"cmp"
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

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/baremetal/client"
	"bosh-ironic-cpi/src/tlsclient"
)

// A rest asks for what package client does not know: drivers, traits, rescue passwords. It asks once.
type rest struct {
	endpoint string // ends in /v1
	auth     client.Auth
	http     *http.Client
}

// spoken is the API version of these requests: it has all of them, and every server that package client speaks to
// knows it (Ironic of Queens, 1.38).
const spoken = "1.38"

const (
	headerVersion = "X-OpenStack-Ironic-API-Version"
	headerMinimum = "X-OpenStack-Ironic-API-Minimum-Version"
)

// answerLimit is how much of an answer is read, in bytes. Driver properties have some 20 KiB.
const answerLimit = 4 << 20

// newRest wants what client.New has taken already.
func newRest(address string, auth client.Auth, trust tlsclient.Config, timeout time.Duration) (*rest, error) {
	settings, err := trust.TLS()
	if err != nil {
		return nil, err
	}
	endpoint := strings.TrimRight(address, "/")
	if !strings.HasSuffix(endpoint, "/v1") {
		endpoint += "/v1"
	}
	return &rest{
		endpoint: endpoint, auth: auth,
		http: &http.Client{
			Timeout:   timeout,
			Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: settings, ForceAttemptHTTP2: true},
			// net/http would carry the token to the other host.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

func (r *rest) close() { r.http.CloseIdleConnections() }

// ask sends one request and decodes its answer into into, unless that is nil. op says for people what it is, with
// the node. The error is a [*baremetal.APIError].
func (r *rest) ask(ctx context.Context, op, method, path string, body, into any) error {
	version := spoken
	for {
		resp, err := r.send(ctx, method, path, version, body)
		if err != nil {
			return r.silence(op, method, err)
		}
		text, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
		resp.Body.Close()
		lowest := resp.Header.Get(headerMinimum)
		switch {
		case resp.StatusCode == http.StatusNotAcceptable && version == spoken && lowest != "":
			version = lowest // a server that has given up the old versions
			continue
		case resp.StatusCode >= 300:
			return refusal(op, resp, text)
		case err != nil:
			return r.silence(op, method, err)
		case into == nil:
			return nil
		}
		if err := json.Unmarshal(text, into); err != nil {
			return &baremetal.APIError{Op: op, Kind: baremetal.ErrUnavailable, Text: "the answer is not a Bare Metal API's: " + err.Error()}
		}
		return nil
	}
}

func (r *rest) send(ctx context.Context, method, path, version string, body any) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, r.endpoint+path, content)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set(headerVersion, version)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	switch r.auth.Type {
	case "token":
		req.Header.Set("X-Auth-Token", r.auth.Token.Reveal())
	case "http_basic":
		req.SetBasicAuth(r.auth.Username, r.auth.Password.Reveal())
	}
	return r.http.Do(req)
}

// silence is an error of the connection. Of anything but a question nobody knows then whether it was heard.
func (r *rest) silence(op, method string, err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok { // it repeats the URL, its cause says what happened
		err = wrapped.Err
	}
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w", op, err)
	}
	kind := baremetal.ErrAmbiguous
	if method == http.MethodGet {
		kind = baremetal.ErrUnavailable
	}
	return &baremetal.APIError{Op: op, Kind: kind, Text: err.Error()}
}

// refusal reads an answer with an error status.
func refusal(op string, resp *http.Response, body []byte) error {
	kind := baremetal.ErrInvalid
	switch status := resp.StatusCode; {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		kind = baremetal.ErrUnauthorized
	case status == http.StatusNotFound:
		kind = baremetal.ErrNotFound
	case status == http.StatusNotAcceptable:
		kind = baremetal.ErrVersion
	case status == http.StatusConflict && bytes.Contains(body, []byte("is locked")):
		kind = baremetal.ErrLocked
	case status == http.StatusConflict:
		kind = baremetal.ErrWrongState
	case status >= http.StatusInternalServerError, status < http.StatusBadRequest:
		kind = baremetal.ErrUnavailable
	}
	return &baremetal.APIError{Op: op, Status: resp.StatusCode, Text: wordsOf(body), Kind: kind}
}

// wordsOf finds the words in the body of an error: JSON in a string in JSON with faultstring (Ironic), the same without
// the string, or http_basic's {"error": {"message"}}. What is neither is not shown: it is a proxy's page.
func wordsOf(body []byte) string {
	var outer struct {
		Message json.RawMessage `json:"error_message"`
		Error   struct{ Message string }
	}
	var inner struct{ FaultString string }
	if json.Unmarshal(body, &outer) != nil {
		return ""
	}
	raw := []byte(outer.Message)
	var quoted string
	if json.Unmarshal(raw, &quoted) == nil {
		raw = []byte(quoted)
	}
	if json.Unmarshal(raw, &inner) == nil {
		quoted = ""
	}
	return redactURLs(cmp.Or(inner.FaultString, outer.Error.Message, quoted))
}

var userInfo = regexp.MustCompile(`(://)[^/\s@"']*@`)

// redactURLs takes user names and passwords out of URLs.
func redactURLs(text string) string { return userInfo.ReplaceAllString(text, "${1}***@") }
