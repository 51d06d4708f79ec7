package api

import (
	"errors"
	"net/http"

	"github.com/google/uuid"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
)

func portgroupRoutes() []route {
	return []route{
		at("GET", "portgroups", 23, (*call).listPortgroups),
		at("GET", "portgroups/detail", 23, (*call).detailPortgroups).before(errNoRoute),
		at("POST", "portgroups", 23, (*call).createPortgroup),
		at("GET", "portgroups/{}", 23, (*call).showPortgroup).before(errNoRoute),
		at("PATCH", "portgroups/{}", 23, (*call).patchPortgroup).before(errNoRoute),
		at("DELETE", "portgroups/{}", 23, (*call).deletePortgroup).before(errNoRoute),
		at("GET", "portgroups/{}/ports", 24, (*call).listPortsOfGroup).before(errNoRoute),
		at("GET", "nodes/{}/portgroups", 24, (*call).listPortgroupsOf).before(errNoRoute),
	}
}

type portgroup = *conductor.Portgroup

var portgroupView = view[portgroup]{
	text("uuid", 23, func(g portgroup) string { return g.UUID }),
	moment("created_at", 23, func(g portgroup) conductor.Time { return g.CreatedAt }),
	moment("updated_at", 23, func(g portgroup) conductor.Time { return g.UpdatedAt }),
	optional("address", 23, func(g portgroup) string { return g.Address }),
	optional("name", 23, func(g portgroup) string { return g.Name }),
	object("extra", 23, func(g portgroup) conductor.Object { return g.Extra }),
	object("internal_info", 23, func(g portgroup) conductor.Object { return g.InternalInfo }),
	text("node_uuid", 23, func(g portgroup) string { return g.NodeUUID }),
	boolean("standalone_ports_supported", 23, func(g portgroup) bool { return g.StandalonePortsSupported }),
	linked("links", 23, func(g portgroup) string { return "portgroups/" + g.UUID }),
	linked("ports", 24, func(g portgroup) string { return "portgroups/" + g.UUID + "/ports" }),
	text("mode", 26, func(g portgroup) string { return g.Mode }),
	object("properties", 26, func(g portgroup) conductor.Object { return g.Properties }),
}

var portgroupListing = listing[portgroup]{
	"portgroups", portgroupView, []string{"uuid", "address", "name"}, func(g portgroup) string { return g.UUID },
}

func (c *call) listPortgroups() error   { return c.portgroups("", false) }
func (c *call) detailPortgroups() error { return c.portgroups("", true) }

func (c *call) listPortgroupsOf() error {
	n, err := c.node()
	if err != nil {
		return err
	}
	return c.portgroups(n.UUID, false)
}

func (c *call) portgroups(node string, detail bool) error {
	return list[conductor.Portgroup](c, portgroupListing, detail, conductor.RowQuery{NodeUUID: node}, nil)
}

func (c *call) showPortgroup() error {
	g, err := find[conductor.Portgroup](c, c.id(0))
	if err != nil {
		return err
	}
	return show(c, portgroupListing, g)
}

func (c *call) listPortsOfGroup() error {
	g, err := find[conductor.Portgroup](c, c.id(0))
	if err != nil {
		return err
	}
	return c.ports(g.NodeUUID, g.UUID, false)
}

