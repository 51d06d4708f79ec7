package amt

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/icholy/digest"

	"bosh-ironic-cpi/src/driver"
)

// A client asks one AMT. It lives for one call of the driver: connections that lie idle are no use to an engine that
// sleeps, and a few exchanges share the challenge of the first.
type client struct {
	uuid      string // of the node
	label     string
	info      info
	endpoint  string
	awake     *awake
	limit     time.Duration // of one exchange
	transport *http.Transport
	http      http.Client
}

// No answer of AMT to what is asked here comes near it.
const maxReply = 1 << 20

// What to look at where something else than AMT answers, or nobody.
const checkAddress = "check " + keyAddress + ", " + keyPort + " and " + keyProtocol + ", and that AMT is on in MEBx"

func (h *hardware) open(n *driver.Node) (*client, error) {
	i, err := parse(n)
	if err != nil {
		return nil, err
	}
	t := &http.Transport{ // no proxy from the environment: management networks have none
		DialContext:         (&net.Dialer{Timeout: h.limit}).DialContext,
		TLSClientConfig:     i.tls,
		DisableCompression:  true, // AMT's web server knows none
		MaxIdleConnsPerHost: 1,
	}
	c := &client{
		uuid: n.UUID, label: n.Label(), info: i, endpoint: i.protocol + "://" + i.hostPort() + "/wsman",
		awake: h.awake, limit: h.limit, transport: t,
	}
	c.http = http.Client{
		Transport:     &digest.Transport{Username: i.username, Password: i.password, FindChallenge: findChallenge, Transport: t},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

func (c *client) close() { c.transport.CloseIdleConnections() }

// exchange sends a message and reads the answer; what names it in errors. Errors: [driver.ErrUnreachable],
// [driver.ErrAuthentication], the context's, or what AMT says.
func (c *client) exchange(ctx context.Context, what string, m message) (*reply, error) {
	err := c.awake.ensure(ctx, c.uuid, c.info)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, c.errorf("%w: it answers neither ping nor a connection (%v); check %s, its network cable, and that AMT is on in MEBx",
			driver.ErrUnreachable, err, keyAddress)
	}
	status, text, err := c.post(ctx, m.encode())
	if err != nil {
		return nil, c.failed(ctx, what, err)
	}
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return nil, c.errorf("%s: %w (HTTP status %d); check %s and %s, and that the account has the realms that it needs",
			what, driver.ErrAuthentication, status, keyUsername, keyPassword)
	case len(bytes.TrimSpace(text)) == 0:
		return nil, c.errorf("%s: %w: HTTP status %d and an empty answer; %s", what, driver.ErrUnreachable, status, checkAddress)
	}
	r, err := decode(text)
	switch {
	case err != nil && !errors.Is(err, errNoEnvelope): // a fault, whatever the status is
		return nil, c.errorf("%s: %w", what, err)
	case status != http.StatusOK || err != nil:
		return nil, c.errorf("%s: HTTP status %d, and %w; %s", what, status, errNoEnvelope, checkAddress)
	}
	return r, nil
}

// post does the two or three requests that digest authentication makes of one.
func (c *client) post(ctx context.Context, body []byte) (status int, text []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/soap+xml;charset=UTF-8")
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	text, err = io.ReadAll(io.LimitReader(resp.Body, maxReply))
	return resp.StatusCode, text, err
}

// failed says why there is no answer.
func (c *client) failed(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if _, ok := errors.AsType[*challengeError](err); ok {
		return c.errorf("%s: %w: %w", what, driver.ErrAuthentication, err)
	}
	if wrong, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return c.errorf("%s: %w: its certificate: %w; set %s to a file with it or with its authority, or to false",
			what, driver.ErrUntrusted, wrong.Err, keyVerifyCA)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return c.errorf("%s: %w: no answer within %s; check the network, and that AMT is on in MEBx", what, driver.ErrUnreachable, c.limit)
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // without the method and the address once more
	}
	return c.errorf("%s: %w: %w; %s", what, driver.ErrUnreachable, err, checkAddress)
}
