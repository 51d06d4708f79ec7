package api

import (
	"errors"
	"net/http"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
)

func allocationRoutes() []route {
	since := func(method, path string, handle func(*call) error) route {
		return at(method, path, 52, handle).before(unknownBefore(method, "allocations"))
	}
	return []route{
		since("GET", "allocations", (*call).listAllocations),
		since("POST", "allocations", (*call).createAllocation),
		since("GET", "allocations/{}", (*call).showAllocation),
		since("PATCH", "allocations/{}", (*call).patchAllocation),
		since("DELETE", "allocations/{}", (*call).deleteAllocation),
		at("GET", "nodes/{}/allocation", 52, (*call).showAllocationOf).before(errNoRoute),
		at("DELETE", "nodes/{}/allocation", 52, (*call).deleteAllocationOf).before(errNoRoute),
	}
}

type allocation = *conductor.Allocation

var allocationView = view[allocation]{
	text("uuid", 52, func(a allocation) string { return a.UUID }),
	moment("created_at", 52, func(a allocation) conductor.Time { return a.CreatedAt }),
	moment("updated_at", 52, func(a allocation) conductor.Time { return a.UpdatedAt }),
	{"candidate_nodes", 52, func(b []byte, _ *call, a allocation) []byte { return appendTexts(b, a.CandidateNodes) }},
	object("extra", 52, func(a allocation) conductor.Object { return a.Extra }),
	optional("last_error", 52, func(a allocation) string { return a.LastError }),
	optional("name", 52, func(a allocation) string { return a.Name }),
	optional("node_uuid", 52, func(a allocation) string { return a.NodeUUID }),
	optional("resource_class", 52, func(a allocation) string { return a.ResourceClass }),
	text("state", 52, func(a allocation) string { return a.State }),
	{"traits", 52, func(b []byte, _ *call, a allocation) []byte { return appendTexts(b, a.Traits) }},
	linked("links", 52, func(a allocation) string { return "allocations/" + a.UUID }),
	optional("owner", 60, func(a allocation) string { return a.Owner }),
}

func (c *call) listAllocations() error {
	if err := c.known("node", "resource_class", "state", "owner"); err != nil {
		return err
	}
	var q conductor.RowQuery
	if ident := c.param("node"); ident != "" {
		n, err := c.conductor.Node(c.r.Context(), ident)
		if err != nil {
			return err
		}
		q.NodeUUID = n.UUID
	}
	wants := func(name, value string) bool { return !c.has(name) || c.param(name) == value }
	return list[conductor.Allocation](c, allocationListing, true, q, func(a allocation) bool {
		return wants("resource_class", a.ResourceClass) && wants("state", a.State) && wants("owner", a.Owner)
	})
}

func (c *call) createAllocation() error {
	body, err := c.object("allocation")
	if err != nil {
		return err
	}
	if _, backfill := body["node"]; backfill {
		return &conductor.Error{Kind: conductor.ErrConflict, Text: "An allocation for a node that is active already is not made here: set the node's instance_uuid."}
	}
	a := &conductor.Allocation{}
	attributes := []attribute[allocation]{
		optionalText("name", 52, 255, func(a allocation, v string) { a.Name = v }),
		optionalText("uuid", 52, 36, func(a allocation, v string) { a.UUID = v }),
		optionalText("resource_class", 52, 80, func(a allocation, v string) { a.ResourceClass = v }),
		optionalText("owner", 60, 255, func(a allocation, v string) { a.Owner = v }),
		objectAttribute("extra", 52, func(a allocation) *conductor.Object { return &a.Extra }),
		{name: "traits", since: 52, set: func(a allocation, v any) (err error) {
			a.Traits, err = textsOf("traits", v)
			return err
		}},
		{name: "candidate_nodes", since: 52, set: func(a allocation, v any) (err error) {
			a.CandidateNodes, err = textsOf("candidate_nodes", v)
			return err
		}},
	}
	if err := fill(body, "allocation", attributes, c.minor, a); err != nil {
		return err
	}
	if a.Name != "" && conductor.CheckName(a.Name) != nil {
		return invalid("Cannot create allocation with invalid name '%s'", a.Name)
	}
	if a.ResourceClass == "" {
		return invalid("The resource_class field is mandatory when not backfilling")
	}
	for _, t := range a.Traits {
		if err := checkTrait("allocation", t); err != nil {
			return err
		}
	}
	if err := c.conductor.Allocate(c.r.Context(), a); err != nil {
		return err
	}
	c.w.Header().Set("Location", c.base()+"/v1/allocations/"+a.UUID)
	return c.answer(http.StatusCreated, allocationView.seen(c.minor).append(nil, c, a))
}

