package client

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"

	"github.com/google/uuid"

	"bosh-ironic-cpi/src/baremetal"
)

// listFields are the fields of [baremetal.Node] that choosing a node needs. driver_info and instance_info are
// large and not needed; a list with fields=chassis_uuid is 500 (Ironic 21.4; one node with it is not).
var listFields = []string{
	"uuid", "name", "instance_uuid", "driver", "deploy_interface",
	"provision_state", "target_provision_state", "power_state", "target_power_state", "reservation", "last_error",
	"maintenance", "maintenance_reason", "fault", "retired", "protected", "automated_clean",
	"resource_class", "conductor_group", "owner", "traits", "properties", "extra",
}

// nodeFields are all fields of [baremetal.Node]. Asking for them leaves out driver_internal_info, which can be
// many times the rest.
var nodeFields = append(slices.Clone(listFields), "chassis_uuid", "driver_info", "instance_info")

// Node shows a node by UUID or name, all fields of [baremetal.Node] filled; ErrNotFound.
func (c *Client) Node(ctx context.Context, idOrName string) (baremetal.Node, error) {
	op := "show node " + idOrName
	if !addressable(idOrName) {
		return baremetal.Node{}, &baremetal.APIError{Op: op, Kind: baremetal.ErrNotFound, Text: "no node can have this name"}
	}
	var n nodeAnswer
	err := c.do(ctx, request{op: op, method: http.MethodGet, path: nodePath(idOrName), fields: nodeFields}, &n)
	return n.Node, err
}

// NodeByInstance shows the node that has the instance UUID; ErrNotFound. It is one request.
func (c *Client) NodeByInstance(ctx context.Context, instanceUUID string) (baremetal.Node, error) {
	op := "find the node of instance " + instanceUUID
	if len(instanceUUID) == 36 && uuid.Validate(instanceUUID) == nil { // of any other text Ironic says 400
		r := request{op: op, method: http.MethodGet, path: "/nodes/detail", query: url.Values{"instance_uuid": {instanceUUID}}}
		var page nodePage
		if err := c.do(ctx, r, &page); err != nil {
			return baremetal.Node{}, err
		}
		if len(page.Nodes) > 0 {
			return page.Nodes[0], nil
		}
	}
	return baremetal.Node{}, &baremetal.APIError{Op: op, Kind: baremetal.ErrNotFound}
}

// CreateNode enrols a node. body has Ironic's keys; without a uuid it gets one here, so that a node whose
// creation was not answered is found again. ErrTaken when its name or UUID exists.
func (c *Client) CreateNode(ctx context.Context, body map[string]any) (baremetal.Node, error) {
	id, _ := body["uuid"].(string)
	if id == "" {
		id = uuid.NewString()
		body = maps.Clone(body)
		if body == nil {
			body = map[string]any{}
		}
		body["uuid"] = id
	}
	var n nodeAnswer
	err := c.do(ctx, request{
		op: "create node " + id, method: http.MethodPost, path: "/nodes", body: body,
		again: func(ctx context.Context, lost error) (bool, error) {
			if lost == nil {
				return false, nil
			}
			found, err := c.Node(ctx, id)
			if errors.Is(err, baremetal.ErrNotFound) {
				return false, nil
			}
			n.Node = found
			return err == nil, err
		},
	}, &n)
	return n.Node, err
}

// DeleteNode removes a node; nil when there is none. ErrWrongState, ErrAssociated where Ironic forbids it.
func (c *Client) DeleteNode(ctx context.Context, uuid string) error {
	err := c.do(ctx, request{op: "delete node " + uuid, method: http.MethodDelete, path: nodePath(uuid)}, nil)
	if errors.Is(err, baremetal.ErrNotFound) {
		return nil
	}
	return err
}

// Patch changes a node, all of p or nothing, and returns it as it is then.
//
// After an answer that never came p is sent again: add and replace give the same node twice. An error of the
// second time then wraps ErrAmbiguous too, and may only say that the first was heard: remove fails on a key
// that is gone. One patch is not sent again, because somebody else may have claimed the node in between: one
// that touches instance_uuid, unless a replace in it, of a key that goes with the claim, fails by then.
func (c *Client) Patch(ctx context.Context, uuid string, p baremetal.Patch) (baremetal.Node, error) {
	var n nodeAnswer
	r := request{op: "change node " + uuid, method: http.MethodPatch, path: nodePath(uuid), body: body(p)}
	if touchesClaim(p) {
		r.again = func(_ context.Context, lost error) (bool, error) { return false, lost }
	}
	err := c.do(ctx, r, &n)
	return n.Node, err
}

