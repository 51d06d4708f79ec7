package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/conductor/api"
	"bosh-ironic-cpi/src/conductor/deploy"
	"bosh-ironic-cpi/src/cpi"
	"bosh-ironic-cpi/src/driver/all"
	"bosh-ironic-cpi/src/store"
	"bosh-ironic-cpi/src/wait"
)

// embedded is the URL that means: the conductor in this process.
const embedded = "embedded"

// embeddedURL is what the client takes it for.
const embeddedURL = "http://embedded"

// lease is how long the next call waits for what a killed one had locked.
const lease = 6 * time.Second

// An embeddedCPI is a CPI that brings its conductor along, for the time of one call.
type embeddedCPI struct {
	*cpi.CPI
	engine *engine
}

// Close ends the conductor.
func (e embeddedCPI) Close() error { return e.engine.close() }

// wireEmbedded makes a CPI on a conductor in this process. The very same client talks to its handler.
func wireEmbedded(ctx context.Context, c configuration, director string, log *slog.Logger) (*embeddedCPI, error) {
	e, err := openEngine(ctx, c.Conductor, log)
	if err != nil {
		return nil, fmt.Errorf("the embedded conductor: %w", err)
	}
	client := ironic(c.Ironic, log)
	client.Transport = e
	client.Pace = wait.Pace{First: 5 * time.Millisecond, Every: 250 * time.Millisecond} // a look costs next to nothing
	made, err := wireOn(client, c, director, log)
	if err != nil {
		return nil, errors.Join(err, e.close())
	}
	return &embeddedCPI{CPI: made, engine: e}, nil
}

// An engine is a conductor for the time of one call. It is an http.RoundTripper that serves the API.
type engine struct {
	store      *store.Store
	conductor  *conductor.Conductor
	operators  http.RoundTripper
	machines   *machines
	interfaces *deploy.Set
	ctx        context.Context //nolint:containedctx // of the call, without its end: undoing needs the conductor too
	begin      func() error
	end        context.CancelFunc
	loops      sync.WaitGroup
}

func openEngine(ctx context.Context, g conductorGroup, log *slog.Logger) (*engine, error) {
	var options store.Options
	if g.KeyFile != "" {
		key, err := store.KeyFile(g.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("conductor.key_file: %w", err)
		}
		options.Key = key
	}
	kept, err := store.Open(ctx, g.Database.Reveal(), options)
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, errors.Join(err, kept.Close())
	}
	m := machinesOf(g)
	e := &engine{store: kept, machines: m, interfaces: deploy.All(deploy.Ramdisk{Media: m.media})}
	e.conductor, err = conductor.New(conductor.Config{
		Hostname: fmt.Sprintf("%s-cpi-%d-%d", host, os.Getpid(), time.Now().UnixMicro()), Group: g.Group, Store: kept, Drivers: all.Table(),
		Deployers: e.interfaces.Deployers, Inspectors: e.interfaces.Inspectors, Types: g.HardwareTypes, Enabled: g.EnabledInterfaces, Defaults: g.Interfaces,
		AutomatedClean: g.AutomatedClean, WaitLimit: g.CallbackLimit, Lease: lease, Log: log,
	})
	if err != nil {
		return nil, errors.Join(err, kept.Close())
	}
	e.ctx, e.end = context.WithCancel(context.WithoutCancel(ctx))
	server := api.New(api.Config{Conductor: e.conductor, Log: log})
	e.operators = api.Transport{Handler: server.Operators()}
	e.begin = sync.OnceValue(func() error {
		if err := m.open(e.ctx, e.conductor, server.Machines(), log); err != nil {
			return err
		}
		return e.start()
	})
	return e, nil
}

// start registers the conductor: the first request that changes something needs it, and reading does not.
func (e *engine) start() error {
	if err := e.conductor.Start(e.ctx); err != nil {
		return err
	}
	e.loops.Go(func() { e.conductor.Background(e.ctx, conductor.Rhythm{Watch: time.Second}) })
	return nil
}

// RoundTrip implements http.RoundTripper.
func (e *engine) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet {
		if err := e.begin(); err != nil {
			return nil, fmt.Errorf("start the embedded conductor: %w", err)
		}
	}
	return e.operators.RoundTrip(r)
}

// patience is how long the end waits for what the call began and did not wait for, such as a power change. What takes
// longer is taken up by the next call.
const patience = 5 * time.Second

func (e *engine) close() error {
	ctx, cancel := context.WithTimeout(e.ctx, patience)
	defer cancel()
	err := e.conductor.Wait(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = nil
	}
	err = errors.Join(err, e.machines.close())
	e.end()
	e.loops.Wait()
	err = errors.Join(err, e.conductor.Close())
	e.interfaces.Close()
	return errors.Join(err, e.store.Close())
}
