package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"bosh-ironic-cpi/src/baremetal"
)

const skipPath = "/properties/skip_block_devices"

// unprotect lets cleaning at the disks that the CPI kept it off (docs/disks.md, "Cleaning"). What the operator has put
// into skip_block_devices stays. Done before the tear-down, its cleaning erases them.
func (r *release) unprotect(ctx context.Context) error {
	switch r.node.ProvisionState {
	case baremetal.Deploying, baremetal.WaitCallBack, baremetal.Deleting, baremetal.Cleaning, baremetal.CleanWait:
		return nil // the service takes no change now
	}
	if r.unprotected {
		return nil
	}
	if changes := unprotection(r.node, r.held); len(changes) > 0 {
		if err := r.patch(ctx, changes...); err != nil {
			return err
		}
	}
	r.unprotected = true
	return nil
}

// unprotection is what changes on a node when all its disks are given up.
func unprotection(n baremetal.Node, h holding) []baremetal.Change {
	var changes []baremetal.Change
	if list, ok := skipList(n); ok {
		left := slices.DeleteFunc(slices.Clone(list), func(entry any) bool { return ofCPI(entry, h.Disks) })
		switch {
		case len(left) == len(list):
		case len(left) == 0:
			changes = append(changes, baremetal.Remove(skipPath))
		default:
			changes = append(changes, baremetal.Add(skipPath, left))
		}
	}
	switch {
	case !h.Saved.Clean:
	case h.Saved.Was == nil: // not remove: Ironic 21.4 answers that with 500 'value'
		changes = append(changes, baremetal.Add("/automated_clean", nil))
	default:
		changes = append(changes, baremetal.Add("/automated_clean", *h.Saved.Was))
	}
	return changes
}

// skipList reads properties.skip_block_devices; operators also write it as JSON text.
func skipList(n baremetal.Node) (list []any, ok bool) {
	switch value := n.Properties["skip_block_devices"].(type) {
	case []any:
		return value, true
	case string:
		if json.Unmarshal([]byte(value), &list) == nil {
			return list, true
		}
	}
	return nil, false
}

// ofCPI reports whether the CPI has made an entry of skip_block_devices for one of the disks.
func ofCPI(entry any, disks []diskRecord) bool {
	values, ok := entry.(map[string]any)
	if !ok {
		return false
	}
	texts := map[string]string{}
	for key, value := range values {
		texts[key] = fmt.Sprint(value)
	}
	return slices.ContainsFunc(disks, func(d diskRecord) bool {
		hint, named := d.Device.SkipHint()
		return d.Skip && named && maps.Equal(hint, texts)
	})
}
