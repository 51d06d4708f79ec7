package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/gophercloud/gophercloud/v2"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/wait"
)

// A request is one question to the API.
type request struct {
	op     string // for people, with the node: "claim node 3f2c"
	method string
	path   string // below /v1
	query  url.Values
	fields []string // for fields=, cut to what the spoken version knows
	body   any
	since  int64 // the minor version that brought what is asked; 0: it was always there

	// again is asked before the request is sent another time: with done it need not be, an error ends it.
	// lost is the error of an earlier one that may have been heard, nil if there was none. A nil again means
	// that the request does no harm when it comes twice.
	again func(ctx context.Context, lost error) (done bool, err error)
}

// do sends r, for at most the client's RetryLimit, until there is an answer that would not change by asking
// again, and decodes it into into unless that is nil. The limit does not cut an attempt short.
//
// An error wraps ErrAmbiguous if one of the attempts may have been heard.
func (c *Client) do(ctx context.Context, r request, into any) error {
	var last, lostOne error
	begun := time.Now()
	asked := 0
	settled := func() bool { // what r.again says is the last word
		if r.again == nil {
			return false
		}
		done, err := r.again(ctx, lostOne)
		if done || err != nil {
			last, lostOne = err, nil
			return true
		}
		return false
	}
	pace := wait.Pace{First: 200 * time.Millisecond, Every: 2 * time.Second}
	_ = wait.Until(ctx, pace, r.op, func(ctx context.Context) (bool, string, error) { // last says more
		if asked > 0 && settled() {
			return true, "", nil
		}
		asked++
		var o outcome
		o, last = c.attempt(ctx, r, into)
		if last == nil || o == final {
			return true, "", nil
		}
		if o == lost {
			lostOne = last
		}
		limit := c.retryLimit
		if o == stumbled {
			limit = min(limit, 5*time.Second)
		}
		if time.Since(begun) < limit {
			level := slog.LevelWarn
			if asked > 1 {
				level = slog.LevelDebug // once is enough for whoever waits
			}
			c.log.Log(ctx, level, "bare metal request is sent again", "op", r.op, "attempt", asked, "err", last)
			return false, "", nil
		}
		if lostOne != nil {
			settled() // a last look
		}
		return true, "", nil
	})
	if last == nil {
		return nil
	}
	if lostOne != nil && !errors.Is(last, baremetal.ErrAmbiguous) {
		last = fmt.Errorf("%w; before that: %w", last, lostOne)
	}
	if ctx.Err() != nil {
		last = fmt.Errorf("%w: %w", last, ctx.Err())
	}
	return last
}

// attempt sends r once, or a few times without a pause: in a lower version, with a new token.
func (c *Client) attempt(ctx context.Context, r request, into any) (outcome, error) {
	refused := "" // the token that was
	for {
		minor := c.minor.Load()
		if r.since > minor {
			return final, versionError(r.op, fmt.Sprintf("it needs API version 1.%d; the server speaks up to 1.%d", r.since, minor))
		}
		who, o, err := c.whoAmI(ctx, refused)
		if err != nil {
			return o, err
		}
		sent, err := c.send(ctx, r, minor, who, into)
		var answer gophercloud.ErrUnexpectedResponseCode
		switch {
		case err == nil:
			return final, nil
		case !errors.As(err, &answer):
			return c.broken(ctx, r, err, sent)
		case answer.Actual == http.StatusNotAcceptable:
			again, err := c.lower(r.op, minor, answer.ResponseHeader)
			if err != nil {
				return final, err
			}
			if again {
				continue
			}
		case answer.Actual == http.StatusUnauthorized && c.session.login != nil && refused == "":
			refused = who.value
			continue
		}
		return refusal(r.op, r.method, answer)
	}
}

// whoAmI returns the credentials to send.
func (c *Client) whoAmI(ctx context.Context, refused string) (credentials, outcome, error) {
	within, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	who, err := c.session.credentials(within, refused)
	var answer gophercloud.ErrUnexpectedResponseCode
	var known *baremetal.APIError
	switch {
	case err == nil, errors.As(err, &known):
		return who, final, err
	case !errors.As(err, &answer):
		// Nobody minds a token too many: a login may always be repeated.
		o, err := c.silence(ctx, loginOp, http.MethodGet, err, false)
		return who, o, err
	case answer.Actual == http.StatusNotFound:
		return who, final, &baremetal.APIError{
			Op: loginOp, Status: answer.Actual, Kind: baremetal.ErrInvalid,
			Text: "there is no Identity API v3: check keystone's URL",
		}
	}
	o, err := refusal(loginOp, http.MethodGet, answer)
	return who, o, err
}

// send makes the HTTP request. sent reports whether it may have reached the server.
func (c *Client) send(ctx context.Context, r request, minor int64, who credentials, into any) (sent bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var connected atomic.Bool
	if c.traced {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	}
	begun := time.Now()
	header := map[string]string{headerVersion: fmt.Sprintf("1.%d", minor)}
	if who.header != "" {
		header[who.header] = who.value
	}
	resp, err := c.provider.Request(ctx, r.method, who.endpoint+r.path+r.queryAt(minor), &gophercloud.RequestOpts{
		JSONBody:         r.body,
		MoreHeaders:      header,
		OkCodes:          []int{http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent},
		KeepResponseBody: true, // gophercloud would decode numbers as json.Number
	})
	status := 0
	if resp != nil {
		status = resp.StatusCode
	}
	c.log.DebugContext(ctx, "bare metal request", "op", r.op, "method", r.method, "path", r.path,
		"status", status, "took", time.Since(begun))
	if err != nil {
		return connected.Load() || !c.traced, err
	}
	defer resp.Body.Close()
	if into != nil {
		err = json.NewDecoder(resp.Body).Decode(into)
	}
	if f, ok := into.(interface{ foreign() bool }); ok && err == nil && f.foreign() {
		err = errForeign
	}
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body) // read to its end, the connection can be used again
	}
	return true, err
}

// errForeign is JSON without what every Bare Metal API sends. To take it for an empty list would declare VMs
// gone that run.
var errForeign = errors.New("it lacks uuid, nodes or ports")

// queryAt is the query, with its question mark, in the words of version 1.minor.
func (r request) queryAt(minor int64) string {
	q := url.Values{}
	maps.Copy(q, r.query)
	if len(r.fields) > 0 {
		q.Set("fields", fieldsAt(r.fields, minor))
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// broken reads an error that is no answer: of the connection, or of the answer's JSON.
func (c *Client) broken(ctx context.Context, r request, err error, sent bool) (outcome, error) {
	var syntax *json.SyntaxError
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &syntax) || errors.As(err, &wrongType) || errors.Is(err, errForeign) {
		return final, &baremetal.APIError{
			Op: r.op, Kind: baremetal.ErrUnavailable,
			Text: "the answer is not a Bare Metal API's; check the URL: " + err.Error(),
		}
	}
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		sent = false
	}
	return c.silence(ctx, r.op, r.method, err, sent)
}
