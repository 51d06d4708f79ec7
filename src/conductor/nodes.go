package conductor

import (
	"context"
	"errors"
	"reflect"
	"strings"

	"bosh-ironic-cpi/src/baremetal"
)

// CreateNode stores a new node, with interfaces composed. It gets a UUID if it has none.
func (c *Conductor) CreateNode(ctx context.Context, n *Node) error {
	if n.UUID == "" {
		n.UUID = newUUID()
	}
	if err := c.Compose(n); err != nil {
		return err
	}
	n.CreatedAt = Now()
	return c.store.Update(ctx, func(tx Tx) error {
		n.ID = 0
		if n.ChassisUUID != "" {
			if _, err := tx.Row(KindChassis, n.ChassisUUID); err != nil {
				return invalid("Chassis %s could not be found.", n.ChassisUUID)
			}
		}
		return tx.PutNode(n)
	})
}

// Node finds a node by UUID or name.
func (c *Conductor) Node(ctx context.Context, ident string) (n *Node, err error) {
	err = c.store.View(ctx, func(tx Tx) error {
		n, err = tx.Node(ident)
		return err
	})
	return n, err
}

// DeleteNode removes a node and what belongs to it.
func (c *Conductor) DeleteNode(ctx context.Context, ident string) error {
	return c.locked(ctx, ident, func(tx Tx, n *Node) error {
		switch {
		case n.InstanceUUID != "":
			return refuse(baremetal.ErrAssociated, "Node %s is associated with instance %s.", n.UUID, n.InstanceUUID)
		case n.Protected:
			return refuse(ErrForbidden, "Node %s is protected and cannot be undeployed, rebuilt or deleted", n.UUID)
		case !n.Maintenance && !Deletable(n.ProvisionState):
			return refuse(ErrConflict, `Can not delete node "%s" while it is in provision state "%s". Valid provision states to perform deletion are: "('manageable', 'enroll', 'adopt failed', 'available')", or set the node into maintenance mode`,
				n.UUID, n.ProvisionState)
		}
		if err := tx.DeleteRowsOf(n.UUID); err != nil {
			return err
		}
		return tx.DeleteNode(n.UUID)
	})
}

// ErrConflict is the kind of a refusal because of what the thing is at present.
var ErrConflict = errors.New("conflict")

// SetMaintenance sets or clears maintenance, in any state.
func (c *Conductor) SetMaintenance(ctx context.Context, ident string, on bool, reason string) error {
	_, err := c.lock(ctx, ident, func(_ Tx, n *Node) error {
		n.Maintenance, n.MaintenanceReason = on, reason
		if !on {
			n.Fault = ""
		}
		return nil
	})
	return err
}

// AddPort stores a new port.
func (c *Conductor) AddPort(ctx context.Context, p *Port) error {
	return c.locked(ctx, p.NodeUUID, func(tx Tx, _ *Node) error {
		p.CreatedAt = Now()
		return Add(tx, p)
	})
}

// ChangePort edits a port under its node's lock.
func (c *Conductor) ChangePort(ctx context.Context, uuid string, change func(Tx, *Node, *Port) error) (p *Port, err error) {
	node, err := c.nodeOf(ctx, KindPort, uuid)
	if err != nil {
		return nil, err
	}
	err = c.locked(ctx, node, func(tx Tx, n *Node) error {
		if p, err = Get[Port](tx, uuid); err != nil {
			return err
		}
		before := *p
		if err := change(tx, n, p); err != nil || reflect.DeepEqual(before, *p) {
			return err
		}
		p.UpdatedAt = Now()
		return Put(tx, p)
	})
	return p, err
}

// DeletePort removes a port.
func (c *Conductor) DeletePort(ctx context.Context, uuid string) error {
	node, err := c.nodeOf(ctx, KindPort, uuid)
	if err != nil {
		return err
	}
	return c.locked(ctx, node, func(tx Tx, _ *Node) error { return tx.DeleteRow(KindPort, uuid) })
}

func (c *Conductor) nodeOf(ctx context.Context, kind Kind, uuid string) (node string, err error) {
	err = c.store.View(ctx, func(tx Tx) error {
		row, err := tx.Row(kind, uuid)
		node = row.NodeUUID
		return err
	})
	return node, err
}

// SetTraits replaces the node's traits by what change makes of them.
func (c *Conductor) SetTraits(ctx context.Context, ident string, change func([]string) ([]string, error)) error {
	_, err := c.lock(ctx, ident, func(_ Tx, n *Node) (err error) {
		n.Details.Traits, err = change(n.Details.Traits)
		return err
	})
	return err
}

// CheckName refuses what is no node name.
func CheckName(name string) error {
	switch name {
	case "maintenance", "management", "states", "vendor_passthru", "detail", "validate":
		return invalid(`The word "%s" is reserved and can not be used as a node name. Reserved words are: maintenance, management, states, vendor_passthru, detail, validate.`, name)
	}
	const rest = "-._~"
	wrong := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(rest, r)
	}
	if name == "" || len(name) > 255 || strings.ContainsFunc(name, wrong) {
		return invalid("Invalid logical name %s", name)
	}
	return nil
}
