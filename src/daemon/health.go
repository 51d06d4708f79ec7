package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"bosh-ironic-cpi/src/httpauth"
)

// readyLimit is how long a part may take to say that it is ready.
const readyLimit = 5 * time.Second

// health are the paths that every address serves besides its parts'.
func (d *daemon) health() map[string]http.Handler {
	metrics := promhttp.HandlerFor(d.Metrics, promhttp.HandlerOpts{})
	return map[string]http.Handler{
		"/healthz": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") }),
		"/readyz":  http.HandlerFunc(d.ready),
		"/metrics": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, ok := d.MetricsUsers.Allow(r); !ok {
				httpauth.Challenge(w, "metrics")
				return
			}
			metrics.ServeHTTP(w, r)
		}),
	}
}

// ready answers 200 when every part can work, else 503 with a line for each that cannot.
func (d *daemon) ready(w http.ResponseWriter, r *http.Request) {
	if d.stopping.Load() {
		plain(w, http.StatusServiceUnavailable, "stopping\n")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), readyLimit)
	defer cancel()
	lines := make([]string, len(d.Services))
	var all sync.WaitGroup
	for i, s := range d.Services {
		part, ok := s.Part.(interface{ Ready(context.Context) error })
		if !ok {
			continue
		}
		all.Go(func() {
			if err := part.Ready(ctx); err != nil {
				lines[i] = fmt.Sprintf("%s: %v\n", s.Name, reason(ctx, err))
			}
		})
	}
	all.Wait()
	if text := strings.Join(lines, ""); text != "" {
		plain(w, http.StatusServiceUnavailable, text)
		return
	}
	plain(w, http.StatusOK, "ok\n")
}

// reason says so where a part did not answer at all.
func reason(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return fmt.Errorf("no answer within %v", readyLimit)
	}
	return err
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // a client that is gone needs none
}
