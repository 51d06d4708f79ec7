package conductor

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// members decodes an object by way of Members.
func members(o Object) (map[string]any, bool) {
	m := map[string]any{}
	whole := o.Members(func(name string, value []byte) {
		var v any
		if json.Unmarshal(value, &v) != nil {
			v = "no JSON: " + string(value)
		}
		m[name] = v
	})
	return m, whole
}

// Members finds what encoding/json finds, in whatever json.Marshal writes.
func TestMembersAreThoseOfMap(t *testing.T) {
	value := rapid.Deferred(func() *rapid.Generator[any] { return anyJSON(3) })
	rapid.Check(t, func(t *rapid.T) {
		o := NewObject(rapid.MapOf(rapid.String(), value).Draw(t, "object"))
		got, whole := members(o)
		if want := o.Map(); !whole || !cmp.Equal(got, want) {
			t.Fatalf("Members of %s = %v, %v; want %v", o, got, whole, want)
		}
	})
}

// anyJSON makes what JSON can hold, so deep at most.
func anyJSON(depth int) *rapid.Generator[any] {
	kinds := []*rapid.Generator[any]{
		rapid.String().AsAny(), rapid.Float64Range(-1e6, 1e6).AsAny(), rapid.Bool().AsAny(), rapid.Just[any](nil),
	}
	if depth > 0 {
		kinds = append(kinds, rapid.SliceOfN(anyJSON(depth-1), 0, 4).AsAny(), rapid.MapOfN(rapid.String(), anyJSON(depth-1), 0, 4).AsAny())
	}
	return rapid.OneOf(kinds...)
}

func TestMembersOfOtherTexts(t *testing.T) {
	tests := []struct {
		name, text string
		want       map[string]any
		whole      bool
	}{
		{"nothing", "", map[string]any{}, true},
		{"empty", "{}", map[string]any{}, true},
		{"blanks", " { \"a\" : [ 1, {\"b\": \"}\"} ] ,\n\"c\": \"\\\\\" } ", map[string]any{"a": []any{1.0, map[string]any{"b": "}"}}, "c": `\`}, true},
		{"a list", "[1]", map[string]any{}, false},
		{"cut off", `{"a":1,"b":"x`, map[string]any{}, false},
		{"cut off in front of a value", `{"a":1,"b":}`, map[string]any{"a": 1.0}, false},
		{"a comma too many", `{"a":1,}`, map[string]any{"a": 1.0}, false},
		{"no name", `{1:2}`, map[string]any{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, whole := members(Object(tt.text))
			if whole != tt.whole || !cmp.Equal(got, tt.want) {
				t.Errorf("Members of %s = %v, %v; want %v, %v", tt.text, got, whole, tt.want, tt.whole)
			}
		})
	}
}
