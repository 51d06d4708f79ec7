package api

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
)

// operatorRoutes is the table of the operators' face.
func operatorRoutes() []route {
	return slices.Concat(nodeRoutes(), stateRoutes(), portRoutes(), portgroupRoutes(), resourceRoutes(), driverRoutes(), allocationRoutes())
}

func nodeRoutes() []route {
	return []route{
		at("GET", "nodes", 1, (*call).listNodes),
		at("POST", "nodes", 1, (*call).createNode),
		at("GET", "nodes/detail", 1, (*call).detailNodes),
		at("GET", "nodes/validate", 1, (*call).validateNode),
		at("GET", "nodes/{}", 1, (*call).showNode),
		at("PATCH", "nodes/{}", 1, (*call).patchNode),
		at("DELETE", "nodes/{}", 1, (*call).deleteNode),
		at("GET", "nodes/{}/validate", 1, (*call).validateNode),
		at("PUT", "nodes/{}/maintenance", 1, (*call).setMaintenance),
		at("DELETE", "nodes/{}/maintenance", 1, (*call).clearMaintenance),
		at("GET", "nodes/{}/traits", 37, (*call).listTraits).before(errTooNew),
		at("PUT", "nodes/{}/traits", 37, (*call).replaceTraits).before(errNoMethod),
		at("DELETE", "nodes/{}/traits", 37, (*call).deleteTraits),
		at("PUT", "nodes/{}/traits/{}", 37, (*call).addTrait).before(errNoMethod),
		at("DELETE", "nodes/{}/traits/{}", 37, (*call).deleteTrait),
		at("GET", "nodes/{}/inventory", 81, (*call).showInventory).before(errNoRoute),
		at("GET", "nodes/{}/history", 78, (*call).listHistory).before(errNoRoute),
		at("GET", "nodes/{}/history/{}", 78, (*call).showHistory).before(errNoRoute),
	}
}

// ident is the node that a path names: names came with 1.5.
func (c *call) ident() (string, error) {
	ident := c.id(0)
	if c.minor < 5 && !isUUID(ident) {
		return "", &conductor.Error{Kind: baremetal.ErrNotFound, Text: "Node " + ident + " could not be found."}
	}
	return strings.TrimSpace(ident), nil
}

// node reads the node that a path names.
func (c *call) node() (node, error) {
	ident, err := c.ident()
	if err != nil {
		return nil, err
	}
	return c.conductor.Node(c.r.Context(), ident)
}

var listFields = []string{"uuid", "instance_uuid", "maintenance", "power_state", "provision_state"}

func (c *call) detailNodes() error { return c.nodes(true) }

func (c *call) listNodes() error { return c.nodes(false) }

func (c *call) nodes(detail bool) error {
	p, err := c.page()
	if err != nil {
		return err
	}
	where, err := c.filters()
	if err != nil {
		return err
	}
	names := p.fields
	if names == nil {
		names = listFields
		if c.minor >= 5 {
			names = append(slices.Clone(names), "name")
		}
	}
	shown, err := nodeView.only(c.minor, names...)
	if detail || p.detail {
		shown, err = nodeView.seen(c.minor), nil
	}
	if err != nil {
		return err
	}
	q := conductor.NodeQuery{Where: where, Desc: p.sortDir == "desc", After: p.marker, Limit: p.limit}
	q.Only, q.OnlyDetails = stored(shown)
	q.Brief = len(q.OnlyDetails) == 0
	if q.SortBy, err = sortColumn(p.sortKey); err != nil {
		return err
	}
	return c.listPage(q, p, shown)
}

// listPage answers with one page.
func (c *call) listPage(q conductor.NodeQuery, p page, shown view[node]) error {
	var text pieces
	defer text.free()
	text.append(func(b []byte) []byte { return append(b, `{"nodes":[`...) })
	n, last := 0, ""
	err := c.store.View(c.r.Context(), func(tx conductor.Tx) (err error) {
		if p.marker != "" {
			if _, err := tx.Node(p.marker); err != nil {
				return err
			}
		}
		return tx.EachNode(q, func(one node) error {
			text.append(func(b []byte) []byte {
				if n > 0 {
					b = append(b, ',')
				}
				return shown.append(b, c, one)
			})
			n++
			last = one.UUID
			return nil
		})
	})
	if err != nil {
		return err
	}
	text.append(func(b []byte) []byte { return closeList(b, c.next(p, n, last)) })
	return c.answerPieces(http.StatusOK, text)
}

// sortColumn finds what a list can be sorted by: any plain field.
func sortColumn(key string) (string, error) {
	i := slices.IndexFunc(nodeView, func(f field[node]) bool { return f.name == key })
	switch {
	case key == "id":
		return "", nil
	case i < 0:
		return "", invalid(`The sort_key value "%s" is an invalid field for sorting`, key)
	case !slices.Contains(brief, key):
		return "", invalid("The sort_key value %s is an invalid field for sorting", key)
	}
	return key, nil
}

