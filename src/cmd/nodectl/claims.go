package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/baremetal/client"
)

// claims is "claims".
type claims struct {
	Orphans  bool   `help:"Only what was left behind, or does not fit together."`
	Director string `placeholder:"UUID" help:"Only what this Director holds."`

	Release     string        `placeholder:"NODE" help:"Free this node: tear down what is on it, clean it, and end the claim."`
	Yes         bool          `help:"With --release: do it, instead of saying what would be done."`
	ForgetDisks bool          `help:"With --release: also where persistent disks are on the node. They are erased."`
	Limit       time.Duration `default:"2h" help:"With --release: how long to wait for the node's tear-down and cleaning, each."`
}

// Help is the end of the command's help.
func (claims) Help() string {
	return "Examples:\n  nodectl claims --orphans\n  nodectl claims --release rack-3-unit-7 --yes"
}

// A claimed is a node that somebody has, or had.
type claimed struct {
	UUID           string     `json:"uuid"`
	Name           string     `json:"name"`
	ProvisionState string     `json:"provision_state"`
	InstanceUUID   string     `json:"instance_uuid"`
	Director       string     `json:"director"`
	VMCID          string     `json:"vm_cid"`
	AgentID        string     `json:"agent_id"`
	Step           string     `json:"step"`
	Deadline       *time.Time `json:"deadline"`
	DiskCIDs       []string   `json:"disk_cids"`
	Orphan         string     `json:"orphan"` // why it may be one; empty: all is well
	Failed         string     `json:"failed"` // why the last deployment failed
}

// Run lists claims, or ends one.
func (k *claims) Run(ctx context.Context, c *console) error {
	if k.Release == "" && (k.Yes || k.ForgetDisks) {
		return wrong(fmt.Errorf("--yes and --forget-disks go with --release"))
	}
	service, err := c.connect()
	if err != nil {
		return err
	}
	defer service.Close()
	if k.Release != "" {
		return k.release(ctx, c, service)
	}
	now := time.Now()
	a := answer{head: []string{"NODE", "PROVISION_STATE", "DIRECTOR", "VM", "STEP", "DISKS", "NOTE"}}
	list := []claimed{}
	err = service.EachNode(ctx, client.NodeQuery{}, func(n baremetal.Node) error {
		found, held := claimOf(n, now)
		if !held || k.Orphans && found.Orphan == "" || k.Director != "" && found.Director != k.Director {
			return nil
		}
		list = append(list, found)
		a.names = append(a.names, reference(n))
		a.rows = append(a.rows, []string{
			reference(n), found.ProvisionState, found.Director, found.VMCID, found.Step, strings.Join(found.DiskCIDs, ", "), found.note(),
		})
		return nil
	})
	if err != nil {
		return err
	}
	a.value = list
	return c.print(a)
}

// claimOf says who holds a node; held is false when there is nothing to say.
func claimOf(n baremetal.Node, now time.Time) (found claimed, held bool) {
	found = claimed{UUID: n.UUID, Name: n.Name, ProvisionState: string(n.ProvisionState), InstanceUUID: n.InstanceUUID, DiskCIDs: []string{}}
	h, err := holdingOf(n)
	if err != nil {
		found.Orphan = err.Error()
		return found, true
	}
	found.Director, found.VMCID, found.AgentID, found.Step, found.Deadline = h.Director, h.vmCID(), h.AgentID, h.Step, h.Deadline
	found.DiskCIDs = h.diskCIDs()
	found.Orphan = orphan(n, h, now)
	if h.Failed != nil {
		found.Failed = fmt.Sprintf("%s: %s", h.Failed.At.UTC().Format(time.RFC3339), redactURLs(h.Failed.Reason))
	}
	return found, h.holder(n) != "" || found.Orphan != "" || found.Failed != ""
}

// orphan says why nobody may be behind what is on the node; empty: somebody is, or nothing is there.
func orphan(n baremetal.Node, h holding, now time.Time) string {
	claim := h.claim()
	switch {
	case h.expired(now):
		return fmt.Sprintf("abandoned: step %q was to be over by %s; the next create_vm of its Director takes the node over",
			h.Step, h.Deadline.UTC().Format(time.RFC3339))
	case claim == "" && len(h.Disks) > 0:
		return "has disks, but no claim keeps it for them"
	case claim == "" && n.InstanceUUID == "" && n.ProvisionState == baremetal.Active:
		return "runs for nobody, or for a VM of the CPI of 2016, which marks no node"
	case claim == "" && n.InstanceUUID == "" && h.Origin.Created:
		return "was defined by a cloud-config, and serves nobody"
	case claim == "", h.inProgress():
		return "" // instance_uuid is gone between tear-down and end
	case n.InstanceUUID == "":
		return "instance_uuid is gone: others may take the node"
	case n.InstanceUUID != claim:
		return "instance_uuid is somebody else's: " + n.InstanceUUID
	case !h.kept() && n.ProvisionState != baremetal.Active && n.TargetProvisionState == "":
		return "the VM does not run: the node is " + string(n.ProvisionState)
	}
	return ""
}

// note is the last column of the table.
func (k claimed) note() string {
	var notes []string
	if k.Director == "" && k.InstanceUUID != "" && k.Orphan == "" {
		notes = append(notes, "not the CPI's: instance "+k.InstanceUUID)
	}
	if k.Orphan != "" {
		notes = append(notes, k.Orphan)
	}
	if k.Orphan == "" && k.Deadline != nil {
		notes = append(notes, "at work until "+k.Deadline.UTC().Format(time.RFC3339))
	}
	if k.Failed != "" {
		notes = append(notes, "failed "+k.Failed)
	}
	return strings.Join(notes, "; ")
}
