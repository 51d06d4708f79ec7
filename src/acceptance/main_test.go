//go:build integration

// Package acceptance runs the program ironic_cpi as a Director does, against a real Bare Metal API and a real
// WebDAV server: one process per request, JSON on its stdin and stdout.
//
// Each test has nodes of its own in the shared engine, told apart by their resource class. What a test asserts
// it reads from the engine, from the scratch disks of the deploy ramdisk, or from the server's files, never from
// the CPI's own word alone.
package acceptance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"bosh-ironic-cpi/src/backend"
)

// program is the CPI with fault points, built once for all tests.
var program string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ironic-cpi-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "ironic_cpi")
	build := exec.Command("go", "build", "-tags", "faults", "-o", program, "bosh-ironic-cpi/src/cmd/ironic_cpi")
	build.Stdout, build.Stderr = os.Stdout, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build ironic_cpi:", err)
		return 1
	}
	return backend.Main(m)
}
