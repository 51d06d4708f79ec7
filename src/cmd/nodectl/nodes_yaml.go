package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// readYAML takes a list of nodes, or an object that has it as nodes, which is the form of "baremetal create". JSON is
// YAML.
func (f *nodesFile) readYAML(text []byte) []entry {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document yaml.Node
	if err := decoder.Decode(&document); err != nil {
		if !errors.Is(err, io.EOF) {
			f.yamlFault(1, err)
		}
		return nil
	}
	if decoder.Decode(new(yaml.Node)) == nil {
		f.fault(1, "there are several documents in it: make one list of them")
		return nil
	}
	list := resolved(document.Content[0])
	if list.Kind == yaml.MappingNode {
		if list = f.listOf(list); list == nil {
			return nil
		}
	}
	if list.Kind != yaml.SequenceNode {
		f.fault(list.Line, "want a list of nodes: - name: rack-1 …")
		return nil
	}
	var entries []entry
	for _, item := range list.Content {
		if e, ok := f.yamlEntry(item); ok {
			entries = append(entries, e)
		}
	}
	return entries
}

// listOf finds nodes in an object that has nothing else.
func (f *nodesFile) listOf(object *yaml.Node) *yaml.Node {
	var list *yaml.Node
	for key, value := range pairs(object) {
		if key.Value != "nodes" {
			f.fault(key.Line, "%s: unknown key; want a list of nodes, or nodes with that list", key.Value)
			continue
		}
		list = resolved(value)
	}
	if list == nil && len(f.faults) == 0 {
		f.fault(object.Line, "there are no nodes in it")
	}
	return list
}

// yamlEntry reads one node, and where its keys and ports stand.
func (f *nodesFile) yamlEntry(item *yaml.Node) (entry, bool) {
	e := entry{line: item.Line, lines: map[string]int{}}
	node := resolved(item)
	if node.Kind != yaml.MappingNode {
		f.fault(item.Line, "want a node's keys and values")
		return e, false
	}
	for key, value := range pairs(node) {
		e.lines[key.Value] = key.Line
		if key.Value != "ports" {
			continue
		}
		for i, port := range resolved(value).Content {
			e.lines[fmt.Sprintf("ports[%d]", i)] = port.Line
		}
	}
	if err := node.Decode(&e.values); err != nil {
		f.yamlFault(item.Line, err)
		return e, false
	}
	return e, true
}

// inLine finds the line that package yaml names.
var inLine = regexp.MustCompile(`^(?:yaml: )?line (\d+): `)

// yamlFault notes an error of package yaml, which holds several, at the lines that they name.
func (f *nodesFile) yamlFault(line int, err error) {
	texts := []string{err.Error()}
	if several, ok := errors.AsType[*yaml.TypeError](err); ok {
		texts = several.Errors
	}
	for _, text := range texts {
		at := line
		if m := inLine.FindStringSubmatch(text); m != nil {
			at, _ = strconv.Atoi(m[1])
			text = text[len(m[0]):]
		}
		f.fault(at, "%s", text)
	}
}

// pairs goes through the keys and values of an object.
func pairs(object *yaml.Node) func(yield func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		for i := 0; i+1 < len(object.Content); i += 2 {
			if !yield(object.Content[i], object.Content[i+1]) {
				return
			}
		}
	}
}

// resolved follows an alias to what it stands for.
func resolved(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}
