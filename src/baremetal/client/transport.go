package client

import (
	"io"
	"net"
	"net/http"
	"time"

	"bosh-ironic-cpi/src/tlsclient"
)

// newTransport makes the HTTP transport.
func newTransport(t tlsclient.Config) (*http.Transport, error) {
	c, err := t.TLS()
	if err != nil {
		return nil, err
	}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:     c,
		TLSHandshakeTimeout: 10 * time.Second,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 16,
		// Shorter than servers and proxies keep theirs (10 s and up): a write on a connection that the other
		// side has just closed is one whose fate is unknown.
		IdleConnTimeout: 5 * time.Second,
	}, nil
}

// refusalLimit is how much is read of a body that comes with an error status. A server's or a proxy's words
// fit in; an endless one does not.
const refusalLimit = 64 << 10

// limitRefusals cuts the bodies of error answers: gophercloud reads those whole.
type limitRefusals struct{ http.RoundTripper }

func (l limitRefusals) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(r)
	if err == nil && resp.StatusCode >= 300 {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, refusalLimit), resp.Body}
	}
	return resp, err
}

// CloseIdleConnections hands [http.Client.CloseIdleConnections] on to the transport.
func (l limitRefusals) CloseIdleConnections() {
	if t, ok := l.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}
