package redfish

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"bosh-ironic-cpi/src/secret"
	"bosh-ironic-cpi/src/wait"
)

// largest is how long an answer may be. The longest in the field are firmware inventories and registries, which nobody
// here asks for.
const largest = 2 << 20

// A transport carries the requests of one connection. The credentials go to no host but the BMC's: a BMC's answers are
// full of links, and nobody knows who wrote them.
type transport struct {
	base     *http.Transport
	host     string
	timeout  time.Duration
	busy     time.Duration
	username string // of basic authentication; empty: another way
	password secret.Text
	token    secret.Text // of a session
	basic    atomic.Bool // a 401 offered it
}

func newTransport(a Access) (*transport, error) {
	u, err := url.Parse(a.Address)
	if err != nil {
		return nil, errors.New("the address is not a URL") // which the error would quote
	}
	trust, err := a.Trust.TLS()
	if err != nil {
		return nil, err
	}
	return &transport{
		host: u.Host, timeout: a.Timeout, busy: a.Patience.Busy,
		base: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: min(a.Timeout, 10*time.Second)}).DialContext,
			TLSClientConfig:     trust,
			TLSHandshakeTimeout: min(a.Timeout, 20*time.Second),
		},
	}, nil
}

func (t *transport) client() *http.Client {
	return &http.Client{Transport: t, Timeout: t.timeout, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		if len(via) > 3 {
			return errors.New("the BMC redirects in a circle")
		}
		return nil
	}}
}

func (t *transport) offersBasic() bool { return t.basic.Load() }

// RoundTrip implements http.RoundTripper. A BMC that is too busy is asked again, twice.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != t.host {
		return nil, fmt.Errorf("the BMC names an address that is not its own: %s", r.URL.Host)
	}
	for try := 0; ; try++ {
		req := r.Clone(r.Context())
		if try > 0 && r.GetBody != nil {
			body, err := r.GetBody()
			if err != nil {
				return nil, err
			}
			req.Body = body
		}
		resp, err := t.base.RoundTrip(t.dress(req))
		if err != nil {
			return nil, err
		}
		resp.Body = http.MaxBytesReader(nil, resp.Body, largest)
		busy := resp.StatusCode == http.StatusServiceUnavailable || resp.StatusCode == http.StatusTooManyRequests
		if !busy || try == 2 || r.Body != nil && r.GetBody == nil {
			t.noteOffer(resp)
			return resp, nil
		}
		_ = resp.Body.Close()
		if err := wait.Pause(r.Context(), t.busy); err != nil {
			return nil, err
		}
	}
}

// dress adds the headers. Without its version of OData an iLO 4 answers in the form that it had before Redfish, too.
func (t *transport) dress(r *http.Request) *http.Request {
	r.Header.Set("OData-Version", "4.0")
	if r.Body == nil || r.Body == http.NoBody {
		r.Header.Del("Content-Type")
	}
	switch {
	case !t.token.IsZero():
		r.Header.Set("X-Auth-Token", t.token.Reveal())
	case t.username != "":
		r.SetBasicAuth(t.username, t.password.Reveal())
	}
	return r
}

func (t *transport) noteOffer(resp *http.Response) {
	if resp.StatusCode != http.StatusUnauthorized {
		return
	}
	for _, offer := range resp.Header.Values("WWW-Authenticate") {
		if strings.Contains(strings.ToLower(offer), "basic") {
			t.basic.Store(true)
		}
	}
}
