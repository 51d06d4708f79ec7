package cpi_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"bosh-ironic-cpi/src/agentenv"
	"bosh-ironic-cpi/src/cpi"
	"bosh-ironic-cpi/src/stemcell"
)

// A cloudConfig is what the examples in docs/cloud-properties.md are parts of.
type cloudConfig struct {
	VMTypes    []withProperties `yaml:"vm_types"`
	AZs        []withProperties `yaml:"azs"`
	DiskTypes  []withProperties `yaml:"disk_types"`
	Properties map[string]any   `yaml:"cloud_properties"` // a stemcell's
	Networks   []struct {
		Name    string           `yaml:"name"`
		Subnets []withProperties `yaml:"subnets"`
	} `yaml:"networks"`
}

type withProperties struct {
	Properties map[string]any `yaml:"cloud_properties"`
}

func TestExamplesOfCloudPropertiesAreRead(t *testing.T) {
	text, err := os.ReadFile("../../docs/cloud-properties.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := 0
	for _, block := range strings.Split(string(text), "```yaml\n")[1:] {
		example, _, _ := strings.Cut(block, "```")
		var c cloudConfig
		if err := yaml.Unmarshal([]byte(example), &c); err != nil {
			t.Fatalf("%v\n%s", err, example)
		}
		for _, p := range append(c.VMTypes, c.AZs...) {
			check(t, example, cpi.CheckVMProperties(t, encode(t, p.Properties)))
			examples++
		}
		for _, p := range c.DiskTypes {
			check(t, example, cpi.CheckDiskProperties(t, encode(t, p.Properties)))
			examples++
		}
		for _, n := range c.Networks {
			for _, s := range n.Subnets {
				check(t, example, cpi.CheckNetworks(t, agentenv.Networks{n.Name: {"cloud_properties": s.Properties}}))
				examples++
			}
		}
		if c.Properties != nil {
			var p stemcell.Properties
			check(t, example, json.Unmarshal(encode(t, c.Properties), &p))
			check(t, example, p.Check())
			examples++
		}
	}
	if examples < 7 {
		t.Errorf("%d examples were read; docs/cloud-properties.md had more", examples)
	}
}

func check(t *testing.T, example string, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%v\n%s", err, example)
	}
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestUnknownNetworkPropertyNamesTheNearest(t *testing.T) {
	err := cpi.CheckNetworks(t, agentenv.Networks{"default": {"cloud_properties": map[string]any{"mac": []any{}}}})
	if err == nil || !strings.Contains(err.Error(), `networks.default.cloud_properties.mac: unknown key, did you mean "macs"?`) {
		t.Errorf("error = %v; want one that names the key and the nearest known", err)
	}
}
