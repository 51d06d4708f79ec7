package cpi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/disk"
)

const (
	documentKey     = "bosh_cpi"
	documentPath    = "/extra/" + documentKey
	documentVersion = 1
)

// A document is all that the CPI knows of a node, kept in the node's extra field: tear-down wipes instance_info
// and instance_uuid, extra stays (Ironic 21.4).
//
// It is written before the node's state changes. Its claim has the CID as a key, not as a value: JSON patch
// knows no comparison in Ironic, but an operation on a key that is gone fails, and with it the whole patch. So
// whoever was overtaken finds out when writing (see [CPI.write]).
type document struct {
	Version  int            `json:"version"`
	Director string         `json:"director,omitempty"`
	Claim    map[string]int `json:"claim,omitempty"` // one key: the VM's CID, or the node's holdID

	AgentID  string     `json:"agent_id,omitempty"`
	Stemcell string     `json:"stemcell,omitempty"`
	Step     string     `json:"step,omitempty"`     // the step reached; stepReady when the Director has confirmed the VM
	Deadline *time.Time `json:"deadline,omitempty"` // when Step must be over; past it, the claim is nobody's

	Deployed  bool         `json:"deployed,omitempty"` // an image was, or may have been, written
	Origin    origin       `json:"origin,omitzero"`
	GivenName string       `json:"given_name,omitempty"` // the name that set_vm_metadata gave
	Metadata  metadata     `json:"metadata,omitempty"`
	Ephemeral string       `json:"ephemeral,omitempty"` // path of the ephemeral disk
	Disks     []diskRecord `json:"disks,omitempty"`
	Used      []string     `json:"used,omitempty"` // CIDs of deleted disks whose content is still there: until the next cleaning
	Saved     saved        `json:"saved,omitzero"`

	Failed *failure `json:"failed,omitempty"`
}

// origin is what the node was before it was claimed, to give it back like that.
type origin struct {
	State   baremetal.ProvisionState `json:"state,omitempty"`   // available or manageable
	Created bool                     `json:"created,omitempty"` // the CPI made the node and deletes it
	Name    string                   `json:"name,omitempty"`    // the operator's name for it
}

// saved is what the CPI changed on the node to keep cleaning off its persistent disks.
type saved struct {
	Clean bool  `json:"clean,omitempty"` // automated_clean was switched off …
	Was   *bool `json:"was,omitempty"`   // … from this
}

type failure struct {
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
}

type metadata map[string]any

// A diskRecord is one persistent disk.
type diskRecord struct {
	CID      string      `json:"cid"`
	SizeMB   int         `json:"size_mb"`
	Device   disk.Device `json:"device"`
	Attached bool        `json:"attached,omitempty"`
	Metadata metadata    `json:"metadata,omitempty"`
	Skip     bool        `json:"skip,omitempty"` // the CPI put it into skip_block_devices
}

// errOvertaken says that another process took the node's claim over.
var errOvertaken = errors.New("another process took the node over")

// documentOf reads the node's document; none is the zero document. A document of a later version is an
// error: to overwrite it would lose what a newer CPI keeps there.
func documentOf(n baremetal.Node) (document, error) {
	raw, ok := n.Extra[documentKey]
	if !ok || string(raw) == "null" {
		return document{}, nil
	}
	var d document
	if err := json.Unmarshal(raw, &d); err != nil {
		return document{}, fmt.Errorf("node %s: extra.%s is not readable: %w", n.Label(), documentKey, err)
	}
	if d.Version > documentVersion {
		return document{}, fmt.Errorf("node %s: extra.%s has version %d; this CPI knows up to %d", n.Label(), documentKey, d.Version, documentVersion)
	}
	return d, nil
}

// vmCID is the CID of the VM on the node; empty when there is none.
func (d document) vmCID() string {
	if d.held() {
		return ""
	}
	for cid := range d.Claim {
		return cid
	}
	return ""
}

// held reports whether the node is kept only for its persistent disks.
func (d document) held() bool { return d.Step == stepHeld }

// inProgress reports whether a create_vm or delete_vm is, or was, at work on the node.
func (d document) inProgress() bool { return len(d.Claim) > 0 && d.Step != stepReady && !d.held() }

// expired reports whether the process at work must be gone.
func (d document) expired(now time.Time) bool {
	return d.inProgress() && d.Deadline != nil && now.After(*d.Deadline)
}

// disk returns the record of a persistent disk, or nil.
func (d *document) disk(cid string) *diskRecord {
	for i := range d.Disks {
		if d.Disks[i].CID == cid {
			return &d.Disks[i]
		}
	}
	return nil
}

// diskCIDs lists the persistent disks on the node.
func (d document) diskCIDs() []string {
	var cids []string
	for _, r := range d.Disks {
		cids = append(cids, r.CID)
	}
	return cids
}

// has reports whether all these persistent disks are on the node.
func (d document) has(cids []string) bool {
	for _, cid := range cids {
		if d.disk(cid) == nil {
			return false
		}
	}
	return true
}

// write replaces the node's document and applies more, all or nothing. The node must still carry the claim
// of before; otherwise nothing changes and the error is errOvertaken.
func (c *CPI) write(ctx context.Context, node, claim string, d document, more ...baremetal.Change) (baremetal.Node, error) {
	guard := baremetal.Change{Op: "replace", Path: documentPath + "/claim/" + claim, Value: 1}
	return c.guarded(ctx, node, claim, append(baremetal.Patch{guard, baremetal.Add(documentPath, d)}, more...))
}

// guarded sends a patch whose first operation fails when the claim is gone.
func (c *CPI) guarded(ctx context.Context, node, claim string, p baremetal.Patch) (baremetal.Node, error) {
	n, err := c.Nodes.Patch(ctx, node, p)
	if !errors.Is(err, baremetal.ErrInvalid) {
		return n, err
	}
	now, lookErr := c.Nodes.Node(ctx, node)
	if lookErr != nil {
		return n, errors.Join(err, lookErr)
	}
	if d, docErr := documentOf(now); docErr == nil && d.Claim[claim] == 0 {
		if errors.Is(err, baremetal.ErrAmbiguous) && now.InstanceUUID != claim {
			return now, nil // the first time was heard, and ended the claim
		}
		return n, fmt.Errorf("node %s: %w", now.Label(), errOvertaken)
	}
	return n, err
}

// at marks the document with a step that must be over in limit.
func (d document) at(step string, limit time.Duration) document {
	deadline := time.Now().Add(limit).UTC().Truncate(time.Second)
	d.Step, d.Deadline = step, &deadline
	return d
}

// rest marks the document with a step that lasts.
func (d document) rest(step string) document {
	d.Step, d.Deadline = step, nil
	return d
}
