package api

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
)

// resourceRoutes are the small ones.
func resourceRoutes() []route {
	return []route{
		at("GET", "chassis", 1, (*call).listChassis),
		at("GET", "chassis/detail", 1, (*call).detailChassis),
		at("POST", "chassis", 1, (*call).createChassis),
		at("GET", "chassis/{}", 1, (*call).showChassis),
		at("PATCH", "chassis/{}", 1, (*call).patchChassis),
		at("DELETE", "chassis/{}", 1, (*call).deleteChassis),
		at("GET", "chassis/{}/nodes", 1, (*call).listNodesInChassis),
		at("GET", "conductors", 49, (*call).listConductors),
		at("GET", "conductors/{}", 49, (*call).showConductor),
		at("GET", "shards", 82, (*call).listShards).before(unknownBefore("GET", "shards")),
		at("GET", "volume", 32, (*call).showVolume),
		at("GET", "volume/connectors", 32, empty("connectors")).before(errNoRoute),
		at("GET", "volume/targets", 32, empty("targets")).before(errNoRoute),
		at("GET", "nodes/{}/volume", 32, (*call).showVolume),
		at("GET", "nodes/{}/volume/connectors", 32, emptyOf("connectors")).before(errNoRoute),
		at("GET", "nodes/{}/volume/targets", 32, emptyOf("targets")).before(errNoRoute),
		at("GET", "nodes/{}/bios", 40, emptyOf("bios")).before(errNoRoute),
		at("GET", "deploy_templates", 55, empty("deploy_templates")).before(unknownBefore("GET", "deploy templates")),
		at("POST", "events", 54, (*call).takeEvents),
	}
}

type chassis = *conductor.Chassis

var chassisView = view[chassis]{
	text("uuid", 1, func(ch chassis) string { return ch.UUID }),
	moment("created_at", 1, func(ch chassis) conductor.Time { return ch.CreatedAt }),
	moment("updated_at", 1, func(ch chassis) conductor.Time { return ch.UpdatedAt }),
	optional("description", 1, func(ch chassis) string { return ch.Description }),
	object("extra", 1, func(ch chassis) conductor.Object { return ch.Extra }),
	linked("links", 1, func(ch chassis) string { return "chassis/" + ch.UUID }),
	{"nodes", 1, func(b []byte, c *call, ch chassis) []byte { // a list in a list, as Ironic has it
		return appendJSON(b, []any{c.links("chassis/" + ch.UUID + "/nodes")})
	}},
}

var chassisListing = listing[chassis]{"chassis", chassisView, []string{"uuid", "description"}, func(ch chassis) string { return ch.UUID }}

func chassisAttributes() []attribute[chassis] {
	return []attribute[chassis]{
		optionalText("description", 1, 255, func(ch chassis, v string) { ch.Description = v }),
		objectAttribute("extra", 1, func(ch chassis) *conductor.Object { return &ch.Extra }),
	}
}

func (c *call) listChassis() error   { return c.chassisList(false) }
func (c *call) detailChassis() error { return c.chassisList(true) }

func (c *call) chassisList(detail bool) error {
	return list[conductor.Chassis](c, chassisListing, detail, conductor.RowQuery{}, nil)
}

func (c *call) oneChassis() (chassis, error) {
	if !isUUID(c.id(0)) {
		return nil, invalid("Expected UUID for chassis_uuid: %s", c.id(0))
	}
	return find[conductor.Chassis](c, c.id(0))
}

func (c *call) showChassis() error {
	ch, err := c.oneChassis()
	if err != nil {
		return err
	}
	return show(c, chassisListing, ch)
}

func (c *call) createChassis() error {
	body, err := c.object("chassis")
	if err != nil {
		return err
	}
	ch := &conductor.Chassis{UUID: uuid.NewString(), CreatedAt: conductor.Now()}
	attributes := append(chassisAttributes(), optionalText("uuid", 1, 36, func(ch chassis, v string) { ch.UUID = v }))
	if err := fill(body, "chassis", attributes, c.minor, ch); err != nil {
		return err
	}
	if !isUUID(ch.UUID) {
		return invalid("Expected UUID for uuid: %s", ch.UUID)
	}
	if err := c.store.Update(c.r.Context(), func(tx conductor.Tx) error { return conductor.Add(tx, ch) }); err != nil {
		return err
	}
	c.w.Header().Set("Location", c.base()+"/v1/chassis/"+ch.UUID)
	return c.answer(http.StatusCreated, chassisView.append(nil, c, ch))
}

