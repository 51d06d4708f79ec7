package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"bosh-ironic-cpi/src/driver/all"
)

// hardwareFlags say which servers a command is for that talks to their hardware itself, past any Bare Metal API.
type hardwareFlags struct {
	Driver    string   `placeholder:"NAME" help:"Hardware type or driver of the one server that --set describes."`
	Set       []string `sep:"none" placeholder:"KEY=VALUE" help:"A key of its driver_info; KEY=@FILE and KEY=env:NAME read it from there, as secrets must be."`
	MAC       []string `name:"mac" placeholder:"MAC" help:"MAC address of one of its ports."`
	Inventory string   `short:"i" env:"NODECTL_INVENTORY" placeholder:"FILE" help:"File of nodes, as node create -f takes it, for NODE."`
	StateFile string   `env:"NODECTL_STATE" placeholder:"FILE" help:"Where drivers keep what they must find again; without it, nodectl/hardware.json in the user's state directory."`
}

// server finds the one server of a command line.
func (f *hardwareFlags) server(c *console, id string) (*server, error) {
	var ids []string
	if id != "" {
		ids = []string{id}
	}
	list, err := f.servers(c, ids, false)
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// servers finds those that ids name, all of the inventory, or the one that --driver and --set describe.
func (f *hardwareFlags) servers(c *console, ids []string, every bool) (list []*server, err error) {
	switch {
	case f.Driver != "" && (len(ids) > 0 || every || f.Inventory != "" && os.Getenv("NODECTL_INVENTORY") == ""):
		return nil, wrong(errors.New("--driver describes one server without a file: give it without NODE, --all and --inventory"))
	case every && len(ids) > 0:
		return nil, wrong(errors.New("--all is all servers of the inventory: give it without NODE"))
	case f.Driver != "":
		list, err = f.described()
	case len(f.Set) > 0 || len(f.MAC) > 0:
		return nil, wrong(errors.New("--set and --mac go with --driver"))
	case f.Inventory == "":
		return nil, wrong(errors.New("which server? Give --driver NAME --set KEY=VALUE …, or NODE with --inventory FILE"))
	default:
		list, err = f.listed(c, ids, every)
	}
	if err != nil {
		return nil, err
	}
	log := c.logger()
	for _, s := range list {
		s.Log = log
	}
	return list, f.recall(list)
}

// described is the server of --driver and --set.
func (f *hardwareFlags) described() ([]*server, error) {
	info := map[string]any{}
	for _, argument := range f.Set {
		key, value, given := strings.Cut(argument, "=")
		if !given || key == "" {
			return nil, wrong(errors.New("--set wants KEY=VALUE, KEY=@FILE or KEY=env:NAME"))
		}
		if file, ok := strings.CutPrefix(value, "@"); ok {
			info[key] = map[string]any{"file": file}
		} else if name, ok := strings.CutPrefix(value, "env:"); ok {
			info[key] = map[string]any{"env": name}
		} else if all.Table().Secret(key) {
			return nil, wrong(fmt.Errorf("--set %s: a secret on the command line is seen by everybody on this machine: give %s=@FILE or %s=env:NAME", key, key, key))
		} else {
			info[key] = value
		}
	}
	s, err := newServer(map[string]any{"driver": f.Driver, "driver_info": info}, f.MAC)
	if err != nil {
		return nil, wrong(err)
	}
	s.name = s.typ.Name
	for _, key := range sortedKeys(s.Info) {
		if address, ok := s.Info[key].(string); ok && strings.HasSuffix(key, "_address") {
			s.name += " " + address
		}
	}
	s.Name = s.name
	return []*server{s}, nil
}

// listed are servers of the inventory.
func (f *hardwareFlags) listed(c *console, ids []string, every bool) (list []*server, err error) {
	text, err := c.read(f.Inventory)
	if err != nil {
		return nil, err
	}
	entries, err := readNodes(f.Inventory, text)
	if err != nil {
		return nil, wrong(err)
	}
	if len(ids) == 0 && !every && len(entries) != 1 {
		return nil, wrong(fmt.Errorf("%s has %d nodes: name those that you mean", f.Inventory, len(entries)))
	}
	found := map[string]bool{}
	for _, e := range entries {
		id := slices.IndexFunc(ids, func(id string) bool { return id == e.body["name"] || id == e.body["uuid"] })
		if len(ids) > 0 && id < 0 {
			continue
		}
		if id >= 0 {
			found[ids[id]] = true
		}
		s, err := e.server()
		if err != nil {
			return nil, wrong(fmt.Errorf("%s: node %s: %w", f.Inventory, e.label(), err))
		}
		list = append(list, s)
	}
	for _, id := range ids {
		if !found[id] {
			return nil, fmt.Errorf("node %s: %s has none of that name or UUID: %w", id, f.Inventory, errNoServer)
		}
	}
	return list, nil
}

var errNoServer = errors.New("not in the inventory")

// server is the node of an inventory.
func (e enrolment) server() (*server, error) {
	var macs []string
	for _, p := range e.ports {
		macs = append(macs, p.Address)
	}
	s, err := newServer(e.body, macs)
	if err != nil {
		return nil, err
	}
	s.name = e.label()
	if s.Label() == "" {
		s.Name = s.name // for the driver's words
	}
	return s, nil
}

// onServer carries a command on one server out, and keeps what its driver remembers, also when it failed.
func (f *hardwareFlags) onServer(ctx context.Context, c *console, id string, do func(context.Context, *server) error) error {
	s, err := f.server(c, id)
	if err != nil {
		return err
	}
	err = c.within(ctx, func(ctx context.Context) error { return do(ctx, s) })
	return errors.Join(s.about(err), f.remember([]*server{s}))
}
