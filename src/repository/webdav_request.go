package repository

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"bosh-ironic-cpi/src/wait"
)

// A request is what one exchange with the server sends.
type request struct {
	method string
	to     *url.URL
	header http.Header
	body   io.Reader // nil: none
	size   int64     // of body; -1: not known
}

// An answer is a response, with words for errors about it: method and address, without credentials.
type answer struct {
	*http.Response
	what string
}

// finish reads what is left of the body, if it is little, so that the connection can be used again.
func (a answer) finish() {
	_, _ = io.CopyN(io.Discard, a.Body, 64<<10)
	_ = a.Body.Close()
}

// once sends a request. Errors are ErrUnavailable or the context's. The answer's body must be closed.
func (w *WebDAV) once(ctx context.Context, q request) (answer, error) {
	what := q.method + " " + q.to.String()
	exchange, stop := context.WithCancelCause(ctx)
	r, err := http.NewRequestWithContext(exchange, q.method, q.to.String(), nil)
	if err != nil {
		stop(nil)
		return answer{}, fmt.Errorf("%s: %w", what, err)
	}
	if q.header != nil {
		r.Header = q.header.Clone()
	}
	if q.body != nil {
		// The body is not closed by net/http: it belongs to the caller, and no second request may read it.
		r.Body, r.ContentLength = io.NopCloser(q.body), q.size
		if q.size == 0 {
			if _, err := q.body.Read(make([]byte, 1)); err != nil && !errors.Is(err, io.EOF) {
				stop(nil)
				return answer{}, fmt.Errorf("%s: %w", what, err)
			}
			r.Body = http.NoBody
		}
	}
	if w.username != "" || !w.password.IsZero() {
		r.SetBasicAuth(w.username, w.password.Reveal())
	}
	response, err := w.client.Do(r) //nolint:bodyclose // the caller closes it, wrapped
	if err == nil {
		response.Body = &idleBody{ReadCloser: response.Body, ctx: exchange, stop: stop, timeout: w.timeout, what: what}
		return answer{response, what}, nil
	}
	stop(nil)
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // what says the rest
	}
	if ended := context.Cause(ctx); ended != nil {
		return answer{}, fmt.Errorf("%s: %w", what, ended)
	}
	return answer{}, fmt.Errorf("%s: %w: %w", what, ErrUnavailable, err)
}

// ask is retry for answers of which only the status matters.
func (w *WebDAV) ask(ctx context.Context, q request) (answer, error) {
	a, err := w.retry(ctx, q)
	if err == nil {
		a.settle()
	}
	return a, err
}

// settle is finish for answers of which only the status matters: one of 207 becomes the worst in its body.
func (a answer) settle() {
	if a.StatusCode == http.StatusMultiStatus {
		a.StatusCode = worst(io.LimitReader(a.Body, 1<<20))
		a.Status = strconv.Itoa(a.StatusCode) + " " + http.StatusText(a.StatusCode)
	}
	a.finish()
}

// mayPass reports whether the server's trouble may be over when it is asked again.
func (a answer) mayPass() bool {
	if a.StatusCode == http.StatusLocked { // somebody else is writing there
		return true
	}
	return a.StatusCode >= 500 && a.StatusCode != http.StatusNotImplemented && a.StatusCode != http.StatusInsufficientStorage
}

// retry sends a request that can be repeated, up to three times while the server does not answer.
func (w *WebDAV) retry(ctx context.Context, q request) (answer, error) {
	for pause := 200 * time.Millisecond; ; pause *= 5 {
		a, err := w.once(ctx, q)
		last := pause > time.Second
		switch {
		case err == nil && (last || !a.mayPass()):
			return a, nil
		case err != nil && (last || !errors.Is(err, ErrUnavailable)):
			return a, err
		case err == nil:
			a.finish()
		}
		if err := wait.Pause(ctx, pause); err != nil {
			return answer{}, fmt.Errorf("%s %s: %w", q.method, q.to, err)
		}
	}
}

