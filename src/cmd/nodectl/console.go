package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"bosh-ironic-cpi/src/baremetal/client"
	"bosh-ironic-cpi/src/secret"
	"bosh-ironic-cpi/src/tlsclient"
)

// A console is what a command works with: the streams, the flags that all share, and the way to the service.
type console struct {
	in       io.Reader
	out      io.Writer // data
	messages *screen   // all else
	flags    *globals
}

// An api is a Bare Metal API: what package client knows of it, and what nodectl adds.
type api struct {
	*client.Client
	rest *rest
}

// note writes a line for people.
func (c *console) note(format string, args ...any) { fmt.Fprintf(c.messages, format+"\n", args...) }

// connect makes the way to the service. It sends nothing. The caller closes it.
func (c *console) connect() (*api, error) {
	f := c.flags
	if f.URL == "" {
		return nil, wrong(errors.New("where is the Bare Metal API? Give --url http://host:6385, or set IRONIC_URL"))
	}
	auth, err := f.auth()
	if err != nil {
		return nil, wrong(err)
	}
	trust := tlsclient.Config{Insecure: f.Insecure}
	if f.CA != "" {
		pem, err := os.ReadFile(f.CA)
		if err != nil {
			return nil, wrong(fmt.Errorf("--ca: %w", err))
		}
		trust.CA = string(pem)
	}
	cfg := client.Config{
		URL: f.URL, Auth: auth, TLS: trust, Timeout: f.Timeout, RetryLimit: f.RetryFor,
		Log: c.logger(),
	}
	if cfg.RetryLimit == 0 {
		cfg.RetryLimit = -1 // to the client, zero is its default
	}
	nodes, err := client.New(cfg)
	if err != nil {
		return nil, wrong(err)
	}
	more, err := newRest(f.URL, auth, trust, f.Timeout)
	if err != nil {
		return nil, wrong(err)
	}
	return &api{Client: nodes, rest: more}, nil
}

// logger writes warnings among the messages, and with --debug all.
func (c *console) logger() *slog.Logger {
	level := slog.LevelWarn
	if c.flags.Debug {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(c.messages, &slog.HandlerOptions{Level: level, ReplaceAttr: withoutTime}))
}

// withoutTime leaves the time out of log lines: people watch them come.
func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// Close closes the connections.
func (a *api) Close() {
	a.Client.Close()
	a.rest.close()
}

// auth says who we are: a user name means http_basic, a token goes as it is, else nobody asks.
func (g *globals) auth() (client.Auth, error) {
	if g.Username != "" {
		password := secret.New(os.Getenv("IRONIC_PASSWORD"))
		if g.PasswordFile != "" {
			text, err := readLine(g.PasswordFile)
			if err != nil {
				return client.Auth{}, fmt.Errorf("--password-file: %w", err)
			}
			password = secret.New(text)
		}
		if password.IsZero() {
			return client.Auth{}, errors.New("--username needs a password: give --password-file, or set IRONIC_PASSWORD")
		}
		return client.Auth{Type: "http_basic", Username: g.Username, Password: password}, nil
	}
	if g.PasswordFile != "" {
		return client.Auth{}, errors.New("--password-file needs --username")
	}
	names := []string{"IRONIC_TOKEN", "OS_TOKEN"}
	if g.TokenEnv != "" {
		names = []string{g.TokenEnv}
	}
	for _, name := range names {
		if token := os.Getenv(name); token != "" {
			return client.Auth{Type: "token", Token: secret.New(token)}, nil
		}
	}
	if g.TokenEnv != "" {
		return client.Auth{}, errors.New("--token-env: that environment variable is empty")
	}
	return client.Auth{Type: "none"}, nil
}

// readLine reads a file that holds one secret; one line break at its end does not count.
func readLine(name string) (string, error) {
	text, err := os.ReadFile(name)
	return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), err
}

// read reads a file that the command line names; "-" is standard input.
func (c *console) read(name string) ([]byte, error) {
	if name == "-" {
		text, err := io.ReadAll(c.in)
		if err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
		return text, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, wrong(err)
	}
	return text, nil
}

// since is d as people say it, in whole seconds.
func since(begun time.Time) time.Duration { return time.Since(begun).Round(time.Second) }
