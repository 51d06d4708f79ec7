//go:build integration

package conductor_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/conductor/deploy"
	"bosh-ironic-cpi/src/driver"
)

// askIronic has OpenStack Ironic's own code say which interfaces its hardware types support, by kind, and which of them is
// the default of a new configuration.
const askIronic = `
import importlib.metadata, json, sys
from ironic.conf import CONF
points, names, types = importlib.metadata.entry_points(), {}, {}
kinds = ["bios", "boot", "console", "network", "power", "raid", "rescue", "storage"]
for kind in kinds:
    for p in points.select(group="ironic.hardware.interfaces." + kind):
        names[(kind, p.value)] = p.name
for p in points.select(group="ironic.hardware.types"):
    if p.name not in sys.argv[1:]:
        continue
    hardware = p.load()()
    types[p.name] = {}
    for kind in kinds:
        supported = [names[(kind, c.__module__ + ":" + c.__name__)] for c in getattr(hardware, "supported_%s_interfaces" % kind)]
        default = getattr(CONF, "default_%s_interface" % kind)
        enabled = getattr(CONF, "enabled_%s_interfaces" % kind) or []
        types[p.name][kind] = {"names": supported, "default": default or next((n for n in supported if n in enabled), "")}
json.dump(types, sys.stdout)
`

// Whatever interfaces the hardware types that are here have in Ironic, and nothing stands behind, nodes may have them here,
// and have the same ones if they name none.
func TestInterfacesOfIronic(t *testing.T) {
	types := []string{"ipmi", "redfish", "ilo", "manual-management"}
	var stderr bytes.Buffer
	ask := exec.CommandContext(t.Context(), "/usr/bin/python3", append([]string{"-W", "ignore", "-c", askIronic}, types...)...)
	ask.Stderr = &stderr
	out, err := ask.Output()
	if err != nil {
		missing := ask.ProcessState == nil || strings.Contains(stderr.String(), "No module named 'ironic'")
		if missing && os.Getenv("CI") != "true" {
			t.Skip("needs Ironic: apt-get install ironic-conductor")
		}
		t.Fatalf("ask Ironic: %v\n%s", err, stderr.String())
	}
	var theirs map[string]map[string]struct {
		Names   []string
		Default string
	}
	if err := json.Unmarshal(out, &theirs); err != nil || len(theirs) != len(types) {
		t.Fatalf("%v of %s", err, out)
	}
	set := deploy.All(deploy.Ramdisk{})
	t.Cleanup(set.Close)
	c := newRig(t).start("here", &script{}, func(cfg *conductor.Config) {
		cfg.Deployers, cfg.Inspectors = set.Deployers, set.Inspectors
		for _, name := range types {
			if _, ok := cfg.Drivers.Type(name); !ok {
				cfg.Drivers.Types = append(cfg.Drivers.Types, driver.HardwareType{Name: name, Enabled: map[string][]string{"power": {"fake"}}})
			}
		}
	})
	for name, kinds := range theirs {
		h, _ := c.Drivers().Type(name)
		for kind, want := range kinds {
			ours, standard := c.Interfaces(h, kind)
			for _, i := range want.Names {
				if kind == "power" && i != "agent" { // drivers have them
					continue
				}
				n := &conductor.Node{Driver: name}
				n.Details.Interfaces = map[string]string{kind: i}
				if !slices.Contains(ours, i) || c.Compose(n) != nil || n.Interface(kind) != i {
					t.Errorf("%s has %s interface %s in Ironic; here only %v", name, kind, i, ours)
				} else if v := c.Validate(t.Context(), n)[kind]; v.Reason == "" {
					t.Errorf("validation says nothing of %s interface %s", kind, i)
				}
			}
			if kind != "network" && kind != "power" && want.Default != "" && standard != want.Default {
				t.Errorf("%s: the default %s interface is %s; Ironic's is %s", name, kind, standard, want.Default)
			}
		}
	}
}
