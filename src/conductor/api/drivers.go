package api

import (
	"maps"
	"net/http"
	"slices"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/driver"
)

func driverRoutes() []route {
	return []route{
		at("GET", "drivers", 1, (*call).listDrivers),
		at("GET", "drivers/{}", 1, (*call).showDriver),
		at("GET", "drivers/{}/properties", 1, (*call).showProperties),
		at("GET", "drivers/{}/raid/logical_disk_properties", 12, (*call).showDiskProperties).before(errTooNew),
		at("GET", "drivers/{}/vendor_passthru/methods", 1, (*call).listDriverMethods),
		at("POST", "drivers/{}/vendor_passthru", 1, (*call).callDriverMethod),
		at("POST", "drivers/{}/vendor_passthru/{}", 1, (*call).callDriverMethod),
	}
}

func (c *call) driverJSON(h driver.HardwareType, hosts []string, detail bool) map[string]any {
	m := map[string]any{"name": h.Name, "hosts": hosts, "links": c.links("drivers/" + h.Name)}
	if c.minor >= 14 {
		m["properties"] = c.links("drivers/" + h.Name + "/properties")
	}
	if c.minor >= 30 {
		m["type"] = "dynamic"
	}
	if !detail {
		return m
	}
	for _, kind := range conductor.InterfaceKinds() {
		since := interfaceSince[kind]
		if since <= 31 { // drivers told of the first kinds a version before nodes did
			since = 30
		}
		if c.minor < since {
			continue
		}
		enabled, otherwise := c.conductor.Interfaces(h, kind)
		m["enabled_"+kind+"_interfaces"], m["default_"+kind+"_interface"] = enabled, otherwise
	}
	return m
}

// hosts are the conductors alive.
func (c *call) hosts() ([]string, error) {
	all, err := c.conductor.Conductors(c.r.Context())
	hosts := []string{}
	for _, r := range all {
		if r.Alive() {
			hosts = append(hosts, r.Hostname)
		}
	}
	return hosts, err
}

func (c *call) listDrivers() error {
	hosts, err := c.hosts()
	if err != nil {
		return err
	}
	detail := false
	if c.has("detail") {
		if detail, err = truth("detail", c.param("detail")); err != nil {
			return err
		}
	}
	p, err := c.page()
	if err != nil {
		return err
	}
	list := []map[string]any{}
	if kind := c.param("type"); kind != "classic" {
		for _, h := range c.conductor.Drivers().Types {
			list = append(list, only(p.fields, c.driverJSON(h, hosts, detail)))
		}
	}
	return c.answerJSON(http.StatusOK, map[string]any{"drivers": list})
}

// only keeps the fields that were asked for, and links; nil: all of them.
func only(fields []string, m map[string]any) map[string]any {
	maps.DeleteFunc(m, func(name string, _ any) bool {
		return fields != nil && name != "links" && !slices.Contains(fields, name)
	})
	return m
}

// hardwareType finds the one that a path names.
func (c *call) hardwareType() (driver.HardwareType, error) {
	h, ok := c.conductor.Drivers().Type(c.id(0))
	if !ok {
		return h, &conductor.Error{Kind: baremetal.ErrNotFound, Text: "Could not find the following driver(s) or hardware type(s): " + c.id(0) + "."}
	}
	return h, nil
}

func (c *call) showDriver() error {
	h, err := c.hardwareType()
	if err != nil {
		return err
	}
	hosts, err := c.hosts()
	if err != nil {
		return err
	}
	p, err := c.page()
	if err != nil {
		return err
	}
	return c.answerJSON(http.StatusOK, only(p.fields, c.driverJSON(h, hosts, true)))
}

// conducted is hardwareType as Ironic's conductors say that there is none.
func (c *call) conducted() (driver.HardwareType, error) {
	h, err := c.hardwareType()
	if err != nil {
		err = &conductor.Error{Kind: baremetal.ErrNotFound, Text: "The driver '" + c.id(0) + "' is unknown."}
	}
	return h, err
}

// showDiskProperties: no driver makes RAID volumes.
func (c *call) showDiskProperties() error {
	h, err := c.conducted()
	if err != nil {
		return err
	}
	return &fault{status: http.StatusNotFound, text: "Driver " + h.Name + " does not support get_logical_disk_properties (disabled or not implemented)."}
}

// showProperties tells the keys of driver_info of every interface that the hardware type can have.
func (c *call) showProperties() error {
	h, err := c.conducted()
	if err != nil {
		return err
	}
	properties := map[string]string{}
	for _, names := range h.Enabled {
		for _, name := range names {
			spec, _ := c.conductor.Drivers().Spec(name)
			for _, k := range spec.Keys {
				properties[k.Name] = k.Describe()
			}
		}
	}
	return c.answerJSON(http.StatusOK, properties)
}

// listDriverMethods: no driver has methods that need no node.
func (c *call) listDriverMethods() error {
	if _, err := c.conducted(); err != nil {
		return err
	}
	return c.answerJSON(http.StatusOK, map[string]any{})
}

func (c *call) callDriverMethod() error {
	if _, err := c.conducted(); err != nil {
		return err
	}
	name := c.param("method")
	if len(c.args) > 1 {
		name = c.id(1)
	}
	if name == "" {
		return invalid("Missing mandatory parameter: method")
	}
	return invalid("No handler for method %s", name)
}
