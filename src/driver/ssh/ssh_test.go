package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bosh-ironic-cpi/src/baremetal"
	bmc "bosh-ironic-cpi/src/bmc/virsh"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/drivertest"
	"bosh-ironic-cpi/src/wait"
)

// listen takes connections on a port of its own and hands them to serve; nil: the port is closed again at once.
func listen(t testing.TB, serve func(net.Conn)) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port = l.Addr().(*net.TCPAddr).Port
	if serve == nil {
		l.Close()
		return port
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	return port
}

func TestConformance(t *testing.T) {
	var host *bmc.Server
	drivertest.Run(t, drivertest.Rig{
		Spec: Spec,
		Node: func(t *testing.T) *driver.Node {
			var n *driver.Node
			host, n = start(t)
			return n
		},
		WrongPassword:    func(n *driver.Node) { n.Info["ssh_password"] = "letmein" },
		Silent:           func(*driver.Node) { host.Host.Break(bmc.Faults{Silent: true}) },
		Unreachable:      func(n *driver.Node) { n.Info["ssh_port"] = closedPort(t) },
		AlwaysPersistent: true,
		Pace:             wait.Pace{Every: 5 * time.Millisecond, Limit: 10 * time.Second},
	})
}

// The commands are those of Ironic's driver, in its order; the second time the domain is where it was.
func TestOrderOfCommands(t *testing.T) {
	const base = "LC_ALL=C /usr/bin/virsh --connect qemu:///system "
	macs := func(domain string) string {
		return base + "dumpxml " + domain + ` | awk -F "'" '/mac address/{print $2}'| tr -d ':'`
	}
	find := []string{base + "list --all --name", macs("node1"), macs("node2")}
	again := []string{macs("node2")}
	tests := []struct {
		name string
		do   string
		want []string
	}{
		{"power state", "state", []string{base + "list --name"}},
		{"power on", "power on", []string{base + "start node2"}},
		{"reboot", "rebooting", []string{base + "destroy node2", base + "start node2"}},
		{"power off", "power off", []string{base + "destroy node2"}},
		{"set boot device", "pxe", []string{`EDITOR="sed -i '/<boot \(dev\|order\)=*\>/d;/<\/os>/i\<boot dev=\"network\"/>'" ` + base + `edit node2`}},
		{"boot device", "get", []string{base + `dumpxml node2 | awk '/boot dev=/ { gsub( ".*dev=" Q, "" ); gsub( Q ".*", "" ); print; }' Q="'" RS="[<>]" | head -1`}},
	}
	host, n := start(t)
	for i, tt := range tests {
		before := len(host.Host.Lines())
		var err error
		switch tt.do {
		case "state":
			_, err = fast.PowerState(t.Context(), n)
		case "get":
			_, _, err = fast.BootDevice(t.Context(), n)
		case "pxe":
			err = fast.SetBootDevice(t.Context(), n, tt.do, false)
		default:
			err = fast.Switch(t.Context(), n, baremetal.PowerTarget(tt.do))
		}
		want := slices.Concat(again, tt.want)
		if i == 0 {
			want = slices.Concat(find, tt.want)
		}
		if got := host.Host.Lines()[before:]; err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v; commands (-want +got):\n%s", tt.name, err, cmp.Diff(want, got))
		}
	}
}

// The hypervisor's administrator renames the domain: it is found by its MAC address.
func TestRenamedDomain(t *testing.T) {
	host, n := start(t)
	for _, name := range []string{"node2", "old web server; reboot"} {
		if err := fast.Switch(t.Context(), n, baremetal.TargetOn); err != nil {
			t.Fatal(err)
		}
		if !host.Host.Domain(name).Running {
			t.Errorf("domain %q does not run", name)
		}
		if err := fast.Switch(t.Context(), n, baremetal.TargetOff); err != nil {
			t.Fatal(err)
		}
		host.Host.Rename(name, "old web server; reboot")
	}
}

