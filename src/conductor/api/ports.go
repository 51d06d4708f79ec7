package api

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
)

func portRoutes() []route {
	return []route{
		at("GET", "ports", 1, (*call).listPorts),
		at("POST", "ports", 1, (*call).createPort),
		at("GET", "ports/detail", 1, (*call).detailPorts),
		at("GET", "ports/{}", 1, (*call).showPort),
		at("PATCH", "ports/{}", 1, (*call).patchPort),
		at("DELETE", "ports/{}", 1, (*call).deletePort),
		at("GET", "nodes/{}/ports", 1, (*call).listPortsOf),
		at("GET", "nodes/{}/ports/detail", 1, (*call).detailPortsOf),
		at("GET", "nodes/{}/vifs", 28, (*call).listVIFs).before(errNoRoute),
		at("POST", "nodes/{}/vifs", 28, (*call).attachVIF).before(errNoRoute),
		at("DELETE", "nodes/{}/vifs/{}", 28, (*call).detachVIF).before(errNoRoute),
	}
}

type port = *conductor.Port

var portView = view[port]{
	text("uuid", 1, func(p port) string { return p.UUID }),
	moment("created_at", 1, func(p port) conductor.Time { return p.CreatedAt }),
	moment("updated_at", 1, func(p port) conductor.Time { return p.UpdatedAt }),
	text("address", 1, func(p port) string { return p.Address }),
	object("extra", 1, func(p port) conductor.Object { return p.Extra }),
	text("node_uuid", 1, func(p port) string { return p.NodeUUID }),
	linked("links", 1, func(p port) string { return "ports/" + p.UUID }),
	object("internal_info", 18, func(p port) conductor.Object { return p.InternalInfo }),
	object("local_link_connection", 19, func(p port) conductor.Object { return p.LocalLinkConnection }),
	boolean("pxe_enabled", 19, func(p port) bool { return p.PXEEnabled }),
	optional("portgroup_uuid", 24, func(p port) string { return p.PortgroupUUID }),
	optional("physical_network", 34, func(p port) string { return p.PhysicalNetwork }),
	boolean("is_smartnic", 53, func(p port) bool { return p.IsSmartNIC }),
}

var portListing = listing[port]{"ports", portView, []string{"uuid", "address"}, func(p port) string { return p.UUID }}

// portAttributes are those of a port that PATCH may change.
func portAttributes() []attribute[port] {
	return []attribute[port]{
		{name: "address", since: 1, set: func(p port, v any) (err error) {
			p.Address, err = macOf(v)
			return err
		}},
		objectAttribute("extra", 1, func(p port) *conductor.Object { return &p.Extra }),
		{name: "node_uuid", since: 1, set: func(p port, v any) error {
			text, err := textOf("node_uuid", v, 0)
			if err == nil && !isUUID(text) {
				err = invalid("Expected UUID for node_uuid: %s", text)
			}
			p.NodeUUID = text
			return err
		}},
		{
			name: "local_link_connection", since: 19,
			get: func(p port) conductor.Object { return p.LocalLinkConnection },
			put: func(p port, o conductor.Object) { p.LocalLinkConnection = o },
		},
		{name: "pxe_enabled", since: 19, set: func(p port, v any) (err error) {
			p.PXEEnabled, err = truthOf("pxe_enabled", v)
			return err
		}},
		optionalText("portgroup_uuid", 24, 0, func(p port, v string) { p.PortgroupUUID = v }),
		optionalText("physical_network", 34, 64, func(p port, v string) { p.PhysicalNetwork = v }),
		{name: "is_smartnic", since: 53, set: func(p port, v any) (err error) {
			p.IsSmartNIC, err = truthOf("is_smartnic", v)
			return err
		}},
	}
}

// setUUID reads a UUID that the client chose; null leaves the server's.
func setUUID(into *string, v any) error {
	text, err := textOf("uuid", v, 0)
	switch {
	case err != nil || v == nil:
		return err
	case !isUUID(text):
		return invalid("Expected UUID for uuid: %s", text)
	}
	*into = text
	return nil
}

// checkLink knows the keys that a switch port is described by.
func checkLink(o conductor.Object) error {
	m := o.Map()
	for key := range m {
		if !slices.Contains([]string{"switch_id", "port_id", "switch_info", "network_type", "hostname", "vtep-logical-switch", "vtep-physical-switch", "port_name"}, key) {
			return invalid("Schema error for local_link_connection: %s is not valid under any of the given schemas. Possible root cause: Additional properties are not allowed (%s was unexpected)", python(m), python(key))
		}
	}
	return nil
}

func (c *call) listPorts() error   { return c.ports("", "", false) }
func (c *call) detailPorts() error { return c.ports("", "", true) }

func (c *call) listPortsOf() error   { return c.portsOf(false) }
func (c *call) detailPortsOf() error { return c.portsOf(true) }

func (c *call) portsOf(detail bool) error {
	n, err := c.node()
	if err != nil {
		return err
	}
	return c.ports(n.UUID, "", detail)
}

