package ipmi_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bosh-ironic-cpi/src/baremetal"
	bmc "bosh-ironic-cpi/src/bmc/ipmi"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/wait"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start makes a BMC in this process.
func start(t testing.TB, cfg bmc.Config) *bmc.BMC {
	t.Helper()
	b, err := bmc.Start(context.WithoutCancel(t.Context()), cfg) // until cleaned up
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// node is one on the BMC.
func node(b *bmc.BMC) *driver.Node {
	return &driver.Node{UUID: "5f0a7c3e-0000-4000-8000-000000000001", Name: "n1", Info: map[string]any{
		"ipmi_address": b.Address().Addr().String(), "ipmi_port": float64(b.Address().Port()),
		"ipmi_username": "admin", "ipmi_password": "secret",
	}}
}

var quick = wait.Pace{First: time.Millisecond, Every: 20 * time.Millisecond, Limit: 30 * time.Second}

func driverTarget(text string) baremetal.PowerTarget { return baremetal.PowerTarget(text) }
