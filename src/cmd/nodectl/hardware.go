package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
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

// A server is a node that nodectl talks to itself.
type server struct {
	*driver.Node
	name       string // for people
	key        string // in the state file
	typ        driver.HardwareType
	interfaces map[string]string // by kind, where the file names them
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
	return list, f.recall(list)
}

// described is the server of --driver and --set.
func (f *hardwareFlags) described() ([]*server, error) {
	info := map[string]any{}
	for _, argument := range f.Set {
		key, text, given := strings.Cut(argument, "=")
		if !given || key == "" {
			return nil, wrong(errors.New("--set wants KEY=VALUE, KEY=@FILE or KEY=env:NAME"))
		}
		value, hidden, err := fromElsewhere(key, text)
		switch {
		case err != nil:
			return nil, wrong(err)
		case !hidden && all.Table().Secret(key):
			return nil, wrong(fmt.Errorf("--set %s: a secret on the command line is seen by everybody on this machine: give %s=@FILE or %s=env:NAME", key, key, key))
		}
		info[key] = value
	}
	s, err := newServer(map[string]any{"driver": f.Driver, "driver_info": info}, f.MAC)
	if err != nil {
		return nil, wrong(err)
	}
	s.key, s.name = s.fingerprint(), s.typ.Name
	for _, key := range slices.Sorted(maps.Keys(s.Info)) {
		if address, ok := s.Info[key].(string); ok && strings.HasSuffix(key, "_address") {
			s.name += " " + address
		}
	}
	s.Name = s.name
	return []*server{s}, nil
}

// fromElsewhere reads @FILE and env:NAME; all else is the value itself.
func fromElsewhere(key, text string) (value string, elsewhere bool, err error) {
	if name, ok := strings.CutPrefix(text, "@"); ok {
		value, err = readLine(name)
	} else if name, ok := strings.CutPrefix(text, "env:"); ok {
		if value = os.Getenv(name); value == "" {
			err = fmt.Errorf("the environment variable %s is empty", name)
		}
	} else {
		return text, false, nil
	}
	if err != nil {
		return "", true, fmt.Errorf("--set %s: %w", key, err)
	}
	return value, true, nil
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
	if !every && len(ids) == 0 && len(entries) == 1 {
		every = true
	}
	if !every && len(ids) == 0 {
		return nil, wrong(fmt.Errorf("%s has %d nodes: name those that you mean", f.Inventory, len(entries)))
	}
	found := map[string]bool{}
	for _, e := range entries {
		id := slices.IndexFunc(ids, func(id string) bool { return id == e.body["name"] || id == e.body["uuid"] })
		if !every && id < 0 {
			continue
		}
		var macs []string
		for _, p := range e.ports {
			macs = append(macs, p.Address)
		}
		s, err := newServer(e.body, macs)
		if err != nil {
			return nil, wrong(fmt.Errorf("%s: node %s: %w", f.Inventory, e.label(), err))
		}
		s.name = e.label()
		if s.key = s.name; id >= 0 {
			found[ids[id]] = true
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

// newServer makes a server of a node's body, as the Bare Metal API takes it.
func newServer(body map[string]any, macs []string) (*server, error) {
	name, _ := body["driver"].(string)
	if hardwareType, _, classic := baremetal.ClassicDriver(name); classic {
		name = hardwareType
	}
	table := all.Table()
	s := &server{Node: &driver.Node{MACs: macs}, interfaces: map[string]string{}}
	if typ, ok := table.Type(name); ok {
		s.typ = typ
	} else if _, ok := table.Spec(name); ok { // the driver alone
		s.typ = driver.HardwareType{Name: name, Enabled: map[string][]string{"power": {name}, "management": {name}, "vendor": {name}, "inspect": {name}}}
	} else {
		return nil, fmt.Errorf("there is no hardware type or driver %q; nodectl driver list shows what there is", name)
	}
	s.UUID, _ = body["uuid"].(string)
	s.Name, _ = body["name"].(string)
	s.Properties, _ = body["properties"].(map[string]any)
	info, _ := body["driver_info"].(map[string]any)
	s.Info = maps.Clone(info)
	for key, value := range info {
		from, ok := value.(map[string]any)
		if !ok || len(from) != 1 {
			continue
		}
		for prefix, kind := range map[string]string{"@": "file", "env:": "env"} {
			if where, ok := from[kind].(string); ok {
				text, _, err := fromElsewhere(key, prefix+where)
				if err != nil {
					return nil, err
				}
				s.Info[key] = text
			}
		}
	}
	for _, kind := range []string{"power", "management", "vendor", "inspect"} {
		if named, _ := body[kind+"_interface"].(string); named != "" {
			s.interfaces[kind] = named
		}
	}
	return s, nil
}

// hardware is what stands behind the server's interface of a kind; nil: nothing. Keys of driver_info are checked.
func (s *server) hardware(kind string) (any, driver.Spec, error) {
	name := s.interfaces[kind]
	if name == "" && len(s.typ.Enabled[kind]) > 0 {
		name = s.typ.Enabled[kind][0]
	}
	spec, ok := all.Table().Spec(name)
	if !ok {
		return nil, spec, nil
	}
	h := spec.New()
	return h, spec, s.check(spec, h)
}

// check is what can be found wrong without asking the hardware.
func (s *server) check(spec driver.Spec, hardware any) error {
	if err := spec.Check(s.Info); err != nil {
		return err
	}
	if v, ok := hardware.(driver.Validator); ok {
		return v.Validate(s.Node)
	}
	return nil
}

// can finds what stands behind the server's interface of a kind, if it is a T.
func can[T any](s *server, kind, what string) (able T, err error) {
	h, _, err := s.hardware(kind)
	if err != nil {
		return able, fmt.Errorf("%s: %w", s.name, err)
	}
	able, ok := h.(T)
	if !ok {
		return able, fmt.Errorf("%s: hardware of type %s has no %s: %w", s.name, s.typ.Name, what, driver.ErrUnsupported)
	}
	return able, nil
}

// onServer carries a command on one server out, and keeps what its driver remembers, also when it failed.
func (f *hardwareFlags) onServer(ctx context.Context, c *console, id string, do func(context.Context, *server) error) error {
	s, err := f.server(c, id)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.flags.Timeout)
	defer cancel()
	return errors.Join(do(ctx, s), f.remember([]*server{s}))
}
