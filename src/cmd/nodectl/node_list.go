package main

import (
	"context"
	"errors"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/baremetal/client"
)

// nodeList is "node list".
type nodeList struct {
	ProvisionState string `placeholder:"STATE" help:"Only nodes in this provision state, in Ironic's words: available, 'clean failed'."`
	ResourceClass  string `placeholder:"CLASS" help:"Only nodes of this resource class."`
	Driver         string `placeholder:"NAME" help:"Only nodes of this driver."`
	Maintenance    *bool  `negatable:"" help:"Only nodes that are in maintenance, or with --no-maintenance that are not."`
	Limit          int    `placeholder:"N" help:"At most so many nodes."`
}

// Help is the end of the command's help.
func (nodeList) Help() string {
	return "Examples:\n  nodectl node list --provision-state available\n  nodectl node list --maintenance -o name"
}

// errEnough ends a list before its end.
var errEnough = errors.New("enough")

// Run lists the nodes in the order in which they were enrolled. The service is asked for a page at a time.
func (l *nodeList) Run(ctx context.Context, c *console) error {
	service, err := c.connect()
	if err != nil {
		return err
	}
	defer service.Close()
	a := answer{head: []string{"UUID", "NAME", "INSTANCE_UUID", "POWER", "PROVISION_STATE", "MAINTENANCE", "RESOURCE_CLASS", "DRIVER"}}
	list := []map[string]any{}
	query := client.NodeQuery{ResourceClass: l.ResourceClass, ProvisionState: baremetal.ProvisionState(l.ProvisionState)}
	err = service.EachNode(ctx, query, func(n baremetal.Node) error {
		if !l.wants(n) {
			return nil
		}
		shown, err := masked(n)
		if err != nil {
			return err
		}
		delete(shown, "driver_info") // a list does not have these
		delete(shown, "instance_info")
		delete(shown, "chassis_uuid")
		list = append(list, shown)
		a.names = append(a.names, reference(n))
		a.rows = append(a.rows, []string{
			n.UUID, n.Name, n.InstanceUUID, string(n.PowerState), provisionState(n), yes(n.Maintenance), n.ResourceClass, n.Driver,
		})
		if l.Limit > 0 && len(list) == l.Limit {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	a.value = list
	return c.print(a)
}

// wants is what the service cannot be asked in every version.
func (l *nodeList) wants(n baremetal.Node) bool {
	return (l.Driver == "" || n.Driver == l.Driver) && (l.Maintenance == nil || n.Maintenance == *l.Maintenance)
}

// reference is what a node can be named by on a command line.
func reference(n baremetal.Node) string {
	if n.Name != "" {
		return n.Name
	}
	return n.UUID
}

// provisionState also says where the node is going.
func provisionState(n baremetal.Node) string {
	if n.TargetProvisionState == "" {
		return string(n.ProvisionState)
	}
	return string(n.ProvisionState) + " -> " + string(n.TargetProvisionState)
}
