package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
)

// Merge lays overlay over base and returns the result; both are JSON objects, and either may be empty.
//
// Objects are merged key by key at every depth. Everything else, lists too, is replaced as a whole, and a
// null removes the key of base, so that its default applies (RFC 7396).
func Merge(base, overlay json.RawMessage) (json.RawMessage, error) {
	under, err := object(base)
	if err != nil {
		return nil, err
	}
	over, err := object(overlay)
	if err != nil {
		return nil, err
	}
	return json.Marshal(merge(under, over))
}

func merge(base, overlay map[string]any) map[string]any {
	merged := maps.Clone(base)
	if merged == nil {
		merged = map[string]any{}
	}
	for key, value := range overlay {
		switch over := value.(type) {
		case nil:
			delete(merged, key)
		case map[string]any:
			under, _ := merged[key].(map[string]any)
			merged[key] = merge(under, over)
		default:
			merged[key] = value
		}
	}
	return merged
}

// object reads one JSON object; nothing at all and null are the empty one.
func object(raw json.RawMessage) (map[string]any, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, nil
	}
	tree, err := parse(raw)
	if err != nil {
		return nil, err
	}
	switch o := tree.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return o, nil
	}
	return nil, Faults{{Problem: "want an object, got " + kindOf(tree)}}
}

// parse reads exactly one JSON document and keeps its numbers as they are written.
func parse(raw []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var tree any
	err := d.Decode(&tree)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			return nil, Faults{{Problem: "not JSON: something follows the document " + at(raw, d.InputOffset())}}
		}
		return tree, nil
	}
	if errors.Is(err, io.EOF) {
		return nil, Faults{{Problem: "empty, want a JSON object"}}
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return nil, Faults{{Problem: fmt.Sprintf("not JSON: %v %s", err, at(raw, syntax.Offset))}}
	}
	return nil, Faults{{Problem: fmt.Sprintf("not JSON: %v", err)}}
}

// at says where in raw the byte before offset stands, as editors count.
func at(raw []byte, offset int64) string {
	before := raw[:min(max(offset-1, 0), int64(len(raw)))]
	line := bytes.Count(before, []byte("\n")) + 1
	return fmt.Sprintf("(line %d, column %d)", line, len(before)-bytes.LastIndexByte(before, '\n'))
}

// kindOf names the kind of a value, never the value.
func kindOf(node any) string {
	switch node.(type) {
	case nil:
		return "null"
	case bool:
		return "true or false"
	case json.Number:
		return "a number"
	case string:
		return "a string"
	case []any:
		return "a list"
	}
	return "an object"
}
