package conductor_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/conductor/deploy"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/store"
)

// A waker is hardware that can be switched on, and no more, as by Wake-on-LAN.
type waker struct{}

func (waker) PowerState(context.Context, *driver.Node) (baremetal.PowerState, error) { return "", nil }

func (waker) Switch(context.Context, *driver.Node, baremetal.PowerTarget) error { return nil }

func (waker) PowerTargets() []baremetal.PowerTarget {
	return []baremetal.PowerTarget{baremetal.TargetOn}
}

// What hardware cannot do is said before anything is touched.
func TestWhatHardwareCannotDo(t *testing.T) {
	kept, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "state.sqlite"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	c, err := conductor.New(conductor.Config{
		Hostname: "c1", Store: kept, AutomatedClean: true,
		Drivers: driver.Table{
			Specs: []driver.Spec{{Name: "waker", New: func() any { return waker{} }}},
			Types: []driver.HardwareType{{Name: "wol", Enabled: map[string][]string{"power": {"waker"}, "management": {"noop"}}}},
		},
		Deployers: map[string]conductor.Deployer{"direct": deploy.NewDirect(deploy.Ramdisk{}), "fake": deploy.Fake{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	no := false
	for name, n := range map[string]conductor.Node{
		"manageable": {ProvisionState: baremetal.Manageable},
		"available":  {ProvisionState: baremetal.Available},
		"uncleaned":  {ProvisionState: baremetal.Manageable, Details: conductor.Details{AutomatedClean: &no}},
		"instant":    {ProvisionState: baremetal.Manageable, Details: conductor.Details{Interfaces: map[string]string{"deploy": "fake"}}},
	} {
		n.Name, n.Driver = name, "wol"
		if n.Details.Interfaces == nil {
			n.Details.Interfaces = map[string]string{"deploy": "direct"}
		}
		if err := c.CreateNode(t.Context(), &n); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		node string
		verb baremetal.Verb
		want string // a part of the refusal; empty: accepted
	}{
		{"manageable", baremetal.VerbProvide, "power interface waker, which cannot do 'power off'"},
		{"manageable", baremetal.VerbClean, "power interface waker, which cannot do 'power off'"},
		{"available", baremetal.VerbActive, "power interface waker, which cannot do 'power off'"},
		{"uncleaned", baremetal.VerbProvide, ""},
		{"instant", baremetal.VerbProvide, ""},
	}
	for _, tt := range tests {
		err := c.Provision(t.Context(), tt.node, conductor.Request{Verb: tt.verb, Word: string(tt.verb), CleanSteps: []conductor.Step{{Interface: "deploy", Step: "x"}}})
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s %s: %v", tt.verb, tt.node, err)
			}
			continue
		}
		n, lost := c.Node(t.Context(), tt.node)
		if lost != nil {
			t.Fatal(lost)
		}
		if !errors.Is(err, baremetal.ErrInvalid) || !strings.Contains(err.Error(), tt.want) || n.Reservation != "" || n.ProvisionUpdatedAt != 0 {
			t.Errorf("%s %s: %v; want %q, and the node as it was", tt.verb, tt.node, err, tt.want)
		}
	}
	if err := c.ChangePower(t.Context(), "available", baremetal.TargetOff, 0); err == nil || !strings.Contains(err.Error(), "does not support the power state") {
		t.Errorf("power off: %v", err)
	}
}

// Drivers by the names that they had in 2016.
func TestClassicDrivers(t *testing.T) {
	r := newRig(t)
	c := r.start("c1", &script{}, func(cfg *conductor.Config) {
		cfg.Deployers = map[string]conductor.Deployer{"direct": deploy.NewDirect(deploy.Ramdisk{}), "fake": deploy.Fake{}}
		cfg.Drivers.Types = append(cfg.Drivers.Types, driver.HardwareType{Name: "ssh", Enabled: map[string][]string{"power": {"fake"}, "management": {"noop"}}})
	})
	tests := []struct{ driver, named, hardwareType, deploy, refusal string }{
		{"fake", "", "fake-hardware", "fake", ""},
		{"staging-amt", "staging-amt", "amt", "direct", ""},
		{"wol", "staging-wol", "", "", "Could not find the following interface"}, // as deploy interface
		{"pxe_ssh", "", "ssh", "direct", ""},
		{"fake_ssh", "", "ssh", "fake", ""},
		{"fake_ssh", "direct", "ssh", "direct", ""},
		{"staging-wol", "", "wol", "direct", ""},
		{"pxe_iboot", "", "iboot", "direct", ""},
		{"agent_ipmitool", "", "ipmi", "direct", ""},
		{"agent_drac", "", "", "", "which supports driver idrac"},
	}
	for _, tt := range tests {
		n := &conductor.Node{Driver: tt.driver}
		if tt.named != "" {
			n.Details.Interfaces = map[string]string{"deploy": tt.named}
		}
		err := c.CreateNode(t.Context(), n)
		if tt.refusal != "" {
			if err == nil || !strings.Contains(err.Error(), tt.refusal) {
				t.Errorf("%s: %v; want %q", tt.driver, err, tt.refusal)
			}
			continue
		}
		if err != nil || n.Driver != tt.hardwareType || n.Interface("deploy") != tt.deploy {
			t.Errorf("%s: %s, deploy %s, %v; want %s, %s", tt.driver, n.Driver, n.Interface("deploy"), err, tt.hardwareType, tt.deploy)
		}
	}
	n := &conductor.Node{Driver: "staging-nm", Details: conductor.Details{Interfaces: map[string]string{"vendor": "staging-nm", "power": "ipmitool"}}}
	if err := c.CreateNode(t.Context(), n); err != nil || n.Driver != "nm" || n.Interface("vendor") != "nm" {
		t.Errorf("staging-nm: %s, vendor interface %s, %v; want nm, nm", n.Driver, n.Interface("vendor"), err)
	}
}

// What a driver finds wrong with a node before it asks the hardware is said at manage and at active, as by validate.
func TestWhatADriverFindsWrong(t *testing.T) {
	r := newRig(t)
	c := r.start("c1", &script{}, func(cfg *conductor.Config) {
		cfg.Deployers = map[string]conductor.Deployer{"script": &script{}, "fake": deploy.Fake{}}
	})
	tests := []struct {
		state baremetal.ProvisionState
		verb  baremetal.Verb
		info  map[string]any
		port  bool
		want  string // empty: nothing is wrong
	}{
		{baremetal.Enroll, baremetal.VerbManage, nil, false, "Failed to validate power driver interface for node UUID. Error: Wake-on-LAN needs at least one port"},
		{baremetal.Enroll, baremetal.VerbManage, map[string]any{"wol_port": "many"}, true, `Failed to validate power driver interface for node UUID. Error: driver_info "wol_port" is "many"`},
		{baremetal.Enroll, baremetal.VerbManage, nil, true, ""},
		{baremetal.Available, baremetal.VerbActive, nil, false, "Failed to validate deploy or power info for node UUID: Wake-on-LAN needs at least one port"},
		{baremetal.Available, baremetal.VerbActive, nil, true, ""},
	}
	for i, tt := range tests {
		n := conductor.Node{
			Driver: "wol", ProvisionState: tt.state,
			Details: conductor.Details{DriverInfo: conductor.NewObject(tt.info), Interfaces: map[string]string{"deploy": "fake"}},
		}
		if err := c.CreateNode(t.Context(), &n); err != nil {
			t.Fatal(err)
		}
		if tt.port {
			r.update(func(tx conductor.Tx) error {
				return conductor.Put(tx, &conductor.Port{UUID: uuidOf(i), NodeUUID: n.UUID, Address: fmt.Sprintf("52:54:00:00:00:%02x", i)})
			})
		}
		want := strings.ReplaceAll(tt.want, "UUID", n.UUID)
		err := c.Provision(t.Context(), n.UUID, conductor.Request{Verb: tt.verb, Word: string(tt.verb)})
		if tt.verb == baremetal.VerbActive {
			if (err == nil) != (want == "") || err != nil && (!errors.Is(err, baremetal.ErrInvalid) || !strings.Contains(err.Error(), want)) {
				t.Errorf("%d: active: %v; want %q", i, err, want)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		state := baremetal.Enroll
		if want == "" {
			state = baremetal.Manageable
		}
		if n := r.soon(n.UUID, state); (n.LastError == "") != (want == "") || !strings.Contains(n.LastError, want) {
			t.Errorf("%d: manage: %q; want %q", i, n.LastError, want)
		}
	}
}

// The interfaces of Ironic's staging drivers are ours by other names, also where a node changes hands by PATCH.
func TestStagingInterfaces(t *testing.T) {
	r := newRig(t)
	c := r.start("c1", &script{}, func(cfg *conductor.Config) {
		cfg.Deployers = map[string]conductor.Deployer{"direct": deploy.NewDirect(deploy.Ramdisk{}), "fake": deploy.Fake{}}
	})
	tests := []struct {
		driver       string
		named, wants map[string]string
		refused      string
	}{
		{"staging-wol", map[string]string{"power": "staging-wol", "management": "fake"}, map[string]string{"power": "wol", "management": "fake"}, ""},
		{"wol", map[string]string{"power": "staging-wol"}, map[string]string{"power": "wol", "management": "noop"}, ""},
		{"staging-iboot", map[string]string{"power": "staging-iboot"}, map[string]string{"power": "iboot"}, ""},
		{
			"staging-amt",
			map[string]string{"power": "staging-amt", "management": "staging-amt", "deploy": "staging-amt"},
			map[string]string{"power": "amt", "management": "amt", "deploy": "direct"},
			"",
		},
		{"wol", map[string]string{"power": "staging-amt"}, nil, "'ironic.hardware.interfaces.power' entrypoint: staging-amt"},
		{"wol", map[string]string{"power": "staging-tin"}, nil, "'ironic.hardware.interfaces.power' entrypoint: staging-tin"},
	}
	for _, tt := range tests {
		n := &conductor.Node{Driver: tt.driver, Details: conductor.Details{Interfaces: tt.named}}
		err := c.Compose(n)
		if tt.refused != "" {
			if err == nil || !strings.Contains(err.Error(), tt.refused) {
				t.Errorf("%s with %v: %v; want %q", tt.driver, tt.named, err, tt.refused)
			}
			continue
		}
		for kind, want := range tt.wants {
			if err != nil || n.Interface(kind) != want {
				t.Errorf("%s with %v: %s interface %q, %v; want %s", tt.driver, tt.named, kind, n.Interface(kind), err, want)
			}
		}
	}
}
