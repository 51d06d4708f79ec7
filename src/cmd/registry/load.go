package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"

	"go.yaml.in/yaml/v3"

	"bosh-ironic-cpi/src/config"
	"bosh-ironic-cpi/src/daemon"
)

// load reads the configuration file; without one, everything has its default. warnings are what does not keep
// the daemon from running.
func load(path string) (c configuration, warnings []string, err error) {
	raw := []byte("{}")
	if path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return c, nil, fmt.Errorf("configuration file: %w", err)
		}
		if raw, err = fromYAML(text); err != nil {
			return c, nil, fmt.Errorf("configuration file %s: %w", path, err)
		}
	}
	_, err = config.Decoder{}.Decode(raw, &c)
	if err == nil {
		err = check(&c)
	}
	if err != nil {
		return c, nil, fmt.Errorf("configuration file %s: %w", path, err)
	}
	return c, exposed(path, &c), nil
}

// fromYAML turns one YAML document into JSON. Errors name lines, never values.
func fromYAML(text []byte) ([]byte, error) {
	reader := yaml.NewDecoder(bytes.NewReader(text))
	var tree map[string]any
	err := reader.Decode(&tree)
	if errors.Is(err, io.EOF) {
		return []byte("{}"), nil
	}
	if err == nil && !errors.Is(reader.Decode(new(any)), io.EOF) {
		return nil, errors.New("want one YAML document, found more")
	}
	if bad, ok := errors.AsType[*yaml.TypeError](err); ok && len(bad.Errors) > 0 {
		return nil, errors.New("want keys and values, each key once: " + withoutValues(bad.Errors[0]))
	}
	if err != nil {
		return nil, errors.New(withoutValues(err.Error()))
	}
	raw, err := json.Marshal(tree)
	if err != nil {
		return nil, errors.New("every key must be a text, in objects within objects too")
	}
	return raw, nil
}

// withoutValues cuts a message of the YAML reader where it begins to quote the file, which may hold passwords.
func withoutValues(message string) string {
	head, _, _ := bytes.Cut([]byte(message), []byte("`"))
	return string(bytes.TrimSpace(head))
}

// exposed warns of secrets in a file that others can read.
func exposed(path string, c *configuration) []string {
	info, err := os.Stat(path)
	if path == "" || err != nil || info.Mode().Perm()&0o077 == 0 || len(config.Secrets(c)) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s holds secrets, and its mode %04o lets others read it: chmod 600 %s, or name files with {file: PATH}",
		path, info.Mode().Perm(), path)}
}

// check finds what no single key tells.
func check(c *configuration) error {
	var faults config.Faults
	need := func(ok bool, path, problem string) {
		if !ok {
			faults = append(faults, config.Fault{Path: path, Problem: problem})
		}
	}
	r, p := &c.Registry, &c.Repository
	need(r.Enabled || p.Enabled || c.Conductor.Enabled, "registry.enabled", "nothing to serve: registry, repository and conductor are all off")
	https := false
	if r.Enabled {
		need(len(r.Listen) > 0, "registry.listen", "want at least one address")
		open := beyond(r.Listen)
		need(open == "" || len(r.Users) > 0, "registry.users",
			"required to listen on "+open+", which others can reach: name at least one user with a password, or listen on 127.0.0.1")
		https = https || secure(r.Listen)
	}
	for _, t := range p.trees() {
		need(len(t.Listen) > 0, t.key+".listen", "want at least one address, here or in repository.listen")
		open := beyond(t.Listen)
		need(open == "" || len(t.Users) > 0, t.key+".users",
			"required to listen on "+open+", which others can reach: name at least one user with a password, here or in repository.users, or listen on 127.0.0.1")
		https = https || secure(t.Listen)
	}
	if b := &c.Conductor; b.Enabled {
		need(len(b.Listen) > 0, "conductor.listen", "want at least one address")
		open := beyond(b.Listen)
		asked := b.Keystone.AuthURL != ""
		need(open == "" || len(b.Users) > 0 || asked, "conductor.users",
			"required to listen on "+open+", which others can reach: name at least one user with a password, or a Keystone, or listen on 127.0.0.1")
		need(!asked || len(b.Users) == 0, "conductor.keystone.auth_url", "goes without conductor.users: either Keystone knows who may, or we do")
		need(asked || b.Keystone.Username == "" && b.Keystone.ApplicationID == "", "conductor.keystone.auth_url", "required by the credentials beside it")
		need(b.BootISO == "" || b.MachinesURL != "" && len(b.MachinesListen) > 0, "conductor.machines_url", "required by conductor.boot_iso, with conductor.machines_listen")
		need(b.MachinesURL == "" || isWeb(b.MachinesURL), "conductor.machines_url", "want http:// or https:// and a host, such as http://10.0.1.5:6385")
		https = https || secure(b.Listen) || secure(b.MachinesListen)
	}
	need(!https || c.TLS.Certificate != "" && c.TLS.Key != "", "tls.certificate", "required by an https address, with tls.key")
	if len(faults) == 0 {
		return nil
	}
	return faults
}

func isWeb(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// beyond is the first address that other machines can reach, or "".
func beyond(addresses []daemon.Address) string {
	for _, a := range addresses {
		if !a.Loopback() {
			return a.String()
		}
	}
	return ""
}

func secure(addresses []daemon.Address) bool {
	for _, a := range addresses {
		if a.TLS {
			return true
		}
	}
	return false
}

// A tree is a treeGroup with what it takes from the repository's group.
type tree struct {
	treeGroup
	name string // first part of its addresses' path
	key  string // in the configuration
}

// trees are those that are switched on.
func (g *repositoryGroup) trees() []tree {
	if !g.Enabled {
		return nil
	}
	var on []tree
	for _, t := range []tree{{treeGroup: g.Images, name: "images"}, {treeGroup: g.Metadata, name: "metadata"}, {treeGroup: g.Deploy, name: "deploy"}} {
		if !t.Enabled {
			continue
		}
		t.key = "repository." + t.name
		if len(t.Listen) == 0 {
			t.Listen = g.Listen
		}
		if t.Users == nil {
			t.Users = g.Users
		}
		if t.Readers == nil {
			t.Readers = g.Readers
		}
		on = append(on, t)
	}
	return on
}
