package config

import (
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"bosh-ironic-cpi/src/secret"
)

// A Decoder says how strictly to read. The zero value reads a whole configuration file.
type Decoder struct {
	Path    string // stands before every path in messages, such as "context"
	Lenient bool   // unknown keys are warnings, not faults
	Partial bool   // required keys may be absent: for a part that is merged into another later
	NoFiles bool   // {"file": ...} is a fault: for text of somebody who may not choose files of this machine
}

// Decode reads the JSON object raw into the struct that into points to: first the defaults, then what raw
// says. No input at all counts as {}. The error is a [Faults] that names everything wrong; unknown are the
// keys that a lenient decoder passed over.
func (d Decoder) Decode(raw []byte, into any) (unknown []Fault, err error) {
	w := &walk{Decoder: d}
	tree, err := object(raw)
	if err != nil {
		if faults, ok := err.(Faults); ok && d.Path != "" { //nolint:errorlint // made five lines away
			faults[0].Path = d.Path
		}
		return nil, err
	}
	w.object(d.Path, reflect.ValueOf(into).Elem(), tree)
	return w.unknown, w.faults.err()
}

// walk goes down a struct and a document side by side.
type walk struct {
	Decoder
	faults  Faults
	unknown []Fault
}

var (
	textType     = reflect.TypeFor[secret.Text]()
	durationType = reflect.TypeFor[time.Duration]()
	rawType      = reflect.TypeFor[json.RawMessage]()
	bytesType    = reflect.TypeFor[Bytes]()
	readsText    = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// isGroup reports whether a value of type t is an object with keys, and not a text that reads itself.
func isGroup(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && !reflect.PointerTo(t).Implements(readsText)
}

// object fills a struct; tree is nil where the document has no such object.
func (w *walk) object(path string, v reflect.Value, tree map[string]any) {
	known := make([]string, 0, v.NumField())
	for f, field := range fields(v) {
		known = append(known, f.key)
		w.field(join(path, f.key), f, field, tree[f.key])
	}
	for _, key := range slices.Sorted(maps.Keys(tree)) {
		if slices.Contains(known, key) {
			continue
		}
		fault := Fault{Path: join(path, key), Problem: "unknown key"}
		if near := Nearest(key, known); near != "" {
			fault.Problem = fmt.Sprintf("unknown key, did you mean %q?", near)
		}
		if w.Lenient {
			w.unknown = append(w.unknown, fault)
		} else {
			w.faults = append(w.faults, fault)
		}
	}
}

func (w *walk) field(path string, f field, v reflect.Value, node any) {
	text, defaulted := f.tag.Lookup("default")
	switch {
	case node != nil:
		before := len(w.faults)
		w.value(path, f.tag, v, node)
		if f.tag.Get("required") != "" && len(w.faults) == before && isEmpty(v) {
			w.faults.add(path, "must not be empty")
		}
	case defaulted:
		w.value(path, f.tag, v, defaultNode(v.Type(), text))
	case isGroup(v.Type()):
		w.object(path, v, nil)
	case f.tag.Get("required") != "" && !w.Partial:
		w.faults.add(path, "required, but missing")
	}
}

// isEmpty reports whether a text or list says nothing; zero and false do say something.
func isEmpty(v reflect.Value) bool {
	return v.Kind() == reflect.Slice && v.Len() == 0 || (v.Kind() == reflect.String || v.Type() == textType) && v.IsZero()
}

// defaultNode makes of a default tag what parse would have made of a document.
func defaultNode(t reflect.Type, text string) any {
	if t.Kind() == reflect.String || t == durationType || reflect.PointerTo(t).Implements(readsText) {
		return text
	}
	tree, err := parse([]byte(text))
	if err != nil {
		panic(fmt.Sprintf("default tag %q of a %v: %v", text, t, err)) // the program's fault: every test sees it
	}
	return tree
}

// value fills v with node, which is not null.
func (w *walk) value(path string, tag reflect.StructTag, v reflect.Value, node any) {
	switch v.Type() {
	case durationType:
		w.duration(path, tag, v, node)
		return
	case textType:
		if text, ok := w.text(path, true, node); ok {
			v.Set(reflect.ValueOf(secret.New(text)))
		}
		return
	case rawType:
		raw, err := json.Marshal(node)
		if err == nil {
			v.SetBytes(raw)
		}
		return
	}
	switch u := v.Addr().Interface().(type) {
	case json.Unmarshaler:
		w.own(path, u, node)
		return
	case encoding.TextUnmarshaler:
		text, ok := w.text(path, false, node)
		if !ok {
			return
		}
		if err := u.UnmarshalText([]byte(text)); err != nil {
			w.faults.add(path, "%v", err)
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		if tree, ok := node.(map[string]any); ok {
			w.object(path, v, tree)
			return
		}
		w.want(path, "an object", node)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		w.value(path, tag, v.Elem(), node)
	case reflect.Map:
		w.mapping(path, tag, v, node)
	case reflect.Slice:
		w.list(path, tag, v, node)
	case reflect.Interface:
		v.Set(reflect.ValueOf(node))
	default:
		w.scalar(path, tag, v, node)
	}
}

// own lets a type read itself. Its errors go to the operator as they are.
func (w *walk) own(path string, u json.Unmarshaler, node any) {
	raw, err := json.Marshal(node)
	if err == nil {
		err = u.UnmarshalJSON(raw)
	}
	if err != nil {
		w.faults.add(path, "%v", err)
	}
}

func (w *walk) scalar(path string, tag reflect.StructTag, v reflect.Value, node any) {
	switch v.Kind() {
	case reflect.String:
		text, ok := w.text(path, tag.Get("file") != "", node)
		if !ok {
			return
		}
		if allowed := tag.Get("oneof"); allowed != "" {
			w.oneOf(path, strings.Split(allowed, "|"), text)
		}
		v.SetString(text)
	case reflect.Bool:
		b, ok := node.(bool)
		if !ok {
			w.want(path, "true or false", node)
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Float32, reflect.Float64:
		w.number(path, tag, v, node)
	default:
		panic(fmt.Sprintf("%s: a configuration cannot hold a %v", path, v.Type()))
	}
}

func (w *walk) number(path string, tag reflect.StructTag, v reflect.Value, node any) {
	n, ok := node.(json.Number)
	if !ok {
		w.want(path, "a number", node)
		return
	}
	f, err := n.Float64()
	if least := tag.Get("min"); least != "" {
		if bound, parseErr := strconv.ParseFloat(least, 64); parseErr == nil && f < bound {
			w.faults.add(path, "want at least %s", least)
			return
		}
	}
	if v.CanFloat() {
		if err != nil || v.OverflowFloat(f) {
			w.faults.add(path, "number out of range")
			return
		}
		v.SetFloat(f)
		return
	}
	i, whole := wholeNumber(n)
	switch {
	case !whole:
		w.faults.add(path, "want a whole number")
	case v.OverflowInt(i):
		w.faults.add(path, "number out of range")
	default:
		v.SetInt(i)
	}
}

// wholeNumber reads 5, and 5.0 and 5e0 as well: Ruby and YAML write them so.
func wholeNumber(n json.Number) (int64, bool) {
	if i, err := n.Int64(); err == nil {
		return i, true
	}
	f, err := n.Float64()
	const exact = 1 << 53 // above it a float64 may stand for another whole number
	if err != nil || f != float64(int64(f)) || f > exact || f < -exact {
		return 0, false
	}
	return int64(f), true
}

func (w *walk) duration(path string, tag reflect.StructTag, v reflect.Value, node any) {
	text, ok := node.(string)
	if !ok {
		w.want(path, `a duration such as "90s"`, node)
		return
	}
	least, _ := time.ParseDuration(tag.Get("min")) // zero without a tag
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		w.faults.add(path, `want a duration such as "90s" or "1h30m"`)
	case d < least:
		w.faults.add(path, "want at least %v", least)
	default:
		v.SetInt(int64(d))
	}
}

func (w *walk) mapping(path string, tag reflect.StructTag, v reflect.Value, node any) {
	tree, ok := node.(map[string]any)
	if !ok || v.Type().Key().Kind() != reflect.String {
		w.want(path, "an object", node)
		return
	}
	m := reflect.MakeMapWithSize(v.Type(), len(tree))
	for _, key := range slices.Sorted(maps.Keys(tree)) {
		element := reflect.New(v.Type().Elem()).Elem()
		if tree[key] != nil {
			w.value(join(path, key), tag, element, tree[key])
		}
		m.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), element)
	}
	v.Set(m)
}

