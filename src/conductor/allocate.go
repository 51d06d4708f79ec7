package conductor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"bosh-ironic-cpi/src/baremetal"
)

// The states of an allocation.
const (
	allocationActive = "active"
	allocationError  = "error"
)

// Allocate finds a node for an allocation, claims it and stores both. An allocation that gets none is stored too, in
// state error with the reason; only names that do not exist or are taken are refused.
func (c *Conductor) Allocate(ctx context.Context, a *Allocation) error {
	if a.UUID == "" {
		a.UUID = newUUID()
	}
	a.CreatedAt = Now()
	a.UpdatedAt = a.CreatedAt
	return c.store.Update(ctx, func(tx Tx) error {
		a.State, a.NodeUUID, a.LastError = allocationError, "", ""
		candidates, err := c.candidates(tx, a)
		if err != nil {
			return err
		}
		n := choose(candidates, a)
		if n == nil {
			a.LastError = "Failed to process allocation " + a.UUID + ": " + lack(a, candidates)
			return Add(tx, a)
		}
		n.InstanceUUID, n.AllocationUUID = a.UUID, a.UUID
		traits := []any{}
		for _, t := range a.Traits {
			traits = append(traits, t)
		}
		n.Details.InstanceInfo = n.Details.InstanceInfo.With(map[string]any{"traits": traits})
		n.UpdatedAt = Now()
		a.State, a.NodeUUID = allocationActive, n.UUID
		if err := tx.PutNode(n); err != nil {
			return err
		}
		return Add(tx, a)
	})
}

// candidates are the nodes of the resource class that nobody has, and, if the allocation names nodes, only those.
func (c *Conductor) candidates(tx Tx, a *Allocation) ([]*Node, error) {
	where := []Condition{
		{"provision_state", "=", string(baremetal.Available)},
		{"instance_uuid", "=", ""},
		{"maintenance", "=", false},
		{"reservation", "=", ""},
		{"power_state", "!=", ""},
	}
	if a.ResourceClass != "" {
		where = append(where, Condition{"resource_class", "=", a.ResourceClass})
	}
	var named []string
	for i, ident := range a.CandidateNodes {
		n, err := tx.Node(ident)
		if err != nil {
			return nil, invalid("Nodes cannot be found: %s", ident)
		}
		a.CandidateNodes[i] = n.UUID
		named = append(named, n.UUID)
	}
	all, err := tx.Nodes(NodeQuery{Where: where})
	if err != nil || named == nil {
		return all, err
	}
	return slices.DeleteFunc(all, func(n *Node) bool { return !slices.Contains(named, n.UUID) }), nil
}

func choose(candidates []*Node, a *Allocation) *Node {
	i := slices.IndexFunc(candidates, func(n *Node) bool {
		return !slices.ContainsFunc(a.Traits, func(t string) bool { return !slices.Contains(n.Details.Traits, t) })
	})
	if i < 0 {
		return nil
	}
	return candidates[i]
}

func lack(a *Allocation, candidates []*Node) string {
	if len(candidates) == 0 {
		return fmt.Sprintf("no available nodes match the resource class %s.", a.ResourceClass)
	}
	return fmt.Sprintf("no suitable nodes have the requested traits %s.", strings.Join(a.Traits, ", "))
}

// releasable refuses to take the allocation of a node in use away.
func releasable(a *Allocation, n *Node) error {
	why := ""
	switch {
	case n.Maintenance:
	case n.TargetProvisionState != "" && (Moving(n.ProvisionState) && n.ProvisionState != baremetal.Inspecting):
		why = fmt.Sprintf("in state %s where updates are not allowed", n.ProvisionState)
	case n.ProvisionState == baremetal.Active:
		why = "active"
	}
	if why == "" {
		return nil
	}
	return refuse(ErrConflict, "Cannot remove allocation %s for node %s, because the node is %s (and maintenance mode is off)", a.UUID, n.UUID, why)
}

// Release ends an allocation and frees its node.
func (c *Conductor) Release(ctx context.Context, ident string) error {
	return c.store.Update(ctx, func(tx Tx) error {
		a, err := Get[Allocation](tx, ident)
		if err != nil {
			return err
		}
		if a.NodeUUID != "" {
			n, err := tx.Node(a.NodeUUID)
			if err != nil {
				return err
			}
			if n.Reservation != "" {
				return locked(n)
			}
			if err := releasable(a, n); err != nil {
				return err
			}
			n.InstanceUUID, n.AllocationUUID = "", ""
			n.Details.InstanceInfo = n.Details.InstanceInfo.With(map[string]any{"traits": nil})
			if err := tx.PutNode(n); err != nil {
				return err
			}
		}
		return tx.DeleteRow(KindAllocation, a.UUID)
	})
}
