package cpi

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"bosh-ironic-cpi/src/baremetal"
)

// SetVMMetadata names the node <job>-<index> where that name is free and keeps the metadata (BOSH instance
// id, tags) in the node's document. A name that is taken is no error: the node keeps the one it has. The
// operator's own name stays in the document and comes back with delete_vm.
func (c *CPI) SetVMMetadata(ctx context.Context, cid string, m map[string]any) error {
	v, err := c.find(ctx, cid)
	if err != nil {
		return err
	}
	v.confirm()
	v.document.Metadata = m
	name := nodeName(m)
	if name == "" || name == v.node.Name {
		return c.describe(ctx, &v)
	}

	named := v
	if v.node.Name != v.document.GivenName { // the operator has renamed it meanwhile
		named.document.Origin.Name = v.node.Name
	}
	named.document.GivenName = name
	err = c.save(ctx, &named, baremetal.Add("/name", name))
	switch {
	case err == nil:
		return nil
	case errors.Is(err, baremetal.ErrTaken), errors.Is(err, baremetal.ErrInvalid):
		c.Log.WarnContext(ctx, "node keeps its name", "node", v.node.UUID, "name", v.node.Name, "wanted", name, "err", err)
		return c.describe(ctx, &v)
	}
	return fmt.Errorf("node %s: keep the VM's metadata: %w", v.node.Label(), err)
}

func (c *CPI) describe(ctx context.Context, v *vm) error {
	if err := c.save(ctx, v); err != nil {
		return fmt.Errorf("node %s: keep the VM's metadata: %w", v.node.Label(), err)
	}
	return nil
}

// nodeName makes a node name of a VM's metadata: <job>-<index>, letters, digits and -._~ only (Ironic: RFC
// 3986 unreserved, up to 255). Empty when the metadata has no job.
func nodeName(m map[string]any) string {
	job, _ := m["job"].(string)
	if job == "" {
		job, _ = m["instance_group"].(string)
	}
	if job == "" {
		return ""
	}
	name := job
	if index, ok := m["index"]; ok && index != nil {
		name += "-" + fmt.Sprint(index)
	}
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("-._~", r):
			return r
		}
		return '-'
	}, name)
	return name[:min(len(name), 255)]
}
