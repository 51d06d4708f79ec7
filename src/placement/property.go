package placement

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"bosh-ironic-cpi/src/baremetal"
)

// property is the requirement of ironic_properties: a number wants at least as much, a boolean and a text the
// same. Ironic holds a number as a number on one node and as text on the next (inspection wrote text for
// years), so both compare as numbers. A number that is quoted in the cloud-config stays one where the node has
// a number, and for memory_mb, cpus and local_gb; else it is a text: "12" may be a rack. A node without the
// property does not fit.
func property(key string, want any) requirement {
	least, asNumber := number(want)
	_, quoted := want.(string)
	quoted = quoted && !slices.Contains(sizeKeys[:], key)
	met := func(c *Candidate) bool {
		has, ok := c.Node.Properties[key]
		if !ok {
			return false
		}
		if _, isText := has.(string); asNumber && (!quoted || !isText) {
			n, ok := number(has)
			return ok && n >= least
		}
		if key == "cpu_arch" {
			return architecture(text(has)) == architecture(text(want))
		}
		return equal(has, want)
	}
	why := func(c *Candidate) string { return is(key, text(c.Node.Properties[key]), text(want)) }
	return requirement{met: met, why: why}
}

// equal compares a property with the value wanted: what is written alike is alike, whatever its JSON type, and
// true is True, as Python's tools write it.
func equal(has, want any) bool {
	switch want := want.(type) {
	case string:
		return text(has) == want
	case bool:
		b, ok := boolean(has)
		return ok && b == want
	}
	return reflect.DeepEqual(has, want)
}

func boolean(value any) (b, ok bool) {
	switch v := value.(type) {
	case bool:
		return v, true
	case string:
		b, err := strconv.ParseBool(v)
		return b, err == nil
	}
	return false, false
}

// number reads a finite number, also out of a text.
func number(value any) (float64, bool) {
	switch v := value.(type) {
	case float64:
		return v, true
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
	case json.Number:
		return number(v.String())
	case int:
		return float64(v), true
	}
	return 0, false
}

// text writes a JSON value as people would: a text without quotes, a number without exponent.
func text(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case map[string]any, []any:
		if b, err := json.Marshal(v); err == nil {
			return string(b)
		}
	}
	return fmt.Sprint(value)
}

// capability reads properties.capabilities, which is "boot_mode:uefi,profile:compute" or an object.
func capability(n *baremetal.Node, name string) string {
	switch capabilities := n.Properties["capabilities"].(type) {
	case string:
		for rest, more := capabilities, true; more; {
			var pair string
			pair, rest, more = strings.Cut(rest, ",")
			if key, value, ok := strings.Cut(pair, ":"); ok && strings.TrimSpace(key) == name {
				return strings.TrimSpace(value)
			}
		}
	case map[string]any:
		return text(capabilities[name])
	}
	return ""
}