func (c *call) createPortgroup() error {
	body, err := c.object("portgroup")
	if err != nil {
		return err
	}
	g := &conductor.Portgroup{UUID: uuid.NewString(), Mode: "active-backup", StandalonePortsSupported: true, CreatedAt: conductor.Now()}
	if _, ok := body["node_uuid"]; !ok {
		return invalid("Schema error for portgroup: 'node_uuid' is a required property")
	}
	attributes := append(portgroupAttributes(), optionalText("node_uuid", 23, 0, func(g portgroup, v string) { g.NodeUUID = v }),
		attribute[portgroup]{name: "uuid", since: 23, set: func(g portgroup, v any) error { return setUUID(&g.UUID, v) }})
	if err := fill(body, "portgroup", attributes, c.minor, g); err != nil {
		return err
	}
	if _, err := c.conductor.Node(c.r.Context(), g.NodeUUID); err != nil {
		return invalid("Node %s could not be found.", g.NodeUUID)
	}
	err = c.store.Update(c.r.Context(), func(tx conductor.Tx) error { return conductor.Add(tx, g) })
	if err != nil {
		return err
	}
	c.w.Header().Set("Location", c.base()+"/v1/portgroups/"+g.UUID)
	return c.answer(http.StatusCreated, portgroupView.seen(c.minor).append(nil, c, g))
}

func (c *call) patchPortgroup() error {
	ops, err := c.patch()
	if err != nil {
		return err
	}
	var g portgroup
	err = c.onGroup(func(tx conductor.Tx, found portgroup) error {
		g = found
		if err := apply(ops, portgroupAttributes(), c.minor, g); err != nil || len(ops) == 0 {
			return err
		}
		g.UpdatedAt = conductor.Now()
		return conductor.Put(tx, g)
	})
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, portgroupView.seen(c.minor).append(nil, c, g))
}

// portgroupAttributes are those of a port group that PATCH may change.
func portgroupAttributes() []attribute[portgroup] {
	return []attribute[portgroup]{
		optionalText("name", 23, 255, func(g portgroup, v string) { g.Name = v }),
		optionalText("mode", 26, 255, func(g portgroup, v string) { g.Mode = v }),
		{name: "address", since: 23, set: func(g portgroup, v any) (err error) {
			if g.Address = ""; v != nil {
				g.Address, err = macOf(v)
			}
			return err
		}},
		{name: "standalone_ports_supported", since: 23, set: func(g portgroup, v any) (err error) {
			g.StandalonePortsSupported, err = truthOf("standalone_ports_supported", v)
			return err
		}},
		objectAttribute("extra", 23, func(g portgroup) *conductor.Object { return &g.Extra }),
		objectAttribute("properties", 26, func(g portgroup) *conductor.Object { return &g.Properties }),
	}
}

func (c *call) deletePortgroup() error {
	err := c.onGroup(func(tx conductor.Tx, g portgroup) error {
		ports, err := conductor.All[conductor.Port](tx, conductor.RowQuery{NodeUUID: g.NodeUUID})
		if err != nil {
			return err
		}
		for _, p := range ports {
			if p.PortgroupUUID == g.UUID {
				return invalid("Cannot complete the requested action because portgroup %s contains ports.", g.UUID)
			}
		}
		return tx.DeleteRow(conductor.KindPortgroup, g.UUID)
	})
	if err != nil {
		return err
	}
	return c.noContent()
}

// onGroup acts on the port group that the path names, under its node's lock.
func (c *call) onGroup(act func(conductor.Tx, portgroup) error) error {
	known, err := find[conductor.Portgroup](c, c.id(0))
	if err != nil {
		return err
	}
	_, err = c.conductor.Change(c.r.Context(), known.NodeUUID, func(tx conductor.Tx, _ *conductor.Node) error {
		g, err := conductor.Get[conductor.Portgroup](tx, known.UUID)
		if err != nil {
			return err
		}
		return act(tx, g)
	})
	return err
}

// inGroup refuses a port group that there is not.
func inGroup(tx conductor.Tx, p port) error {
	if p.PortgroupUUID == "" {
		return nil
	}
	_, err := conductor.Get[conductor.Portgroup](tx, p.PortgroupUUID)
	if errors.Is(err, baremetal.ErrNotFound) {
		return invalid("%v", err)
	}
	return err
}

func (c *call) checkGroup(p port) error {
	return c.store.View(c.r.Context(), func(tx conductor.Tx) error { return inGroup(tx, p) })
}
