package conductor

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"slices"
	"strings"

	"bosh-ironic-cpi/src/baremetal"
)

// What a ramdisk's calls are to a waiting node.
const (
	EventHeartbeat = "heartbeat"
	EventInspected = "inspected" // what it found is stored
)

// waitsForRamdisk reports whether a ramdisk may be running on a node in this state.
func waitsForRamdisk(s baremetal.ProvisionState) bool {
	switch s {
	case baremetal.Deploying, baremetal.WaitCallBack, baremetal.Cleaning, baremetal.CleanWait,
		baremetal.Inspecting, baremetal.InspectWait, baremetal.Rescuing, baremetal.RescueWait, baremetal.Unrescuing:
		return true
	}
	return false
}

// errNoLookup tells known and unknown nodes alike.
var errNoLookup = refuse(baremetal.ErrNotFound, "Resource could not be found.")

// Lookup finds the node of a ramdisk by its UUID or MACs, if one may be running there. It gives the ramdisk's token, once
// per boot; empty: it has been told.
func (c *Conductor) Lookup(ctx context.Context, uuid string, macs []string) (found *Node, token string, err error) {
	err = c.store.Update(ctx, func(tx Tx) error {
		ident := uuid
		if ident == "" {
			if ident, err = nodeByMAC(tx, macs); err != nil {
				return err
			}
		}
		n, err := tx.Node(ident)
		if errors.Is(err, baremetal.ErrNotFound) || (err == nil && (!waitsForRamdisk(n.ProvisionState) || n.UUID != ident)) {
			return errNoLookup
		}
		if err != nil {
			return err
		}
		found, token = n, ""
		a := n.Details.Agent
		if a != nil && a.Told {
			if lost, err := c.answerLost(tx, a); !lost || err != nil {
				return err
			}
		}
		token = rand.Text() + rand.Text()
		n.Details.Agent = &Agent{Token: token, Told: true, ToldBy: c.cfg.Hostname, ToldIn: c.incarnation}
		return tx.PutNode(n)
	})
	if err != nil {
		return nil, "", err
	}
	return found, token, nil
}

// answerLost reports whether the token that was told may never have arrived: nobody has called with it, and the conductor
// that told it has ended since, perhaps before it could answer.
func (c *Conductor) answerLost(tx Tx, a *Agent) (bool, error) {
	if a.URL != "" || a.ToldBy == "" || a.ToldIn == c.incarnation {
		return false, nil
	}
	r, err := Get[Registration](tx, a.ToldBy)
	if errors.Is(err, baremetal.ErrNotFound) {
		return true, nil
	}
	return err == nil && (r.Incarnation != a.ToldIn || !r.Alive()), err
}

func nodeByMAC(tx Tx, macs []string) (string, error) {
	var nodes []string
	for _, mac := range macs {
		p, err := Get[Port](tx, strings.ToLower(strings.TrimSpace(mac)))
		switch {
		case errors.Is(err, baremetal.ErrNotFound):
		case err != nil:
			return "", err
		case !slices.Contains(nodes, p.NodeUUID):
			nodes = append(nodes, p.NodeUUID)
		}
	}
	if len(nodes) != 1 {
		return "", errNoLookup
	}
	return nodes[0], nil
}

// Heartbeat takes a ramdisk's call, and continues the node if it waits for one.
func (c *Conductor) Heartbeat(ctx context.Context, ident, callback, token, version string) error {
	err := c.store.Update(ctx, func(tx Tx) error {
		n, err := tx.Node(ident)
		if errors.Is(err, baremetal.ErrNotFound) {
			return invalid("Invalid or missing agent token received.") // a stranger learns nothing of which nodes there are
		}
		if err != nil {
			return err
		}
		a := n.Details.Agent
		switch {
		case a == nil || token == "" || subtle.ConstantTimeCompare([]byte(a.Token), []byte(token)) != 1:
			return invalid("Invalid or missing agent token received.")
		case a.URL != "" && a.URL != callback:
			return invalid("Detected change in ramdisk provided callback_url for node %s. Restart the ramdisk to use another one.", n.UUID)
		case n.Reservation != "" && a.URL != "":
			return nil // its conductor is at it; the next heartbeat is in time
		}
		a.URL, a.Version, a.Heartbeat = callback, version, Now()
		return tx.PutNode(n)
	})
	if err != nil {
		return err
	}
	return c.Continue(ctx, ident, EventHeartbeat)
}
