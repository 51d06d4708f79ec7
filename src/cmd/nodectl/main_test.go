//go:build !integration

package main

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	runIfProgram()
	os.Exit(m.Run())
}
