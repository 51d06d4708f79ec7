package conductor

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"bosh-ironic-cpi/src/driver"
)

// enable leaves the hardware types that are enabled, and says what does not fit: names that nobody knows, defaults that
// are not enabled, and a hardware type that is left without an interface of some kind. The rules are Ironic's
// (ironic/common/driver_factory.py).
func (c *Config) enable() error {
	for _, name := range c.Types {
		if _, ok := c.Drivers.Type(name); !ok {
			return fmt.Errorf("enabled hardware type %q: there is none of that name; known: %s", name, strings.Join(typeNames(c.Drivers), ", "))
		}
	}
	if len(c.Types) > 0 {
		c.Drivers.Types = slices.DeleteFunc(slices.Clone(c.Drivers.Types), func(h driver.HardwareType) bool { return !slices.Contains(c.Types, h.Name) })
	}
	for kind, names := range c.Enabled {
		if !slices.Contains(InterfaceKinds(), kind) {
			return fmt.Errorf("enabled interfaces: %q is no kind of interface; known: %s", kind, strings.Join(InterfaceKinds(), ", "))
		}
		for _, name := range names {
			if known := c.known(kind); !slices.Contains(known, name) {
				return fmt.Errorf("enabled %s interface %q: no enabled hardware type can have it; known: %s", kind, name, strings.Join(known, ", "))
			}
		}
	}
	for kind, name := range c.Defaults {
		if !slices.Contains(InterfaceKinds(), kind) {
			return fmt.Errorf("default interfaces: %q is no kind of interface; known: %s", kind, strings.Join(InterfaceKinds(), ", "))
		}
		if !slices.Contains(c.enabledOnes(kind, c.known(kind)), name) {
			return fmt.Errorf("default %s interface %q: not among the enabled ones: %s", kind, name, strings.Join(c.enabledOnes(kind, c.known(kind)), ", "))
		}
	}
	for _, h := range c.Drivers.Types {
		for _, kind := range InterfaceKinds() {
			if all := c.supported(h, kind); len(all) > 0 && len(c.enabledOnes(kind, all)) == 0 {
				return fmt.Errorf("hardware type %s: no %s interface that it can have is enabled; enable one of %s", h.Name, kind, strings.Join(all, ", "))
			}
		}
	}
	return nil
}

// known lists the interfaces of a kind that some enabled hardware type can have.
func (c *Config) known(kind string) []string {
	names := map[string]bool{}
	for _, h := range c.Drivers.Types {
		for _, name := range c.supported(h, kind) {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// enabledOnes are those of names that are enabled, in their order.
func (c *Config) enabledOnes(kind string, names []string) []string {
	enabled, listed := c.Enabled[kind]
	if !listed {
		return names
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !slices.Contains(enabled, name) })
}

func typeNames(t driver.Table) (names []string) {
	for _, h := range t.Types {
		names = append(names, h.Name)
	}
	return names
}
