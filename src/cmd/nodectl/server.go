package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/all"
)

// A server is a node that nodectl talks to itself.
type server struct {
	*driver.Node
	name       string // for people
	typ        driver.HardwareType
	interfaces map[string]string // by kind, where the file names them
	recalled   map[string]string // the driver's state, as the state file had it
}

// kinds are the interfaces that hardware stands behind.
var kinds = []string{"power", "management", "vendor", "inspect"}

// newServer makes a server of a node's body, as the Bare Metal API takes it. In its driver_info {file: NAME} and
// {env: NAME} stand for what is there.
func newServer(body map[string]any, macs []string) (*server, error) {
	name, _ := body["driver"].(string)
	typ, ok := typeOf(name)
	if !ok {
		return nil, fmt.Errorf("there is no hardware type or driver %q; nodectl driver list --own shows what there is", name)
	}
	s := &server{Node: &driver.Node{MACs: macs}, typ: typ, interfaces: map[string]string{}}
	s.UUID, _ = body["uuid"].(string)
	s.Name, _ = body["name"].(string)
	s.Properties, _ = body["properties"].(map[string]any)
	info, _ := body["driver_info"].(map[string]any)
	var err error
	if s.Info, err = fromElsewhere(info); err != nil {
		return nil, err
	}
	for _, kind := range kinds {
		if named, _ := body[kind+"_interface"].(string); named != "" {
			s.interfaces[kind] = named
		}
	}
	return s, nil
}

// typeOf finds a hardware type by its name, or by that of a driver before there were hardware types. The name of one of
// our drivers is a type that has nothing else.
func typeOf(name string) (driver.HardwareType, bool) {
	if hardwareType, _, classic := baremetal.ClassicDriver(name); classic {
		name = hardwareType
	}
	if typ, ok := all.Table().Type(name); ok {
		return typ, true
	}
	spec, ok := all.Table().Spec(name)
	typ := driver.HardwareType{Name: name, About: spec.About, Enabled: map[string][]string{}}
	for _, kind := range kinds {
		typ.Enabled[kind] = []string{name}
	}
	return typ, ok
}

// fromElsewhere is driver_info with the values that stand elsewhere: {file: NAME}, {env: NAME}.
func fromElsewhere(info map[string]any) (map[string]any, error) {
	whole := maps.Clone(info)
	for key, value := range info {
		from, ok := value.(map[string]any)
		if !ok || len(from) != 1 {
			continue
		}
		var err error
		if name, ok := from["file"].(string); ok {
			whole[key], err = readLine(name)
		} else if name, ok := from["env"].(string); ok {
			if whole[key] = os.Getenv(name); whole[key] == "" {
				err = fmt.Errorf("the environment variable %s is empty", name)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("driver_info %s: %w", key, err)
		}
	}
	return whole, nil
}

// spec is the driver behind the server's interface of a kind; ok is false where there is nothing, such as noop.
func (s *server) spec(kind string) (spec driver.Spec, ok bool) {
	name := s.interfaces[kind]
	if name == "" && len(s.typ.Enabled[kind]) > 0 {
		name = s.typ.Enabled[kind][0]
	}
	return all.Table().Spec(name)
}

// hardware is what stands behind the server's interface of a kind; nil: nothing.
func (s *server) hardware(kind string) any {
	if spec, ok := s.spec(kind); ok {
		return spec.New()
	}
	return nil
}

// check is what can be found wrong with driver_info without asking the hardware.
func (s *server) check(kind string) error {
	spec, ok := s.spec(kind)
	if !ok {
		return nil
	}
	if err := spec.Check(s.Info); err != nil {
		return err
	}
	if v, ok := spec.New().(driver.Validator); ok {
		return v.Validate(s.Node)
	}
	return nil
}

// can finds what stands behind the server's interface of a kind, if it is a T, and nothing is wrong with its driver_info.
func can[T any](s *server, kind, what string) (able T, err error) {
	able, ok := s.hardware(kind).(T)
	if !ok {
		return able, fmt.Errorf("hardware of type %s has no %s: %w", s.typ.Name, what, driver.ErrUnsupported)
	}
	return able, s.check(kind)
}

// about says of which server an error is, unless its driver has, as drivers do. Nil stays nil.
func (s *server) about(err error) error {
	if err == nil || strings.Contains(err.Error(), "node "+s.Label()) {
		return err
	}
	return fmt.Errorf("%s: %w", s.name, err)
}

// within does something that takes --timeout at most: hardware that has not answered by then does not answer.
func (c *console) within(ctx context.Context, do func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, c.flags.Timeout)
	defer cancel()
	err := do(limited)
	if errors.Is(err, context.DeadlineExceeded) && limited.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: %w within %s", err, driver.ErrUnreachable, c.flags.Timeout)
	}
	return err
}
