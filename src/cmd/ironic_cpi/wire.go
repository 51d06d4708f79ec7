package main

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"bosh-ironic-cpi/src/agentenv"
	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/baremetal/client"
	"bosh-ironic-cpi/src/config"
	"bosh-ironic-cpi/src/cpi"
	"bosh-ironic-cpi/src/cpi/rpc"
	"bosh-ironic-cpi/src/registry"
	"bosh-ironic-cpi/src/repository"
	"bosh-ironic-cpi/src/signedurl"
	"bosh-ironic-cpi/src/tlsclient"
	"bosh-ironic-cpi/src/wait"
)

// opener returns what rpc.Server.Open wants: it reads the configuration at path and connects the parts.
func opener(path string) func(context.Context, *rpc.Call) (rpc.Actions, error) {
	return func(ctx context.Context, call *rpc.Call) (rpc.Actions, error) {
		c, unknown, err := load(path, call.Context, call.HideIn)
		call.Hide(config.Secrets(&c)...)
		for _, f := range unknown {
			call.Log.WarnContext(ctx, "unknown key in the request's context", "key", f.Path, "problem", f.Problem)
		}
		if err != nil {
			return nil, err
		}
		if err := call.Level.UnmarshalText([]byte(c.LogLevel)); err != nil {
			return nil, err
		}
		if c.Ironic.URL == embedded {
			return wireEmbedded(ctx, c, call.Director, call.Log)
		}
		return wire(c, call.Director, call.Log)
	}
}

// wire makes the CPI. It touches no network.
func wire(c configuration, director string, log *slog.Logger) (*cpi.CPI, error) {
	return wireOn(ironic(c.Ironic, log), c, director, log)
}

// wireOn is wire on the Bare Metal API that it is given.
func wireOn(api client.Config, c configuration, director string, log *slog.Logger) (*cpi.CPI, error) {
	nodes, err := client.New(api)
	if err != nil {
		return nil, config.Faults{{Path: "ironic", Problem: err.Error()}}
	}
	made := &cpi.CPI{Director: director, Nodes: nodes, Agent: agent(c.Agent), Options: options(c), Log: log}
	if made.Stemcells, err = files(c.Repository.Stemcells); err != nil {
		return nil, config.Faults{{Path: "repository.stemcells", Problem: err.Error()}}
	}
	if made.Metadata, err = files(c.Repository.Metadata); err != nil {
		return nil, config.Faults{{Path: "repository.metadata", Problem: err.Error()}}
	}
	if r := c.Registry; r.URL != "" {
		settings, err := registry.New(registry.Config{
			URL: r.URL, Username: r.Username, Password: r.Password, Timeout: r.Timeout, TLS: tlsclient.Config(r.TLS),
		})
		if err != nil {
			return nil, err
		}
		made.Registry = settings
	}
	return made, nil
}

func ironic(g ironicGroup, log *slog.Logger) client.Config {
	a := g.Auth
	if g.URL == embedded {
		g.URL = embeddedURL
	}
	never := time.Duration(-1) // to the client, zero is its default
	return client.Config{
		URL: g.URL,
		Auth: client.Auth{
			Type: a.Type, Token: a.Token, Username: a.Username, Password: a.Password,
			KeystoneURL: a.AuthURL, UserDomain: a.UserDomain, ProjectDomain: a.ProjectDomain, Project: a.Project, Region: a.Region,
			ApplicationCredentialID:     a.ApplicationCredentialID,
			ApplicationCredentialName:   a.ApplicationCredentialName,
			ApplicationCredentialSecret: a.ApplicationCredentialSecret,
		},
		TLS:        tlsclient.Config(g.TLS),
		Timeout:    g.RequestTimeout,
		RetryLimit: cmp.Or(g.RetryLimit, never),
		Pace:       wait.Pace{First: g.PollFirst, Every: g.PollEvery},
		Log:        log,
	}
}

func files(g storeGroup) (repository.Store, error) {
	var key signedurl.Key
	if !g.SigningKey.IsZero() {
		var err error
		if key, err = signedurl.NewKey(g.SigningKey); err != nil {
			return nil, err
		}
	}
	if g.Type == "dir" {
		return repository.NewDir(repository.DirConfig{Root: g.Path, PublicURL: g.PublicURL, Shared: g.Shared, Key: key})
	}
	return repository.NewWebDAV(repository.WebDAVConfig{
		URL: g.URL, Username: g.Username, Password: g.Password, PublicURL: g.PublicURL,
		TLS: tlsclient.Config(g.TLS), Timeout: g.Timeout, Key: key,
	})
}

func agent(g agentGroup) cpi.Agent {
	a := cpi.Agent{Mbus: g.Mbus.Reveal(), NTP: g.NTP, PublicKeys: g.PublicKeys, NameServers: g.NameServers}
	if g.Blobstore.Provider != "" {
		a.Blobstore = &agentenv.Blobstore{Provider: g.Blobstore.Provider, Options: g.Blobstore.Options}
	}
	return a
}

func options(c configuration) cpi.Options {
	steps := make([]baremetal.Step, len(c.Cleaning.Steps))
	for i, s := range c.Cleaning.Steps {
		steps[i] = baremetal.Step{Interface: s.Interface, Step: s.Step, Args: s.Args}
	}
	return cpi.Options{
		Delivery:         agentenv.Delivery(c.Agent.SettingsDelivery),
		SpareNICs:        agentenv.SpareNICs(c.Networks.SpareNICs),
		ReleaseDisks:     c.Disks.OnDelete == "release",
		ReuseDeleted:     c.Disks.ReuseDeleted,
		SystemPath:       c.Disks.SystemDevice,
		EphemeralPath:    c.Disks.EphemeralDevice,
		PersistentPath:   c.Disks.PersistentDevice,
		ZoneField:        c.Placement.ZoneField,
		FailedLast:       c.Placement.FailedLast,
		ManualClean:      c.Cleaning.Manual,
		CleanSteps:       steps,
		StrictProperties: c.StrictCloudProperties,
		Timeouts:         cpi.Timeouts(c.Timeouts),
	}
}
