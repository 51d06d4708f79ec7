package daemon

import (
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"
)

// A front is what every request to one address passes: it finds the part, keeps watch over the pace, counts and logs.
type front struct {
	daemon *daemon
	router *router
}

// ServeHTTP implements http.Handler.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d := f.daemon
	x := &exchange{ResponseWriter: w, limits: &d.Limits, begun: time.Now()}
	x.pace, _ = w.(deadlines)
	x.renewWrite(x.begun)
	r.RemoteAddr = clientOf(r, d.TrustedProxies)
	if r.Body != http.NoBody {
		x.in.ReadCloser, x.in.exchange = r.Body, x
		r.Body = &x.in
		x.in.renew(x.begun)
	}
	to := f.router.find(r.URL.Path)
	part, of := "", d.metrics.none
	if to != nil {
		part, of = to.service, to.metrics
	}
	of.underWay.Inc()
	defer func() {
		of.underWay.Dec()
		failure := recover()
		if failure != nil {
			d.broken(x, r, failure)
		}
		took := time.Since(x.begun)
		of.done(x, r, took)
		d.logRequest(x, r, part, took)
		if failure != nil && x.status != http.StatusInternalServerError {
			panic(http.ErrAbortHandler) // cuts the connection: nobody may take half an answer for a whole one
		}
	}()
	switch status := pathStatus(r.URL.Path); {
	case r.Method == http.MethodOptions && r.RequestURI == "*":
		x.WriteHeader(http.StatusOK)
	case status != 0:
		http.Error(x, http.StatusText(status)+": want an absolute path without //, . or .. elements", status)
	case to != nil:
		to.handler.ServeHTTP(x, r)
	case r.URL.Path == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		f.router.index(x)
	default:
		http.Error(x, "nothing is served here", http.StatusNotFound)
	}
	x.renewLater(time.Now()) // what is buffered goes out after us
}

// broken answers for a handler that panicked.
func (d *daemon) broken(x *exchange, r *http.Request, failure any) {
	if err, ok := failure.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		return
	}
	d.Log.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "err", failure, "stack", string(debug.Stack()))
	if x.status == 0 {
		http.Error(x, "internal error", http.StatusInternalServerError)
	}
}

// longestLogged is how much of a path goes into the log, in bytes.
const longestLogged = 512

// logRequest writes one line without query, headers or body, which may hold secrets.
func (d *daemon) logRequest(x *exchange, r *http.Request, part string, took time.Duration) {
	level := slog.LevelInfo
	if part == "daemon" {
		level = slog.LevelDebug // asked every few seconds
	}
	if !d.Log.Enabled(r.Context(), level) {
		return
	}
	user := ""
	if x.status != http.StatusUnauthorized {
		user, _, _ = r.BasicAuth()
	}
	path := r.URL.Path
	if len(path) > longestLogged {
		path = path[:longestLogged] + "..."
	}
	d.Log.LogAttrs(r.Context(), level, "request",
		slog.String("part", part), slog.String("method", r.Method), slog.String("path", path),
		slog.Int("status", x.answered()), slog.Duration("took", took), slog.Int64("bytes_in", x.in.got),
		slog.Int64("bytes_out", x.sent), slog.String("addr", r.RemoteAddr), slog.String("user", user))
}
