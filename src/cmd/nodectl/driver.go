package main

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// driverList is "driver list".
type driverList struct {
	Own bool `help:"Those of this program, also with --url."`
}

// driverShow is "driver show".
type driverShow struct {
	Name string `arg:"" help:"Name of the driver."`
	Own  bool   `help:"That of this program, also with --url."`
}

// Help is the end of the command's help.
func (driverList) Help() string {
	return "Examples:\n  nodectl driver list\n  nodectl driver list -o name"
}

// Help is the end of the command's help.
func (driverShow) Help() string {
	return "Examples:\n  nodectl driver show ipmi --own\n  nodectl driver show redfish -o yaml"
}

// Run lists the drivers, and on which conductors they are; without a service, those that nodectl itself has.
func (l *driverList) Run(ctx context.Context, c *console) error {
	if l.Own || c.flags.URL == "" {
		return c.print(ownTypes())
	}
	service, err := c.connect()
	if err != nil {
		return err
	}
	defer service.Close()
	page := struct {
		Drivers []map[string]any `json:"drivers"`
	}{Drivers: []map[string]any{}}
	if err := service.rest.ask(ctx, "list drivers", http.MethodGet, "/drivers", nil, &page); err != nil {
		return err
	}
	slices.SortFunc(page.Drivers, func(a, b map[string]any) int { return strings.Compare(words(a["name"]), words(b["name"])) })
	a := answer{head: []string{"NAME", "TYPE", "CONDUCTORS"}, value: page.Drivers}
	for _, d := range page.Drivers {
		delete(d, "links")
		delete(d, "properties") // links, too
		name := words(d["name"])
		a.names = append(a.names, name)
		a.rows = append(a.rows, []string{name, words(d["type"]), words(d["hosts"])})
	}
	return c.print(a)
}

// Run shows a driver's interfaces, and the keys of driver_info with what they are.
func (s *driverShow) Run(ctx context.Context, c *console) error {
	if s.Own || c.flags.URL == "" {
		a, err := ownType(s.Name)
		if err != nil {
			return err
		}
		return c.print(a)
	}
	service, err := c.connect()
	if err != nil {
		return err
	}
	defer service.Close()
	path := "/drivers/" + url.PathEscape(s.Name)
	var driver, properties map[string]any
	if err := service.rest.ask(ctx, "show driver "+s.Name, http.MethodGet, path, nil, &driver); err != nil {
		return err
	}
	if err := service.rest.ask(ctx, "show the properties of driver "+s.Name, http.MethodGet, path+"/properties", nil, &properties); err != nil {
		return err
	}
	delete(driver, "links")
	a := answer{value: driver, names: []string{s.Name}}
	for _, key := range sortedKeys(driver) {
		if key != "properties" {
			a.rows = append(a.rows, []string{key, words(driver[key])})
		}
	}
	driver["properties"] = properties
	for _, key := range sortedKeys(properties) {
		a.rows = append(a.rows, []string{"driver_info/" + key, words(properties[key])})
	}
	return c.print(a)
}
