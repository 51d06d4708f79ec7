package config

import (
	"fmt"
	"iter"
	"reflect"
	"strings"

	"bosh-ironic-cpi/src/secret"
)

// A field is one key of a struct.
type field struct {
	key string
	tag reflect.StructTag
}

// fields yields the keys of a struct in its order, with the place of each value.
func fields(v reflect.Value) iter.Seq2[field, reflect.Value] {
	return func(yield func(field, reflect.Value) bool) {
		for sf, value := range v.Fields() {
			key, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
			if key == "" || key == "-" || !sf.IsExported() {
				continue
			}
			if !yield(field{key: key, tag: sf.Tag}, value) {
				return
			}
		}
	}
}

// Keys returns the keys of the struct v in its order, those of its own level only.
func Keys(v any) []string {
	var keys []string
	for f := range fields(reflect.ValueOf(v)) {
		keys = append(keys, f.key)
	}
	return keys
}

// Secrets returns every secret.Text in v, a struct or a pointer to one, so that a log can mask them.
func Secrets(v any) []string {
	var found []string
	collect(reflect.ValueOf(v), &found)
	return found
}

func collect(v reflect.Value, found *[]string) {
	switch {
	case v.Kind() == reflect.Pointer && !v.IsNil():
		collect(v.Elem(), found)
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			collect(v.Index(i), found)
		}
	case v.Kind() == reflect.Struct && v.Type() == textType:
		if t, ok := reflect.TypeAssert[secret.Text](v); ok && !t.IsZero() {
			*found = append(*found, t.Reveal())
		}
	case v.Kind() == reflect.Struct:
		for _, value := range fields(v) {
			collect(value, found)
		}
	}
}

// Reference describes every key of the struct v as rows of a Markdown table: key, type, default, help.
func Reference(v any) string {
	var b strings.Builder
	b.WriteString("| key | type | default | what it is |\n|---|---|---|---|\n")
	describe(&b, "", reflect.ValueOf(v))
	return b.String()
}

func describe(b *strings.Builder, path string, v reflect.Value) {
	for f, value := range fields(v) {
		key := join(path, f.key)
		t := value.Type()
		switch {
		case isGroup(t):
			describe(b, key, reflect.New(t).Elem())
		case t.Kind() == reflect.Pointer && isGroup(t.Elem()):
			describe(b, key, reflect.New(t.Elem()).Elem())
		case t.Kind() == reflect.Slice && isGroup(t.Elem()):
			row(b, key, "list of objects", f.tag)
			describe(b, key+"[]", reflect.New(t.Elem()).Elem())
		default:
			row(b, key, typeName(t, f.tag), f.tag)
		}
	}
}

func row(b *strings.Builder, key, kind string, tag reflect.StructTag) {
	fallback := tag.Get("default")
	switch {
	case fallback != "":
		fallback = "`" + fallback + "`"
	case tag.Get("required") != "":
		fallback = "**required**"
	}
	fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", key, kind, fallback, strings.ReplaceAll(tag.Get("help"), "|", `\|`))
}

func typeName(t reflect.Type, tag reflect.StructTag) string {
	if words := tag.Get("oneof"); words != "" {
		name := "`" + strings.ReplaceAll(words, "|", "` `") + "`"
		if t.Kind() == reflect.Slice {
			return "list of " + name
		}
		return name
	}
	switch t {
	case textType:
		return "secret, or file"
	case durationType:
		return "duration"
	case rawType:
		return "any JSON"
	case bytesType:
		return "size"
	}
	if reflect.PointerTo(t).Implements(readsText) {
		return "text"
	}
	switch t.Kind() {
	case reflect.String:
		if tag.Get("file") != "" {
			return "text, or file"
		}
		return "text"
	case reflect.Bool:
		return "true, false"
	case reflect.Slice:
		return "list of " + typeName(t.Elem(), "")
	case reflect.Map:
		return "object"
	case reflect.Pointer:
		return typeName(t.Elem(), tag)
	case reflect.Interface:
		return "any JSON"
	}
	return "number"
}
