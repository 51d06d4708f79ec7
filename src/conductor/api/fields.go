package api

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"bosh-ironic-cpi/src/conductor"
)

// A field is one of a resource: since which version it is shown, and how it is written.
type field[R any] struct {
	name  string
	since int
	write func(b []byte, c *call, r R) []byte
}

// A view is the fields of a resource that one answer shows.
type view[R any] []field[R]

// seen are those that the version spoken knows.
func (v view[R]) seen(minor int) view[R] {
	return slices.DeleteFunc(slices.Clone(v), func(f field[R]) bool { return f.since > minor })
}

// only picks fields by name; links always come along.
func (v view[R]) only(minor int, names ...string) (view[R], error) {
	var picked view[R]
	for _, name := range append(names, "links") {
		i := slices.IndexFunc(v, func(f field[R]) bool { return f.name == name })
		switch {
		case i < 0:
			return nil, invalid("Field %s is not a valid field.", name)
		case v[i].since > minor:
			return nil, errTooNew
		case !slices.ContainsFunc(picked, func(f field[R]) bool { return f.name == name }):
			picked = append(picked, v[i])
		}
	}
	return picked, nil
}

// append writes one resource.
func (v view[R]) append(b []byte, c *call, r R) []byte {
	b = append(b, '{')
	for i, f := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, f.name...)
		b = append(b, '"', ':')
		b = f.write(b, c, r)
	}
	return append(b, '}')
}

// list writes a page: the name of the list, its items, and where the next page is.
func (v view[R]) list(c *call, name string, items []R, next string) []byte {
	b := make([]byte, 0, 256+len(items)*300)
	b = append(b, `{"`+name+`":[`...)
	for i, r := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = v.append(b, c, r)
	}
	return closeList(b, next)
}

// closeList ends a page.
func closeList(b []byte, next string) []byte {
	b = append(b, ']')
	if next != "" {
		b = append(b, `,"next":`...)
		b = appendText(b, next)
	}
	return append(b, '}')
}

