package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"bosh-ironic-cpi/src/config"
)

// A cloudConfig is what is read of a cloud-config, or of a manifest for bosh create-env, which has resource_pools.
type cloudConfig struct {
	AZs           []withProperties `yaml:"azs"`
	VMTypes       []withProperties `yaml:"vm_types"`
	VMExtensions  []withProperties `yaml:"vm_extensions"`
	ResourcePools []withProperties `yaml:"resource_pools"`
}

type withProperties struct {
	Name            string         `yaml:"name"`
	CloudProperties map[string]any `yaml:"cloud_properties"`
}

// vmProperties are the cloud properties that choose a node (docs/cloud-properties.md), and, so that they do not count
// as unknown, the others.
type vmProperties struct {
	MACs             []string       `json:"macs"`
	IronicParams     map[string]any `json:"ironic_params"`
	IronicProperties map[string]any `json:"ironic_properties"`
	ResourceClass    string         `json:"resource_class"`
	Traits           []string       `json:"traits"`
	Capabilities     map[string]any `json:"capabilities"`
	AvailabilityZone string         `json:"availability_zone"`

	EphemeralDevice  json.RawMessage `json:"ephemeral_device"`
	SettingsDelivery json.RawMessage `json:"settings_delivery"`
	SpareNICs        json.RawMessage `json:"spare_nics"`
	Bonds            json.RawMessage `json:"bonds"`
}

// A vmType is one VM type with the zone's and the extensions' properties in it.
type vmType struct {
	name string
	vmProperties
}

// vmTypes reads the VM types that are asked for. unknown are keys that the CPI does not know.
func (m *match) vmTypes(text []byte) (types []vmType, unknown []string, err error) {
	var c cloudConfig
	if err := yaml.Unmarshal(text, &c); err != nil {
		return nil, nil, err
	}
	all := slices.Concat(c.VMTypes, c.ResourcePools)
	if len(all) == 0 {
		return nil, nil, errors.New("there are no vm_types in it, nor resource_pools")
	}
	for _, name := range m.VMType {
		if _, err := named(all, name, "VM type"); err != nil {
			return nil, nil, err
		}
	}
	zone := map[string]any{}
	if m.AZ != "" {
		az, err := named(c.AZs, m.AZ, "availability zone")
		if err != nil {
			return nil, nil, err
		}
		zone = az.CloudProperties
	}
	for _, t := range all {
		if len(m.VMType) > 0 && !slices.Contains(m.VMType, t.Name) {
			continue
		}
		merged := maps.Clone(zone) // as the Director merges: key by key, the later wins
		if merged == nil {
			merged = map[string]any{}
		}
		maps.Copy(merged, t.CloudProperties)
		for _, name := range m.Extension {
			extension, err := named(c.VMExtensions, name, "VM extension")
			if err != nil {
				return nil, nil, err
			}
			maps.Copy(merged, extension.CloudProperties)
		}
		made, faults, err := decode(t.Name, merged)
		if err != nil {
			return nil, nil, err
		}
		types = append(types, made)
		unknown = append(unknown, faults...)
	}
	return types, unknown, nil
}

// decode reads merged cloud properties as the CPI does: an unknown key is passed over, a wrong type is an error.
func decode(name string, properties map[string]any) (vmType, []string, error) {
	t := vmType{name: name}
	raw, err := json.Marshal(properties)
	if err != nil {
		return t, nil, fmt.Errorf("vm_types.%s: %w", name, err)
	}
	decoder := config.Decoder{Path: "vm_types." + name + ".cloud_properties", Lenient: true, NoFiles: true}
	faults, err := decoder.Decode(raw, &t.vmProperties)
	unknown := make([]string, len(faults))
	for i, f := range faults {
		unknown[i] = f.String()
	}
	return t, unknown, err
}

// named finds an element by its name.
func named(list []withProperties, name, what string) (withProperties, error) {
	names := make([]string, len(list))
	for i, element := range list {
		if element.Name == name {
			return element, nil
		}
		names[i] = element.Name
	}
	return withProperties{}, fmt.Errorf("there is no %s %q, but %s", what, name, strings.Join(names, ", "))
}
