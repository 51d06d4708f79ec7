package cpi

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"bosh-ironic-cpi/src/agentenv"
	"bosh-ironic-cpi/src/config"
)

// vmProperties are the cloud properties of vm_types, vm_extensions and azs. docs/cloud-properties.md is made
// from the tags.
type vmProperties struct {
	MACs             []string       `json:"macs" help:"MAC addresses of the servers to choose from; with ironic_params, of the server to define"`
	IronicParams     map[string]any `json:"ironic_params" help:"define the server in Ironic: the body of POST /v1/nodes; classic driver names such as agent_ipmitool are translated"`
	IronicProperties map[string]any `json:"ironic_properties" help:"least values of the node's properties: numbers as minimum, texts and booleans as they are"`
	ResourceClass    string         `json:"resource_class" help:"the node's resource class"`
	Traits           []string       `json:"traits" help:"traits that the node must have"`
	Capabilities     map[string]any `json:"capabilities" help:"capabilities (properties.capabilities) that the node must have, with their values"`

	AvailabilityZone string `json:"availability_zone" help:"the zone: compared with the node's field that placement.zone_field names"`

	EphemeralDevice  string             `json:"ephemeral_device" help:"disk for ephemeral data: a device path, by-id link, WWN or serial number, or root for the rest of the root disk"`
	SettingsDelivery agentenv.Delivery  `json:"settings_delivery" oneof:"auto|config_drive|inject" help:"overrides agent.settings_delivery"`
	SpareNICs        agentenv.SpareNICs `json:"spare_nics" oneof:"loopback|dhcp|unmanaged" help:"overrides networks.spare_nics"`
	Bonds            []agentenv.Bond    `json:"bonds" help:"bonds of NICs that networks may name"`
}

// diskProperties are the cloud properties of disk_types.
type diskProperties struct {
	Device string `json:"device" help:"the disk to take: a device path, by-id link, WWN or serial number; otherwise the smallest free one that is large enough"`
}

// VMProperties and DiskProperties describe every cloud property as rows of a Markdown table.
func VMProperties() string { return config.Reference(vmProperties{}) }

// DiskProperties is what VMProperties is, for disk_types.
func DiskProperties() string { return config.Reference(diskProperties{}) }

func (c *CPI) vmProperties(ctx context.Context, raw json.RawMessage) (vmProperties, error) {
	var p vmProperties
	if err := c.decode(ctx, raw, &p); err != nil {
		return p, err
	}
	for i, mac := range p.MACs {
		p.MACs[i] = strings.ToLower(strings.ReplaceAll(mac, "-", ":"))
	}
	if p.IronicParams != nil && len(p.MACs) == 0 {
		return p, fmt.Errorf("%w: ironic_params defines a server and needs macs, the MAC addresses of all its NICs", ErrProperties)
	}
	return p, nil
}

// checkNetworks looks for unknown cloud properties of networks; agentenv reads the known ones.
func (c *CPI) checkNetworks(ctx context.Context, networks agentenv.Networks) error {
	known := agentenv.NetworkPropertyKeys()
	for _, name := range sortedKeys(networks) {
		properties, _ := networks[name]["cloud_properties"].(map[string]any)
		for _, key := range sortedKeys(properties) {
			if slices.Contains(known, key) {
				continue
			}
			problem := "unknown key"
			if nearest := config.Nearest(key, known); nearest != "" {
				problem += fmt.Sprintf(", did you mean %q?", nearest)
			}
			path := "networks." + name + ".cloud_properties." + key
			if c.Options.StrictProperties {
				return fmt.Errorf("%w: %s: %s", ErrProperties, path, problem)
			}
			c.Log.WarnContext(ctx, "unknown cloud property is ignored", "property", path, "problem", problem)
		}
	}
	return nil
}

// decode reads cloud properties. Cloud-configs are shared between CPIs, so an unknown key is a warning; a
// known one of the wrong type is always an error.
func (c *CPI) decode(ctx context.Context, raw json.RawMessage, into any) error {
	if string(raw) == "null" {
		raw = nil
	}
	decoder := config.Decoder{Path: "cloud_properties", Lenient: !c.Options.StrictProperties, NoFiles: true}
	unknown, err := decoder.Decode(raw, into)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProperties, err)
	}
	for _, f := range unknown {
		c.Log.WarnContext(ctx, "unknown cloud property is ignored", "property", f.Path, "problem", f.Problem)
	}
	return nil
}
