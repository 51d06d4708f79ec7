package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"bosh-ironic-cpi/src/baremetal"
)

// A NodeQuery narrows a list of nodes down. Empty fields do not count.
type NodeQuery struct {
	ResourceClass  string
	ConductorGroup string // API 1.46
	Owner          string // API 1.50
	ChassisUUID    string
	ProvisionState baremetal.ProvisionState

	Whole  bool     // all fields of the node; without it chassis_uuid, driver_info and instance_info are missing
	Fields []string // these only, and uuid; no chassis_uuid, allocation_uuid, conductor (Ironic 21.4: 500)
}

// EachNode gives every node that fits to use, in the order in which they were enrolled, each once. It asks for
// pages of 1000. An error of use ends it and is returned.
func (c *Client) EachNode(ctx context.Context, q NodeQuery, use func(baremetal.Node) error) error {
	r := request{op: "list nodes", method: http.MethodGet, path: "/nodes", query: q.filters(), fields: listFields}
	switch {
	case q.Whole:
		r.path, r.fields = "/nodes/detail", nil
	case q.Fields != nil && !slices.Contains(q.Fields, "uuid"):
		r.fields = append([]string{"uuid"}, q.Fields...) // the next page starts at one
	case q.Fields != nil:
		r.fields = q.Fields
	}
	if q.ConductorGroup != "" {
		r.since = sinceConductorGroup
	}
	if q.Owner != "" {
		r.since = sinceOwner
	}
	return eachPage(ctx, c, r, func(p nodePage) []baremetal.Node { return p.Nodes },
		func(n baremetal.Node) string { return n.UUID }, use)
}

func (q NodeQuery) filters() url.Values {
	v := url.Values{}
	for key, value := range map[string]string{
		"resource_class": q.ResourceClass, "conductor_group": q.ConductorGroup, "owner": q.Owner,
		"chassis_uuid": q.ChassisUUID, "provision_state": string(q.ProvisionState),
	} {
		if value != "" {
			v.Set(key, value)
		}
	}
	return v
}

// pageSize is Ironic's default max_limit.
const pageSize = 1000

// eachPage walks a list by marker until a page is empty. A page that is not full is no end, a server may have
// a smaller maximum; and the "next" that Ironic sends has lost the filters.
func eachPage[P, T any](
	ctx context.Context, c *Client, r request, items func(P) []T, id func(T) string, use func(T) error,
) error {
	r.query.Set("limit", strconv.Itoa(pageSize))
	seen := map[string]bool{}
	var markers []string // all given so far; Ironic knows a marker only while its object is there
	for {
		var p P
		err := c.do(ctx, r, &p)
		if errors.Is(err, baremetal.ErrNotFound) && len(markers) > 0 { // the last one was deleted meanwhile
			markers = markers[:len(markers)-1]
			r.startAfter(markers)
			continue
		}
		if err != nil {
			return err
		}
		news := 0
		for _, item := range items(p) {
			if seen[id(item)] {
				continue
			}
			seen[id(item)] = true
			markers = append(markers, id(item))
			news++
			if err := use(item); err != nil {
				return err
			}
		}
		if news == 0 { // empty, or a server that takes no notice of the marker
			return nil
		}
		r.startAfter(markers)
	}
}

// startAfter asks for what follows the last of markers, or for the list from its beginning.
func (r request) startAfter(markers []string) {
	if len(markers) == 0 {
		r.query.Del("marker")
		return
	}
	r.query.Set("marker", markers[len(markers)-1])
}

// A nodePage is an answer of GET /v1/nodes. One without nodes is a list, one without the key is not.
type nodePage struct{ Nodes []baremetal.Node }

func (p *nodePage) foreign() bool { return p.Nodes == nil }
