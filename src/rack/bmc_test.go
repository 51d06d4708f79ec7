//go:build integration

package rack_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	bmcipmi "bosh-ironic-cpi/src/bmc/ipmi"
	bmcredfish "bosh-ironic-cpi/src/bmc/redfish"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/all"
	"bosh-ironic-cpi/src/rack"
	"bosh-ironic-cpi/src/wait"
)

// A server is a machine with both BMCs, as the drivers reach it.
type server struct {
	t       *testing.T
	machine *rack.Machine
	ipmi    *driver.Node
	redfish *driver.Node
}

func newServer(t *testing.T) (s *server, cd string) {
	t.Helper()
	m, cd := newMachine(t)
	i, err := bmcipmi.Start(t.Context(), bmcipmi.Config{Machine: m.IPMI()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = i.Close() })
	r := httptest.NewServer(bmcredfish.New(bmcredfish.Config{Machine: m.Redfish(), Username: "admin", Password: "secret"}))
	t.Cleanup(r.Close)
	return &server{
		t: t, machine: m,
		ipmi: &driver.Node{UUID: "by-ipmi", Info: map[string]any{
			"ipmi_address": "127.0.0.1", "ipmi_port": int(i.Address().Port()), "ipmi_username": "admin", "ipmi_password": "secret",
		}},
		redfish: &driver.Node{UUID: "by-redfish", Info: map[string]any{"redfish_address": r.URL, "redfish_username": "admin", "redfish_password": "secret"}},
	}, cd
}

// hardware is a driver as T.
func hardware[T any](t *testing.T, name string) T {
	t.Helper()
	spec, ok := all.Table().Spec(name)
	if !ok {
		t.Fatalf("no driver %s", name)
	}
	h, ok := spec.New().(T)
	if !ok {
		t.Fatalf("driver %s is no %T", name, h)
	}
	return h
}

var pace = wait.Pace{First: 50 * time.Millisecond, Every: 200 * time.Millisecond, Limit: 30 * time.Second}

func (s *server) power(name string, n *driver.Node, target baremetal.PowerTarget) {
	s.t.Helper()
	if _, err := driver.SetPower(s.t.Context(), hardware[driver.Power](s.t, name), n, target, pace); err != nil {
		s.t.Fatalf("%s %s: %v", name, target, err)
	}
}

func (s *server) bootFrom(name string, n *driver.Node, device string, persistent bool) {
	s.t.Helper()
	if err := hardware[driver.BootDevice](s.t, name).SetBootDevice(s.t.Context(), n, device, persistent); err != nil {
		s.t.Fatalf("%s boot device %s: %v", name, device, err)
	}
}

func (s *server) insert(cd string) {
	s.t.Helper()
	if err := hardware[driver.VirtualMedia](s.t, "redfish").InsertMedia(s.t.Context(), s.redfish, "cdrom", cd); err != nil {
		s.t.Fatal(err)
	}
}

const (
	fromDisk = "the disk is booted"
	fromCD   = "the CD is booted"
)

// By Redfish a machine boots an ISO once, and its disk from then on.
func TestRedfishBootsAnISO(t *testing.T) {
	s, cd := newServer(t)
	s.insert(cd)
	s.bootFrom("redfish", s.redfish, "cdrom", false)
	s.power("redfish", s.redfish, baremetal.TargetOn)
	says(t, s.machine, fromCD)
	s.power("redfish", s.redfish, baremetal.TargetReboot)
	says(t, s.machine, fromDisk)
	if err := hardware[driver.VirtualMedia](t, "redfish").EjectMedia(t.Context(), s.redfish, "cdrom"); err != nil {
		t.Fatal(err)
	}
	s.bootFrom("redfish", s.redfish, "disk", true)
	s.power("redfish", s.redfish, baremetal.TargetOff)
	if s.machine.PoweredOn() {
		t.Error("off, and it runs")
	}
	s.power("redfish", s.redfish, baremetal.TargetOn)
	says(t, s.machine, fromDisk)
	if strings.Contains(s.machine.Serial(), fromCD) {
		t.Error("the CD is booted although it is out")
	}
}

// By IPMI a machine boots from what its boot flags say, once or for good.
func TestIPMIBootsAnISO(t *testing.T) {
	s, cd := newServer(t)
	s.insert(cd)
	s.bootFrom("ipmitool", s.ipmi, "cdrom", false)
	s.power("ipmitool", s.ipmi, baremetal.TargetOn)
	says(t, s.machine, fromCD)
	s.power("ipmitool", s.ipmi, baremetal.TargetReboot)
	says(t, s.machine, fromDisk)
	s.bootFrom("ipmitool", s.ipmi, "cdrom", true)
	for range 2 {
		s.power("ipmitool", s.ipmi, baremetal.TargetReboot)
		says(t, s.machine, fromCD)
	}
	s.power("ipmitool", s.ipmi, baremetal.TargetOff)
	if state, err := hardware[driver.Power](t, "redfish").PowerState(t.Context(), s.redfish); err != nil || state != baremetal.PowerOff {
		t.Errorf("the other BMC says %s, %v", state, err)
	}
}