// ports lists those of a node, of a group, with an address, or all.
func (c *call) ports(node, group string, detail bool) error {
	if err := c.known("address", "node", "node_uuid", "portgroup", "physical_network"); err != nil {
		return err
	}
	q := conductor.RowQuery{NodeUUID: node}
	for _, name := range []string{"node", "node_uuid"} {
		ident := c.param(name)
		if ident == "" {
			continue
		}
		n, err := c.conductor.Node(c.r.Context(), ident)
		if err != nil {
			return err
		}
		q.NodeUUID = n.UUID
	}
	if ident := c.param("portgroup"); ident != "" {
		g, err := find[conductor.Portgroup](c, ident)
		if err != nil {
			return err
		}
		q.NodeUUID, group = g.NodeUUID, g.UUID
	}
	if text := c.param("address"); text != "" {
		var err error
		if q.Name, err = macOf(text); err != nil {
			return err
		}
	}
	return list[conductor.Port](c, portListing, detail, q, func(p port) bool { return group == "" || p.PortgroupUUID == group })
}

func (c *call) showPort() error {
	id := c.id(0)
	if !isUUID(id) {
		return invalid("Expected UUID for port_uuid: %s", id)
	}
	found, err := find[conductor.Port](c, id)
	if err != nil {
		return err
	}
	return show(c, portListing, found)
}

func (c *call) createPort() error {
	body, err := c.object("port")
	if err != nil {
		return err
	}
	for _, name := range []string{"address", "node_uuid"} {
		if _, ok := body[name]; !ok {
			return invalid("Schema error for port: '%s' is a required property", name)
		}
	}
	p := &conductor.Port{UUID: uuid.NewString(), PXEEnabled: true}
	attributes := append(portAttributes(), attribute[port]{name: "uuid", since: 1, set: func(p port, v any) error { return setUUID(&p.UUID, v) }})
	if err := fill(body, "port", attributes, c.minor, p); err != nil {
		return err
	}
	if err := checkLink(p.LocalLinkConnection); err != nil {
		return err
	}
	if err := c.checkGroup(p); err != nil {
		return err
	}
	err = c.conductor.AddPort(c.r.Context(), p)
	if errors.Is(err, baremetal.ErrNotFound) {
		return invalid("%v", err)
	}
	if err != nil {
		return err
	}
	c.w.Header().Set("Location", c.base()+"/v1/ports/"+p.UUID)
	return c.answer(http.StatusCreated, portView.seen(c.minor).append(nil, c, p))
}

func (c *call) patchPort() error {
	id := c.id(0)
	if !isUUID(id) {
		return invalid("Expected UUID for port_uuid: %s", id)
	}
	ops, err := c.patch()
	if err != nil {
		return err
	}
	p, err := c.conductor.ChangePort(c.r.Context(), id, func(tx conductor.Tx, n *conductor.Node, p *conductor.Port) error {
		before := *p
		if err := apply(ops, portAttributes(), c.minor, p); err != nil {
			return err
		}
		if err := checkLink(p.LocalLinkConnection); err != nil {
			return err
		}
		if err := inGroup(tx, p); err != nil {
			return err
		}
		return frozen(n, &before, p)
	})
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, portView.seen(c.minor).append(nil, c, p))
}

// frozen refuses to change what a node in use is connected by.
func frozen(n *conductor.Node, before, after port) error {
	if after.NodeUUID != before.NodeUUID {
		return invalid("Cannot change the node of port %s: delete the port and create it again.", before.UUID)
	}
	same := before.PXEEnabled == after.PXEEnabled && before.PhysicalNetwork == after.PhysicalNetwork &&
		before.PortgroupUUID == after.PortgroupUUID && string(before.LocalLinkConnection) == string(after.LocalLinkConnection)
	free := slices.Contains([]baremetal.ProvisionState{
		baremetal.Enroll, baremetal.Inspecting, baremetal.InspectWait, baremetal.Manageable,
	}, n.ProvisionState)
	if same || free || n.Maintenance {
		return nil
	}
	return &conductor.Error{Kind: conductor.ErrConflict, Text: "Port " + before.UUID + " can not have any connectivity attributes " +
		"(local_link_connection, pxe_enabled, physical_network, portgroup_id) updated unless node " + n.UUID +
		" is in a enroll, inspecting, inspect wait, manageable state or in maintenance mode. The current state is " + string(n.ProvisionState) + "."}
}

func (c *call) deletePort() error {
	id := c.id(0)
	if !isUUID(id) {
		return invalid("Expected UUID for port_uuid: %s", id)
	}
	if err := c.conductor.DeletePort(c.r.Context(), id); err != nil {
		return err
	}
	return c.noContent()
}

func (c *call) listVIFs() error {
	if _, err := c.node(); err != nil {
		return err
	}
	return c.answerJSON(http.StatusOK, map[string]any{"vifs": []any{}})
}

// attachVIF accepts and keeps nothing, as network interface noop does.
func (c *call) attachVIF() error {
	body, err := c.object("vif")
	if err != nil {
		return err
	}
	if id, _ := body["id"].(string); strings.TrimSpace(id) == "" {
		return invalid("Schema error for vif: 'id' is a required property")
	}
	return c.detachVIF()
}

// detachVIF asks for nothing but that nobody works on the node.
func (c *call) detachVIF() error {
	ident, err := c.ident()
	if err != nil {
		return err
	}
	if _, err := c.conductor.Change(c.r.Context(), ident, func(conductor.Tx, *conductor.Node) error { return nil }); err != nil {
		return err
	}
	return c.noContent()
}
