package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/config"
)

// An enrolment is one node of a file, as it is to be made.
type enrolment struct {
	body   map[string]any // of POST /v1/nodes
	traits []string
	ports  []baremetal.Port // without the node's UUID
}

// label names the node in messages.
func (e enrolment) label() string {
	for _, key := range []string{"name", "uuid"} {
		if text, ok := e.body[key].(string); ok {
			return text
		}
	}
	if len(e.ports) > 0 {
		return "with MAC " + e.ports[0].Address
	}
	return "without a name"
}

// An entry is one node as it stands in a file, of either form, before anybody has looked what it says.
type entry struct {
	line   int
	values map[string]any // Ironic's keys, and ports
	lines  map[string]int // where a key stands, if not at line; ports[1] is the second port
}

// readNodes reads a file of nodes: CSV by the end of its name, else YAML. The error has a line for each fault.
func readNodes(name string, text []byte) ([]enrolment, error) {
	f := &nodesFile{name: name, seen: map[string]string{}}
	var entries []entry
	if strings.EqualFold(filepath.Ext(name), ".csv") {
		entries = f.readCSV(text)
	} else {
		entries = f.readYAML(text)
	}
	if len(entries) == 0 && len(f.faults) == 0 {
		f.fault(1, "there is no node in it")
	}
	made := make([]enrolment, len(entries))
	for i, e := range entries {
		made[i] = f.check(e)
	}
	return made, errors.Join(f.faults...)
}

// A nodesFile is a file under examination.
type nodesFile struct {
	name   string
	faults []error
	seen   map[string]string // what must be there once, like "name rack-1": where it was
}

// fault notes what is wrong in a line. Values do not belong in it, for they may be secrets.
func (f *nodesFile) fault(line int, format string, args ...any) {
	f.faults = append(f.faults, fmt.Errorf("%s:%d: %s", f.name, line, fmt.Sprintf(format, args...)))
}

// once wants a value that names something to be in the file once.
func (f *nodesFile) once(line int, what string) {
	if before, twice := f.seen[what]; twice {
		f.fault(line, "%s is there twice, first in line %s", what, before)
		return
	}
	f.seen[what] = fmt.Sprint(line)
}

// at is the line of a key.
func (e entry) at(key string) int {
	if line, ok := e.lines[key]; ok {
		return line
	}
	return e.line
}

