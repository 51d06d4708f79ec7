package cpi

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/disk"
	"bosh-ironic-cpi/src/placement"
	"bosh-ironic-cpi/src/registry"
	"bosh-ironic-cpi/src/repository"
)

// What the actions themselves refuse.
var (
	ErrVMNotFound       = errors.New("no such VM")
	ErrDiskNotFound     = errors.New("no such disk")
	ErrStemcellNotFound = errors.New("no such stemcell")
	ErrDiskElsewhere    = errors.New("the disk is in another server and cannot move")
	ErrDiskAttached     = errors.New("the disk is attached")
	ErrProperties       = errors.New("cloud properties")
	ErrResources        = errors.New("no server has what vm_resources ask for")
	ErrUnsuitable       = errors.New("node cannot run this VM")
	ErrNotSupported     = errors.New("not supported on bare metal")
	ErrNotImplemented   = errors.New("not implemented")
	ErrConfiguration    = errors.New("configuration")
)

// kinds says in the Director's words what went wrong: the first row that an error matches. docs/errors.md is
// made from it.
var kinds = []struct {
	err   error
	kind  string
	retry bool // could another node, or a later try, help?
	next  string
}{
	{ErrNotImplemented, "NotImplemented", false, ""},
	{ErrNotSupported, "NotSupported", false, ""},
	{ErrConfiguration, "CpiError", false, "correct the CPI's configuration"},
	{ErrVMNotFound, "VMNotFound", false, ""},
	{ErrDiskNotFound, "DiskNotFound", false, ""},
	{ErrDiskElsewhere, "CloudError", false, "local disks stay in their server: use vm_strategy delete-create, and keep the node free"},
	{ErrDiskAttached, "CloudError", false, "detach the disk first"},
	{ErrStemcellNotFound, "CloudError", false, "upload the stemcell again with --fix"},
	{disk.ErrNoSpace, "NoDiskSpace", false, "add a disk to the server, or choose another VM type"},
	{ErrResources, "CloudError", false, "ask for less, or enrol a larger server"},
	{errBusyPool, "VMCreationFailed", true, "wait until a node is free, or enrol more"},
	{placement.ErrNoneFits, "VMCreationFailed", false, "change the cloud properties, or enrol a node that fits"},
	{ErrProperties, "CloudError", false, "correct the cloud-config"},
	{ErrUnsuitable, "CloudError", false, ""},
	{errOvertaken, "CloudError", true, ""},
	{baremetal.ErrFailed, "CloudError", true, "look at the node's last_error"},
	{baremetal.ErrLocked, "CloudError", true, ""},
	{baremetal.ErrAssociated, "CloudError", true, ""},
	{baremetal.ErrUnavailable, "CloudError", true, "check that Ironic's API and conductor run"},
	{baremetal.ErrAmbiguous, "CloudError", true, ""},
	{baremetal.ErrUnauthorized, "CpiError", false, "check ironic.auth in the CPI's configuration"},
	{baremetal.ErrVersion, "CloudError", false, "this Ironic is too old for what is asked"},
	{repository.ErrUnavailable, "CloudError", true, "check that the repository runs"},
	{repository.ErrFull, "CloudError", false, "make room in the repository"},
	{repository.ErrUnauthorized, "CpiError", false, "check the repository's credentials in the CPI's configuration"},
	{registry.ErrUnavailable, "CloudError", true, "check that the registry runs"},
	{registry.ErrUnauthorized, "CpiError", false, "check registry.username and registry.password in the CPI's configuration"},
	{context.DeadlineExceeded, "CloudError", true, "raise the limit in timeouts if the hardware needs longer"},
	{context.Canceled, "CloudError", true, ""},
}

// Kind puts an error into the Director's words: the part of the type after Bosh::Clouds::, whether the same
// call may help when repeated, and what to do next (may be empty). An unknown error is a CloudError.
func Kind(err error) (kind string, retry bool, next string) {
	kind = "CloudError"
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			kind, retry, next = k.kind, k.retry, k.next
			break
		}
	}
	var creation *creationError
	if kind == "CloudError" && errors.As(err, &creation) {
		kind = "VMCreationFailed" // the only kind that a Director tries again
	}
	return kind, retry, next
}

// A creationError marks what goes wrong in create_vm once it has begun to look for a node.
type creationError struct{ error }

func (e *creationError) Unwrap() error { return e.error }

// errBusyPool says that nodes would fit if they were free.
var errBusyPool = errors.New("every node that fits is in use")

// Errors describes every kind of error as rows of a Markdown table.
func Errors() string {
	var b strings.Builder
	b.WriteString("| what happened | type (Bosh::Clouds::…) | ok_to_retry | what to do |\n|---|---|---|---|\n")
	for _, k := range kinds {
		fmt.Fprintf(&b, "| %v | %s | %v | %s |\n", k.err, k.kind, k.retry, k.next)
	}
	return b.String()
}
