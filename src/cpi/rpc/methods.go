package rpc

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/cloudfoundry/bosh-cpi-go/apiv1"

	"bosh-ironic-cpi/src/cpi"
)

// Actions are the CPI's methods that need a configuration; [cpi.CPI] carries them out.
type Actions interface {
	CreateStemcell(ctx context.Context, imagePath string, props json.RawMessage, tags map[string]string) (cid string, err error)
	DeleteStemcell(ctx context.Context, cid string) error

	CreateVM(ctx context.Context, vm cpi.VMRequest) (cid string, networks json.RawMessage, err error)
	DeleteVM(ctx context.Context, cid string) error
	HasVM(ctx context.Context, cid string) (bool, error)
	RebootVM(ctx context.Context, cid string) error
	SetVMMetadata(ctx context.Context, cid string, metadata map[string]any) error
	CalculateVMCloudProperties(ctx context.Context, want cpi.VMResources) (map[string]any, error)

	CreateDisk(ctx context.Context, sizeMB int, props json.RawMessage, vmCID string) (cid string, err error)
	DeleteDisk(ctx context.Context, cid string) error
	HasDisk(ctx context.Context, cid string) (bool, error)
	AttachDisk(ctx context.Context, vmCID, diskCID string) (hint any, err error)
	DetachDisk(ctx context.Context, vmCID, diskCID string) error
	GetDisks(ctx context.Context, vmCID string) ([]string, error)
	SetDiskMetadata(ctx context.Context, cid string, metadata map[string]any) error
}

var _ Actions = (*cpi.CPI)(nil)

// A constant is the answer of a method that needs neither configuration nor arguments.
type constant struct {
	result any
	err    error
}

// constants are the methods that always answer the same. Which refusal a method gets is chosen by what the
// Director makes of it: NotSupported of resize_disk and update_disk makes it copy the disk, of
// configure_networks recreate the VM; NotImplemented of snapshots is passed over.
func constants() map[string]constant {
	refuse := func(kind error, why string) constant { return constant{err: fmt.Errorf("%w: %s", kind, why)} }
	return map[string]constant{
		"info": {result: apiv1.Info{
			APIVersion:      newest,
			StemcellFormats: []string{"openstack-qcow2", "openstack-raw", "openstack-light"},
		}},
		"ping": {result: "pong"},

		"resize_disk":        refuse(cpi.ErrNotSupported, "a physical disk does not grow; its data is copied to another"),
		"update_disk":        refuse(cpi.ErrNotSupported, "a physical disk does not change; its data is copied to another"),
		"configure_networks": refuse(cpi.ErrNotSupported, "NICs are configured while a server is deployed: recreate the VM"),
		"snapshot_disk":      refuse(cpi.ErrNotImplemented, "a physical disk has no snapshots"),
		"delete_snapshot":    refuse(cpi.ErrNotImplemented, "a physical disk has no snapshots"),
		"create_network":     refuse(cpi.ErrNotSupported, "switches and subnets are the operator's: describe them in the cloud-config, without managed: true"),
		"delete_network":     refuse(cpi.ErrNotSupported, "the CPI makes no networks"),
		"current_vm_id":      refuse(cpi.ErrNotImplemented, "a Director does not look for itself among the nodes"),
	}
}

// A method reads its arguments and calls its action.
type method func(ctx context.Context, a Actions, in *arguments) (any, error)

// methods are the methods that need a configuration.
func methods() map[string]method {
	return map[string]method{
		"create_stemcell": createStemcell,
		"create_vm":       createVM,
		"create_disk":     createDisk,
		"attach_disk":     attachDisk,
		"detach_disk":     detachDisk,
		"get_disks":       getDisks,

		"calculate_vm_cloud_properties": calculateVMCloudProperties,

		"delete_stemcell": onCID((*arguments).stemcellCID, Actions.DeleteStemcell),
		"delete_vm":       onCID((*arguments).vmCID, Actions.DeleteVM),
		"reboot_vm":       onCID((*arguments).vmCID, Actions.RebootVM),
		"delete_disk":     onCID((*arguments).diskCID, Actions.DeleteDisk),

		"has_vm":   isThere((*arguments).vmCID, Actions.HasVM),
		"has_disk": isThere((*arguments).diskCID, Actions.HasDisk),

		"set_vm_metadata":   withMetadata((*arguments).vmCID, Actions.SetVMMetadata),
		"set_disk_metadata": withMetadata((*arguments).diskCID, Actions.SetDiskMetadata),
	}
}