func textsOf(name string, v any) ([]string, error) {
	list, ok := v.([]any)
	if !ok && v != nil {
		return nil, invalid("Schema error for %s: %s is not of type 'array'", name, python(v))
	}
	var texts []string
	for _, item := range list {
		text, ok := item.(string)
		if !ok {
			return nil, invalid("Schema error for %s: %s is not of type 'string'", name, python(item))
		}
		texts = append(texts, text)
	}
	return texts, nil
}

var allocationListing = listing[allocation]{name: "allocations", view: allocationView, id: func(a allocation) string { return a.UUID }}

func (c *call) showAllocation() error {
	a, err := find[conductor.Allocation](c, c.id(0))
	if err != nil {
		return err
	}
	return show(c, allocationListing, a)
}

func (c *call) patchAllocation() error {
	if c.minor < 57 {
		return &fault{status: http.StatusMethodNotAllowed, text: "The API version does not allow updating allocations"}
	}
	ops, err := c.patch()
	if err != nil {
		return err
	}
	attributes := []attribute[allocation]{
		optionalText("name", 57, 255, func(a allocation, v string) { a.Name = v }),
		objectAttribute("extra", 57, func(a allocation) *conductor.Object { return &a.Extra }),
	}
	var a allocation
	err = c.store.Update(c.r.Context(), func(tx conductor.Tx) (err error) {
		if a, err = conductor.Get[conductor.Allocation](tx, c.id(0)); err != nil {
			return err
		}
		if err := apply(ops, attributes, c.minor, a); err != nil {
			return err
		}
		if a.Name != "" && conductor.CheckName(a.Name) != nil {
			return invalid("Cannot update allocation with invalid name '%s'", a.Name)
		}
		a.UpdatedAt = conductor.Now()
		return conductor.Put(tx, a)
	})
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, allocationView.seen(c.minor).append(nil, c, a))
}

func (c *call) deleteAllocation() error {
	if err := c.conductor.Release(c.r.Context(), c.id(0)); err != nil {
		return err
	}
	return c.noContent()
}

// allocationOf is that of the node in the path.
func (c *call) allocationOf() (allocation, error) {
	n, err := c.node()
	if err != nil {
		return nil, err
	}
	a, err := find[conductor.Allocation](c, n.AllocationUUID)
	if n.AllocationUUID == "" || errors.Is(err, baremetal.ErrNotFound) {
		return nil, &conductor.Error{Kind: baremetal.ErrNotFound, Text: "Allocation for node " + c.id(0) + " was not found"}
	}
	return a, err
}

func (c *call) showAllocationOf() error {
	if _, err := c.node(); errors.Is(err, baremetal.ErrNotFound) {
		return invalid("%v", err)
	}
	a, err := c.allocationOf()
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, allocationView.seen(c.minor).append(nil, c, a))
}

func (c *call) deleteAllocationOf() error {
	a, err := c.allocationOf()
	if err != nil {
		return err
	}
	if err := c.conductor.Release(c.r.Context(), a.UUID); err != nil {
		return err
	}
	return c.noContent()
}
