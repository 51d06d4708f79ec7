//go:build integration

package api_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/baremetal/apiversions"
	"github.com/gophercloud/gophercloud/v2/openstack/baremetal/httpbasic"
	"github.com/gophercloud/gophercloud/v2/openstack/baremetal/noauth"
	allocationsv1 "github.com/gophercloud/gophercloud/v2/openstack/baremetal/v1/allocations"
	"github.com/gophercloud/gophercloud/v2/openstack/baremetal/v1/conductors"
	"github.com/gophercloud/gophercloud/v2/openstack/baremetal/v1/drivers"
	"github.com/gophercloud/gophercloud/v2/openstack/baremetal/v1/nodes"
	"github.com/gophercloud/gophercloud/v2/openstack/baremetal/v1/ports"
	"github.com/gophercloud/gophercloud/v2/openstack/utils"

	"bosh-ironic-cpi/src/wait"
)

// A cloud is gophercloud's own client of the Bare Metal API.
type cloud struct {
	*gophercloud.ServiceClient
	t testing.TB
}

func newCloud(t testing.TB, c *gophercloud.ServiceClient, err error) cloud {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	c.Microversion = "1.82"
	return cloud{c, t}
}

// The life of a node as gophercloud's packages lead it, without credentials and with a password.
func TestGophercloud(t *testing.T) {
	r := start(t, nil)
	open, err := noauth.NewBareMetalNoAuth(noauth.EndpointOpts{IronicEndpoint: r.url + "/v1"})
	plain := newCloud(t, open, err)
	closed, err := httpbasic.NewBareMetalHTTPBasic(httpbasic.EndpointOpts{
		IronicEndpoint: guarded(t, r) + "/v1", IronicUser: "admin", IronicUserPassword: "secret",
	})
	admin := newCloud(t, closed, err)
	for name, c := range map[string]cloud{"none": plain, "http_basic": admin} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			c.versions(r.url)
			c.drivers()
			node := c.enroll()
			c.ports(node)
			c.lists(node)
			c.manage(node)
			c.deploy(node)
			c.allocate(node)
			c.leave(node)
		})
	}
	admin.MoreHeaders["Authorization"] = "Basic YWRtaW46d3Jvbmc="
	if _, err := nodes.Get(t.Context(), admin.ServiceClient, "nobody").Extract(); !gophercloud.ResponseCodeIs(err, http.StatusUnauthorized) {
		t.Errorf("wrong password: %v; want 401", err)
	}
}

// ok ends the test at an error.
func (c cloud) ok(what string, err error) {
	c.t.Helper()
	if answer, is := errors.AsType[gophercloud.ErrUnexpectedResponseCode](err); is {
		c.t.Fatalf("%s: %d %s", what, answer.Actual, answer.Body)
	}
	if err != nil {
		c.t.Fatalf("%s: %v", what, err)
	}
}

// refused wants a status.
func (c cloud) refused(what string, err error, status int) {
	c.t.Helper()
	if !gophercloud.ResponseCodeIs(err, status) {
		c.t.Errorf("%s: error = %v; want status %d", what, err, status)
	}
}

func (c cloud) same(what string, got, want any) {
	c.t.Helper()
	if !reflect.DeepEqual(got, want) {
		c.t.Errorf("%s = %v; want %v", what, got, want)
	}
}

func (c cloud) versions(root string) {
	atRoot := *c.ServiceClient
	atRoot.Endpoint = root + "/"
	all, err := apiversions.List(c.t.Context(), &atRoot).Extract()
	c.ok("versions", err)
	v1, err := apiversions.Get(c.t.Context(), &atRoot, "v1").Extract()
	c.ok("v1", err)
	c.same("default version", all.DefaultVersion, *v1)
	c.same("v1", *v1, apiversions.APIVersion{ID: "v1", MinVersion: "1.1", Version: "1.82", Status: "CURRENT"})
	spoken, err := utils.GetSupportedMicroversions(c.t.Context(), c.ServiceClient)
	c.ok("microversions", err)
	c.same("microversions", spoken, utils.SupportedMicroversions{MaxMajor: 1, MaxMinor: 82, MinMajor: 1, MinMinor: 1})
}

