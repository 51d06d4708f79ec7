package cpi

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"bosh-ironic-cpi/src/agentenv"
	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/stemcell"
)

// A VMRequest is what create_vm is asked for. Objects stay JSON: keys that nobody here knows must survive.
type VMRequest struct {
	AgentID            string
	StemcellCID        string
	CloudProperties    json.RawMessage // null or absent: none
	Networks           json.RawMessage
	DiskCIDs           []string // persistent disks that must be on the server
	Env                json.RawMessage
	StemcellAPIVersion int // 0: not said
}

// CreateVM turns a free node into a VM and returns its CID and its networks, each with the MAC it got.
//
// A node that another process claims first is not an error: the next candidate is tried. After any error the
// node is as free as it was, or the error says what could not be undone.
func (c *CPI) CreateVM(ctx context.Context, req VMRequest) (cid string, networks json.RawMessage, err error) {
	w, err := c.wanted(ctx, req)
	if err != nil {
		return "", nil, err
	}
	undo := undo{limit: c.Options.Timeouts.Delete + c.Options.Timeouts.Clean}
	defer func() {
		if err = undo.unless(ctx, err); err != nil {
			err = &creationError{err}
		}
	}()

	b, err := c.claim(ctx, w, &undo)
	if err != nil {
		return "", nil, err
	}
	if err := c.provide(ctx, b); err != nil {
		return "", nil, b.failed(err)
	}
	if err := c.step(ctx, stepStore, b.node.UUID, func(ctx context.Context) error { return c.storeSettings(ctx, b) }); err != nil {
		return "", nil, b.failed(err)
	}
	if err := c.step(ctx, stepDeploy, b.node.UUID, func(ctx context.Context) error { return c.deploy(ctx, b) }); err != nil {
		return "", nil, b.failed(err)
	}
	if err := c.step(ctx, stepFinish, b.node.UUID, func(ctx context.Context) error { return c.finish(ctx, b) }); err != nil {
		return "", nil, b.failed(err)
	}
	networks, err = json.Marshal(b.plan.networks.Networks)
	if err != nil {
		return "", nil, err
	}
	return b.cid, networks, nil
}

// wanted is a VMRequest, decoded and checked as far as that is possible without a node.
type wanted struct {
	VMRequest
	vmCID      string // the CID that the VM will have
	properties vmProperties
	networks   agentenv.Networks
	env        map[string]any
	stemcell   stemcell.Description
}

func (c *CPI) wanted(ctx context.Context, req VMRequest) (wanted, error) {
	w := wanted{VMRequest: req, vmCID: uuid.NewString()}
	var err error
	if w.properties, err = c.vmProperties(ctx, req.CloudProperties); err != nil {
		return w, err
	}
	if err := unmarshal("networks", req.Networks, &w.networks); err != nil {
		return w, err
	}
	if err := c.checkNetworks(ctx, w.networks); err != nil {
		return w, err
	}
	if err := unmarshal("env", req.Env, &w.env); err != nil {
		return w, err
	}
	w.stemcell, err = c.stemcell(ctx, req.StemcellCID)
	return w, err
}

// unmarshal decodes an argument that may be null.
func unmarshal(argument string, raw json.RawMessage, into any) error {
	if len(raw) == 0 {
		return nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%w: argument %s: %w", ErrProperties, argument, err)
	}
	return nil
}

// A build is a VM on its way.
type build struct {
	wanted
	vm
	plan  plan
	kept  bool            // the node is held for the VM's disks
	claim baremetal.Patch // what goes with the claim

	settingsURL string // where the server fetches its settings or config drive
	why         string // why it failed, for the node's document
}

// failed notes why the build fails, so that the undo can write it on the node, and returns err.
func (b *build) failed(err error) error {
	b.why = err.Error()
	return err
}

// provide brings the node to available, which may mean minutes of cleaning.
func (c *CPI) provide(ctx context.Context, b *build) error {
	if b.node.ProvisionState == baremetal.Available {
		return nil
	}
	return c.step(ctx, stepProvide, b.node.UUID, func(ctx context.Context) error {
		limits := c.Options.Timeouts
		b.document = b.document.at(stepProvide, limits.Manage+limits.Provide+limits.Claim)
		if err := c.save(ctx, &b.vm); err != nil {
			return err
		}
		if b.node.ProvisionState == baremetal.Enroll {
			if err := c.move(ctx, &b.vm, baremetal.VerbManage, limits.Manage, baremetal.Manageable); err != nil {
				return err
			}
		}
		return c.move(ctx, &b.vm, baremetal.VerbProvide, limits.Provide, baremetal.Available)
	})
}

// finish deletes the settings that the server has read by now and hands the VM over. Should the answer not reach
// the Director, nobody would ever delete the VM: so its claim still has a deadline, until a first call about the
// VM confirms it (set_vm_metadata follows at once).
func (c *CPI) finish(ctx context.Context, b *build) error {
	if err := c.Metadata.Delete(ctx, deliveryFolder(b.cid)); err != nil {
		return fmt.Errorf("delete the settings that node %s has read: %w", b.node.Label(), err)
	}
	b.document = b.document.at(stepFinish, c.Options.Timeouts.Deploy)
	return c.save(ctx, &b.vm)
}

// confirm notes that the Director knows the VM; the next save writes it.
func (v *vm) confirm() {
	if v.document.Step == stepFinish {
		v.document = v.document.rest(stepReady)
	}
}
