package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"bosh-ironic-cpi/src/config"
)

// A setting is one key=value, key=@FILE or key- of a command line.
type setting struct {
	key    string // a path of JSON patch without its first slash
	value  any
	text   string // the value as it was given
	remove bool
}

// A fieldType says how the text of a node's field is read.
type fieldType int

const (
	isText fieldType = iota
	isBool
	isMap // its keys can be set, not the whole
	isTraits
)

// nodeFields are the fields of a node that an operator sets (Ironic 21.4, API reference, "Update Node").
var nodeFields = map[string]fieldType{
	"name": isText, "driver": isText, "description": isText, "resource_class": isText, "conductor_group": isText,
	"owner": isText, "lessee": isText, "chassis_uuid": isText, "shard": isText,
	"bios_interface": isText, "boot_interface": isText, "console_interface": isText, "deploy_interface": isText,
	"inspect_interface": isText, "management_interface": isText, "network_interface": isText, "power_interface": isText,
	"raid_interface": isText, "rescue_interface": isText, "storage_interface": isText, "vendor_interface": isText,
	"automated_clean": isBool, "protected": isBool, "protected_reason": isText,
	"retired": isBool, "retired_reason": isText,
	"properties": isMap, "extra": isMap, "driver_info": isMap, "instance_info": isMap, "network_data": isMap,
	"traits": isTraits,
}

// removable matches the key- of a removal.
var removable = regexp.MustCompile(`^[A-Za-z0-9_./-]+-$`)

// parseSetting reads one change. Errors do not repeat values: they may be secrets.
func parseSetting(argument string) (setting, error) {
	key, text, given := strings.Cut(argument, "=")
	s := setting{key: key, text: text}
	if !given {
		if !removable.MatchString(argument) {
			return s, fmt.Errorf("%q: want key=value, key=@FILE, or key- to remove", argument)
		}
		s.key, s.remove = strings.TrimSuffix(argument, "-"), true
	}
	top, inner, nested := strings.Cut(s.key, "/")
	kind, known := nodeFields[top]
	switch {
	case !known:
		return s, unknownField(top)
	case kind == isMap && inner == "":
		return s, fmt.Errorf("%s: name a key in it: %s/KEY=value", top, top)
	case kind != isMap && nested:
		return s, fmt.Errorf("%s: %s has no keys in it", s.key, top)
	case s.key == "extra/"+documentKey, strings.HasPrefix(s.key, "extra/"+documentKey+"/"):
		return s, fmt.Errorf("%s: it is the CPI's; nodectl claims --release frees a node", s.key)
	case s.remove:
		return s, nil
	}
	if name, fromFile := strings.CutPrefix(text, "@"); fromFile {
		content, err := readLine(name)
		if err != nil {
			return s, fmt.Errorf("%s: %w", s.key, err)
		}
		s.text = content
	} else if kind == isMap && isSecret(inner) {
		return s, fmt.Errorf("%s: a secret on the command line is seen by everybody on this machine: put it into a file and give %s=@FILE", s.key, s.key)
	}
	var err error
	s.value, err = s.read(top, kind)
	return s, err
}

// read makes a JSON value of the text.
func (s setting) read(top string, kind fieldType) (any, error) {
	switch {
	case kind == isBool:
		switch s.text {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return nil, fmt.Errorf("%s: want true or false", s.key)
	case kind != isMap, top == "driver_info" && !strings.ContainsAny(s.text[:min(1, len(s.text))], "{["):
		return s.text, nil // a password of digits is a text
	}
	return scalar(s.text), nil
}

// scalar is a JSON value where the text is one, else the text: 65536 is a number, rack-3 is not.
func scalar(text string) any {
	var value any
	if json.Unmarshal([]byte(text), &value) == nil {
		return value
	}
	return text
}

var trait = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,254}$`)

// traits are the traits of a list such as CUSTOM_A,CUSTOM_B; none where they are removed.
func (s setting) traits() ([]string, error) {
	list := []string{}
	if s.remove {
		return list, nil
	}
	for name := range strings.SplitSeq(s.text, ",") {
		if !trait.MatchString(name) {
			return nil, fmt.Errorf("traits: %q is none: they are like CUSTOM_SSD, with commas between them", name)
		}
		list = append(list, name)
	}
	return list, nil
}

func unknownField(name string) error {
	switch name {
	case "maintenance":
		return errors.New("maintenance: nodectl node maintenance switches it")
	case "instance_uuid":
		return errors.New("instance_uuid: it is a claim; nodectl claims --release ends one")
	}
	known := slices.Sorted(maps.Keys(nodeFields))
	if near := config.Nearest(name, known); near != "" {
		return fmt.Errorf("%s: no field of a node that can be set, did you mean %q?", name, near)
	}
	return fmt.Errorf("%s: no field of a node that can be set; there are %s", name, strings.Join(known, ", "))
}
