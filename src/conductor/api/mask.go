package api

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"

	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/driver"
)

const masked = "******"

// assigned is a secret in the midst of a text: password=hunter2, --password hunter2 (oslo_utils/strutils.py, mask_password).
var assigned = regexp.MustCompile(`(?i)((?:` + strings.Join(driver.SecretWords, "|") + `)[0-9]*\s*=\s*|--?[a-z-]*password\s+)[^\s'"]+`)

// A hiding names the members of an object that are not shown: at any depth, and told whether the value is an object.
type hiding func(key string, object bool) bool

// appendMasked writes an object without its secrets: without the members that hide names, and without what texts assign
// to such names. Ironic leaves lists alone; here they are looked into.
func appendMasked(b []byte, o conductor.Object, hide hiding) []byte {
	b = append(b, '{')
	first := true
	o.Members(func(name string, value []byte) {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(appendText(b, name), ':')
		if hide(name, value[0] == '{') {
			b = appendText(b, masked)
		} else {
			b = appendMaskedValue(b, value, hide)
		}
	})
	return append(b, '}')
}

func appendMaskedValue(b, value []byte, hide hiding) []byte {
	switch value[0] {
	case '{':
		return appendMasked(b, value, hide)
	case '[':
		var all []json.RawMessage
		if json.Unmarshal(value, &all) != nil {
			return append(b, value...)
		}
		b = append(b, '[')
		for i, v := range all {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendMaskedValue(b, v, hide)
		}
		return append(b, ']')
	case '"':
		var text string
		if !bytes.Contains(value, []byte("=")) && !bytes.Contains(value, []byte(`\u003d`)) && !bytes.Contains(value, []byte("password ")) || json.Unmarshal(value, &text) != nil {
			return append(b, value...)
		}
		return appendText(b, assigned.ReplaceAllString(text, "${1}"+masked))
	}
	return append(b, value...)
}
