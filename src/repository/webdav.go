package repository

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"bosh-ironic-cpi/src/secret"
	"bosh-ironic-cpi/src/signedurl"
	"bosh-ironic-cpi/src/tlsclient"
)

// WebDAVConfig says which server a [WebDAV] uses.
type WebDAVConfig struct {
	URL      string // base address, http or https; it may hold user:password
	Username string // basic auth, sent with every request; with Password it replaces what URL holds
	Password secret.Text

	// PublicURL is the base address for machines. Empty: URL, with the credentials in it, because a deploy
	// ramdisk cannot be told them in another way. An address given here is used as it is.
	PublicURL string

	// Key signs addresses for machines, which then expire and hold no credentials. It is the server's own key.
	Key signedurl.Key

	TLS tlsclient.Config

	// Timeout limits each wait for the server: to connect, to take the next bytes of an upload, to answer,
	// to send the next bytes of a file. It does not limit how long a transfer takes. Default: one minute.
	Timeout time.Duration
}

// WebDAV is a [Store] on a WebDAV server: nginx with its dav module, Apache, or any other that knows PUT, GET,
// HEAD and DELETE; MKCOL where folders are not made by themselves, and MOVE.
//
// A file replaces an older one in one step if the server's MOVE does (nginx: yes; Apache removes the older
// one first). A server without MOVE (405, 501) gets the file a second time, by PUT from its temporary name,
// and readers may then see a part of it.
//
// Requests that can be repeated are, on a server that does not answer; uploads are not. Redirects are an
// error: a body would go to the wrong place.
type WebDAV struct {
	base     *url.URL // without credentials
	public   *url.URL
	key      signedurl.Key
	username string
	password secret.Text
	timeout  time.Duration
	client   *http.Client

	mu       sync.Mutex
	baseMade bool // the collection that base names is there
}

var _ Store = (*WebDAV)(nil)

// NewWebDAV checks the configuration. It sends nothing.
func NewWebDAV(c WebDAVConfig) (*WebDAV, error) {
	base, err := parseBase(c.URL)
	if err != nil {
		return nil, fmt.Errorf("repository's address: %w", err)
	}
	w := &WebDAV{base: base, key: c.Key, username: c.Username, password: c.Password, timeout: c.Timeout}
	if w.username == "" && w.password.IsZero() && base.User != nil {
		text, _ := base.User.Password()
		w.username, w.password = base.User.Username(), secret.New(text)
	}
	base.User = nil
	if w.timeout <= 0 {
		w.timeout = time.Minute
	}
	if c.PublicURL == "" {
		public := *base
		if w.username != "" {
			public.User = url.UserPassword(w.username, w.password.Reveal())
		}
		w.public = &public
	} else if w.public, err = parseBase(c.PublicURL); err != nil {
		return nil, fmt.Errorf("repository's public address: %w", err)
	}
	secure, err := c.TLS.TLS()
	if err != nil {
		return nil, fmt.Errorf("repository %s: %w", base, err)
	}
	w.client = &http.Client{
		Transport:     transport(secure, w.timeout),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return w, nil
}

func transport(secure *tls.Config, timeout time.Duration) *http.Transport {
	dialer := &net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &patientConn{Conn: conn, timeout: timeout}, nil
		},
		TLSClientConfig:       secure,
		TLSHandshakeTimeout:   timeout,
		ResponseHeaderTimeout: timeout,
		ExpectContinueTimeout: time.Second,
		IdleConnTimeout:       time.Minute,
		DisableCompression:    true, // sizes and ranges are those of the file
		WriteBufferSize:       256 << 10,
		ReadBufferSize:        64 << 10,
	}
}

// patientConn fails a write that the far end does not take in time, and lets whole uploads take theirs.
type patientConn struct {
	net.Conn
	timeout time.Duration
}

// Write implements net.Conn.
func (c *patientConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// Close closes idle connections.
func (w *WebDAV) Close() { w.client.CloseIdleConnections() }

// Open implements [Store].
func (w *WebDAV) Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	if length == 0 {
		_, err := w.Stat(ctx, key)
		return http.NoBody, err
	}
	header := http.Header{}
	if offset > 0 || length > 0 {
		header.Set("Range", byteRange(offset, length))
	}
	answer, err := w.retry(ctx, request{method: http.MethodGet, to: below(w.base, key), header: header})
	if err != nil {
		return nil, err
	}
	body := answer.Body
	switch {
	case answer.StatusCode == http.StatusPartialContent && header.Get("Range") != "":
		return body, nil
	case answer.StatusCode == http.StatusOK: // the whole file: a server that knows no ranges
		if _, err := io.CopyN(io.Discard, body, offset); err != nil && !errors.Is(err, io.EOF) {
			_ = body.Close()
			return nil, err
		}
		if length < 0 {
			return body, nil
		}
		return limited(body, length), nil
	case answer.StatusCode == http.StatusRequestedRangeNotSatisfiable: // offset is at the end or behind it
		return http.NoBody, body.Close()
	}
	err = answer.fileFault()
	_ = body.Close()
	return nil, err
}

func byteRange(offset, length int64) string {
	r := "bytes=" + strconv.FormatInt(offset, 10) + "-"
	if length > 0 {
		r += strconv.FormatInt(offset+length-1, 10)
	}
	return r
}

// Stat implements [Store].
func (w *WebDAV) Stat(ctx context.Context, key string) (Info, error) {
	if err := checkKey(key); err != nil {
		return Info{}, err
	}
	answer, err := w.ask(ctx, request{method: http.MethodHead, to: below(w.base, key)})
	switch {
	case err != nil:
		return Info{}, err
	case answer.StatusCode != http.StatusOK:
		return Info{}, answer.fileFault()
	case answer.ContentLength < 0:
		return Info{}, fmt.Errorf("%s: the server does not say how long the file is", answer.what)
	}
	modified, err := http.ParseTime(answer.Header.Get("Last-Modified"))
	if err != nil {
		modified = time.Time{} // not every server says
	}
	return Info{Key: key, Size: answer.ContentLength, Modified: modified}, nil
}

// Delete implements [Store].
func (w *WebDAV) Delete(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	return w.remove(ctx, below(w.base, key))
}

func (w *WebDAV) remove(ctx context.Context, to *url.URL) error {
	answer, err := w.ask(ctx, request{method: http.MethodDelete, to: to})
	if err != nil {
		return err
	}
	if answer.StatusCode == http.StatusConflict || answer.isRedirectToFolder() {
		// nginx and Apache want a folder's name with a slash; nginx wants a file's without.
		answer, err = w.ask(ctx, request{method: http.MethodDelete, to: folder(to)})
		if err != nil {
			return err
		}
	}
	if answer.StatusCode == http.StatusConflict || answer.StatusCode == http.StatusMethodNotAllowed {
		// So answer nginx and others for a name below a file, where there can be nothing to remove.
		if look, err := w.ask(ctx, request{method: http.MethodHead, to: to}); err == nil && look.StatusCode == http.StatusNotFound {
			return nil
		}
	}
	switch answer.StatusCode {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent, http.StatusNotFound, http.StatusGone:
		return nil
	}
	return answer.fault()
}

// URL implements [Store]. Without a key the address does not expire, and holds the credentials unless PublicURL was
// given.
func (w *WebDAV) URL(_ context.Context, key string, lifetime time.Duration) (string, error) {
	return address(w.public, key, w.key, lifetime)
}
