package cpi_test

import (
	"errors"
	"fmt"
	"testing"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/cpi"
	"bosh-ironic-cpi/src/disk"
	"bosh-ironic-cpi/src/placement"
	"bosh-ironic-cpi/src/repository"
)

func TestKindFindsTheDirectorsWordThroughWrapping(t *testing.T) {
	tests := []struct {
		err   error
		kind  string
		retry bool
	}{
		{cpi.ErrVMNotFound, "VMNotFound", false},
		{cpi.ErrDiskNotFound, "DiskNotFound", false},
		{disk.ErrNoSpace, "NoDiskSpace", false},
		{placement.ErrNoneFits, "VMCreationFailed", false},
		{baremetal.ErrLocked, "CloudError", true},
		{baremetal.ErrUnavailable, "CloudError", true},
		{baremetal.ErrFailed, "CloudError", true},
		{baremetal.ErrUnauthorized, "CpiError", false},
		{repository.ErrUnavailable, "CloudError", true},
		{repository.ErrFull, "CloudError", false},
		{cpi.ErrProperties, "CloudError", false},
		{cpi.ErrNotImplemented, "NotImplemented", false},
		{cpi.ErrNotSupported, "NotSupported", false},
		{errors.New("something else"), "CloudError", false},
	}
	for _, tt := range tests {
		err := fmt.Errorf("deploy node lab1: %w", fmt.Errorf("again: %w", errors.Join(errors.New("x"), tt.err)))
		if kind, retry, _ := cpi.Kind(err); kind != tt.kind || retry != tt.retry {
			t.Errorf("Kind(%v) = %s, %v; want %s, %v", tt.err, kind, retry, tt.kind, tt.retry)
		}
	}
}