func (w *walk) list(path string, tag reflect.StructTag, v reflect.Value, node any) {
	nodes, ok := node.([]any)
	if !ok {
		w.want(path, "a list", node)
		return
	}
	list := reflect.MakeSlice(v.Type(), len(nodes), len(nodes))
	for i, n := range nodes {
		element := fmt.Sprintf("%s[%d]", path, i)
		if n == nil && v.Type().Elem().Kind() != reflect.Interface {
			w.faults.add(element, "must not be null")
			continue
		}
		if n != nil {
			w.value(element, tag, list.Index(i), n)
		}
	}
	v.Set(list)
}

// text reads a string, or where fileAllowed the file that {"file": path} names.
func (w *walk) text(path string, fileAllowed bool, node any) (string, bool) {
	if text, ok := node.(string); ok {
		return text, true
	}
	tree, ok := node.(map[string]any)
	name, isName := tree["file"].(string)
	switch {
	case !fileAllowed || !ok:
		w.want(path, "a string", node)
		return "", false
	case w.NoFiles:
		w.faults.add(path, "a file can be named in the configuration file only")
		return "", false
	case len(tree) != 1 || !isName || name == "":
		w.faults.add(path, `want a string or {"file": "/path"}`)
		return "", false
	}
	content, err := os.ReadFile(name)
	if err != nil {
		w.faults.add(path, "%v", err)
		return "", false
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r"), true
}

func (w *walk) oneOf(path string, allowed []string, text string) {
	if slices.Contains(allowed, text) {
		return
	}
	// The word itself helps to find the slip; a long one is no slip and may be anything, a secret too.
	got := ""
	if len(text) <= 32 {
		got = fmt.Sprintf(", got %q", text)
	}
	w.faults.add(path, "want %s%s", alternatives(allowed), got)
}

func alternatives(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

func (w *walk) want(path, what string, node any) {
	w.faults.add(path, "want %s, got %s", what, kindOf(node))
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
