package cpi

import (
	"log/slog"
	"testing"

	"bosh-ironic-cpi/src/agentenv"
)

// What the black-box tests of this package look at.
var (
	Hardware = hardware
	NodeName = nodeName
)

// CheckVMProperties and CheckDiskProperties read cloud properties strictly.
func CheckVMProperties(t testing.TB, raw []byte) error {
	c := strict(t)
	_, err := c.vmProperties(t.Context(), raw)
	return err
}

func CheckDiskProperties(t testing.TB, raw []byte) error {
	var p diskProperties
	return strict(t).decode(t.Context(), raw, &p)
}

func CheckNetworks(t testing.TB, networks agentenv.Networks) error {
	return strict(t).checkNetworks(t.Context(), networks)
}

func strict(t testing.TB) *CPI {
	return &CPI{Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Options: Options{StrictProperties: true}}
}
