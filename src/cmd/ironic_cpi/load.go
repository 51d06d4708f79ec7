package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"

	"bosh-ironic-cpi/src/config"
	"bosh-ironic-cpi/src/placement"
)

// ofBOSH are the keys of a request's context that are not the cpi-config's.
var ofBOSH = []string{"director_uuid", "request_id", "vm"}

// load reads the file and lays the request's context over it, key by key: there the Director puts the
// properties of the cpi-config. Keys of the context that are no configuration are returned: another part of
// BOSH may have put them there. seen is told each document before it is looked into.
func load(path string, context json.RawMessage, seen func(json.RawMessage)) (c configuration, unknown []config.Fault, err error) {
	if path == "" {
		return c, nil, errors.New("no configuration file: start with -configPath FILE")
	}
	file, err := os.ReadFile(path)
	if err != nil {
		return c, nil, fmt.Errorf("configuration file: %w", err)
	}
	seen(file)
	overlay, unknown, err := overlay(context)
	if err != nil {
		return c, unknown, fmt.Errorf("cpi-config: %w", err)
	}
	merged, err := config.Merge(file, overlay)
	if err == nil {
		_, err = config.Decoder{}.Decode(merged, &c)
	}
	if err == nil {
		err = check(&c)
	}
	if err != nil {
		return c, unknown, fmt.Errorf("configuration file %s: %w", path, err)
	}
	return c, unknown, nil
}

// overlay takes the configuration out of a request's context, and checks it while its path is known.
func overlay(context json.RawMessage) (json.RawMessage, []config.Fault, error) {
	keys := map[string]json.RawMessage{}
	if len(context) > 0 {
		if err := json.Unmarshal(context, &keys); err != nil {
			return nil, nil, fmt.Errorf("context: %w", err)
		}
	}
	known := config.Keys(configuration{})
	var unknown []config.Fault
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if slices.Contains(known, key) {
			continue
		}
		delete(keys, key)
		if slices.Contains(ofBOSH, key) {
			continue
		}
		fault := config.Fault{Path: "context." + key, Problem: "no key of the configuration"}
		if near := config.Nearest(key, known); near != "" {
			fault.Problem += fmt.Sprintf(", did you mean %q?", near)
		}
		unknown = append(unknown, fault)
	}
	raw, err := json.Marshal(keys)
	if err != nil {
		return nil, unknown, err
	}
	// Whoever may change the cpi-config may not read this machine's files.
	_, err = config.Decoder{Path: "context", Partial: true, NoFiles: true}.Decode(raw, new(configuration))
	return raw, unknown, err
}

// check finds what no single key tells.
func check(c *configuration) error {
	var faults config.Faults
	need := func(ok bool, path, problem string) {
		if !ok {
			faults = append(faults, config.Fault{Path: path, Problem: problem})
		}
	}
	a := c.Ironic.Auth
	need(c.Ironic.URL != "" || a.Type == "keystone", "ironic.url", "required, but missing")
	switch a.Type {
	case "token":
		need(!a.Token.IsZero(), "ironic.auth.token", "required by type token")
	case "http_basic":
		need(a.Username != "", "ironic.auth.username", "required by type http_basic")
		need(!a.Password.IsZero(), "ironic.auth.password", "required by type http_basic")
	case "keystone":
		need(a.AuthURL != "", "ironic.auth.auth_url", "required by type keystone")
		if a.ApplicationCredentialSecret.IsZero() {
			need(a.Username != "", "ironic.auth.username", "required by type keystone, or give an application credential")
			need(!a.Password.IsZero(), "ironic.auth.password", "required by type keystone, or give an application credential")
			need(a.Project != "", "ironic.auth.project", "required by type keystone, or give an application credential")
			break
		}
		need(a.ApplicationCredentialID != "" || a.ApplicationCredentialName != "" && a.Username != "",
			"ironic.auth.application_credential_id", "required, or application_credential_name with username")
	}
	need(c.Conductor.BootISO == "" || c.Conductor.MachinesListen != "", "conductor.machines_listen", "required by conductor.boot_iso")
	if listen := c.Conductor.MachinesListen; listen != "" {
		host, port, err := net.SplitHostPort(listen)
		ip := net.ParseIP(host)
		need(err == nil, "conductor.machines_listen", "want HOST:PORT, such as 10.0.1.5:6386")
		need(err != nil || c.Conductor.MachinesURL != "" || host != "" && !ip.IsUnspecified(), "conductor.machines_url",
			"required where conductor.machines_listen names no address that servers can reach")
		need(err != nil || c.Conductor.MachinesURL == "" || port != "0", "conductor.machines_url",
			"goes with a port in conductor.machines_listen: it cannot name one that nobody knows before")
	}
	need(c.Ironic.URL != embedded || !c.Conductor.Database.IsZero(), "conductor.database", "required by ironic.url embedded")
	s, m := c.Repository.Stemcells, c.Repository.Metadata
	need(s.Type != "webdav" || s.URL != "", "repository.stemcells.url", "required by type webdav")
	need(s.Type != "dir" || s.Path != "", "repository.stemcells.path", "required by type dir")
	need(m.Type != "webdav" || m.URL != "", "repository.metadata.url", "required by type webdav")
	need(m.Type != "dir" || m.Path != "", "repository.metadata.path", "required by type dir")
	if field := c.Placement.ZoneField; field != "" {
		need(placement.Zone{Field: field}.Check() == nil, "placement.zone_field", "want conductor_group, chassis, owner or properties/KEY")
	}
	need(!c.Cleaning.Manual || len(c.Cleaning.Steps) > 0, "cleaning.steps", "required by manual")
	need(c.Agent.Blobstore.Provider != "" || c.Agent.Blobstore.Options == nil, "agent.blobstore.provider", "required by options")
	if len(faults) == 0 {
		return nil
	}
	return faults
}
