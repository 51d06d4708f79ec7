package inventory

import (
	"encoding/json"
	"strconv"
	"strings"
)

// An object is JSON of which nothing is sure. Its methods give zero for what is absent or of another type;
// a nil object has nothing.
type object map[string]any

func (o object) object(key string) object {
	m, _ := o[key].(map[string]any)
	return m
}

func (o object) objects(key string) []object {
	list, _ := o[key].([]any)
	var objects []object
	for _, v := range list {
		if m, ok := v.(map[string]any); ok {
			objects = append(objects, m)
		}
	}
	return objects
}

func (o object) text(key string) string {
	s, _ := o[key].(string)
	return strings.TrimSpace(s)
}

// number reads whole numbers that are not negative, also out of strings: the ramdisk of 2015 wrote both.
func (o object) number(key string) int64 {
	var text string
	switch v := o[key].(type) {
	case json.Number:
		text = v.String()
	case string:
		text = strings.TrimSpace(v)
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return max(n, 0)
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && f > 0 && f < 1<<62 {
		return int64(f)
	}
	return 0
}
