package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/net/netutil"

	"bosh-ironic-cpi/src/httpauth"
)

// A Part is one service of the daemon: paths that it serves, and work that it does besides.
//
// A part that also has Ready(context.Context) error is asked by /readyz.
type Part interface {
	// Routes are paths and who serves them: "/images/" is for all below it, "/status" for that path alone.
	Routes() map[string]http.Handler

	// Run does the part's background work until ctx ends. It starts once all addresses are open, and its ctx
	// ends when the last request has been answered. An error ends the daemon.
	Run(ctx context.Context) error
}

// A Service is a part on its addresses.
type Service struct {
	Name      string // in logs and metrics
	Part      Part
	Addresses []Address
}

// Config says what to run.
type Config struct {
	Services []Service

	TLS            TLS            // for the addresses that want it
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
	Limits         Limits
	StopTimeout    time.Duration // how long requests under way may take to finish; 10 minutes if zero

	Metrics      *prometheus.Registry
	MetricsUsers *httpauth.Users // who may read /metrics; nil: everybody
	Log          *slog.Logger

	// Listening is told each address that is open, with the port that was chosen where it said 0. May be nil.
	Listening func(Address, net.Addr)
}

// Run opens all addresses, runs all parts, and returns when ctx has ended and the last request was answered, or
// when something failed. It tells systemd, if that asked, when it is ready and when it stops.
//
// The error is nil after an orderly stop.
func Run(ctx context.Context, c Config) error {
	c.StopTimeout = cmp.Or(c.StopTimeout, 10*time.Minute)
	c.Limits = c.Limits.withDefaults()
	d := &daemon{Config: c, metrics: newMetrics(c.Metrics)}
	if err := d.route(); err != nil {
		return err
	}
	if err := d.listen(ctx); err != nil {
		return err
	}

	background, endBackground := context.WithCancel(context.WithoutCancel(ctx))
	defer endBackground()
	failed := make(chan error, len(c.Services)+len(d.servers)) // each sends once, at most
	var working, serving sync.WaitGroup
	for _, s := range c.Services {
		working.Go(func() {
			if err := s.Part.Run(background); err != nil && background.Err() == nil {
				failed <- fmt.Errorf("%s: %w", s.Name, err)
			}
		})
	}
	for _, s := range d.servers {
		serving.Go(func() {
			if err := s.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serve %s: %w", s.address, err)
			}
		})
	}
	notify(c.Log, "READY=1")
	working.Go(func() { watchdog(background, c.Log) })

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	notify(c.Log, "STOPPING=1")
	err = errors.Join(err, d.stop(context.WithoutCancel(ctx)))
	serving.Wait()
	endBackground()
	working.Wait()
	return err
}

// daemon is a Config on its way.
type daemon struct {
	Config
	metrics  *metrics
	servers  []*server
	stopping atomic.Bool
}

// A server is one address.
type server struct {
	http.Server
	address  Address
	router   router
	listener net.Listener
}

// route gives every address its services' paths.
func (d *daemon) route() error {
	for _, s := range d.Services {
		of := d.metrics.service(s.Name)
		for _, a := range s.Addresses {
			server, err := d.server(a)
			if err != nil {
				return err
			}
			for path, handler := range s.Part.Routes() {
				if err := server.router.add(route{path: path, service: s.Name, handler: handler, metrics: of}); err != nil {
					return fmt.Errorf("%s: %w", a, err)
				}
			}
		}
	}
	of := d.metrics.service("daemon")
	for _, s := range d.servers {
		for path, handler := range d.health() {
			if err := s.router.add(route{path: path, service: "daemon", handler: handler, metrics: of}); err != nil {
				return fmt.Errorf("%s: %w", s.address, err)
			}
		}
	}
	return nil
}

// server finds the server of an address, or makes it.
func (d *daemon) server(a Address) (*server, error) {
	for _, s := range d.servers {
		if s.address == a && !anyPort(a) {
			return s, nil
		}
		if s.address.HostPort == a.HostPort && !anyPort(a) {
			return nil, fmt.Errorf("%s is asked for both as http and as https", a.HostPort)
		}
	}
	s := &server{address: a}
	s.Server = http.Server{
		Handler:           &front{daemon: d, router: &s.router},
		ReadHeaderTimeout: d.Limits.Header,
		IdleTimeout:       d.Limits.Idle,
		MaxHeaderBytes:    d.Limits.HeaderBytes,
		ErrorLog:          slog.NewLogLogger(d.Log.Handler(), slog.LevelDebug), // what clients do wrong
		ConnState:         d.metrics.connections(a),
	}
	d.servers = append(d.servers, s)
	return s, nil
}

// anyPort reports whether the system is to choose a port: such addresses are never the same.
func anyPort(a Address) bool {
	_, port, _ := net.SplitHostPort(a.HostPort)
	return port == "0"
}

// listen opens every address, or none.
func (d *daemon) listen(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	for _, s := range d.servers {
		if s.address.TLS {
			if s.TLSConfig, err = d.TLS.config(d.Log); err != nil {
				return err
			}
		}
		if s.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", s.address.HostPort); err != nil {
			return fmt.Errorf("listen on %s: %w; stop who uses it, or configure another address", s.address, err)
		}
		at := s.listener.Addr()
		if d.Limits.Connections > 0 {
			s.listener = netutil.LimitListener(s.listener, d.Limits.Connections)
		}
		if s.TLSConfig != nil {
			s.listener = secured(s)
		}
		d.Log.InfoContext(ctx, "listening", "addr", at.String(), "tls", s.address.TLS)
		if d.Listening != nil {
			d.Listening(s.address, at)
		}
	}
	return nil
}

func (d *daemon) close() {
	for _, s := range d.servers {
		if s.listener != nil {
			_ = s.listener.Close()
		}
	}
}

// stop lets requests under way finish, for StopTimeout; after that they are cut off.
func (d *daemon) stop(ctx context.Context) error {
	d.stopping.Store(true)
	limited, cancel := context.WithTimeout(ctx, d.StopTimeout)
	defer cancel()
	cut := make([]error, len(d.servers))
	var all sync.WaitGroup
	for i, s := range d.servers {
		all.Go(func() {
			if err := s.Shutdown(limited); err != nil {
				cut[i] = fmt.Errorf("%s: requests were still under way after %v, and were cut off", s.address, d.StopTimeout)
				_ = s.Close()
			}
		})
	}
	all.Wait()
	return errors.Join(cut...)
}
