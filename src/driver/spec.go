package driver

import (
	"fmt"
	"slices"
	"strings"
)

// A Spec is a driver in the table.
type Spec struct {
	Name  string // of the power and management interfaces in the Bare Metal API: fake, ipmitool
	About string // one line
	Keys  []Key  // of driver_info
	New   func() any
}

// A Key is one entry of driver_info.
type Key struct {
	Name     string
	Meaning  string // a sentence, without a full stop
	Required bool
	Secret   bool // masked in answers, sealed at rest
	Default  string
}

// Describe is the key's line in GET /v1/drivers/NAME/properties.
func (k Key) Describe() string {
	text := strings.ToUpper(k.Meaning[:1]) + k.Meaning[1:] + "."
	switch {
	case k.Required:
		text += " Required."
	case k.Default != "":
		text += " Optional; default " + k.Default + "."
	default:
		text += " Optional."
	}
	return text
}

// Check says what is missing in a node's driver_info: a [ParameterError], or nil.
func (s Spec) Check(info map[string]any) error {
	for _, k := range s.Keys {
		if value, there := info[k.Name]; k.Required && (!there || value == nil || value == "") {
			return &ParameterError{Key: k.Name}
		}
	}
	return nil
}

// A HardwareType says which interfaces go together, as Ironic's hardware types do.
type HardwareType struct {
	Name    string
	About   string
	Enabled map[string][]string // by kind of interface (power, management, vendor, inspect): names, the default first
}

// A Table is all drivers and hardware types of a program.
type Table struct {
	Specs []Spec
	Types []HardwareType
}

// Spec finds a driver by the name of its interfaces.
func (t Table) Spec(name string) (Spec, bool) {
	i := slices.IndexFunc(t.Specs, func(s Spec) bool { return s.Name == name })
	if i < 0 {
		return Spec{}, false
	}
	return t.Specs[i], true
}

// Type finds a hardware type.
func (t Table) Type(name string) (HardwareType, bool) {
	i := slices.IndexFunc(t.Types, func(h HardwareType) bool { return h.Name == name })
	if i < 0 {
		return HardwareType{}, false
	}
	return t.Types[i], true
}

// Secret reports whether a key of driver_info holds a secret: one that a driver declares as such, or that looks like one.
func (t Table) Secret(key string) bool {
	for _, s := range t.Specs {
		for _, k := range s.Keys {
			if k.Name == key {
				return k.Secret
			}
		}
	}
	return LooksSecret(key)
}

// SecretWords are what a key has in it, in any case, if it names a secret. Most are Ironic's (oslo_utils/strutils.py,
// _SANITIZE_KEYS), which knows neither community strings nor SNMP's keys.
var SecretWords = []string{
	"password", "adminpass", "admin_pass", "new_pass", "passphrase", "secret", "token", "sys_pswd", "encrypted_key", "private_key",
	"fernetkey", "sslkey", "configdrive", "snmp_community", "auth_key",
}

// LooksSecret is the rule for keys that nobody declared.
func LooksSecret(key string) bool {
	key = strings.ToLower(key)
	for _, word := range SecretWords {
		if strings.Contains(key, word) {
			return true
		}
	}
	return false
}

// Check finds mistakes of whoever wrote the table.
func (t Table) Check() error {
	for _, h := range t.Types {
		for kind, names := range h.Enabled {
			for _, name := range names {
				if _, ok := t.Spec(name); !ok && !slices.Contains([]string{"noop", "no-vendor", "no-inspect", "agent"}, name) {
					return fmt.Errorf("hardware type %s: no driver for %s interface %s", h.Name, kind, name)
				}
			}
		}
	}
	return nil
}