// Claim sets instance_uuid and applies p, in one step: of all that try at once, one succeeds. ErrAssociated
// when another instance has the node, or another node the instance.
//
// instanceUUID must be new: after a locked node or an answer that never came, finding it on the node means
// success, p included.
func (c *Client) Claim(ctx context.Context, uuid, instanceUUID string, p baremetal.Patch) (baremetal.Node, error) {
	op := "claim node " + uuid
	var n nodeAnswer
	err := c.do(ctx, request{
		op: op, method: http.MethodPatch, path: nodePath(uuid),
		body: append(baremetal.Patch{baremetal.Add("/instance_uuid", instanceUUID)}, p...),
		again: func(ctx context.Context, _ error) (bool, error) {
			now, err := c.Node(ctx, uuid)
			switch {
			case err != nil:
				return false, err
			case now.InstanceUUID == "":
				return false, nil
			case now.InstanceUUID != instanceUUID:
				return false, associated(op, now)
			}
			n.Node = now
			return true, nil
		},
	}, &n)
	return n.Node, err
}

// SetMaintenance switches maintenance on, with a reason, or off. It is no error when it is so already.
func (c *Client) SetMaintenance(ctx context.Context, uuid string, on bool, reason string) error {
	r := request{op: "end maintenance of node " + uuid, method: http.MethodDelete, path: nodePath(uuid) + "/maintenance"}
	if on {
		r.op, r.method, r.body = "set maintenance of node "+uuid, http.MethodPut, map[string]string{"reason": reason}
	}
	return c.do(ctx, r, nil)
}

// Inventory gives what inspection stored about the hardware, as the API has it: {"inventory", "plugin_data"}.
// ErrNotFound when there is none, or the API is older than 1.81.
func (c *Client) Inventory(ctx context.Context, uuid string) (json.RawMessage, error) {
	op := "show inventory of node " + uuid
	var raw json.RawMessage
	err := c.do(ctx, request{op: op, method: http.MethodGet, path: nodePath(uuid) + "/inventory", since: sinceInventory}, &raw)
	if errors.Is(err, baremetal.ErrVersion) {
		return nil, &baremetal.APIError{Op: op, Kind: baremetal.ErrNotFound, Text: err.Error()}
	}
	return raw, err
}

// A nodeAnswer is a node that must be one.
type nodeAnswer struct{ baremetal.Node }

func (a *nodeAnswer) foreign() bool { return a.UUID == "" }

var nodeName = regexp.MustCompile(`^[A-Za-z0-9._~-]+$`) // without {1,255}, which takes half a millisecond to compile

// addressable reports whether /v1/nodes/id can be a node: these words are other resources there.
func addressable(id string) bool {
	switch id {
	case "detail", "maintenance", "management", "states", "validate", "vendor_passthru", ".", "..":
		return false
	}
	return len(id) <= 255 && nodeName.MatchString(id)
}

func nodePath(id string) string { return "/nodes/" + url.PathEscape(id) }

// body is p, never null: Ironic takes [] for no change.
func body(p baremetal.Patch) baremetal.Patch {
	if p == nil {
		return baremetal.Patch{}
	}
	return p
}

// touchesClaim reports whether p, heard twice, could change the claim of somebody who came in between.
func touchesClaim(p baremetal.Patch) bool {
	return slices.ContainsFunc(p, func(c baremetal.Change) bool { return c.Path == "/instance_uuid" }) &&
		!slices.ContainsFunc(p, func(c baremetal.Change) bool { return c.Op == "replace" && c.Path != "/instance_uuid" })
}

func associated(op string, n baremetal.Node) error {
	return &baremetal.APIError{Op: op, Kind: baremetal.ErrAssociated, Text: "node " + n.Label() + " has instance " + n.InstanceUUID}
}
