package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"bosh-ironic-cpi/src/config"
	"bosh-ironic-cpi/src/daemon"
	"bosh-ironic-cpi/src/httpauth"
	"bosh-ironic-cpi/src/keystone"
	"bosh-ironic-cpi/src/registry/journal"
	settings "bosh-ironic-cpi/src/registry/server"
	"bosh-ironic-cpi/src/repository"
	files "bosh-ironic-cpi/src/repository/server"
	"bosh-ironic-cpi/src/signedurl"
	"bosh-ironic-cpi/src/tlsclient"
)

// parts is what can be made of a configuration without touching data or network.
type parts struct {
	configuration *configuration
	registryUsers *httpauth.Users
	metricsUsers  *httpauth.Users
	apiUsers      *httpauth.Users
	apiTokens     *keystone.Tokens // nil: nobody asks for tokens
	trees         []treeUsers
	key           signedurl.Key      // zero: the one in data
	store         *repository.WebDAV // nil: in data
	tls           daemon.TLS
}

type treeUsers struct {
	tree
	users, readers *httpauth.Users
}

// prepare finds what is wrong with values: hashes, keys, certificates.
func prepare(c *configuration) (*parts, error) {
	var faults config.Faults
	note := func(path string, err error) {
		if err != nil {
			faults = append(faults, config.Fault{Path: path, Problem: err.Error()})
		}
	}
	p := &parts{configuration: c, tls: daemon.TLS{CertificateFile: c.TLS.Certificate, KeyFile: c.TLS.Key, ClientCAFile: c.TLS.ClientCA}}
	var err error
	p.registryUsers, err = users(c.Registry.Users)
	note("registry.users", err)
	p.metricsUsers, err = users(c.Metrics.Users)
	note("metrics.users", err)
	p.apiUsers, err = users(c.Conductor.Users)
	note("conductor.users", err)
	if k := c.Conductor.Keystone; c.Conductor.Enabled && k.AuthURL != "" {
		p.apiTokens, err = keystone.New(keystone.Config{
			URL: k.AuthURL, Username: k.Username, Password: k.Password, Project: k.Project, UserDomain: k.UserDomain, ProjectDomain: k.ProjectDomain,
			ApplicationCredentialID: k.ApplicationID, ApplicationCredentialSecret: k.ApplicationSecret, TLS: tlsclient.Config{CA: k.CA},
		})
		note("conductor.keystone", err)
	}
	for _, t := range c.Repository.trees() {
		with := treeUsers{tree: t}
		with.users, err = users(t.Users)
		note(t.key+".users", err)
		with.readers, err = users(t.Readers)
		note(t.key+".readers", err)
		p.trees = append(p.trees, with)
	}
	if k := c.Repository.SigningKey; !k.IsZero() {
		p.key, err = signedurl.NewKey(k)
		note("repository.signing_key", err)
	}
	if s := c.Registry.Store; s.URL != "" {
		p.store, err = repository.NewWebDAV(repository.WebDAVConfig{
			URL: s.URL, Username: s.Username, Password: s.Password, TLS: tlsclient.Config(s.TLS), Timeout: s.Timeout,
		})
		note("registry.store", err)
	}
	if c.TLS.Certificate != "" {
		note("tls", p.tls.Check())
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return p, nil
}

func users(groups []userGroup) (*httpauth.Users, error) {
	list := make([]httpauth.User, len(groups))
	for i, g := range groups {
		list[i] = httpauth.User(g)
	}
	return httpauth.New(list...)
}

// serve opens what is kept, and serves until ctx ends.
func serve(ctx context.Context, p *parts, log *slog.Logger) (err error) {
	c := p.configuration
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	var open closers
	defer func() { err = errors.Join(err, open.Close()) }()

	services, metadata, err := openTrees(ctx, p, &open, metrics, log)
	if err != nil {
		return err
	}
	if c.Registry.Enabled {
		store, err := openSettings(p, &open, metrics)
		if err != nil {
			return err
		}
		part, err := settings.New(settings.Config{
			Store: store, Files: metadata, Users: p.registryUsers, OwnAddress: c.Registry.OwnAddress,
			MaxSettings: int64(c.Registry.MaxSettings), Log: log,
		})
		if err != nil {
			return fmt.Errorf("registry: %w", err)
		}
		services = append(services, daemon.Service{Name: "registry", Part: part, Addresses: c.Registry.Listen})
	}
	if c.Conductor.Enabled {
		more, err := openConductor(ctx, p, &open, metrics, log)
		if err != nil {
			return fmt.Errorf("conductor: %w", err)
		}
		services = append(services, more...)
	}
	return daemon.Run(ctx, daemon.Config{
		Services: services, TLS: p.tls, TrustedProxies: c.TrustedProxies, StopTimeout: c.StopTimeout,
		Limits: daemon.Limits{
			Header: c.Limits.Header, Idle: c.Limits.Idle, Stall: c.Limits.Stall, MinRate: int64(c.Limits.MinRate),
			HeaderBytes: int(c.Limits.HeaderBytes), Connections: c.Limits.Connections,
		},
		MetricsUsers: p.metricsUsers, Metrics: metrics, Log: log,
	})
}

// openTrees opens the repository. files is the metadata tree, which belongs to the instances, or nil.
func openTrees(ctx context.Context, p *parts, open *closers, metrics prometheus.Registerer, log *slog.Logger) (services []daemon.Service, metadata settings.Files, err error) {
	if len(p.trees) == 0 {
		return nil, nil, nil
	}
	c := p.configuration
	key, err := p.signing()
	if err != nil {
		return nil, nil, err
	}
	for _, t := range p.trees {
		path := t.Path
		if path == "" {
			path = filepath.Join(c.Data, t.name)
		}
		part, err := files.NewTree(ctx, files.TreeConfig{
			Name: t.name, Dir: path, Users: t.users, Readers: t.readers, AnyoneMayRead: t.AnyoneMayRead,
			Listing: c.Repository.Listing, Quota: int64(t.Quota), MinFree: int64(c.Repository.MinFree), MaxFile: int64(t.MaxFile),
			Key: key, Log: log, Metrics: metrics,
		})
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", t.key, err)
		}
		*open = append(*open, part)
		services = append(services, daemon.Service{Name: t.name, Part: part, Addresses: t.Listen})
		if t.name == "metadata" {
			metadata = part
		}
	}
	return services, metadata, nil
}

// openSettings opens where settings are kept: a file of our own, or somebody's WebDAV server.
func openSettings(p *parts, open *closers, metrics prometheus.Registerer) (settings.Store, error) {
	if p.store != nil {
		return settings.NewRemote(p.store), nil
	}
	kept, err := journal.Open(filepath.Join(p.configuration.Data, "registry", "settings.journal"), journal.Options{Metrics: metrics})
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	*open = append(*open, kept)
	return kept, nil
}

// closers is what was opened, in that order.
type closers []io.Closer

// Close closes the last one first.
func (c closers) Close() error {
	var all error
	for _, one := range slices.Backward(c) {
		all = errors.Join(all, one.Close())
	}
	return all
}