func createStemcell(ctx context.Context, a Actions, in *arguments) (any, error) {
	path, props, tags := in.path(0, "image_path"), in.object(1, "cloud_properties"), in.tags(2)
	if in.err != nil {
		return nil, in.err
	}
	return a.CreateStemcell(ctx, path, props, tags)
}

func createVM(ctx context.Context, a Actions, in *arguments) (any, error) {
	vm := cpi.VMRequest{
		AgentID:            in.agentID(0),
		StemcellCID:        in.stemcellCID(1),
		CloudProperties:    in.object(2, "cloud_properties"),
		Networks:           in.object(3, "networks"),
		DiskCIDs:           in.diskCIDs(4),
		Env:                in.object(5, "env"),
		StemcellAPIVersion: in.stemcellVersion,
	}
	if in.err != nil {
		return nil, in.err
	}
	cid, networks, err := a.CreateVM(ctx, vm)
	if err != nil || in.version == 1 {
		return cid, err
	}
	if absent(networks) {
		networks = json.RawMessage(`{}`)
	}
	return []any{cid, networks}, nil
}

func createDisk(ctx context.Context, a Actions, in *arguments) (any, error) {
	size, props, vm := in.sizeMB(0), in.object(1, "cloud_properties"), in.optionalVMCID(2)
	if in.err != nil {
		return nil, in.err
	}
	return a.CreateDisk(ctx, size, props, vm)
}

// attachDisk gives the hint that a client of version 1 would not understand to newer ones only.
func attachDisk(ctx context.Context, a Actions, in *arguments) (any, error) {
	vm, disk := in.vmCID(0), in.diskCID(1)
	if in.err != nil {
		return nil, in.err
	}
	hint, err := a.AttachDisk(ctx, vm, disk)
	if in.version == 1 {
		return nil, err
	}
	return hint, err
}

func detachDisk(ctx context.Context, a Actions, in *arguments) (any, error) {
	vm, disk := in.vmCID(0), in.diskCID(1)
	if in.err != nil {
		return nil, in.err
	}
	return nil, a.DetachDisk(ctx, vm, disk)
}

func calculateVMCloudProperties(ctx context.Context, a Actions, in *arguments) (any, error) {
	r := in.resources(0)
	if in.err != nil {
		return nil, in.err
	}
	return a.CalculateVMCloudProperties(ctx, cpi.VMResources{RAM: r.RAM, CPU: r.CPU, EphemeralDiskSize: r.EphemeralDiskSize})
}

// getDisks answers [] rather than null where there is none.
func getDisks(ctx context.Context, a Actions, in *arguments) (any, error) {
	vm := in.vmCID(0)
	if in.err != nil {
		return nil, in.err
	}
	disks, err := a.GetDisks(ctx, vm)
	if disks == nil {
		disks = []string{}
	}
	return disks, err
}

// onCID is a method that does something to one thing.
func onCID(cid func(*arguments, int) string, act func(Actions, context.Context, string) error) method {
	return func(ctx context.Context, a Actions, in *arguments) (any, error) {
		id := cid(in, 0)
		if in.err != nil {
			return nil, in.err
		}
		return nil, act(a, ctx, id)
	}
}

// isThere is a method that asks whether one thing exists.
func isThere(cid func(*arguments, int) string, ask func(Actions, context.Context, string) (bool, error)) method {
	return func(ctx context.Context, a Actions, in *arguments) (any, error) {
		id := cid(in, 0)
		if in.err != nil {
			return nil, in.err
		}
		return ask(a, ctx, id)
	}
}

// withMetadata is a method that notes something about one thing.
func withMetadata(cid func(*arguments, int) string, set func(Actions, context.Context, string, map[string]any) error) method {
	return func(ctx context.Context, a Actions, in *arguments) (any, error) {
		id, metadata := cid(in, 0), in.metadata(1)
		if in.err != nil {
			return nil, in.err
		}
		return nil, set(a, ctx, id, metadata)
	}
}
