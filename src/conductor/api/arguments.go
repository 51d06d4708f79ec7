package api

import (
	"maps"
	"slices"
	"strings"
)

// arguments reads those of a call that has names for them: from the query, and from a body that is an object. Other JSON
// holds none, as with Ironic. What has none of the names is refused.
func (c *call) arguments(names ...string) (map[string]any, error) {
	given := map[string]any{}
	for name, values := range c.query {
		given[name] = values[0]
	}
	var body any
	if err := c.body(&body); err != nil {
		return nil, err
	}
	object, _ := body.(map[string]any)
	maps.Copy(given, object)
	var odd []string
	for name := range given {
		if !slices.Contains(names, name) {
			odd = append(odd, name)
		}
	}
	if len(odd) > 0 {
		slices.Sort(odd)
		return nil, invalid("Unexpected arguments: %s", strings.Join(odd, ", "))
	}
	return given, nil
}

// needs reads a mandatory argument.
func needs(given map[string]any, name string) (string, error) {
	v, ok := given[name]
	if !ok {
		return "", invalid("Missing mandatory parameter: %s", name)
	}
	text, ok := v.(string)
	if !ok {
		return "", invalid("Expected string for %s: %s", name, python(v))
	}
	return text, nil
}

// needsTruth checks a mandatory argument that is true or false.
func needsTruth(given map[string]any, name string) error {
	v, ok := given[name]
	if !ok {
		return invalid("Missing mandatory parameter: %s", name)
	}
	_, err := truthOf(name, v)
	return err
}