// The choice counts from the next start on, as virsh has it.
func TestBootDeviceOfARunningDomain(t *testing.T) {
	_, n := start(t)
	read := func(want string) {
		t.Helper()
		if got, lasting, err := fast.BootDevice(t.Context(), n); err != nil || got != want || !lasting {
			t.Errorf("boot device %q, %t, %v; want %s", got, lasting, err, want)
		}
	}
	if err := fast.Switch(t.Context(), n, baremetal.TargetOn); err != nil {
		t.Fatal(err)
	}
	if err := fast.SetBootDevice(t.Context(), n, "pxe", false); err != nil {
		t.Fatal(err)
	}
	read("disk")
	if err := fast.Switch(t.Context(), n, baremetal.TargetReboot); err != nil {
		t.Fatal(err)
	}
	read("pxe")
}

func TestBootDeviceWithoutAName(t *testing.T) {
	s := serve(t, bmc.NewHost(bmc.Domain{Name: "node1", MACs: []string{"52:54:00:aa:01:02"}, Boot: "fd"}), bmc.Account{User: "ironic", Password: password})
	if got, lasting, err := fast.BootDevice(t.Context(), nodeAt(s)); err != nil || got != "" || lasting {
		t.Errorf("a floppy is boot device %q, %t, %v; want none", got, lasting, err)
	}
}

// Many nodes on one host: few are connected at a time, and all come to their turn.
func TestCrowd(t *testing.T) {
	host, _ := start(t)
	ask := func(ctx context.Context, want error) *sync.WaitGroup {
		var all sync.WaitGroup
		for range 5 * atOnce {
			all.Go(func() {
				if _, err := fast.PowerState(ctx, nodeAt(host)); !errors.Is(err, want) {
					t.Errorf("%v; want %v", err, want)
				}
			})
		}
		return &all
	}
	ask(t.Context(), nil).Wait()

	host, _ = start(t)
	host.Host.Break(bmc.Faults{Hang: true})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	all := ask(ctx, context.Canceled)
	pace := wait.Pace{Every: 5 * time.Millisecond, Limit: 20 * time.Second}
	err := wait.Until(t.Context(), pace, "as many commands as there may be", func(context.Context) (bool, string, error) {
		asked := len(host.Host.Lines())
		return asked >= atOnce, fmt.Sprint(asked), nil
	})
	cancel()
	all.Wait()
	if open := host.MostOpen(); err != nil || open != atOnce {
		t.Errorf("%d connections at the same time, %v; want %d", open, err, atOnce)
	}
}

func TestNoDomain(t *testing.T) {
	host, n := start(t)
	n.MACs = []string{"52:54:00:ff:ff:ff", "52:54:00:ff:ff:fe"}
	_, err := fast.PowerState(t.Context(), n)
	want := fmt.Sprintf(`node %s: ssh %s: no domain has one of its MAC addresses (52:54:00:ff:ff:ff, 52:54:00:ff:ff:fe): there are ["node1" "node2"]`, n.Label(), address(host))
	if err == nil || err.Error() != want {
		t.Errorf("%v; want %s", err, want)
	}
	if looks := len(host.Host.Lines()); looks != 3*3 {
		t.Errorf("%d commands; want three looks of three each", looks)
	}
}

func address(s *bmc.Server) string { return net.JoinHostPort(s.Address()) }

// Part of a MAC address is not the node's, although it was to Ironic.
func TestPartOfAMACAddress(t *testing.T) {
	s := serve(t, bmc.NewHost(bmc.Domain{Name: "node1", MACs: []string{"52:54:00"}}, bmc.Domain{Name: "node2", MACs: []string{"52-54-00-AA-01-02"}}),
		bmc.Account{User: "ironic", Password: password})
	if err := fast.Switch(t.Context(), nodeAt(s), baremetal.TargetOn); err != nil {
		t.Fatal(err)
	}
	if s.Host.Domain("node1").Running || !s.Host.Domain("node2").Running {
		t.Error("the wrong domain was started")
	}
}

func TestUnsupported(t *testing.T) {
	host, n := start(t)
	if err := fast.Switch(t.Context(), n, baremetal.TargetSoftOff); !errors.Is(err, driver.ErrUnsupported) {
		t.Errorf("soft power off: %v; want ErrUnsupported", err)
	}
	if err := fast.SetBootDevice(t.Context(), n, "bios", true); !errors.Is(err, driver.ErrUnsupported) {
		t.Errorf("boot into the BIOS: %v; want ErrUnsupported", err)
	}
	if lines := host.Host.Lines(); len(lines) > 0 {
		t.Errorf("commands were sent: %s", strings.Join(lines, "; "))
	}
}
