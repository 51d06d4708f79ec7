package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"go.yaml.in/yaml/v3"
)

// An answer is what a command prints, in each of the forms of -o.
type answer struct {
	head  []string   // of the table; nil: a table without
	rows  [][]string // of the table
	value any        // for json and yaml, with Ironic's keys
	names []string   // for name: a line each
}

// print writes the answer in the form that was asked for.
func (c *console) print(a answer) error {
	switch c.flags.Output {
	case "json":
		return printJSON(c.out, a.value)
	case "yaml":
		return printYAML(c.out, a.value)
	case "name":
		for _, name := range a.names {
			if _, err := fmt.Fprintln(c.out, name); err != nil {
				return err
			}
		}
		return nil
	}
	return printTable(c.out, a.head, a.rows)
}

func printTable(w io.Writer, head []string, rows [][]string) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if head != nil {
		fmt.Fprintln(table, strings.Join(head, "\t"))
	}
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = oneLine(cell)
		}
		fmt.Fprintln(table, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
	}
	return table.Flush()
}

// oneLine keeps a cell in its place: no line breaks or tabs, and a dash where there is nothing.
func oneLine(cell string) string {
	if cell = strings.Join(strings.Fields(cell), " "); cell == "" {
		return "-"
	}
	return cell
}

// toJSON is JSON that people can read as well: indented, and < stays <.
func toJSON(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(value)
	return b.Bytes(), err
}

func printJSON(w io.Writer, value any) error {
	text, err := toJSON(value)
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

// printYAML goes by way of JSON, which is YAML: the keys are JSON's then, in JSON's order, and the numbers are as they
// came, not 1.048576e+06.
func printYAML(w io.Writer, value any) error {
	text, err := toJSON(value)
	if err != nil {
		return err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return err
	}
	plain(&document)
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	if err := encoder.Encode(&document); err != nil {
		return err
	}
	return encoder.Close()
}

// plain takes JSON's braces and quotes off where nobody misses them: {} stays, and the quotes of a MAC address, which
// is a number to readers of YAML 1.1.
func plain(n *yaml.Node) {
	switch n.Kind {
	case yaml.ScalarNode:
		if text, err := yaml.Marshal(n.Value); n.Tag != "!!str" || err == nil && !bytes.HasPrefix(text, []byte(`"`)) {
			n.Style = 0
		}
	default:
		if len(n.Content) > 0 {
			n.Style = 0
		}
	}
	for _, child := range n.Content {
		plain(child)
	}
}

// words writes a JSON value in one line: texts as they are, lists of them with commas, all else as JSON.
func words(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case []any:
		texts := make([]string, len(v))
		for i, element := range v {
			text, ok := element.(string)
			if !ok {
				return compact(value)
			}
			texts[i] = text
		}
		return strings.Join(texts, ", ")
	}
	return compact(value)
}

func compact(value any) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Sprint(value)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// yes writes a fact as people do.
func yes(fact bool) string {
	if fact {
		return "yes"
	}
	return "no"
}

func sortedKeys(values map[string]any) []string { return slices.Sorted(maps.Keys(values)) }
