package conductor_test

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/conductor/deploy"
	"bosh-ironic-cpi/src/driver/all"
	"bosh-ironic-cpi/src/store"
)

// What is enabled must be there, and leave every hardware type something of each kind.
func TestEnabled(t *testing.T) {
	type lists = map[string][]string
	tests := []struct {
		name     string
		types    []string
		enabled  lists
		defaults map[string]string
		want     string // a part of the refusal; empty: accepted
	}{
		{name: "nothing said"},
		{name: "types", types: []string{"fake-hardware"}},
		{name: "a type that is not there", types: []string{"ipmy"}, want: `enabled hardware type "ipmy": there is none of that name; known: amt, fake-hardware`},
		{name: "interfaces", enabled: lists{"deploy": {"direct"}, "inspect": {"agent", "fake"}}},
		{name: "no such kind", enabled: lists{"deployment": {"direct"}}, want: `"deployment" is no kind of interface`},
		{name: "no such interface", enabled: lists{"deploy": {"iscsi"}}, want: `enabled deploy interface "iscsi"`},
		{
			name: "one that only another type can have", types: []string{"manual-management"}, enabled: lists{"bios": {"fake"}},
			want: `enabled bios interface "fake": no enabled hardware type can have it; known: no-bios`,
		},
		{name: "a type without any", types: []string{"fake-hardware"}, enabled: lists{"management": {"fake"}, "power": {}}, want: "hardware type fake-hardware: no power interface that it can have is enabled; enable one of fake"},
		{name: "a default", enabled: lists{"deploy": {"direct"}}, defaults: map[string]string{"deploy": "direct"}},
		{
			name: "a default that is not enabled", enabled: lists{"deploy": {"direct"}}, defaults: map[string]string{"deploy": "fake"},
			want: `default deploy interface "fake": not among the enabled ones: direct`,
		},
		{name: "a default of no kind", defaults: map[string]string{"deployment": "direct"}, want: `"deployment" is no kind of interface`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set := deploy.All(deploy.Ramdisk{})
			kept, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "state.sqlite"), store.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer kept.Close()
			_, err = conductor.New(conductor.Config{
				Hostname: "c1", Store: kept, Drivers: all.Table(), Deployers: set.Deployers, Inspectors: set.Inspectors,
				Types: tt.types, Enabled: tt.enabled, Defaults: tt.defaults,
			})
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("%v; want %q", err, tt.want)
			}
		})
	}
}

// A node gets what is enabled, and nothing else.
func TestNodesGetWhatIsEnabled(t *testing.T) {
	r := newRig(t)
	set := deploy.All(deploy.Ramdisk{})
	c := r.start("here", &script{}, func(cfg *conductor.Config) {
		cfg.Deployers, cfg.Inspectors = set.Deployers, set.Inspectors
		cfg.Types = []string{"fake-hardware"}
		cfg.Enabled = map[string][]string{"deploy": {"direct"}, "inspect": {"no-inspect", "agent"}, "network": {"flat"}}
		cfg.Defaults = map[string]string{"inspect": "agent"}
	})
	n := conductor.Node{Name: "one", Driver: "fake-hardware", ProvisionState: baremetal.Enroll}
	if err := c.CreateNode(t.Context(), &n); err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[string]string{"deploy": "direct", "inspect": "agent", "network": "flat", "power": "fake"} {
		if got := n.Interface(kind); got != want {
			t.Errorf("%s interface %q; want %q", kind, got, want)
		}
	}
	for name, refused := range map[string]conductor.Node{
		"a type that is not enabled":       {Driver: "manual-management"},
		"an interface that is not enabled": {Driver: "fake-hardware", Details: conductor.Details{Interfaces: map[string]string{"deploy": "fake"}}},
	} {
		refused.Name = "two"
		if err := c.CreateNode(t.Context(), &refused); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// Validation says what interfaces of Ironic come to here that nothing stands behind.
func TestValidateForeignInterfaces(t *testing.T) {
	r := newRig(t)
	set := deploy.All(deploy.Ramdisk{})
	c := r.start("here", &script{}, func(cfg *conductor.Config) { cfg.Deployers, cfg.Inspectors = set.Deployers, set.Inspectors })
	named := map[string]string{
		"bios": "no-bios", "boot": "pxe", "console": "no-console", "network": "flat", "raid": "agent", "rescue": "agent", "storage": "external",
	}
	n := conductor.Node{Name: "one", Driver: "fake-hardware", ProvisionState: baremetal.Enroll, Details: conductor.Details{Interfaces: maps.Clone(named)}}
	if err := c.CreateNode(t.Context(), &n); err != nil {
		t.Fatal(err)
	}
	verdicts := c.Validate(t.Context(), &n)
	for kind := range named {
		v := verdicts[kind]
		said := strings.HasPrefix(v.Reason, "accepted: ") && v.Result == true || strings.HasPrefix(v.Reason, "not supported: ") && v.Result == nil
		if !said {
			t.Errorf("%s interface %s: %+v", kind, named[kind], v)
		}
	}
	if v := verdicts["power"]; v.Result != true || v.Reason != "" {
		t.Errorf("power: %+v", v)
	}
}
