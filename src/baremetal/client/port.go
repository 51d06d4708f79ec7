package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/google/uuid"

	"bosh-ironic-cpi/src/baremetal"
)

// portFields are all fields of [baremetal.Port]; the youngest came with 1.34.
var portFields = []string{"uuid", "node_uuid", "address", "pxe_enabled", "physical_network", "portgroup_uuid", "extra"}

// Ports lists the ports of a node in the order in which they were made. ErrNotFound when there is no such node.
func (c *Client) Ports(ctx context.Context, nodeUUID string) ([]baremetal.Port, error) {
	var ports []baremetal.Port
	r := request{
		op: "list ports of node " + nodeUUID, method: http.MethodGet, path: "/ports",
		query: url.Values{"node": {nodeUUID}}, fields: portFields,
	}
	err := eachPage(ctx, c, r, func(p portPage) []baremetal.Port { return p.Ports },
		func(p baremetal.Port) string { return p.UUID },
		func(p baremetal.Port) error {
			ports = append(ports, p)
			return nil
		})
	return ports, err
}

// PortByMAC shows the port with a MAC address, in either case, with colons; ErrNotFound.
func (c *Client) PortByMAC(ctx context.Context, mac string) (baremetal.Port, error) {
	op := "find the port with MAC " + mac
	var page portPage
	r := request{op: op, method: http.MethodGet, path: "/ports", query: url.Values{"address": {mac}}, fields: portFields}
	if err := c.do(ctx, r, &page); err != nil {
		return baremetal.Port{}, err
	}
	if len(page.Ports) == 0 {
		return baremetal.Port{}, &baremetal.APIError{Op: op, Kind: baremetal.ErrNotFound}
	}
	return page.Ports[0], nil
}

// CreatePort adds a NIC to a node. NodeUUID and Address must be set; what else is empty is left to Ironic, but
// pxe_enabled is sent as it is. ErrTaken when another port has the MAC.
func (c *Client) CreatePort(ctx context.Context, p baremetal.Port) (baremetal.Port, error) {
	if p.UUID == "" {
		p.UUID = uuid.NewString() // to know it again when its creation is not answered
	}
	body := map[string]any{"uuid": p.UUID, "node_uuid": p.NodeUUID, "address": p.Address, "pxe_enabled": p.PXEEnabled}
	if p.PhysicalNetwork != "" {
		body["physical_network"] = p.PhysicalNetwork
	}
	if p.PortgroupUUID != "" {
		body["portgroup_uuid"] = p.PortgroupUUID
	}
	if p.Extra != nil {
		body["extra"] = p.Extra
	}
	var made baremetal.Port
	err := c.do(ctx, request{
		op: "create port " + p.Address + " of node " + p.NodeUUID, method: http.MethodPost, path: "/ports", body: body,
		again: func(ctx context.Context, lost error) (bool, error) {
			if lost == nil {
				return false, nil
			}
			found, err := c.PortByMAC(ctx, p.Address)
			if errors.Is(err, baremetal.ErrNotFound) {
				return false, nil
			}
			made = found
			return err == nil && found.UUID == p.UUID, err
		},
	}, &made)
	return made, err
}

// A portPage is an answer of GET /v1/ports, as nodePage is of nodes.
type portPage struct{ Ports []baremetal.Port }

func (p *portPage) foreign() bool { return p.Ports == nil }
