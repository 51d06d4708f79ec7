package cpi_test

import (
	"testing"

	"bosh-ironic-cpi/src/cpi"
	"bosh-ironic-cpi/src/docstest"
)

func TestDocsAreUpToDate(t *testing.T) {
	docstest.Table(t, "cloud-properties.md", "vm_types", cpi.VMProperties())
	docstest.Table(t, "cloud-properties.md", "disk_types", cpi.DiskProperties())
	docstest.Table(t, "errors.md", "errors", cpi.Errors())
}