func (c cloud) drivers() {
	ctx := c.t.Context()
	page, err := drivers.ListDrivers(c.ServiceClient, drivers.ListDriversOpts{Detail: true}).AllPages(ctx)
	c.ok("drivers", err)
	list, err := drivers.ExtractDrivers(page)
	c.ok("drivers", err)
	fake, err := drivers.GetDriverDetails(ctx, c.ServiceClient, "fake-hardware").Extract()
	c.ok("driver", err)
	if fake.DefaultDeployInterface != "fake" || !slices.Contains(fake.EnabledDeployInterfaces, "direct") || len(fake.Hosts) != 1 {
		c.t.Errorf("fake-hardware: %+v", fake)
	}
	same := func(d drivers.Driver) bool {
		return d.Name == fake.Name && d.DefaultDeployInterface == fake.DefaultDeployInterface
	}
	if !slices.ContainsFunc(list, same) {
		c.t.Errorf("the list %+v has no fake-hardware like %+v", list, fake)
	}
	properties, err := drivers.GetDriverProperties(ctx, c.ServiceClient, "fake-hardware").Extract()
	c.ok("driver's properties", err)
	if len(*properties) == 0 {
		c.t.Error("fake-hardware has no properties")
	}
	methods, err := drivers.ListVendorPassthruMethods(ctx, c.ServiceClient, "fake-hardware").Extract()
	c.ok("driver's methods", err)
	c.same("driver's methods", len(methods), 0)
	_, err = drivers.GetDriverDiskProperties(ctx, c.ServiceClient, "fake-hardware").Extract()
	c.refused("disk properties", err, http.StatusNotFound)
	_, err = drivers.GetDriverDetails(ctx, c.ServiceClient, "nonsense").Extract()
	c.refused("no such driver", err, http.StatusNotFound)

	page, err = conductors.List(c.ServiceClient, conductors.ListOpts{Detail: true}).AllPages(ctx)
	c.ok("conductors", err)
	hosts, err := conductors.ExtractConductors(page)
	c.ok("conductors", err)
	host, err := conductors.Get(ctx, c.ServiceClient, "127.0.0.1").Extract()
	c.ok("conductor", err)
	if len(hosts) != 1 || !host.Alive || !slices.Equal(hosts[0].Drivers, host.Drivers) {
		c.t.Errorf("conductors: %+v; and the one: %+v", hosts, host)
	}
}

func (c cloud) enroll() string {
	on := true
	node, err := nodes.Create(c.t.Context(), c.ServiceClient, nodes.CreateOpts{
		Name: "goph", Driver: "fake-hardware", DriverInfo: map[string]any{"ipmi_password": "hunter2", "ipmi_port": 623},
		Properties: map[string]any{"cpus": 4, "capabilities": "boot_mode:uefi"}, Extra: map[string]any{"a": map[string]any{"b": 1.5}},
		ResourceClass: "goph", DeployInterface: "fake", Owner: "somebody", AutomatedClean: &on,
	}).Extract()
	c.ok("create", err)
	again, err := nodes.Get(c.t.Context(), c.ServiceClient, "goph").Extract()
	c.ok("get", err)
	c.same("the node that was created", node, again)
	c.same("driver_info", node.DriverInfo, map[string]any{"ipmi_password": "******", "ipmi_port": 623.0})
	c.same("extra", node.Extra, map[string]any{"a": map[string]any{"b": 1.5}})
	c.same("state", node.ProvisionState, string(nodes.Enroll))
	_, err = nodes.Create(c.t.Context(), c.ServiceClient, nodes.CreateOpts{Name: "goph", Driver: "fake-hardware"}).Extract()
	c.refused("the name again", err, http.StatusConflict)

	node, err = nodes.Update(c.t.Context(), c.ServiceClient, node.UUID, nodes.UpdateOpts{
		nodes.UpdateOperation{Op: nodes.ReplaceOp, Path: "/properties/cpus", Value: 8},
		nodes.UpdateOperation{Op: nodes.AddOp, Path: "/extra/c", Value: ""},
		nodes.UpdateOperation{Op: nodes.RemoveOp, Path: "/extra/a"},
		nodes.UpdateOperation{Op: nodes.ReplaceOp, Path: "/automated_clean", Value: false},
	}).Extract()
	c.ok("update", err)
	c.same("extra", node.Extra, map[string]any{"c": ""})
	c.same("cpus", node.Properties["cpus"], 8.0)
	c.same("automated_clean", *node.AutomatedClean, false)
	_, err = nodes.Update(c.t.Context(), c.ServiceClient, node.UUID, nodes.UpdateOpts{
		nodes.UpdateOperation{Op: nodes.AddOp, Path: "/extra/c", Value: nil}, // it leaves value out
	}).Extract()
	c.refused("update without a value", err, http.StatusBadRequest)

	traits := map[string]any{"traits": []string{"CUSTOM_GOPH", "HW_CPU_X86_VMX"}}
	resp, err := c.Put(c.t.Context(), c.ServiceURL("nodes", node.UUID, "traits"), traits, nil, &gophercloud.RequestOpts{OkCodes: []int{204}})
	c.ok("traits", err)
	c.ok("traits", resp.Body.Close())
	node, err = nodes.Get(c.t.Context(), c.ServiceClient, node.UUID).Extract()
	c.ok("get", err)
	c.same("traits", node.Traits, []string{"CUSTOM_GOPH", "HW_CPU_X86_VMX"})
	return node.UUID
}