func (c *call) patchChassis() error {
	ops, err := c.patch()
	if err != nil {
		return err
	}
	var ch chassis
	err = c.store.Update(c.r.Context(), func(tx conductor.Tx) (err error) {
		if ch, err = conductor.Get[conductor.Chassis](tx, c.id(0)); err != nil {
			return err
		}
		if err := apply(ops, chassisAttributes(), c.minor, ch); err != nil {
			return err
		}
		ch.UpdatedAt = conductor.Now()
		return conductor.Put(tx, ch)
	})
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, chassisView.append(nil, c, ch))
}

func (c *call) deleteChassis() error {
	ch, err := c.oneChassis()
	if err != nil {
		return err
	}
	err = c.store.Update(c.r.Context(), func(tx conductor.Tx) error {
		inside, err := tx.Nodes(inChassis(ch.UUID))
		if err != nil {
			return err
		}
		if len(inside) > 0 {
			return invalid("Cannot complete the requested action because chassis %s contains nodes.", ch.UUID)
		}
		return tx.DeleteRow(conductor.KindChassis, ch.UUID)
	})
	if err != nil {
		return err
	}
	return c.noContent()
}

func inChassis(id string) conductor.NodeQuery {
	return conductor.NodeQuery{Where: []conductor.Condition{{Column: "chassis_uuid", Op: "=", Value: id}}, Brief: true}
}

func (c *call) listNodesInChassis() error {
	ch, err := c.oneChassis()
	if err != nil {
		return err
	}
	p, err := c.page()
	if err != nil {
		return err
	}
	shown, err := nodeView.only(c.minor, listFields...)
	if c.minor >= 5 && err == nil {
		shown, err = nodeView.only(c.minor, append(slices.Clone(listFields), "name")...)
	}
	if err != nil {
		return err
	}
	q := inChassis(ch.UUID)
	q.After, q.Limit, q.Desc = p.marker, p.limit, p.sortDir == "desc"
	return c.listPage(q, p, shown)
}

// empty is a list of what nobody can create here, for clients that ask.
func empty(name string) func(*call) error {
	return func(c *call) error { return c.answerJSON(http.StatusOK, map[string]any{name: []any{}}) }
}

// emptyOf is empty for a node.
func emptyOf(name string) func(*call) error {
	return func(c *call) error {
		if _, err := c.node(); err != nil {
			return err
		}
		return empty(name)(c)
	}
}

func (c *call) showVolume() error {
	path := "volume/"
	if len(c.args) > 0 {
		path = "nodes/" + c.id(0) + "/volume/"
	}
	return c.answerJSON(http.StatusOK, map[string]any{
		"links": c.links(path), "connectors": c.links(path + "connectors"), "targets": c.links(path + "targets"),
	})
}

type registration = *conductor.Registration

var conductorView = view[registration]{
	moment("created_at", 49, func(r registration) conductor.Time { return r.CreatedAt }),
	moment("updated_at", 49, func(r registration) conductor.Time { return r.UpdatedAt }),
	text("hostname", 49, func(r registration) string { return r.Hostname }),
	text("conductor_group", 49, func(r registration) string { return r.Group }),
	value("drivers", 49, func(r registration) any { return r.Drivers }),
	boolean("alive", 49, func(r registration) bool { return r.Alive() }),
	linked("links", 49, func(r registration) string { return "conductors/" + r.Hostname }),
}

var conductorListing = listing[registration]{
	"conductors", conductorView, []string{"hostname", "conductor_group", "alive"}, func(r registration) string { return r.Hostname },
}

func (c *call) listConductors() error {
	return list[conductor.Registration](c, conductorListing, false, conductor.RowQuery{}, nil)
}

func (c *call) showConductor() error {
	r, err := find[conductor.Registration](c, c.id(0))
	if errors.Is(err, baremetal.ErrNotFound) {
		return &conductor.Error{Kind: baremetal.ErrNotFound, Text: "Conductor " + c.id(0) + " could not be found."}
	}
	if err != nil {
		return err
	}
	return show(c, conductorListing, r)
}

func (c *call) listShards() error {
	counts := map[string]int{}
	err := c.store.View(c.r.Context(), func(tx conductor.Tx) error {
		nodes, err := tx.Nodes(conductor.NodeQuery{Brief: true})
		for _, n := range nodes {
			counts[n.Shard]++
		}
		return err
	})
	if err != nil {
		return err
	}
	shards := []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		shards = append(shards, map[string]any{"name": cmp.Or(name, "None"), "count": counts[name]})
	}
	return c.answerJSON(http.StatusOK, map[string]any{"shards": shards})
}
