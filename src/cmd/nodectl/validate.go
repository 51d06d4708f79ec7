package main

import (
	"context"
	"slices"
)

// validate is "validate".
type validate struct {
	hardwareFlags
	IDs []string `arg:"" optional:"" name:"server" help:"Names or UUIDs in the inventory."`
	All bool     `help:"All servers of the inventory."`
}

// Help is the end of the command's help.
func (validate) Help() string {
	return "Examples:\n  nodectl validate --inventory nodes.yaml --all\n  nodectl validate --driver ipmi --set ipmi_address=10.0.0.3"
}

// A finding is what is wrong with one interface of a server.
type finding struct {
	Node      string `json:"node"`
	Interface string `json:"interface"`
	Driver    string `json:"driver"`
	Error     string `json:"error,omitempty"`
}

// Run says what is wrong with driver_info, without asking the hardware.
func (v *validate) Run(_ context.Context, c *console) error {
	list, err := v.servers(c, v.IDs, v.All)
	if err != nil {
		return err
	}
	a := answer{head: []string{"NODE", "INTERFACE", "DRIVER", "ERROR"}}
	findings := []finding{}
	failures := make([]error, len(list))
	for i, s := range list {
		for _, kind := range kinds {
			spec, ok := s.spec(kind)
			if !ok {
				continue
			}
			f := finding{Node: s.name, Interface: kind, Driver: spec.Name}
			if err := s.check(kind); err != nil {
				f.Error, failures[i] = err.Error(), err
			}
			findings = append(findings, f)
			a.rows = append(a.rows, []string{f.Node, f.Interface, f.Driver, f.Error})
		}
		for _, key := range s.strange() {
			c.note("warning: %s: driver_info %s means nothing to the drivers of type %s", s.name, key, s.typ.Name)
		}
		a.names = append(a.names, s.name)
	}
	a.value = findings
	if err := c.print(a); err != nil {
		return err
	}
	return someFailed("validate", failures)
}

// strange are keys of driver_info that none of the server's drivers knows, and neither does a deployment.
func (s *server) strange() (keys []string) {
	known := map[string]bool{"deploy_kernel": true, "deploy_ramdisk": true, "deploy_iso": true, "bootloader": true, "rescue_kernel": true, "rescue_ramdisk": true}
	for _, kind := range kinds {
		spec, _ := s.spec(kind)
		for _, k := range spec.Keys {
			known[k.Name] = true
		}
	}
	for key := range s.Info {
		if !known[key] {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}