func (c cloud) ports(node string) {
	ctx, enabled := c.t.Context(), true
	const mac = "52:54:00:00:60:01"
	port, err := ports.Create(ctx, c.ServiceClient, ports.CreateOpts{
		NodeUUID: node, Address: strings.ToUpper(mac), PXEEnabled: &enabled, PhysicalNetwork: "lan",
		LocalLinkConnection: map[string]any{"switch_id": "0a:1b:2c:3d:4e:5f", "port_id": "Ethernet3/1"},
	}).Extract()
	c.ok("create a port", err)
	c.same("address", port.Address, mac)
	_, err = ports.Create(ctx, c.ServiceClient, ports.CreateOpts{NodeUUID: node, Address: mac}).Extract()
	c.refused("the address again", err, http.StatusConflict)
	port, err = ports.Update(ctx, c.ServiceClient, port.UUID, ports.UpdateOpts{
		ports.UpdateOperation{Op: ports.ReplaceOp, Path: "/physical_network", Value: "wan"},
		ports.UpdateOperation{Op: ports.AddOp, Path: "/extra/a", Value: "b"},
	}).Extract()
	c.ok("update a port", err)
	again, err := ports.Get(ctx, c.ServiceClient, port.UUID).Extract()
	c.ok("get a port", err)
	c.same("the port that was updated", again, port)
	for _, opts := range []ports.ListOpts{{Address: mac}, {Node: "goph"}, {NodeUUID: node}, {Node: node, Fields: []string{"uuid"}}} {
		page, err := ports.List(c.ServiceClient, opts).AllPages(ctx)
		c.ok("list ports", err)
		list, err := ports.ExtractPorts(page)
		c.ok("list ports", err)
		if len(list) != 1 || list[0].UUID != port.UUID {
			c.t.Errorf("ports with %+v: %+v", opts, list)
		}
	}
	page, err := ports.ListDetail(c.ServiceClient, ports.ListOpts{Node: node}).AllPages(ctx)
	c.ok("list ports", err)
	list, err := ports.ExtractPorts(page)
	c.ok("list ports", err)
	c.same("ports in detail", list, []ports.Port{*port})
	c.ok("delete a port", ports.Delete(ctx, c.ServiceClient, port.UUID).ExtractErr())
	_, err = ports.Get(ctx, c.ServiceClient, port.UUID).Extract()
	c.refused("no such port", err, http.StatusNotFound)
}

func (c cloud) lists(node string) {
	ctx := c.t.Context()
	other, err := nodes.Create(ctx, c.ServiceClient, nodes.CreateOpts{Name: "goph-2", Driver: "fake-hardware", ResourceClass: "goph"}).Extract()
	c.ok("create", err)
	tests := []struct {
		opts nodes.ListOpts
		want []string
	}{
		{nodes.ListOpts{ResourceClass: "goph", SortKey: "name", SortDir: "desc"}, []string{other.UUID, node}},
		{nodes.ListOpts{ResourceClass: "goph", SortKey: "name", Fields: []string{"uuid", "name"}}, []string{node, other.UUID}},
		{nodes.ListOpts{ResourceClass: "goph", Owner: "somebody", Driver: "fake-hardware"}, []string{node}},
		{nodes.ListOpts{ResourceClass: "goph", ProvisionState: nodes.Enroll, SortKey: "name", Limit: 5}, []string{node, other.UUID}},
		{nodes.ListOpts{ResourceClass: "goph", ProvisionState: nodes.Active}, []string{}},
		{nodes.ListOpts{ResourceClass: "goph", Maintenance: true}, []string{}},
		{nodes.ListOpts{ResourceClass: "goph", Associated: true}, []string{}},
	}
	for _, tt := range tests {
		page, err := nodes.List(c.ServiceClient, tt.opts).AllPages(ctx)
		c.ok("list", err)
		found, err := nodes.ExtractNodes(page)
		c.ok("list", err)
		got := []string{}
		for _, n := range found {
			got = append(got, n.UUID)
		}
		if !slices.Equal(got, tt.want) {
			c.t.Errorf("nodes with %+v: %v; want %v", tt.opts, got, tt.want)
		}
	}
	page, err := nodes.ListDetail(c.ServiceClient, nodes.ListOpts{ResourceClass: "goph", SortKey: "name", SortDir: "desc"}).AllPages(ctx)
	c.ok("list", err)
	whole, err := nodes.ExtractNodes(page)
	c.ok("list", err)
	c.same("the list in detail begins with", whole[0], *other)
	c.ok("delete", nodes.Delete(ctx, c.ServiceClient, other.UUID).ExtractErr())
}

