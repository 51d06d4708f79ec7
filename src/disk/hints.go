package disk

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// hints are root device hints: a device fits when all of them hold. They select as Ironic's ramdisk does
// (ironic-lib 5.3, utils.match_root_device_hints; oslo.utils, specs_matcher), quirks included: texts compare
// in lower case, = means >=, sizes are GiB, and what a disk does not report reads "none".
type hints map[string]hint

type hint struct {
	op     string   // empty: equal
	values []string // several with <or>
}

// kinds are the hints that Ironic knows, and how they compare.
var kinds = map[string]string{
	"name": "text", "wwn": "text", "wwn_with_extension": "text", "wwn_vendor_extension": "text", "serial": "text",
	"vendor": "text", "model": "text", "by_path": "text", "hctl": "text", "size": "number", "rotational": "bool",
}

// operator is what an expression may begin with. The longer come first.
var operator = regexp.MustCompile(`^(<all-in>|<or>|<in>|s==|s!=|s<=|s>=|s<|s>|==|!=|<=|>=|=|<|>)\s*`)

func parseHints(property any) (hints, error) {
	m, ok := property.(map[string]any)
	if !ok {
		return nil, errors.New("not an object of hints")
	}
	parsed := hints{}
	for name, expression := range m {
		if kinds[name] == "" {
			return nil, fmt.Errorf("%s is not a hint that Ironic knows", name)
		}
		if _, text := expression.(string); kinds[name] == "text" && !text {
			return nil, fmt.Errorf("%s is not a text", name)
		}
		h, err := parseHint(fmt.Sprint(expression))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if err := h.check(kinds[name]); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		parsed[name] = h
	}
	return parsed, nil
}

func parseHint(expression string) (hint, error) {
	expression = strings.ToLower(strings.TrimSpace(expression))
	if expression == "" {
		return hint{}, errors.New("empty expression")
	}
	op := strings.TrimSpace(operator.FindString(expression))
	if op == "" {
		return hint{values: []string{expression}}, nil
	}
	if op == "<all-in>" {
		return hint{}, errors.New("<all-in> is for lists, and a disk has none")
	}
	var values []string
	for v := range strings.SplitSeq(expression, op) {
		if v = strings.TrimSpace(v); v != "" {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return hint{}, fmt.Errorf("%s has no value", op)
	}
	return hint{op, values}, nil
}

func (h hint) check(kind string) error {
	switch kind {
	case "bool":
		_, err := parseBool(h.values[0])
		return err
	case "number":
		for _, v := range h.values {
			if n, err := strconv.Atoi(v); err != nil || n <= 0 {
				return fmt.Errorf("%s is not a positive number of GiB", v)
			}
		}
	}
	return nil
}

// match reports whether all hints hold for d. whole says that everything is known of d, so that what is
// empty is absent; else what is empty is unknown, and no hint on it holds.
func (hs hints) match(d Device, whole bool) bool {
	for name, h := range hs {
		if !h.match(name, d, whole) {
			return false
		}
	}
	return true
}

func (h hint) match(name string, d Device, whole bool) bool {
	switch name {
	case "rotational":
		want, _ := parseBool(h.values[0])
		return whole && d.Rotational == want
	case "size":
		if d.SizeBytes == 0 {
			return false
		}
		want, _ := strconv.ParseFloat(h.values[0], 64)
		return h.compareNumber(float64(d.SizeBytes)/(1<<30), want)
	}
	has := strings.ToLower(strings.TrimSpace(d.attribute(name)))
	if has == "" {
		if !whole {
			return false
		}
		has = "none"
	}
	return h.compareText(has)
}

func (d Device) attribute(name string) string {
	switch name {
	case "name":
		return d.Name
	case "wwn":
		return d.WWN
	case "wwn_with_extension":
		return d.WWNWithExtension
	case "wwn_vendor_extension": // what the longer WWN has more
		if rest := strings.TrimPrefix(d.WWNWithExtension, d.WWN); d.WWN != "" && rest != "" && rest != d.WWNWithExtension {
			return "0x" + rest
		}
		return ""
	case "serial":
		return d.Serial
	case "vendor":
		return d.Vendor
	case "model":
		return d.Model
	case "by_path":
		return d.ByPath
	default: // hctl: parseHints let nothing else pass
		return d.HCTL
	}
}

func (h hint) compareText(has string) bool {
	want := h.values[0]
	switch h.op {
	case "", "s==":
		return has == want
	case "s!=":
		return has != want
	case "s<":
		return has < want
	case "s<=":
		return has <= want
	case "s>":
		return has > want
	case "s>=":
		return has >= want
	case "<in>":
		return strings.Contains(has, want)
	case "<or>":
		return slices.Contains(h.values, has)
	}
	a, errA := strconv.ParseFloat(has, 64)
	b, errB := strconv.ParseFloat(want, 64)
	return errA == nil && errB == nil && h.compareNumber(a, b)
}

func (h hint) compareNumber(has, want float64) bool {
	switch h.op {
	case "", "==":
		return has == want
	case "!=":
		return has != want
	case "<":
		return has < want
	case "<=":
		return has <= want
	case ">":
		return has > want
	case "=", ">=":
		return has >= want
	case "s!=":
		return true // a number is never a text
	}
	return false // other operators for texts: Ironic fails or never matches
}

// name is the one name that the hints ask for, if they do.
func (hs hints) name() string {
	if h, ok := hs["name"]; ok && (h.op == "" || h.op == "s==") {
		return h.values[0]
	}
	return ""
}
