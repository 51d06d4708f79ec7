package main

import (
	"fmt"
	"slices"
	"strings"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/all"
)

// An ownDriver is a hardware type that this program can talk to itself.
type ownDriver struct {
	Name       string              `json:"name"`
	About      string              `json:"about"`
	Interfaces map[string][]string `json:"interfaces"` // by kind, the default first
	Can        *abilities          `json:"can,omitempty"`
	Properties map[string]string   `json:"properties,omitempty"` // keys of driver_info
}

// ownTypes lists them.
func ownTypes() answer {
	a := answer{head: []string{"NAME", "FOR", "POWER", "MANAGEMENT"}}
	list := []ownDriver{}
	for _, h := range all.Table().Types {
		list = append(list, ownDriver{Name: h.Name, About: h.About, Interfaces: h.Enabled})
		a.names = append(a.names, h.Name)
		a.rows = append(a.rows, []string{h.Name, h.About, strings.Join(h.Enabled["power"], ", "), strings.Join(h.Enabled["management"], ", ")})
	}
	a.value = list
	return a
}

// ownType shows one, with what it can do and the keys of driver_info of all its drivers.
func ownType(name string) (answer, error) {
	h, ok := typeOf(name)
	if !ok {
		return answer{}, fmt.Errorf("driver %s: %w", name, baremetal.ErrNotFound)
	}
	shown := ownDriver{Name: h.Name, About: h.About, Interfaces: h.Enabled, Can: abilitiesOf(h), Properties: map[string]string{}}
	a := answer{names: []string{h.Name}, rows: [][]string{{"name", h.Name}, {"for", h.About}}}
	for _, kind := range kinds {
		a.rows = append(a.rows, []string{kind + " interface", strings.Join(h.Enabled[kind], ", ")})
	}
	a.rows = append(a.rows, shown.Can.rows()...)
	for _, k := range keysOf(all.Table(), h) {
		shown.Properties[k.Name] = k.Describe()
		a.rows = append(a.rows, []string{"driver_info/" + k.Name, k.Describe()})
	}
	a.value = shown
	return a, nil
}

// keysOf are those of all drivers of a hardware type, each once.
func keysOf(table driver.Table, h driver.HardwareType) (keys []driver.Key) {
	for _, names := range h.Enabled {
		for _, name := range names {
			spec, _ := table.Spec(name)
			keys = append(keys, spec.Keys...)
		}
	}
	slices.SortFunc(keys, func(a, b driver.Key) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(keys, func(a, b driver.Key) bool { return a.Name == b.Name })
}
