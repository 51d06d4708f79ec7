package conductor_test

import (
	"context"
	"errors"
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
