package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/disk"
)

const (
	documentKey     = "bosh_cpi" // in a node's extra
	documentVersion = 1          // the newest that is known here

	stepReady = "ready"
	stepHeld  = "held for disks"
)

// A holding is what the CPI has written on a node, in extra.bosh_cpi (docs/nodes.md): those parts of it that an
// operator asks for, and what gives the node back. The zero value is no document.
type holding struct {
	Version  int            `json:"version"`
	Director string         `json:"director"`
	Claim    map[string]int `json:"claim"` // one key: the VM's CID, or the reservation of a node that is kept for disks
	AgentID  string         `json:"agent_id"`
	Step     string         `json:"step"`
	Deadline *time.Time     `json:"deadline"` // when Step must be over; past it nobody works on it any more

	Origin struct {
		State   baremetal.ProvisionState `json:"state"`
		Created bool                     `json:"created"` // by the CPI, from ironic_params
		Name    string                   `json:"name"`
	} `json:"origin"`
	GivenName string       `json:"given_name"` // by set_vm_metadata
	Disks     []diskRecord `json:"disks"`
	Saved     struct {
		Clean bool  `json:"clean"` // automated_clean was switched off …
		Was   *bool `json:"was"`   // … from this
	} `json:"saved"`
	Failed *struct {
		At     time.Time `json:"at"`
		Reason string    `json:"reason"`
	} `json:"failed"`
}

// A diskRecord is one persistent disk of a node.
type diskRecord struct {
	CID      string      `json:"cid"`
	SizeMB   int         `json:"size_mb"`
	Attached bool        `json:"attached"`
	Skip     bool        `json:"skip"` // the CPI put it into skip_block_devices
	Device   disk.Device `json:"device"`
}

// holdingOf reads a node's document. One that a newer CPI wrote is an error: what it means is not known.
func holdingOf(n baremetal.Node) (holding, error) {
	var h holding
	raw, ok := n.Extra[documentKey]
	if !ok || string(raw) == "null" {
		return h, nil
	}
	if err := json.Unmarshal(raw, &h); err != nil {
		return holding{}, fmt.Errorf("node %s: extra.%s is not readable: %w", n.Label(), documentKey, err)
	}
	if h.Version > documentVersion {
		return holding{}, fmt.Errorf("node %s: extra.%s has version %d; this nodectl knows up to %d, take a newer one",
			n.Label(), documentKey, h.Version, documentVersion)
	}
	return h, nil
}

// claim is what the node is claimed by: a VM's CID, or a reservation; empty: by nobody.
func (h holding) claim() string {
	for id := range h.Claim {
		return id
	}
	return ""
}

// vmCID is the CID of the VM on the node; empty when there is none.
func (h holding) vmCID() string {
	if h.kept() {
		return ""
	}
	return h.claim()
}

// kept reports whether the node waits for the VM of its persistent disks.
func (h holding) kept() bool { return h.Step == stepHeld }

// inProgress reports whether a create_vm or delete_vm is, or was, at work on the node.
func (h holding) inProgress() bool { return len(h.Claim) > 0 && h.Step != stepReady && !h.kept() }

// expired reports whether the process at work must be gone.
func (h holding) expired(now time.Time) bool {
	return h.inProgress() && h.Deadline != nil && now.After(*h.Deadline)
}

// diskCIDs lists the persistent disks on the node.
func (h holding) diskCIDs() []string {
	cids := make([]string, len(h.Disks))
	for i, d := range h.Disks {
		cids[i] = d.CID
	}
	return cids
}

// holder says in a few words who has the node; empty: nobody.
func (h holding) holder(n baremetal.Node) string {
	switch {
	case h.kept():
		return "Director " + h.Director + " keeps it for " + strings.Join(h.diskCIDs(), ", ")
	case h.claim() != "":
		return "VM " + h.claim() + " of Director " + h.Director
	case len(h.Disks) > 0:
		return "it has the persistent disks " + strings.Join(h.diskCIDs(), ", ")
	case n.InstanceUUID != "":
		return "instance " + n.InstanceUUID
	}
	return ""
}
