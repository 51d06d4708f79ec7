package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
)

// readCSV takes a table: a head of Ironic's keys, a node in each row. The keys of maps stand behind a dot
// (driver_info.ipmi_address, properties.memory_mb); mac holds MAC addresses and traits traits, with blanks between
// them. An empty cell is a key that is not there.
func (f *nodesFile) readCSV(text []byte) []entry {
	reader := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff")))) // spreadsheets begin so
	reader.Comment = '#'
	reader.TrimLeadingSpace = true
	head, err := reader.Read()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		f.csvFault(err)
		return nil
	}
	columns := f.columns(head)
	var entries []entry
	for {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return entries
		}
		if err != nil {
			f.csvFault(err)
			if !errors.Is(err, csv.ErrFieldCount) {
				return entries
			}
			continue
		}
		line, _ := reader.FieldPos(0)
		e := entry{line: line, values: map[string]any{}}
		for i, cell := range row {
			if cell = strings.TrimSpace(cell); cell != "" {
				columns[i].put(e.values, cell)
			}
		}
		entries = append(entries, e)
	}
}

// A column is where a cell goes: a field of the node, or a key in one.
type column struct{ top, inner string }

// columns reads the head. A column that is not known is a fault once, not in each row.
func (f *nodesFile) columns(head []string) []column {
	columns := make([]column, len(head))
	for i, name := range head {
		name = strings.TrimSpace(name)
		f.once(1, "column "+name)
		top, inner, nested := strings.Cut(strings.Replace(name, "/", ".", 1), ".")
		kind, known := nodeFields[top]
		switch {
		case nested && (kind != isMap || inner == ""):
			f.fault(1, "column %s: only driver_info, properties, extra and instance_info have keys in them", name)
		case nested:
			columns[i] = column{top, inner}
		case kind == isMap && known:
			f.fault(1, "column %s: name a key in it: %s.KEY", name, name)
		case known, name == "uuid", name == "mac":
			columns[i] = column{top: name}
		default:
			f.unknown(1, name)
		}
	}
	return columns
}

// put reads a cell by its column: texts as they are, elsewhere true, false and numbers where they are such.
func (c column) put(values map[string]any, cell string) {
	switch {
	case c.top == "": // it is at fault
	case c.top == "mac":
		values["ports"] = split(cell)
	case c.top == "traits":
		values["traits"] = split(cell)
	case c.inner != "":
		inner, ok := values[c.top].(map[string]any)
		if !ok {
			inner = map[string]any{}
			values[c.top] = inner
		}
		inner[c.inner] = cell
		if c.top != "driver_info" { // a password of digits is a text
			inner[c.inner] = scalar(cell)
		}
	case nodeFields[c.top] == isBool:
		values[c.top] = scalar(strings.ToLower(cell))
	default:
		values[c.top] = cell
	}
}

// split takes a list in a cell apart, at blanks, commas and semicolons.
func split(cell string) []any {
	var list []any
	for text := range strings.FieldsFuncSeq(cell, func(r rune) bool { return strings.ContainsRune(" \t\n,;", r) }) {
		list = append(list, text)
	}
	return list
}

// csvFault notes an error of package csv, which names its line.
func (f *nodesFile) csvFault(err error) {
	if parse, ok := errors.AsType[*csv.ParseError](err); ok {
		f.fault(parse.Line, "%v", parse.Err)
		return
	}
	f.fault(1, "%v", err)
}
