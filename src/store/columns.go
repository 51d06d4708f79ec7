package store

import (
	"fmt"
	"strings"

	"bosh-ironic-cpi/src/conductor"
)

// A column is a plain field of a node.
type column struct {
	name     string
	nullable bool // NULL where it is empty, because it is unique
	field    func(*conductor.Node) any
}

// columns are those of table nodes between id and details.
var columns = []column{
	{"uuid", false, func(n *conductor.Node) any { return &n.UUID }},
	{"name", true, func(n *conductor.Node) any { return &n.Name }},
	{"instance_uuid", true, func(n *conductor.Node) any { return &n.InstanceUUID }},
	{"chassis_uuid", false, func(n *conductor.Node) any { return &n.ChassisUUID }},
	{"allocation_uuid", false, func(n *conductor.Node) any { return &n.AllocationUUID }},
	{"driver", false, func(n *conductor.Node) any { return &n.Driver }},
	{"resource_class", false, func(n *conductor.Node) any { return &n.ResourceClass }},
	{"conductor_group", false, func(n *conductor.Node) any { return &n.ConductorGroup }},
	{"owner", false, func(n *conductor.Node) any { return &n.Owner }},
	{"lessee", false, func(n *conductor.Node) any { return &n.Lessee }},
	{"shard", false, func(n *conductor.Node) any { return &n.Shard }},
	{"description", false, func(n *conductor.Node) any { return &n.Description }},
	{"provision_state", false, func(n *conductor.Node) any { return (*string)(&n.ProvisionState) }},
	{"target_provision_state", false, func(n *conductor.Node) any { return (*string)(&n.TargetProvisionState) }},
	{"power_state", false, func(n *conductor.Node) any { return (*string)(&n.PowerState) }},
	{"target_power_state", false, func(n *conductor.Node) any { return (*string)(&n.TargetPowerState) }},
	{"reservation", false, func(n *conductor.Node) any { return &n.Reservation }},
	{"last_error", false, func(n *conductor.Node) any { return &n.LastError }},
	{"maintenance", false, func(n *conductor.Node) any { return &n.Maintenance }},
	{"maintenance_reason", false, func(n *conductor.Node) any { return &n.MaintenanceReason }},
	{"fault", false, func(n *conductor.Node) any { return &n.Fault }},
	{"retired", false, func(n *conductor.Node) any { return &n.Retired }},
	{"retired_reason", false, func(n *conductor.Node) any { return &n.RetiredReason }},
	{"protected", false, func(n *conductor.Node) any { return &n.Protected }},
	{"protected_reason", false, func(n *conductor.Node) any { return &n.ProtectedReason }},
	{"created_at", false, func(n *conductor.Node) any { return (*int64)(&n.CreatedAt) }},
	{"updated_at", false, func(n *conductor.Node) any { return (*int64)(&n.UpdatedAt) }},
	{"provision_updated_at", false, func(n *conductor.Node) any { return (*int64)(&n.ProvisionUpdatedAt) }},
	{"inspection_started_at", false, func(n *conductor.Node) any { return (*int64)(&n.InspectionStartedAt) }},
	{"inspection_finished_at", false, func(n *conductor.Node) any { return (*int64)(&n.InspectionFinishedAt) }},
}

// known finds a column that a query names.
func known(name string) (column, error) {
	for _, c := range columns {
		if c.name == name {
			return c, nil
		}
	}
	return column{}, fmt.Errorf("no column %q", name)
}

// expression is the column in a query: never NULL.
func (c column) expression() string {
	if c.nullable {
		return "COALESCE(" + c.name + ", '')"
	}
	return c.name
}

var (
	columnNames = func() string {
		names := make([]string, len(columns))
		for i, c := range columns {
			names[i] = c.name
		}
		return strings.Join(names, ", ")
	}()
	briefNode  = "SELECT id, " + strings.ReplaceAll(strings.ReplaceAll(columnNames, " name,", " COALESCE(name, ''),"), "instance_uuid,", "COALESCE(instance_uuid, ''),")
	wholeNode  = briefNode + ", details"
	insertNode = "INSERT INTO nodes (" + columnNames + ", details) VALUES (" + strings.Repeat("?, ", len(columns)) + "?) RETURNING id"
	updateNode = "UPDATE nodes SET " + strings.ReplaceAll(columnNames, ",", " = ?,") + " = ?, details = ? WHERE id = ?"
)

// arguments are a node's columns as the database takes them.
func arguments(n *conductor.Node) []any {
	args := make([]any, len(columns), len(columns)+2)
	for i, c := range columns {
		switch v := c.field(n).(type) {
		case *string:
			if args[i] = *v; c.nullable && *v == "" {
				args[i] = nil
			}
		case *int64:
			args[i] = *v
		case *bool:
			args[i] = truth(*v)
		}
	}
	return args
}

// truth is a boolean as both databases store it.
func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// fields are where a row of nodes is scanned into.
func fields(n *conductor.Node) []any { return fieldsOf(n, columns) }

// fieldsOf are where the node's number and some columns are scanned into.
func fieldsOf(n *conductor.Node, columns []column) []any {
	into := make([]any, 1, len(columns)+2)
	into[0] = &n.ID
	for _, c := range columns {
		into = append(into, c.field(n))
	}
	return into
}

// selected are the columns that a query names, and what it selects.
func selected(q conductor.NodeQuery) ([]column, string, error) {
	if q.Only == nil {
		if q.Brief {
			return columns, briefNode, nil
		}
		return columns, wholeNode, nil
	}
	named, text := make([]column, len(q.Only)), "SELECT id"
	for i, name := range q.Only {
		col, err := known(name)
		if err != nil {
			return nil, "", err
		}
		named[i] = col
		text += ", " + col.expression()
	}
	if !q.Brief {
		text += ", details"
	}
	return named, text, nil
}
