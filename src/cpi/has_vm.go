package cpi

import (
	"context"
	"errors"
)

// HasVM reports whether a VM exists. It is false only when the VM is certainly gone: the Director recreates
// a missing VM elsewhere, so an Ironic that does not answer is an error.
func (c *CPI) HasVM(ctx context.Context, cid string) (bool, error) {
	_, err := c.find(ctx, cid)
	if errors.Is(err, ErrVMNotFound) {
		return false, nil
	}
	return err == nil, err
}
