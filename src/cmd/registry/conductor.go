package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/conductor/api"
	"bosh-ironic-cpi/src/conductor/deploy"
	"bosh-ironic-cpi/src/daemon"
	"bosh-ironic-cpi/src/driver/all"
	"bosh-ironic-cpi/src/driver/vendorargs"
	"bosh-ironic-cpi/src/store"
)

// A bareMetal is the daemon's part that serves the Bare Metal API, or one face of it.
type bareMetal struct {
	routes map[string]http.Handler
	loops  func(context.Context)
}

// Routes implements daemon.Part.
func (b *bareMetal) Routes() map[string]http.Handler { return b.routes }

// Run implements daemon.Part.
func (b *bareMetal) Run(ctx context.Context) error {
	if b.loops == nil {
		<-ctx.Done()
		return nil
	}
	b.loops(ctx)
	return nil
}

// watch is how often deadlines and dead conductors are looked for.
const watch = 5 * time.Second

// openConductor starts the conductor, and makes a part of each of its faces.
func openConductor(ctx context.Context, p *parts, open *closers, metrics prometheus.Registerer, log *slog.Logger) ([]daemon.Service, error) {
	media, err := bootMedia(p)
	if err != nil {
		return nil, err
	}
	engine, err := startConductor(ctx, p, deploy.Ramdisk{Media: media}, open, log)
	if err != nil {
		return nil, err
	}
	if err := metrics.Register(newFleet(engine, log)); err != nil {
		return nil, err
	}
	c := p.configuration.Conductor
	server := api.New(api.Config{Conductor: engine, PublicURL: c.PublicURL, MaxLimit: c.MaxLimit, Users: p.apiUsers, Keystone: askKeystone(p, open), Log: log})
	rhythm := conductor.Rhythm{PowerSync: c.PowerSync, Abreast: c.PowerSyncMost, Watch: watch}
	operators := server.Operators()
	services := []daemon.Service{{
		Name: "conductor", Addresses: c.Listen,
		Part: &bareMetal{
			routes: map[string]http.Handler{"/": operators, "/v1/": operators},
			loops:  func(ctx context.Context) { engine.Background(ctx, rhythm) },
		},
	}}
	if len(c.MachinesListen) > 0 {
		machines := map[string]http.Handler{"/v1/": server.Machines()}
		if media != nil {
			machines[deploy.MediaPath] = media
		}
		services = append(services, daemon.Service{Name: "machines", Addresses: c.MachinesListen, Part: &bareMetal{routes: machines}})
	}
	return services, nil
}

// bootMedia are what servers boot from; nil without a boot image. Their addresses outlive the daemon, as its key does.
func bootMedia(p *parts) (*deploy.Media, error) {
	c := p.configuration.Conductor
	if c.BootISO == "" {
		return nil, nil
	}
	key, err := p.signing()
	if err != nil {
		return nil, err
	}
	return &deploy.Media{BootISO: c.BootISO, URL: c.MachinesURL, Key: key, Lifetime: c.CallbackLimit}, nil
}

// startConductor opens the store, and starts a conductor on it that ends with open.
func startConductor(ctx context.Context, p *parts, ramdisk deploy.Ramdisk, open *closers, log *slog.Logger) (*conductor.Conductor, error) {
	c := p.configuration.Conductor
	kept, err := openStore(ctx, p)
	if err != nil {
		return nil, err
	}
	*open = append(*open, kept)
	if c.Hostname == "" {
		if c.Hostname, err = os.Hostname(); err != nil {
			return nil, err
		}
	}
	interfaces := deploy.All(ramdisk)
	engine, err := conductor.New(conductor.Config{
		Hostname: c.Hostname, Group: c.Group, Store: kept, Drivers: all.Table(),
		Deployers: interfaces.Deployers, Inspectors: interfaces.Inspectors,
		VendorArguments: vendorargs.Check,
		Types:           c.HardwareTypes, Enabled: c.EnabledInterfaces, Defaults: c.Interfaces,
		AutomatedClean: c.AutomatedClean, Workers: c.Workers, WaitLimit: c.CallbackLimit, Log: log,
		LockWait: max(c.LockWait, time.Millisecond), // zero is the conductor's default
	})
	if err != nil {
		return nil, fmt.Errorf("conductor: %w", err)
	}
	if err := engine.Start(context.WithoutCancel(ctx)); err != nil { // it ends by Close, after the last request
		return nil, err
	}
	*open = append(*open, closing(func() error {
		defer interfaces.Close()
		return engine.Close()
	}))
	return engine, nil
}

// openStore opens where nodes are kept.
func openStore(ctx context.Context, p *parts) (*store.Store, error) {
	c := p.configuration.Conductor
	var options store.Options
	if c.KeyFile != "" {
		var err error
		if options.Key, err = store.KeyFile(c.KeyFile); err != nil {
			return nil, fmt.Errorf("key_file: %w", err)
		}
	}
	address := c.Database.Reveal()
	if address == "" {
		address = filepath.Join(p.configuration.Data, "conductor.sqlite")
	}
	return store.Open(ctx, address, options)
}

// askKeystone lets the roles in that the configuration names; nil without a Keystone.
func askKeystone(p *parts, open *closers) *api.Keystone {
	if p.apiTokens == nil {
		return nil
	}
	*open = append(*open, p.apiTokens)
	k := p.configuration.Conductor.Keystone
	return &api.Keystone{Tokens: p.apiTokens, Admins: k.AdminRoles, Readers: k.ReaderRoles}
}

// closing is a function that closes something.
type closing func() error

// Close implements io.Closer.
func (c closing) Close() error { return c() }
