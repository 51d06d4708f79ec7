package disk

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// fromProperties reads properties.disks, the operator's word on a node that was never inspected:
//
//	[{"name": "/dev/sda", "size_gb": 480, "root": true}, {"by_id": "/dev/disk/by-id/wwn-0x5000c500a0000001"}]
//
// Keys: name, wwn, serial, model, by_id, by_path, size (bytes), size_gb (GiB), rotational, root. Unknown keys are errors,
// since a misspelt wwn would cost data.
func fromProperties(declared any) ([]Device, error) {
	entries, ok := declared.([]any)
	if !ok {
		return nil, fmt.Errorf("%w: disks is not a list of objects", ErrProperties)
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("%w: disks is an empty list; name the disks or remove it", ErrProperties)
	}
	var devices []Device
	roots := 0
	for i, entry := range entries {
		d, err := declaredDevice(entry)
		if err != nil {
			return nil, fmt.Errorf("%w: disks[%d]%w", ErrProperties, i, err)
		}
		if d.Root {
			roots++
		}
		if slices.ContainsFunc(devices, d.same) {
			return nil, fmt.Errorf("%w: disks[%d]: %s is there twice", ErrProperties, i, d.Label())
		}
		devices = append(devices, d)
	}
	if roots > 1 {
		return nil, fmt.Errorf("%w: disks has %d root disks", ErrProperties, roots)
	}
	return devices, nil
}

// declaredDevice reads one entry. Its errors begin where "disks[0]" ends.
func declaredDevice(entry any) (Device, error) {
	m, ok := entry.(map[string]any)
	if !ok {
		return Device{}, fmt.Errorf(" is not an object")
	}
	var d Device
	texts := map[string]*string{
		"name": &d.Name, "wwn": &d.WWN, "serial": &d.Serial, "model": &d.Model, "by_id": &d.ByID, "by_path": &d.ByPath,
	}
	bools := map[string]*bool{"root": &d.Root, "rotational": &d.Rotational}
	units := map[string]float64{"size": 1, "size_gb": 1 << 30}
	for key, value := range m {
		switch {
		case texts[key] != nil:
			s, ok := value.(string)
			if !ok {
				return Device{}, fmt.Errorf(".%s is not a text", key)
			}
			*texts[key] = strings.TrimSpace(s)
		case bools[key] != nil:
			b, err := parseBool(value)
			if err != nil {
				return Device{}, fmt.Errorf(".%s: %w", key, err)
			}
			*bools[key] = b
		case units[key] != 0:
			n, ok := number(value)
			if !ok || n <= 0 || n*units[key] > math.MaxInt64/2 {
				return Device{}, fmt.Errorf(".%s is not a size", key)
			}
			d.SizeBytes = int64(n * units[key])
		default:
			return Device{}, fmt.Errorf(".%s is not known; known are name, wwn, serial, model, by_id, by_path, "+
				"size, size_gb, rotational, root", key)
		}
	}
	if d.ByID != "" && !strings.HasPrefix(d.ByID, "/") {
		d.ByID = byIDFolder + d.ByID
	}
	if d.Hint() == "" {
		return Device{}, fmt.Errorf(" has none of name, wwn, by_id, by_path")
	}
	return d, nil
}

// number reads what Ironic keeps for a number: a JSON number, or a text that holds one.
func number(value any) (float64, bool) {
	switch v := value.(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
	}
	return 0, false
}

// parseBool reads a boolean as Ironic does (oslo.utils, strutils.bool_from_string, strict).
func parseBool(value any) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(fmt.Sprint(value))) {
	case "1", "t", "true", "on", "y", "yes":
		return true, nil
	case "0", "f", "false", "off", "n", "no":
		return false, nil
	}
	return false, fmt.Errorf("%v is not a boolean", value)
}