// worst returns the highest status of a multi-status document (RFC 4918, section 13): 500 when it cannot be
// read, 200 when it names no fault.
func worst(body io.Reader) int {
	var document struct {
		XMLName   xml.Name `xml:"DAV: multistatus"`
		Responses []struct {
			Status []string `xml:"DAV: status"`
			Props  []struct {
				Status string `xml:"DAV: status"`
			} `xml:"DAV: propstat"`
		} `xml:"DAV: response"`
	}
	if err := xml.NewDecoder(body).Decode(&document); err != nil {
		return http.StatusInternalServerError
	}
	highest := http.StatusOK
	note := func(line string) {
		if fields := strings.Fields(line); len(fields) > 1 {
			if status, err := strconv.Atoi(fields[1]); err == nil && status >= 400 {
				highest = max(highest, status)
			}
		}
	}
	for _, r := range document.Responses {
		for _, s := range r.Status {
			note(s)
		}
		for _, p := range r.Props {
			note(p.Status)
		}
	}
	return highest
}

// isRedirectToFolder reports whether the server only misses the slash at the end of a folder's name.
func (a answer) isRedirectToFolder() bool {
	if a.StatusCode/100 != 3 {
		return false
	}
	to, err := a.Location()
	return err == nil && strings.TrimSuffix(to.Path, "/") == a.Request.URL.Path && strings.HasSuffix(to.Path, "/")
}

// fileFault is fault for a request about a file: a folder is none.
func (a answer) fileFault() error {
	if a.isRedirectToFolder() || a.StatusCode == http.StatusMethodNotAllowed {
		return fmt.Errorf("%s: %w: it is a folder", a.what, ErrNotFound)
	}
	return a.fault()
}

// fault is the error for a status that is not success.
func (a answer) fault() error {
	var kind error
	switch code := a.StatusCode; {
	case code == http.StatusNotFound, code == http.StatusGone:
		kind = ErrNotFound
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusProxyAuthRequired:
		kind = ErrUnauthorized
	case code == http.StatusRequestEntityTooLarge, code == http.StatusInsufficientStorage:
		kind = ErrFull
	case code/100 == 3:
		hint := "another address"
		if to, err := a.Location(); err == nil {
			hint = to.Redacted()
		}
		return fmt.Errorf("%s: %w: redirected to %s: configure that address", a.what, ErrUnavailable, hint)
	case a.mayPass(), code == http.StatusTooManyRequests, code == http.StatusRequestTimeout:
		kind = ErrUnavailable
	default:
		return fmt.Errorf("%s: server answered %s", a.what, a.Status)
	}
	return fmt.Errorf("%s: %w: server answered %s", a.what, kind, a.Status)
}

// An idleBody is a response's body that ends the exchange when the server sends nothing for too long.
type idleBody struct {
	io.ReadCloser
	ctx     context.Context //nolint:containedctx // the exchange's, to say why it ended
	stop    context.CancelCauseFunc
	timeout time.Duration
	what    string
}

var errIdle = errors.New("server sends nothing")

// Read implements io.Reader.
func (b *idleBody) Read(p []byte) (int, error) {
	timer := time.AfterFunc(b.timeout, func() { b.stop(errIdle) })
	n, err := b.ReadCloser.Read(p)
	timer.Stop()
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return n, err
	case b.ctx.Err() != nil && !errors.Is(context.Cause(b.ctx), errIdle):
		return n, fmt.Errorf("%s: %w", b.what, context.Cause(b.ctx))
	case b.ctx.Err() != nil:
		err = errIdle
	}
	return n, fmt.Errorf("%s: %w: %w", b.what, ErrUnavailable, err)
}

// Close implements io.Closer.
func (b *idleBody) Close() error {
	err := b.ReadCloser.Close()
	b.stop(nil)
	return err
}
