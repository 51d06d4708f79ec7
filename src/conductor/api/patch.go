package api

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"bosh-ironic-cpi/src/conductor"
)

// An operation is one of a JSON patch.
type operation struct {
	op    string
	path  []string
	raw   map[string]any
	value any
}

var patchPath = regexp.MustCompile(`^(/[\w-]+)+$`)

// patch reads a JSON patch: add, replace and remove are all that Ironic takes.
func (c *call) patch() ([]operation, error) {
	var body any
	if err := c.body(&body); err != nil {
		return nil, err
	}
	list, ok := body.([]any)
	if !ok {
		return nil, invalid("Schema error for patch: %s is not of type 'array'", python(body))
	}
	ops := make([]operation, len(list))
	for i, item := range list {
		m, ok := item.(map[string]any)
		if !ok {
			return nil, invalid("Schema error for patch: %s is not of type 'object'", python(item))
		}
		for key := range m {
			if !slices.Contains([]string{"op", "path", "value"}, key) {
				return nil, invalid("Schema error for patch: Additional properties are not allowed (%s was unexpected)", python(key))
			}
		}
		path, isText := m["path"].(string)
		op, _ := m["op"].(string)
		switch {
		case !isText:
			return nil, invalid("Schema error for patch: 'path' is a required property")
		case !patchPath.MatchString(path):
			return nil, invalid(`Schema error for patch: %s does not match '^(/[\\w-]+)+$'`, python(path))
		case !slices.Contains([]string{"add", "replace", "remove"}, op):
			return nil, invalid("Schema error for patch: %s is not one of ['add', 'replace', 'remove']", python(m["op"]))
		}
		value, given := m["value"]
		if op != "remove" && !given {
			return nil, invalid("Schema error for patch: 'value' is a required property of %s", python(item))
		}
		ops[i] = operation{op: op, path: strings.Split(path[1:], "/"), raw: m, value: value}
	}
	return ops, nil
}

// An attribute is one that may be changed. Objects are changed key by key, everything else as a whole.
type attribute[R any] struct {
	name  string
	since int
	get   func(R) conductor.Object // objects only
	put   func(R, conductor.Object)
	set   func(R, any) error // nil for the value: removed
}

// apply carries the operations out on r, which the caller drops when one fails.
func apply[R any](ops []operation, attributes []attribute[R], minor int, r R) error {
	trees := map[string]map[string]any{}
	for _, o := range ops {
		i := slices.IndexFunc(attributes, func(a attribute[R]) bool { return a.name == o.path[0] })
		if i < 0 {
			names := make([]string, len(attributes))
			for i, a := range attributes {
				names[i] = a.name
			}
			return invalid("Cannot patch /%s. Only the following can be updated: %s", strings.Join(o.path, "/"), strings.Join(names, ", "))
		}
		a := attributes[i]
		if a.since > minor {
			return errTooNew
		}
		if a.get == nil {
			if len(o.path) > 1 {
				return o.refuse(fmt.Sprintf("member '%s' not found in None", o.path[1]))
			}
			if err := a.set(r, o.value); err != nil {
				return err
			}
			continue
		}
		if err := o.onObject(a.name, trees, func() map[string]any { return a.get(r).Map() }); err != nil {
			return err
		}
	}
	for _, a := range attributes {
		if tree, ok := trees[a.name]; ok {
			a.put(r, conductor.NewObject(tree))
		}
	}
	return nil
}

// onObject changes an object, whole or a key of it.
func (o operation) onObject(name string, trees map[string]map[string]any, read func() map[string]any) error {
	if len(o.path) == 1 {
		whole := map[string]any{}
		if o.op != "remove" && o.value != nil {
			m, ok := o.value.(map[string]any)
			if !ok {
				return invalid("Schema error for %s: %s is not of type 'object', 'null'", name, python(o.value))
			}
			whole = maps.Clone(m)
		}
		trees[name] = whole
		return nil
	}
	tree, ok := trees[name]
	if !ok {
		tree = read()
		trees[name] = tree
	}
	parent := tree
	for _, key := range o.path[1 : len(o.path)-1] {
		child, ok := parent[key].(map[string]any)
		if !ok {
			return o.refuse(fmt.Sprintf("member '%s' not found in %s", key, python(parent)))
		}
		parent = child
	}
	key := o.path[len(o.path)-1]
	_, there := parent[key]
	switch {
	case o.op == "remove" && !there:
		return o.refuse(fmt.Sprintf("can't remove a non-existent object '%s'", key))
	case o.op == "replace" && !there:
		return o.refuse(fmt.Sprintf("can't replace a non-existent object '%s'", key))
	case o.op == "remove":
		delete(parent, key)
	default:
		parent[key] = o.value
	}
	return nil
}

func (o operation) refuse(reason string) error {
	shown := "{'op': " + python(o.op) + ", 'path': " + python(o.raw["path"])
	if o.op != "remove" {
		shown += ", 'value': " + python(o.value)
	}
	return invalid("Couldn't apply patch '%s}'. Reason: %s", shown, reason)
}

// The kinds of attribute that most are.

func optionalText[R any](name string, since, longest int, set func(R, string)) attribute[R] {
	return attribute[R]{name: name, since: since, set: func(r R, v any) error {
		text, err := textOf(name, v, longest)
		if err == nil {
			set(r, text)
		}
		return err
	}}
}

func textOf(name string, v any, longest int) (string, error) {
	if v == nil {
		return "", nil
	}
	text, ok := v.(string)
	switch {
	case !ok:
		return "", invalid("Schema error for %s: %s is not of type 'string', 'null'", name, python(v))
	case longest > 0 && len(text) > longest:
		return "", invalid("Schema error for node: %s is too long", python(v))
	}
	return text, nil
}

func truthOf(name string, v any) (bool, error) {
	switch v := v.(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	case string:
		return truth(name, v)
	}
	return false, invalid("Invalid %s: Unrecognized value %s", name, python(v))
}

func objectAttribute[R any](name string, since int, get func(R) *conductor.Object) attribute[R] {
	return attribute[R]{
		name: name, since: since,
		get: func(r R) conductor.Object { return *get(r) },
		put: func(r R, o conductor.Object) { *get(r) = o },
	}
}

// fill sets the attributes that the body of a POST names.
func fill[R any](body map[string]any, what string, attributes []attribute[R], minor int, r R) error {
	for _, name := range slices.Sorted(maps.Keys(body)) {
		i := slices.IndexFunc(attributes, func(a attribute[R]) bool { return a.name == name })
		if i < 0 {
			return invalid("Schema error for %s: Additional properties are not allowed (%s was unexpected)", what, python(name))
		}
		a := attributes[i]
		if a.since > minor {
			return errTooNew
		}
		if a.get == nil {
			if err := a.set(r, body[name]); err != nil {
				return err
			}
			continue
		}
		m, ok := body[name].(map[string]any)
		if !ok && body[name] != nil {
			return invalid("Schema error for %s: %s is not of type 'object', 'null'", what, python(body[name]))
		}
		a.put(r, conductor.NewObject(m))
	}
	return nil
}