// appendText writes a string.
func appendText(b []byte, s string) []byte {
	if !plain(s) {
		text, _ := json.Marshal(s)
		return append(b, text...)
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// plain reports whether JSON holds s as it is.
func plain(s string) bool {
	for i := range len(s) {
		if ch := s[i]; ch < 0x20 || ch >= 0x7f || ch == '"' || ch == '\\' || ch == '<' || ch == '>' || ch == '&' {
			return false
		}
	}
	return true
}

// appendOptional writes a string, null when it is empty.
func appendOptional(b []byte, s string) []byte {
	if s == "" {
		return append(b, "null"...)
	}
	return appendText(b, s)
}

func appendObject(b []byte, o conductor.Object) []byte {
	if len(o) == 0 {
		return append(b, "{}"...)
	}
	return append(b, o...)
}

func appendTime(b []byte, t conductor.Time) []byte {
	if t == 0 {
		return append(b, "null"...)
	}
	b = append(b, '"')
	b = t.Time().AppendFormat(b, "2006-01-02T15:04:05.000000")
	return append(b, `+00:00"`...)
}

func appendJSON(b []byte, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return append(b, "null"...)
	}
	return append(b, text...)
}

// The kinds of field that most are.

func optional[R any](name string, since int, get func(R) string) field[R] {
	return field[R]{name, since, func(b []byte, _ *call, r R) []byte { return appendOptional(b, get(r)) }}
}

func text[R any](name string, since int, get func(R) string) field[R] {
	return field[R]{name, since, func(b []byte, _ *call, r R) []byte { return appendText(b, get(r)) }}
}

func boolean[R any](name string, since int, get func(R) bool) field[R] {
	return field[R]{name, since, func(b []byte, _ *call, r R) []byte { return strconv.AppendBool(b, get(r)) }}
}

func moment[R any](name string, since int, get func(R) conductor.Time) field[R] {
	return field[R]{name, since, func(b []byte, _ *call, r R) []byte { return appendTime(b, get(r)) }}
}

func object[R any](name string, since int, get func(R) conductor.Object) field[R] {
	return field[R]{name, since, func(b []byte, _ *call, r R) []byte { return appendObject(b, get(r)) }}
}

func value[R any](name string, since int, get func(R) any) field[R] {
	return field[R]{name, since, func(b []byte, _ *call, r R) []byte { return appendJSON(b, get(r)) }}
}

// linked is a field that holds links: path makes the path below /v1 of a resource.
func linked[R any](name string, since int, path func(R) string) field[R] {
	return field[R]{name, since, func(b []byte, c *call, r R) []byte {
		p := path(r)
		b = append(b, `[{"href":`...)
		b = appendLink(b, c.base(), "/v1/", p)
		b = append(b, `,"rel":"self"},{"href":`...)
		b = appendLink(b, c.base(), "/", p)
		return append(b, `,"rel":"bookmark"}]`...)
	}}
}

// appendLink writes an address. Lists have thousands.
func appendLink(b []byte, base, middle, path string) []byte {
	if !plain(base) || !plain(path) {
		return appendText(b, base+middle+path)
	}
	b = append(b, '"')
	b = append(b, base...)
	b = append(b, middle...)
	b = append(b, path...)
	return append(b, '"')
}

// A page is what a list was asked for.
type page struct {
	limit   int
	marker  string
	sortKey string
	sortDir string
	fields  []string // nil: the default ones
	detail  bool
}

// page reads the parameters that all lists have.
func (c *call) page() (page, error) {
	p := page{limit: c.cfg.MaxLimit, marker: c.param("marker"), sortKey: "id", sortDir: "asc"}
	if text := c.param("limit"); c.has("limit") {
		n, err := strconv.Atoi(text)
		switch {
		case err != nil:
			return p, invalid("Expected an integer for limit: %s", text)
		case n <= 0:
			return p, invalid("Limit must be positive")
		}
		p.limit = min(n, c.cfg.MaxLimit)
	}
	if p.marker != "" && !isUUID(p.marker) {
		return p, invalid("Expected UUID for marker: %s", p.marker)
	}
	if text := c.param("sort_key"); text != "" {
		p.sortKey = text
	}
	if text := c.param("sort_dir"); text != "" {
		if text != "asc" && text != "desc" {
			return p, invalid("Invalid sort direction: %s. Acceptable values are 'asc' or 'desc'", text)
		}
		p.sortDir = text
	}
	if text := c.param("fields"); text != "" {
		if c.minor < 8 {
			return p, errTooNew
		}
		p.fields = strings.Split(text, ",")
	}
	if text := c.param("detail"); text != "" {
		detail, err := truth("detail", text)
		if err != nil {
			return p, err
		}
		if detail && p.fields != nil {
			return p, invalid("Can not specify ?detail=True and fields in the same request.")
		}
		p.detail = detail
	}
	return p, nil
}

// next is the address of the page after a full one: the same request with another marker, filters included.
func (c *call) next(p page, n int, last string) string {
	if n < p.limit {
		return ""
	}
	q := c.r.URL.Query()
	q.Set("limit", strconv.Itoa(p.limit))
	q.Set("marker", last)
	return c.base() + strings.TrimSuffix(c.r.URL.Path, "/") + "?" + q.Encode()
}

// known refuses parameters that a list does not have.
func (c *call) known(names ...string) error {
	var odd []string
	for name := range c.query {
		if !slices.Contains(names, name) && !slices.Contains([]string{"limit", "marker", "sort_key", "sort_dir", "fields", "detail"}, name) {
			odd = append(odd, name)
		}
	}
	if len(odd) > 0 {
		slices.Sort(odd)
		return invalid("Unexpected arguments: %s", strings.Join(odd, ", "))
	}
	return nil
}

// truth reads a boolean as Ironic does.
func truth(name, text string) (bool, error) {
	switch strings.ToLower(text) {
	case "1", "t", "true", "on", "y", "yes":
		return true, nil
	case "0", "f", "false", "off", "n", "no":
		return false, nil
	}
	return false, invalid("Invalid %s: Unrecognized value '%s', acceptable values are: "+
		"'0', '1', 'f', 'false', 'n', 'no', 'off', 'on', 't', 'true', 'y', 'yes'", name, text)
}

func isUUID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i, ch := range text {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if ch != '-' {
				return false
			}
		} else if !strings.ContainsRune("0123456789abcdefABCDEF", ch) {
			return false
		}
	}
	return true
}
