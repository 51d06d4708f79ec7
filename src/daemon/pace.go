package daemon

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// deadlines is what net/http's own writers have, for HTTP/1.1 and HTTP/2.
type deadlines interface {
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// An exchange is one request and its answer, watched: how much came and went, and whether the client keeps the
// least pace. It hands files on so that the kernel sends them (sendfile).
type exchange struct {
	http.ResponseWriter
	limits  *Limits
	pace    deadlines // nil in tests without a server
	begun   time.Time
	in      pacedBody
	status  int   // 0: none yet
	sent    int64 // bytes of the answer's body
	renewed time.Time
}

// WriteHeader implements http.ResponseWriter.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && status >= http.StatusOK {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// answered is the status that the client has seen.
func (x *exchange) answered() int {
	if x.status == 0 {
		return http.StatusOK
	}
	return x.status
}

// Write implements io.Writer.
func (x *exchange) Write(p []byte) (int, error) {
	x.renewLater(time.Now())
	if x.status == 0 {
		x.status = http.StatusOK
	}
	n, err := x.ResponseWriter.Write(p)
	x.sent += int64(n)
	return n, err
}

// slice is how much of a file goes out before the pace is looked at.
const slice = 4 << 20

// ReadFrom implements io.ReaderFrom, which io.Copy and http.ServeContent use.
func (x *exchange) ReadFrom(src io.Reader) (int64, error) {
	inner, ok := x.ResponseWriter.(io.ReaderFrom)
	if !ok { // HTTP/2
		return io.Copy(struct{ io.Writer }{x}, src)
	}
	if x.status == 0 {
		x.status = http.StatusOK
	}
	left := int64(-1)
	file := src
	if limited, ok := src.(*io.LimitedReader); ok {
		file, left = limited.R, limited.N // the kernel takes a file within one limit, not within two
		defer func() { limited.N = left }()
	}
	var all int64
	for left != 0 {
		piece := int64(slice)
		if left >= 0 {
			piece = min(piece, left)
		}
		x.renewWrite(time.Now())
		n, err := inner.ReadFrom(&io.LimitedReader{R: file, N: piece})
		all += n
		x.sent += n
		if left > 0 {
			left -= n
		}
		if slow := errors.Is(err, os.ErrDeadlineExceeded) && n >= x.least(); slow {
			continue // slow, but not too slow
		}
		if err != nil || n < piece {
			return all, err
		}
	}
	return all, nil
}

// Flush implements http.Flusher.
func (x *exchange) Flush() {
	if f, ok := x.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

// Unwrap is for http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// least is how many bytes must have moved in the time that a deadline gives.
func (x *exchange) least() int64 {
	return max(1, int64(float64(x.limits.MinRate)*x.limits.Stall.Seconds()))
}

// renewLater gives the client more time when a good part of it has passed.
func (x *exchange) renewLater(now time.Time) {
	if now.Sub(x.renewed) > x.limits.Stall/4 {
		x.renewWrite(now)
	}
}

// renewWrite gives the client time to take more.
func (x *exchange) renewWrite(now time.Time) {
	x.renewed = now
	if x.pace != nil {
		_ = x.pace.SetWriteDeadline(now.Add(x.limits.Stall)) // on a connection that is gone, the write will say so
	}
}

// A pacedBody is a request's body, whose sender has a deadline that moves on with what arrives.
type pacedBody struct {
	io.ReadCloser
	exchange *exchange
	got      int64
	renewAt  int64 // bytes after which the deadline moves
}

var errSlow = errors.New("the client sends too slowly")

// Read implements io.Reader.
func (b *pacedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.got += int64(n)
	var timeout net.Error
	switch {
	case err == nil && b.got >= b.renewAt:
		b.renew(time.Now())
	case err == nil:
	case errors.As(err, &timeout) && timeout.Timeout():
		err = errSlow
	case b.exchange.pace != nil:
		// All is here. net/http reads on in the background, to see the client go; that must not time out.
		_ = b.exchange.pace.SetReadDeadline(time.Time{})
	}
	return n, err
}

// renew gives the sender time for as much as the least rate brings.
func (b *pacedBody) renew(now time.Time) {
	b.renewAt = b.got + b.exchange.least()
	if b.exchange.pace != nil {
		_ = b.exchange.pace.SetReadDeadline(now.Add(b.exchange.limits.Stall))
	}
}
