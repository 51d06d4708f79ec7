package ipmi_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/ipmi"
)

func TestValidate(t *testing.T) {
	bridge := func(more ...any) map[string]any {
		m := map[string]any{"ipmi_bridging": "single", "ipmi_target_channel": "0", "ipmi_target_address": "0x2c"}
		for i := 0; i < len(more); i += 2 {
			if m[more[i].(string)] = more[i+1]; more[i+1] == nil {
				delete(m, more[i].(string))
			}
		}
		return m
	}
	tests := []struct {
		name string
		info map[string]any
		key  string // that is wrong; empty: none
	}{
		{"an address is enough", nil, ""},
		{"no address", map[string]any{"ipmi_address": ""}, "ipmi_address"},
		{"port as text", map[string]any{"ipmi_port": "6230"}, ""},
		{"port as a number", map[string]any{"ipmi_port": 6230.0}, ""},
		{"port of letters", map[string]any{"ipmi_port": "ipmi"}, "ipmi_port"},
		{"port 0", map[string]any{"ipmi_port": 0}, "ipmi_port"},
		{"port 65536", map[string]any{"ipmi_port": "65536"}, "ipmi_port"},
		{"half a port", map[string]any{"ipmi_port": 623.5}, "ipmi_port"},
		{"level", map[string]any{"ipmi_priv_level": "OPERATOR"}, ""},
		{"level in lower case", map[string]any{"ipmi_priv_level": "operator"}, "ipmi_priv_level"},
		{"version 1.5", map[string]any{"ipmi_protocol_version": "1.5"}, ""},
		{"version 1.5 as a number", map[string]any{"ipmi_protocol_version": 1.5}, ""},
		{"version 2.0 as a number", map[string]any{"ipmi_protocol_version": 2.0}, ""},
		{"version 3", map[string]any{"ipmi_protocol_version": "3.0"}, "ipmi_protocol_version"},
		{"suite", map[string]any{"ipmi_cipher_suite": "17"}, ""},
		{"suite without authentication", map[string]any{"ipmi_cipher_suite": 0}, "ipmi_cipher_suite"},
		{"suite with RC4", map[string]any{"ipmi_cipher_suite": 4}, "ipmi_cipher_suite"},
		{"suite of letters", map[string]any{"ipmi_cipher_suite": "best"}, "ipmi_cipher_suite"},
		{"suite with 1.5", map[string]any{"ipmi_cipher_suite": 3, "ipmi_protocol_version": "1.5"}, "ipmi_cipher_suite"},
		{"long user name", map[string]any{"ipmi_username": strings.Repeat("u", 17)}, "ipmi_username"},
		{"longest password", map[string]any{"ipmi_password": strings.Repeat("p", 20)}, ""},
		{"long password", map[string]any{"ipmi_password": strings.Repeat("p", 21)}, "ipmi_password"},
		{"password too long for 1.5", map[string]any{"ipmi_password": strings.Repeat("p", 17), "ipmi_protocol_version": "1.5"}, "ipmi_password"},
		{"password of digits", map[string]any{"ipmi_password": 815}, ""},
		{"bridging", bridge(), ""},
		{"bridging from another address", bridge("ipmi_local_address", "0x24"), ""},
		{"bridging without a channel", bridge("ipmi_target_channel", nil), "ipmi_target_channel"},
		{"bridging without an address", bridge("ipmi_target_address", nil), "ipmi_target_address"},
		{"bridging to channel 16", bridge("ipmi_target_channel", 16), "ipmi_target_channel"},
		{"bridging over two hops", bridge("ipmi_bridging", "dual", "ipmi_transit_channel", "1", "ipmi_transit_address", "0x82"), "ipmi_bridging"},
		{"bridging by a word", bridge("ipmi_bridging", "yes"), "ipmi_bridging"},
		{"no bridging, and where to", bridge("ipmi_bridging", "no", "ipmi_target_channel", "x"), ""},
		{"terminal port", map[string]any{"ipmi_terminal_port": "8023"}, ""},
		{"terminal port of letters", map[string]any{"ipmi_terminal_port": "tty"}, "ipmi_terminal_port"},
		{"Kg", map[string]any{"ipmi_hex_kg_key": "00ff"}, "ipmi_hex_kg_key"},
		{"truth as text", map[string]any{"ipmi_force_boot_device": "True", "ipmi_disable_boot_timeout": "no"}, ""},
		{"half a truth", map[string]any{"ipmi_force_boot_device": "maybe"}, "ipmi_force_boot_device"},
		{"half another", map[string]any{"ipmi_disable_boot_timeout": "maybe"}, "ipmi_disable_boot_timeout"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := &driver.Node{Info: map[string]any{"ipmi_address": "10.0.0.1"}}
			maps.Copy(n.Info, tt.info)
			err := ipmi.Driver{}.Validate(n)
			e, _ := errors.AsType[*driver.ParameterError](err)
			switch {
			case tt.key == "" && err != nil:
				t.Error(err)
			case tt.key != "" && (e == nil || e.Key != tt.key):
				t.Errorf("%v; want a ParameterError about %s", err, tt.key)
			case err != nil && (strings.Contains(err.Error(), "ppp") || strings.Contains(err.Error(), "00ff")):
				t.Errorf("%v holds a secret", err)
			}
		})
	}
}

// Every key of Ironic's ipmitool interfaces is known.
func TestKeysAreIronics(t *testing.T) {
	known := map[string]bool{}
	for _, k := range ipmi.Spec.Keys {
		known[k.Name] = true
	}
	for _, key := range []string{
		"address", "username", "password", "hex_kg_key", "port", "priv_level", "bridging", "transit_channel", "transit_address",
		"target_channel", "target_address", "local_address", "protocol_version", "force_boot_device", "disable_boot_timeout",
		"cipher_suite", "terminal_port",
	} {
		if !known["ipmi_"+key] {
			t.Errorf("no ipmi_%s", key)
		}
	}
	if len(known) != 17 {
		t.Errorf("%d keys; Ironic has 17", len(known))
	}
}
