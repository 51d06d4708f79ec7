//go:build integration && long

package acceptance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/backend"
)

// A server that the CPI defines, on a BMC that really switches and takes a second for each of many questions.
func TestLifeOnABMC(t *testing.T) {
	t.Parallel()
	d := onBMC(newDirector(t, backend.Start(t, backend.WithIPMI())))
	power := func() string {
		state, err := os.ReadFile(filepath.Join(d.backend.Env["IPMI_CHASSIS"], "power"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(state))
	}
	cid, _ := d.createVM(d.vm)
	d.checkImage(d.node)
	if got := power(); got != "1" {
		t.Errorf("the BMC has power %s; want 1", got)
	}
	d.must("reboot_vm", cid)
	d.must("delete_vm", cid)
	d.gone("after delete_vm")
	if got := power(); got != "0" {
		t.Errorf("after delete_vm the BMC has power %s; want 0", got)
	}
}
