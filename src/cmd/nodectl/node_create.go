package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"bosh-ironic-cpi/src/baremetal"
)

// nodeCreate is "node create".
type nodeCreate struct {
	File  string `short:"f" required:"" placeholder:"FILE" help:"YAML list of nodes, or a table by the end .csv; - is YAML on standard input."`
	Check bool   `help:"Only say what is wrong with the file."`
}

// Help is the end of the command's help.
func (nodeCreate) Help() string {
	return "Examples:\n  nodectl node create -f nodes.yaml\n  nodectl node create -f nodes.csv --check"
}

// A created is what came of one node of the file.
type created struct {
	UUID   string `json:"uuid"`
	Name   string `json:"name"`
	Driver string `json:"driver"`
	Result string `json:"result"` // created, exists, failed
}

// Run enrols what the file lists, once nothing is wrong with it. A node that is there already is left as it is, so
// that the command can be repeated; one that fails does not keep the others.
func (n *nodeCreate) Run(ctx context.Context, c *console) error {
	text, err := c.read(n.File)
	if err != nil {
		return err
	}
	name := n.File
	if name == "-" {
		name = "standard input"
	}
	list, err := readNodes(name, text)
	if err == nil {
		err = fetchSecrets(list)
	}
	if err != nil {
		return wrong(fmt.Errorf("nothing was enrolled:\n%w", err))
	}
	if n.Check {
		c.note("%s: %d nodes, nothing is wrong", name, len(list))
		return nil
	}
	service, err := c.connect()
	if err != nil {
		return err
	}
	defer service.Close()
	a := answer{head: []string{"UUID", "NAME", "DRIVER", "RESULT"}}
	results := []created{}
	failed := 0
	for _, e := range list {
		node, result, err := service.enrol(ctx, e)
		if err != nil {
			err = fmt.Errorf("enrol node %s: %w", e.label(), err)
			if len(list) == 1 || hopeless(ctx, err) {
				return errors.Join(err, c.show(a, results))
			}
			c.note("nodectl: %v", err)
			failed++
		} else {
			a.names = append(a.names, reference(node))
		}
		results = append(results, created{node.UUID, node.Name, node.Driver, result})
	}
	if err := c.show(a, results); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("enrol nodes: %w: %d of %d", errSome, failed, len(list))
	}
	return nil
}

// fetchSecrets puts into driver_info what the file says is elsewhere.
func fetchSecrets(list []enrolment) error {
	for _, e := range list {
		info, ok := e.body["driver_info"].(map[string]any)
		if !ok {
			continue
		}
		fetched, err := fromElsewhere(info)
		if err != nil {
			return fmt.Errorf("node %s: %w", e.label(), err)
		}
		e.body["driver_info"] = fetched
	}
	return nil
}

// hopeless reports whether the next node would fail for the same reason.
func hopeless(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, baremetal.ErrUnauthorized) || errors.Is(err, baremetal.ErrUnavailable)
}

func (c *console) show(a answer, results []created) error {
	for _, r := range results {
		a.rows = append(a.rows, []string{r.UUID, r.Name, r.Driver, r.Result})
	}
	a.value = results
	return c.print(a)
}

// undoLimit is how long the undo of an enrolment may take.
const undoLimit = time.Minute

// enrol makes one node with its traits and ports, or nothing. The node of an error has what is known of it.
func (a *api) enrol(ctx context.Context, e enrolment) (n baremetal.Node, result string, err error) {
	driver, _ := e.body["driver"].(string)
	name, _ := e.body["name"].(string)
	nothing := baremetal.Node{Name: name, Driver: driver}
	switch n, err = a.existing(ctx, e); {
	case err == nil:
		return n, "exists", nil
	case !errors.Is(err, baremetal.ErrNotFound):
		return nothing, "failed", err
	}
	if n, err = a.CreateNode(ctx, e.body); err != nil {
		return nothing, "failed", err
	}
	if err = a.complete(ctx, n, e); err == nil {
		return n, "created", nil
	}
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoLimit)
	defer cancel()
	if undoErr := a.DeleteNode(undo, n.UUID); undoErr != nil {
		return n, "failed", errors.Join(err, fmt.Errorf("could not undo, the node stays as %s: %w", n.UUID, undoErr))
	}
	return nothing, "failed", err
}

// complete gives a new node its traits and ports.
func (a *api) complete(ctx context.Context, n baremetal.Node, e enrolment) error {
	if len(e.traits) > 0 {
		if err := a.rest.setTraits(ctx, n.UUID, e.traits); err != nil {
			return err
		}
	}
	for _, port := range e.ports {
		port.NodeUUID = n.UUID
		if _, err := a.CreatePort(ctx, port); err != nil {
			return err
		}
	}
	return nil
}

// existing finds the node of an enrolment: by its UUID, by its name, else by a MAC address; ErrNotFound.
func (a *api) existing(ctx context.Context, e enrolment) (baremetal.Node, error) {
	for _, key := range []string{"uuid", "name"} {
		id, _ := e.body[key].(string)
		if id == "" {
			continue
		}
		n, err := a.Node(ctx, id)
		if err == nil && key == "name" {
			err = a.sameNode(ctx, n, e)
		}
		if !errors.Is(err, baremetal.ErrNotFound) {
			return n, err
		}
	}
	for _, port := range e.ports {
		found, err := a.PortByMAC(ctx, port.Address)
		if err == nil {
			return a.Node(ctx, found.NodeUUID)
		}
		if !errors.Is(err, baremetal.ErrNotFound) {
			return baremetal.Node{}, err
		}
	}
	return baremetal.Node{}, &baremetal.APIError{Op: "find node " + e.label(), Kind: baremetal.ErrNotFound}
}

// sameNode wants a node of the same name to be the server of the file: with one of its MAC addresses, where it has any.
func (a *api) sameNode(ctx context.Context, n baremetal.Node, e enrolment) error {
	if len(e.ports) == 0 {
		return nil
	}
	ports, err := a.Ports(ctx, n.UUID)
	if err != nil || len(ports) == 0 {
		return err
	}
	var macs []string
	for _, p := range ports {
		for _, wanted := range e.ports {
			if strings.EqualFold(p.Address, wanted.Address) {
				return nil
			}
		}
		macs = append(macs, p.Address)
	}
	return &baremetal.APIError{
		Op: "look at node " + n.Label(), Kind: baremetal.ErrTaken,
		Text: "its name is in the file, but its MAC addresses are " + strings.Join(macs, ", "),
	}
}