// filters reads what a list of nodes can be narrowed by.
func (c *call) filters() ([]conductor.Condition, error) {
	texts := map[string]int{
		"driver": 16, "resource_class": 21, "owner": 50, "lessee": 65, "shard": 82, "conductor_group": 46,
	}
	if err := c.known("associated", "maintenance", "retired", "provision_state", "instance_uuid", "chassis_uuid", "fault", "project",
		"conductor", "description_contains", "sharded", "driver", "resource_class", "owner", "lessee", "shard", "conductor_group"); err != nil {
		return nil, err
	}
	var where []conductor.Condition
	add := func(column, op string, value any) {
		where = append(where, conductor.Condition{Column: column, Op: op, Value: value})
	}
	for name, since := range texts {
		if !c.has(name) {
			continue
		}
		if c.minor < since {
			return nil, tooNewFor(since)
		}
		add(name, "=", strings.ToLower(c.param(name)))
		if name != "conductor_group" {
			where[len(where)-1].Value = c.param(name)
		}
	}
	for name, since := range map[string]int{"associated": 1, "maintenance": 1, "retired": 1, "sharded": 82} {
		if !c.has(name) {
			continue
		}
		on, err := truth(name, c.param(name))
		switch {
		case err != nil:
			return nil, err
		case c.minor < since:
			return nil, errTooNew
		}
		switch name {
		case "associated":
			add("instance_uuid", map[bool]string{true: "!=", false: "="}[on], "")
		case "sharded":
			add("shard", map[bool]string{true: "!=", false: "="}[on], "")
		default:
			add(name, "=", on)
		}
	}
	for _, name := range []string{"instance_uuid", "chassis_uuid"} {
		if v := c.param(name); c.has(name) {
			if !isUUID(v) {
				return nil, invalid("Expected UUID for %s: %s", name, v)
			}
			if _, err := c.row(conductor.KindChassis, v); name == "chassis_uuid" && err != nil {
				return nil, err
			}
			add(name, "=", strings.ToLower(v))
		}
	}
	return c.moreFilters(where)
}

// tooNewFor says which version a filter came with.
func tooNewFor(since int) error {
	return &fault{status: http.StatusNotAcceptable, text: "Request not acceptable. The minimal required API version should be " + version(since)}
}

// row reads a stored record.
func (c *call) row(kind conductor.Kind, ident string) (row conductor.Row, err error) {
	err = c.store.View(c.r.Context(), func(tx conductor.Tx) (err error) {
		row, err = tx.Row(kind, ident)
		return err
	})
	return row, err
}

// faults are those that a node can have.
var faults = []string{"power failure", "clean failure", "rescue abort failure"}

func (c *call) moreFilters(where []conductor.Condition) ([]conductor.Condition, error) {
	add := func(column, op string, value any) {
		where = append(where, conductor.Condition{Column: column, Op: op, Value: value})
	}
	if v := c.param("provision_state"); c.has("provision_state") {
		switch {
		case c.minor < 9:
			return nil, errTooNew
		case !conductor.KnownState(v):
			return nil, invalid(`Provision state "%s" is not valid`, v)
		}
		add("provision_state", "=", v)
	}
	if v := c.param("fault"); c.has("fault") {
		if c.minor < 42 {
			return nil, errTooNew
		}
		if !slices.Contains(faults, v) {
			return nil, invalid(`Unrecognized fault "%s" is specified, allowed faults are ('power failure', 'clean failure', 'rescue abort failure')`, v)
		}
		add("fault", "=", v)
	}
	if v := c.param("description_contains"); v != "" {
		add("description", "contains", v)
	}
	if v := c.param("project"); v != "" { // whoever owns or leases it; without projects that is the owner
		add("owner", "=", v)
	}
	if v := c.param("conductor"); v != "" && v != c.conductor.Hostname() {
		add("uuid", "=", "") // another conductor's: none, from here
	}
	return where, nil
}

func (c *call) showNode() error {
	p, err := c.page()
	if err != nil {
		return err
	}
	shown := nodeView.seen(c.minor)
	if p.fields != nil {
		if shown, err = nodeView.only(c.minor, p.fields...); err != nil {
			return err
		}
	}
	n, err := c.node()
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, shown.append(nil, c, n))
}

func (c *call) createNode() error {
	body, err := c.object("node")
	if err != nil {
		return err
	}
	n := &conductor.Node{ProvisionState: baremetal.Enroll}
	if c.minor < 11 {
		n.ProvisionState = baremetal.Available
	}
	if _, ok := body["driver"]; !ok {
		return invalid("Schema error for node: 'driver' is a required property")
	}
	if name, _ := body["name"].(string); name != "" && c.minor >= 5 {
		if err := checkName(name); err != nil {
			return err
		}
	}
	if err := fill(body, "node", createAttributes(), c.minor, n); err != nil {
		return err
	}
	if err := c.conductor.CreateNode(c.r.Context(), n); err != nil {
		return err
	}
	c.w.Header().Set("Location", c.base()+"/v1/nodes/"+n.UUID)
	return c.answer(http.StatusCreated, nodeView.seen(c.minor).append(nil, c, n))
}