var (
	nodeName    = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,255}$`) // Ironic 21.4, is_valid_logical_name
	fileKeys    = append(slices.Sorted(maps.Keys(nodeFields)), "uuid", "ports")
	textOrError = "want a text, got %s; put quotes around it"
)

// check makes an enrolment of an entry, and notes all its faults.
func (f *nodesFile) check(e entry) enrolment {
	made := enrolment{body: map[string]any{}}
	for _, key := range slices.Sorted(maps.Keys(e.values)) {
		value := e.values[key]
		switch {
		case value == nil: // as if it were not there
		case key == "ports":
			made.ports = f.ports(e, value)
		case key == "traits":
			made.traits = f.traits(e, value)
		case !slices.Contains(fileKeys, key):
			f.unknown(e.at(key), key)
		default:
			if f.value(e.at(key), key, value) {
				made.body[key] = value
			}
		}
	}
	if driver, _ := made.body["driver"].(string); driver == "" && e.values["driver"] == nil {
		f.fault(e.line, "driver: required, but missing")
	}
	f.identity(e, made.body)
	return made
}

// value checks the type of a field.
func (f *nodesFile) value(line int, key string, value any) bool {
	ok, want := false, ""
	switch nodeFields[key] { // of uuid: isText
	case isBool:
		_, ok = value.(bool)
		want = "want true or false, got %s"
	case isMap:
		_, ok = value.(map[string]any)
		want = "want keys and values, got %s"
	default:
		text, isText := value.(string)
		ok, want = isText, textOrError
		if isText && text == "" {
			f.fault(line, "%s: must not be empty", key)
			return false
		}
	}
	if !ok {
		f.fault(line, "%s: "+want, key, kindOf(value))
		return false
	}
	if _, err := json.Marshal(value); err != nil { // YAML has keys that are no texts
		f.fault(line, "%s: every key in it must be a text", key)
		return false
	}
	return true
}

// identity checks what the node is known by, and that the CPI's document is not copied from another node.
func (f *nodesFile) identity(e entry, body map[string]any) {
	if name, ok := body["name"].(string); ok {
		if !nodeName.MatchString(name) {
			f.fault(e.at("name"), "name: only letters, digits, and . _ ~ - are allowed")
		}
		f.once(e.at("name"), "name "+name)
	}
	if id, ok := body["uuid"].(string); ok {
		if uuid.Validate(id) != nil || len(id) != 36 {
			f.fault(e.at("uuid"), "uuid: it is none")
		}
		f.once(e.at("uuid"), "uuid "+strings.ToLower(id))
	}
	if extra, ok := body["extra"].(map[string]any); ok && extra[documentKey] != nil {
		f.fault(e.at("extra"), "extra.%s: it is the CPI's, and says who has a node; leave it out", documentKey)
	}
}

func (f *nodesFile) unknown(line int, key string) {
	if near := config.Nearest(key, fileKeys); near != "" {
		f.fault(line, "%s: unknown key, did you mean %q?", key, near)
		return
	}
	f.fault(line, "%s: unknown key", key)
}

func (f *nodesFile) traits(e entry, value any) []string {
	list, ok := value.([]any)
	if !ok {
		f.fault(e.at("traits"), "traits: want a list, got %s", kindOf(value))
		return nil
	}
	var names []string
	for i, element := range list {
		name, ok := element.(string)
		if !ok || !trait.MatchString(name) {
			f.fault(e.at("traits"), "traits[%d]: traits are like CUSTOM_SSD", i)
			continue
		}
		names = append(names, name)
	}
	return names
}

// ports checks the NICs: MAC addresses, or objects with address and more.
func (f *nodesFile) ports(e entry, value any) []baremetal.Port {
	list, ok := value.([]any)
	if !ok {
		f.fault(e.at("ports"), "ports: want a list, got %s", kindOf(value))
		return nil
	}
	var ports []baremetal.Port
	for i, element := range list {
		path := fmt.Sprintf("ports[%d]", i)
		if port, ok := f.port(e.at(path), path, element); ok {
			ports = append(ports, port)
		}
	}
	return ports
}

func (f *nodesFile) port(line int, path string, value any) (port baremetal.Port, ok bool) {
	port.PXEEnabled = true // as Ironic has it
	text, ok := value.(string)
	if !ok {
		object, isObject := value.(map[string]any)
		if !isObject {
			f.fault(line, "%s: want a MAC address, got %s", path, kindOf(value))
			return port, false
		}
		raw, err := json.Marshal(object)
		var fields struct {
			Address         string                     `json:"address" required:"true"`
			PXEEnabled      bool                       `json:"pxe_enabled" default:"true"`
			PhysicalNetwork string                     `json:"physical_network"`
			Extra           map[string]json.RawMessage `json:"extra"`
		}
		if err == nil {
			_, err = config.Decoder{Path: path, NoFiles: true}.Decode(raw, &fields)
		}
		if err != nil {
			f.fault(line, "%v", err)
			return port, false
		}
		text, port.PXEEnabled, port.PhysicalNetwork, port.Extra = fields.Address, fields.PXEEnabled, fields.PhysicalNetwork, fields.Extra
	}
	mac, err := net.ParseMAC(text)
	if err != nil || len(mac) != 6 {
		f.fault(line, "%s: %q is no MAC address, which is like 52:54:00:12:34:56", path, text)
		return port, false
	}
	port.Address = mac.String()
	f.once(line, "MAC "+port.Address)
	return port, true
}

// kindOf names what a value is, not the value.
func kindOf(value any) string {
	switch value.(type) {
	case string:
		return "a text"
	case bool:
		return "true or false"
	case map[string]any:
		return "keys and values"
	case []any:
		return "a list"
	}
	return "a number"
}
