package cpi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"bosh-ironic-cpi/src/baremetal"
)

// hardware translates a classic driver name such as agent_ipmitool into hardware type and deploy interface. Other names
// are hardware types already.
func hardware(driver string) (hardwareType, deploy string) {
	hardwareType, deploy, ok := baremetal.ClassicDriver(driver)
	switch {
	case deploy == "fake": // in Ironic no other hardware type takes a fake deploy interface
		return "fake-hardware", ""
	case ok && deploy == "":
		return hardwareType, "direct"
	case ok:
		return hardwareType, deploy
	}
	return driver, ""
}

// definedUUID is the UUID of a node that the CPI makes: always the same for the same MACs, so that a
// create_vm after one that was killed finds what that one made.
func definedUUID(w wanted) string {
	if id, ok := w.properties.IronicParams["uuid"].(string); ok {
		return id
	}
	macs := slices.Sorted(slices.Values(w.properties.MACs))
	return uuid.NewSHA1(uuid.MustParse("0d6fb5c0-4d86-4c5b-8d35-6a2f3a2c9a7e"), []byte(strings.Join(macs, ","))).String()
}

// define makes the node that ironic_params describe, with a port for each MAC, and brings it to manageable.
// A node that is there already is taken as it is: the operator's, or one that a killed process has begun. The
// latter has a document that says so: what the operator enrolled is never deleted, whatever UUID it was given.
func (c *CPI) define(ctx context.Context, w wanted, u *undo) error {
	if port, err := c.Nodes.PortByMAC(ctx, w.properties.MACs[0]); err == nil && port.NodeUUID != definedUUID(w) {
		c.enrolledAlready(ctx, port.NodeUUID)
		return nil
	} else if err != nil && !errors.Is(err, baremetal.ErrNotFound) {
		return err
	}
	node, err := c.Nodes.Node(ctx, definedUUID(w))
	if err == nil {
		d, docErr := documentOf(node)
		if docErr != nil {
			return docErr
		}
		if d.inProgress() && c.abandoned(d, w) { // vacated it is gone, unless disks keep it
			if err := c.vacate(ctx, vm{d.vmCID(), node, d}, ""); err != nil {
				return err
			}
			if node, err = c.Nodes.Node(ctx, node.UUID); err == nil {
				return nil
			}
		} else if len(d.Claim) > 0 {
			return nil // in use: the pool says by whom
		} else if !d.Origin.Created {
			c.enrolledAlready(ctx, node.UUID)
			return nil
		}
	}
	u.add("delete node "+definedUUID(w), func(ctx context.Context) error { return c.Nodes.DeleteNode(ctx, definedUUID(w)) })
	if errors.Is(err, baremetal.ErrNotFound) {
		node, err = c.Nodes.CreateNode(ctx, c.definition(w))
	}
	if err != nil {
		return fmt.Errorf("define node by ironic_params: %w", err)
	}
	for _, mac := range w.properties.MACs {
		if err := c.definePort(ctx, node, mac); err != nil {
			return err
		}
	}
	if node.ProvisionState != baremetal.Enroll {
		return nil
	}
	v := vm{node: node}
	return c.move(ctx, &v, baremetal.VerbManage, c.Options.Timeouts.Manage, baremetal.Manageable)
}

func (c *CPI) enrolledAlready(ctx context.Context, node string) {
	c.Log.WarnContext(ctx, "server is in Ironic already: ironic_params is ignored", "node", node)
}

// definition is the body of POST /v1/nodes, with a document that says whose the node is.
func (c *CPI) definition(w wanted) map[string]any {
	body := maps.Clone(w.properties.IronicParams)
	body["uuid"] = definedUUID(w)
	if extra, ok := body["extra"].(map[string]any); ok || body["extra"] == nil {
		marked := map[string]any{documentKey: document{Version: documentVersion, Director: c.Director, Origin: origin{Created: true}}}
		maps.Copy(marked, extra)
		body["extra"] = marked
	}
	if name, ok := body["driver"].(string); ok {
		hardwareType, deploy := hardware(name)
		body["driver"] = hardwareType
		if _, said := body["deploy_interface"]; !said && deploy != "" {
			body["deploy_interface"] = deploy
		}
	}
	return body
}

func (c *CPI) definePort(ctx context.Context, node baremetal.Node, mac string) error {
	port, err := c.Nodes.PortByMAC(ctx, mac)
	if errors.Is(err, baremetal.ErrNotFound) {
		_, err = c.Nodes.CreatePort(ctx, baremetal.Port{NodeUUID: node.UUID, Address: mac, PXEEnabled: true})
		return err
	}
	if err == nil && port.NodeUUID != node.UUID {
		return fmt.Errorf("%w: macs: %s belongs to node %s already", ErrProperties, mac, port.NodeUUID)
	}
	return err
}