// manage walks the node to available, and switches it.
func (c cloud) manage(node string) {
	ctx := c.t.Context()
	c.verb(node, nodes.ProvisionStateOpts{Target: nodes.TargetManage}, nodes.Manageable)
	c.verb(node, nodes.ProvisionStateOpts{Target: nodes.TargetInspect}, nodes.Manageable)
	var inspected struct{ Inventory map[string]any }
	c.ok("inventory", nodes.GetInventory(ctx, c.ServiceClient, node).ExtractInto(&inspected))
	if len(inspected.Inventory) == 0 {
		c.t.Error("the inventory is empty")
	}
	valid, err := nodes.Validate(ctx, c.ServiceClient, node).Extract()
	c.ok("validate", err)
	c.same("power and management are valid", []bool{valid.Power.Result, valid.Management.Result}, []bool{true, true})
	for _, power := range []struct {
		target nodes.TargetPowerState
		want   string
	}{{nodes.PowerOn, "power on"}, {nodes.SoftPowerOff, "power off"}, {nodes.Rebooting, "power on"}, {nodes.PowerOff, "power off"}} {
		c.ok("power", nodes.ChangePowerState(ctx, c.ServiceClient, node, nodes.PowerStateOpts{Target: power.target, Timeout: 30}).ExtractErr())
		c.same("power state after "+string(power.target), c.rest(node, nodes.Manageable).PowerState, power.want)
	}
	c.ok("boot device", nodes.SetBootDevice(ctx, c.ServiceClient, node, nodes.BootDeviceOpts{BootDevice: "pxe", Persistent: true}).ExtractErr())
	device, err := nodes.GetBootDevice(ctx, c.ServiceClient, node).Extract()
	c.ok("boot device", err)
	c.same("boot device", *device, nodes.BootDeviceOpts{BootDevice: "pxe", Persistent: true})
	supported, err := nodes.GetSupportedBootDevices(ctx, c.ServiceClient, node).Extract()
	c.ok("boot devices", err)
	c.same("boot devices", supported, []string{"pxe", "disk", "cdrom"})
	c.refused("NMI", nodes.InjectNMI(ctx, c.ServiceClient, node).ExtractErr(), http.StatusBadRequest)
	methods, err := nodes.ListVendorPassthruMethods(ctx, c.ServiceClient, node).Extract()
	c.ok("vendor methods", err)
	called := nodes.CallVendorPassthru(ctx, c.ServiceClient, node, http.MethodPost, nodes.VendorPassthruCallOpts{
		Method: "third_method_sync", Body: map[string]any{"bar": "meow"},
	})
	c.ok("call", called.Err)
	if _, has := methods["third_method_sync"]; !has || called.Body != true {
		c.t.Errorf("methods %v, and third_method_sync answers %v; want true", slices.Collect(maps.Keys(methods)), called.Body)
	}
	settings, err := nodes.ListBIOSSettings(ctx, c.ServiceClient, node, nil).Extract()
	c.ok("BIOS settings", err)
	c.same("BIOS settings", len(settings), 0)
	size := 100
	raid := nodes.RAIDConfigOpts{LogicalDisks: []nodes.LogicalDisk{{SizeGB: &size, RAIDLevel: nodes.RAID1}}}
	c.ok("RAID", nodes.SetRAIDConfig(ctx, c.ServiceClient, node, raid).ExtractErr())
	c.ok("maintenance", nodes.SetMaintenance(ctx, c.ServiceClient, node, nodes.MaintenanceOpts{Reason: "fans"}).ExtractErr())
	c.same("reason", c.rest(node, nodes.Manageable).MaintenanceReason, "fans")
	c.ok("maintenance", nodes.UnsetMaintenance(ctx, c.ServiceClient, node).ExtractErr())
	c.ok("attach a VIF", nodes.AttachVirtualInterface(ctx, c.ServiceClient, node, nodes.VirtualInterfaceOpts{ID: "a"}).ExtractErr())
	vifs, err := nodes.ListVirtualInterfaces(ctx, c.ServiceClient, node).Extract()
	c.ok("VIFs", err)
	c.same("VIFs", len(vifs), 0)
	c.ok("detach a VIF", nodes.DetachVirtualInterface(ctx, c.ServiceClient, node, "a").ExtractErr())
	c.verb(node, nodes.ProvisionStateOpts{Target: nodes.TargetProvide}, nodes.Available)
}