// checkName says in POST's words what is wrong with a name.
func checkName(name string) error {
	err := conductor.CheckName(name)
	if err == nil || strings.Contains(err.Error(), "reserved") {
		return err
	}
	return invalid("Cannot create node with invalid name '%s'", name)
}

func (c *call) patchNode() error {
	ops, err := c.patch()
	if err != nil {
		return err
	}
	ident, err := c.ident()
	if err != nil {
		return err
	}
	reset := false
	if c.has("reset_interfaces") {
		if c.minor < 45 {
			return errTooNew
		}
		if reset, err = truth("reset_interfaces", c.param("reset_interfaces")); err != nil {
			return err
		}
	}
	for _, o := range ops {
		if name, _ := o.value.(string); o.path[0] == "name" && name != "" && checkName(name) != nil {
			return invalid("Node %s: Cannot change name to invalid name '%s'", ident, name)
		}
	}
	// What the state forbids is refused at once, also while the node is locked.
	now, err := c.conductor.Node(c.r.Context(), ident)
	if err != nil {
		return err
	}
	if err := c.changeNode(ident, now.Clone(), ops, reset); err != nil {
		return err
	}
	n, err := c.conductor.Change(c.r.Context(), ident, func(tx conductor.Tx, n *conductor.Node) error {
		allocation := n.AllocationUUID
		if err := c.changeNode(ident, n, ops, reset); err != nil {
			return err
		}
		if n.ChassisUUID != "" {
			if _, err := tx.Row(conductor.KindChassis, n.ChassisUUID); err != nil {
				return invalid("Chassis %s could not be found.", n.ChassisUUID)
			}
		}
		if allocation == "" || n.InstanceUUID != "" {
			return nil
		}
		n.AllocationUUID = "" // who takes the instance away ends the allocation
		return tx.DeleteRow(conductor.KindAllocation, allocation)
	})
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, nodeView.seen(c.minor).append(nil, c, n))
}

// changeNode applies a patch to a node and checks what became of it.
func (c *call) changeNode(ident string, n node, ops []operation, reset bool) error {
	before := n.Clone()
	if err := apply(ops, nodeAttributes(), c.minor, n); err != nil {
		return err
	}
	if err := guard(ident, before, n); err != nil {
		return err
	}
	if n.Driver != before.Driver && reset {
		named := map[string]string{}
		for kind, name := range n.Details.Interfaces {
			if name != before.Interface(kind) {
				named[kind] = name
			}
		}
		n.Details.Interfaces = named
	}
	return c.conductor.Compose(n)
}

func (c *call) deleteNode() error {
	ident, err := c.ident()
	if err != nil {
		return err
	}
	if err := c.conductor.DeleteNode(c.r.Context(), ident); err != nil {
		return err
	}
	return c.noContent()
}

func (c *call) validateNode() error {
	ident := c.param("node")
	if ident == "" && len(c.args) > 0 {
		ident = c.id(0)
	}
	switch {
	case ident == "" && c.minor >= 5:
		return invalid("Expected a logical name or UUID but received None.")
	case ident == "":
		ident = "None"
	}
	n, err := c.conductor.Node(c.r.Context(), ident)
	if err != nil {
		return err
	}
	return c.answerJSON(http.StatusOK, c.conductor.Validate(c.r.Context(), n))
}

func (c *call) setMaintenance() error {
	given, err := c.arguments("reason")
	if err != nil {
		return err
	}
	reason := ""
	if given["reason"] != nil {
		if reason, err = needs(given, "reason"); err != nil {
			return err
		}
	}
	return c.maintain(true, reason)
}

func (c *call) clearMaintenance() error { return c.maintain(false, "") }

func (c *call) maintain(on bool, reason string) error {
	ident, err := c.ident()
	if err != nil {
		return err
	}
	if err := c.conductor.SetMaintenance(c.r.Context(), ident, on, reason); err != nil {
		return err
	}
	return c.accepted("")
}

func (c *call) showInventory() error {
	n, err := c.node()
	if err != nil {
		return err
	}
	found, err := find[conductor.NodeInventory](c, n.UUID)
	if errors.Is(err, baremetal.ErrNotFound) {
		return &conductor.Error{Kind: baremetal.ErrNotFound, Text: "Node inventory record for node " + n.UUID + " could not be found."}
	}
	if err != nil {
		return err
	}
	return c.answerJSON(http.StatusOK, map[string]any{"inventory": found.Inventory, "plugin_data": found.Plugin})
}
