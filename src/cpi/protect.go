package cpi

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"bosh-ironic-cpi/src/baremetal"
)

const skipPath = "/properties/skip_block_devices"

// protect keeps automated cleaning off a disk: its WWN or serial number goes into
// properties.skip_block_devices; where neither is known, cleaning of the whole node is switched off.
func (v *vm) protect(cid string) ([]baremetal.Change, error) {
	record := v.document.disk(cid)
	hint, ok := record.Device.SkipHint()
	if !ok {
		if v.document.Saved.Clean {
			return nil, nil
		}
		v.document.Saved = saved{Clean: true, Was: v.node.AutomatedClean}
		return []baremetal.Change{baremetal.Add("/automated_clean", false)}, nil
	}
	list, err := v.skipList()
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(list, func(entry any) bool { return sameHint(entry, hint) }) {
		return nil, nil // the operator had it there
	}
	record.Skip = true
	return []baremetal.Change{baremetal.Add(skipPath, append(list, hint))}, nil
}

// unprotect lets cleaning at the disks again that drop names, and forgets nothing.
func (v *vm) unprotect(drop func(diskRecord) bool) []baremetal.Change {
	list, err := v.skipList()
	if err != nil {
		return nil // it is not ours to repair
	}
	before, unnamed := len(list), 0
	for i := range v.document.Disks {
		r := &v.document.Disks[i]
		hint, ok := r.Device.SkipHint()
		switch {
		case !drop(*r) && !ok:
			unnamed++
		case drop(*r) && r.Skip:
			list = slices.DeleteFunc(list, func(entry any) bool { return sameHint(entry, hint) })
			r.Skip = false
		}
	}
	var changes []baremetal.Change
	switch {
	case len(list) == before:
	case len(list) == 0:
		changes = append(changes, baremetal.Remove(skipPath))
	default:
		changes = append(changes, baremetal.Add(skipPath, list))
	}
	if unnamed == 0 {
		changes = append(changes, v.document.restoreClean()...)
		v.document.Saved = saved{}
	}
	return changes
}

func (v *vm) unprotectAll() []baremetal.Change {
	return v.unprotect(func(diskRecord) bool { return true })
}

// restoreClean gives automated_clean its old value back.
func (d document) restoreClean() []baremetal.Change {
	switch {
	case !d.Saved.Clean:
		return nil
	case d.Saved.Was == nil: // not remove: Ironic 21.4 answers that with 500 'value'
		return []baremetal.Change{baremetal.Add("/automated_clean", nil)}
	}
	return []baremetal.Change{baremetal.Add("/automated_clean", *d.Saved.Was)}
}

// skipList reads properties.skip_block_devices; operators also write it as JSON text.
func (v *vm) skipList() ([]any, error) {
	switch list := v.node.Properties["skip_block_devices"].(type) {
	case nil:
		return nil, nil
	case []any:
		return slices.Clone(list), nil
	case string:
		var entries []any
		if err := json.Unmarshal([]byte(list), &entries); err == nil {
			return entries, nil
		}
	}
	return nil, fmt.Errorf("%w: node %s: properties.skip_block_devices is not a list", ErrUnsuitable, v.node.Label())
}

func sameHint(entry any, hint map[string]string) bool {
	m, ok := entry.(map[string]any)
	if !ok {
		return false
	}
	texts := map[string]string{}
	for k, v := range m {
		texts[k] = fmt.Sprint(v)
	}
	return reflect.DeepEqual(texts, hint)
}