func (c cloud) deploy(node string) {
	ctx := c.t.Context()
	claim := func(instance string) error {
		return nodes.Update(ctx, c.ServiceClient, node, nodes.UpdateOpts{
			nodes.UpdateOperation{Op: nodes.AddOp, Path: "/instance_uuid", Value: instance},
		}).Err
	}
	c.ok("claim", claim(walkRequest))
	c.refused("second claim", claim(walkOther), http.StatusConflict)
	object := nodes.ConfigDrive{MetaData: map[string]any{"a": "b"}, UserData: "#cloud-config"}
	c.verb(node, nodes.ProvisionStateOpts{Target: nodes.TargetActive, ConfigDrive: object}, nodes.Active)
	err := nodes.ChangeProvisionState(ctx, c.ServiceClient, node, nodes.ProvisionStateOpts{Target: nodes.TargetProvide}).ExtractErr()
	c.refused("provide an active node", err, http.StatusBadRequest)
	c.verb(node, nodes.ProvisionStateOpts{Target: nodes.TargetRebuild, ConfigDrive: "aGVsbG8="}, nodes.Active)
	c.verb(node, nodes.ProvisionStateOpts{Target: nodes.TargetRescue, RescuePassword: "hunter2"}, nodes.Rescue)
	c.verb(node, nodes.ProvisionStateOpts{Target: nodes.TargetUnrescue}, nodes.Active)
	c.same("instance", c.verb(node, nodes.ProvisionStateOpts{Target: nodes.TargetDeleted}, nodes.Available).InstanceUUID, "")
}

func (c cloud) allocate(node string) {
	ctx := c.t.Context()
	made, err := allocationsv1.Create(ctx, c.ServiceClient, allocationsv1.CreateOpts{
		Name: "goph", ResourceClass: "goph", Traits: []string{"CUSTOM_GOPH"}, CandidateNodes: []string{node}, Extra: map[string]string{"a": "b"},
	}).Extract()
	c.ok("allocate", err)
	got, err := allocationsv1.Get(ctx, c.ServiceClient, "goph").Extract()
	c.ok("get an allocation", err)
	c.same("allocation", []string{got.UUID, got.NodeUUID, got.State}, []string{made.UUID, node, "active"})
	c.same("instance", c.rest(node, nodes.Available).InstanceUUID, made.UUID)
	page, err := allocationsv1.List(c.ServiceClient, allocationsv1.ListOpts{Node: node, State: "active"}).AllPages(ctx)
	c.ok("list allocations", err)
	list, err := allocationsv1.ExtractAllocations(page)
	c.ok("list allocations", err)
	c.same("allocations", list, []allocationsv1.Allocation{*got})
	c.ok("delete an allocation", allocationsv1.Delete(ctx, c.ServiceClient, made.UUID).ExtractErr())
	c.same("instance", c.rest(node, nodes.Available).InstanceUUID, "")
}

func (c cloud) leave(node string) {
	c.ok("delete", nodes.Delete(c.t.Context(), c.ServiceClient, node).ExtractErr())
	_, err := nodes.Get(c.t.Context(), c.ServiceClient, node).Extract()
	c.refused("no such node", err, http.StatusNotFound)
}

// verb sends the node through a verb, and waits as gophercloud does.
func (c cloud) verb(node string, opts nodes.ProvisionStateOpts, want nodes.ProvisionState) *nodes.Node {
	c.t.Helper()
	c.ok(string(opts.Target), nodes.ChangeProvisionState(c.t.Context(), c.ServiceClient, node, opts).ExtractErr())
	return c.rest(node, want)
}

// rest waits until the node is unlocked in a state. gophercloud's own waiting asks once a second.
func (c cloud) rest(node string, want nodes.ProvisionState) *nodes.Node {
	c.t.Helper()
	var n *nodes.Node
	pace := wait.Pace{First: 5 * time.Millisecond, Every: 50 * time.Millisecond, Limit: time.Minute}
	c.ok("rest", wait.Until(c.t.Context(), pace, "node "+node+" to be "+string(want), func(ctx context.Context) (bool, string, error) {
		var err error
		if n, err = nodes.Get(ctx, c.ServiceClient, node).Extract(); err != nil {
			return false, "", err
		}
		return n.Reservation == "" && n.ProvisionState == string(want), n.ProvisionState, nil
	}))
	return n
}
