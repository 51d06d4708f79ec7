package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
)

// A view remembers the nodes, to tell what has changed.
type view struct {
	operator operator
	nodes    map[string]node
}

type node struct {
	UUID           string `json:"uuid"`
	Name           string `json:"name"`
	ProvisionState string `json:"provision_state"`
	PowerState     string `json:"power_state"`
	InstanceUUID   string `json:"instance_uuid"`
}

// changes asks the conductor, as an operator would, and tells what is new: a line for each node that changed.
func (v *view) changes(ctx context.Context) ([]string, error) {
	var list struct{ Nodes []node }
	const path = "/v1/nodes?sort_key=name&fields=uuid,name,provision_state,power_state,instance_uuid"
	if err := v.operator.do(ctx, http.MethodGet, path, nil, &list); err != nil {
		return nil, err
	}
	now := map[string]node{}
	var lines []string
	for _, n := range list.Nodes {
		now[n.UUID] = n
		if was, known := v.nodes[n.UUID]; !known || was != n {
			lines = append(lines, n.since(was, known))
		}
	}
	v.nodes = now
	return lines, nil
}

// since describes a node, or what has changed about it.
func (n node) since(was node, known bool) string {
	var facts []string
	add := func(label, from, to string) {
		from, to = cmp.Or(from, "none"), cmp.Or(to, "none")
		switch {
		case !known:
			facts = append(facts, label+to)
		case from != to:
			facts = append(facts, label+from+" → "+to)
		}
	}
	add("name ", was.Name, n.Name)
	add("", was.ProvisionState, n.ProvisionState)
	add("", was.PowerState, n.PowerState)
	add("instance ", was.InstanceUUID, n.InstanceUUID)
	return fmt.Sprintf("%s: %s", cmp.Or(was.Name, n.UUID), strings.Join(facts, ", "))
}
