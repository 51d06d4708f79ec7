//go:build integration

package ssh

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/drivertest"
	"bosh-ironic-cpi/src/wait"
)

const (
	mac1 = "52:54:00:aa:00:01"
	mac2 = "52:54:00:aa:00:02"
	hd   = "<boot dev='hd'/>"
)

// TestReal is the driver on a real sshd, a real virsh and a real libvirtd.
func TestReal(t *testing.T) {
	r := startReal(t)
	r.define("node1", mac1, hd, "")
	r.define("node2", mac2, hd, "")
	t.Run("conformance", func(t *testing.T) { realConformance(t, r) })
	t.Run("commands", func(t *testing.T) { realCommands(t, r) })
	t.Run("boot device", func(t *testing.T) { realBootDevice(t, r) })
	t.Run("boot order", func(t *testing.T) { realBootOrder(t, r) })
	t.Run("names", func(t *testing.T) { realNames(t, r) })
	t.Run("API", func(t *testing.T) {
		throughAPI(t, r.node(mac1), "ssh_key_contents")
		if state := r.virsh("domstate", "node1"); state != "shut off" {
			t.Errorf("the domain is %s", state)
		}
	})
	t.Run("crowd", func(t *testing.T) { realCrowd(t, r) })
	t.Run("faults", func(t *testing.T) { realFaults(t, r) })
	t.Run("host key", func(t *testing.T) { realHostKey(t, r) })
}

func realConformance(t *testing.T, r *real) {
	drivertest.Run(t, drivertest.Rig{
		Spec: Spec,
		Node: func(t *testing.T) *driver.Node {
			n := r.node(mac1)
			if r.virsh("domstate", "node1") != "shut off" {
				r.virsh("destroy", "node1")
			}
			return n
		},
		WrongPassword:    func(n *driver.Node) { n.Info["ssh_key_contents"] = r.stranger.private },
		Silent:           func(n *driver.Node) { n.Info["ssh_key_contents"] = r.liar.private },
		Unreachable:      func(n *driver.Node) { n.Info["ssh_port"] = closedPort(t) },
		AlwaysPersistent: true,
		Pace:             wait.Pace{Every: 20 * time.Millisecond, Limit: 20 * time.Second},
	})
}

// What sshd was asked for is what Ironic would have asked for, the hypervisor aside.
func realCommands(t *testing.T, r *real) {
	n := r.node(mac2)
	before := len(r.commands())
	if state, err := driver.SetPower(t.Context(), fast, n, baremetal.TargetOn, wait.Pace{Every: time.Second}); err != nil || state != baremetal.PowerOn {
		t.Fatalf("power on: %s, %v", state, err)
	}
	base := "LC_ALL=C /usr/bin/virsh --connect '" + r.uri + "' "
	macs := func(domain string) string {
		return base + "dumpxml " + domain + ` | awk -F "'" '/mac address/{print $2}'| tr -d ':'`
	}
	want := []string{
		base + "list --all --name", macs("node1"), macs("node2"), base + "list --name", // is it on?
		macs("node2"), base + "start node2",
		macs("node2"), base + "list --name",
	}
	got := slices.DeleteFunc(r.commands()[before:], func(line string) bool { return line == macs("test") }) // libvirt's own domain
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
	first := r.virsh("domid", "node2")
	if err := fast.Switch(t.Context(), n, baremetal.TargetReboot); err != nil || r.virsh("domid", "node2") == first {
		t.Errorf("reboot: %v, the domain has id %s as before; want it started anew", err, first)
	}
	r.virsh("suspend", "node2")
	if state, err := fast.PowerState(t.Context(), n); err != nil || state != baremetal.PowerOn {
		t.Errorf("paused: %s, %v; want power on", state, err)
	}
	if err := fast.Switch(t.Context(), n, baremetal.TargetOff); err != nil || r.virsh("domstate", "node2") != "shut off" {
		t.Errorf("power off: %v, the domain is %s", err, r.virsh("domstate", "node2"))
	}
}

var bootElement = regexp.MustCompile(`<boot [^>]*>`)

// wantBoot checks all that the domain's definition says about booting.
func wantBoot(t *testing.T, r *real, domain string, want ...string) {
	t.Helper()
	if got := bootElement.FindAllString(r.virsh("dumpxml", "--inactive", domain), -1); !slices.Equal(got, want) {
		t.Errorf("%s is defined with %q; want %q", domain, got, want)
	}
}

func realBootDevice(t *testing.T, r *real) {
	n := r.node(mac1)
	read := func(want string) {
		t.Helper()
		if got, lasting, err := fast.BootDevice(t.Context(), n); err != nil || got != want || !lasting {
			t.Errorf("boot device %q, %t, %v; want %s", got, lasting, err, want)
		}
	}
	for _, tt := range []struct{ device, element string }{
		{"disk", "<boot dev='hd'/>"}, {"pxe", "<boot dev='network'/>"}, {"pxe", "<boot dev='network'/>"}, {"cdrom", "<boot dev='cdrom'/>"},
	} {
		if err := fast.SetBootDevice(t.Context(), n, tt.device, true); err != nil {
			t.Fatal(err)
		}
		wantBoot(t, r, "node1", tt.element)
		read(tt.device)
	}
	// The choice counts from the next start on.
	if err := fast.Switch(t.Context(), n, baremetal.TargetOn); err != nil {
		t.Fatal(err)
	}
	if err := fast.SetBootDevice(t.Context(), n, "disk", true); err != nil {
		t.Fatal(err)
	}
	read("cdrom")
	if err := fast.Switch(t.Context(), n, baremetal.TargetReboot); err != nil {
		t.Fatal(err)
	}
	read("disk")
	if err := fast.Switch(t.Context(), n, baremetal.TargetOff); err != nil {
		t.Fatal(err)
	}
}

// A domain with an order of its devices instead: it has no boot device, until it is given one.
func realBootOrder(t *testing.T, r *real) {
	const mac = "52:54:00:aa:00:03"
	r.define("ordered", mac, "", "<boot order='1'/>")
	n := r.node(mac)
	wantBoot(t, r, "ordered", "<boot order='1'/>")
	if device, lasting, err := fast.BootDevice(t.Context(), n); err != nil || device != "" || lasting {
		t.Errorf("boot device %q, %t, %v; want none", device, lasting, err)
	}
	if err := fast.SetBootDevice(t.Context(), n, "pxe", false); err != nil {
		t.Fatal(err)
	}
	wantBoot(t, r, "ordered", "<boot dev='network'/>")
	r.virsh("undefine", "ordered")
}

// Names that a shell or virsh would read as something else.
func realNames(t *testing.T, r *real) {
	for i, name := range []string{"it's; $(false)", "--help", "`id` \"quoted\" \\n", "Ärger"} {
		mac := fmt.Sprintf("52:54:00:bb:00:%02d", i)
		r.define(name, mac, hd, "")
		n := r.node(mac)
		err := fast.SetBootDevice(t.Context(), n, "pxe", true)
		if err == nil {
			err = fast.Switch(t.Context(), n, baremetal.TargetOn)
		}
		state, stateErr := fast.PowerState(t.Context(), n)
		if device, _, bootErr := fast.BootDevice(t.Context(), n); err != nil || stateErr != nil || bootErr != nil || state != baremetal.PowerOn || device != "pxe" {
			t.Errorf("domain %q: %v; %s, %v; boots from %q, %v", name, err, state, stateErr, device, bootErr)
		}
		if !slices.Contains(strings.Split(r.virsh("list", "--name"), "\n"), name) {
			t.Errorf("domain %q does not run", name)
		}
		r.virsh("destroy", "--domain="+name)
		r.virsh("undefine", "--domain="+name)
	}
}

// More nodes at once than sshd has room for at its door: ten, as by default, and here it drops the eleventh for sure.
func realCrowd(t *testing.T, r *real) {
	var all sync.WaitGroup
	for range 30 {
		all.Go(func() {
			n := r.node(mac1)
			n.State = map[string]string{domainName: "node1"}
			if _, err := fast.PowerState(t.Context(), n); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func realFaults(t *testing.T, r *real) {
	n := r.node("52:54:00:ff:ff:ff")
	_, err := fast.PowerState(t.Context(), n)
	wants(t, err, nil, "node web-1", "no domain has one of its MAC addresses", "52:54:00:ff:ff:ff", `"node1"`, `"test"`)

	n = r.node(mac1)
	n.Info["ssh_libvirt_uri"] = "test+unix:///default?socket=/nowhere/libvirt-sock"
	_, err = fast.PowerState(t.Context(), n)
	wants(t, err, nil, "virsh list --all --name: exit status 1: error: failed to connect to the hypervisor; error: Failed to connect socket")

	n = r.node(mac1)
	n.Info["ssh_key_contents"] = r.stranger.private
	_, err = fast.PowerState(t.Context(), n)
	wants(t, err, driver.ErrAuthentication, "ssh 127.0.0.1:", "user "+r.user+", ssh_key_contents")

	n = r.node(mac1)
	n.State = map[string]string{domainName: "node1"}
	err = fast.Switch(t.Context(), n, baremetal.TargetOff)
	wants(t, err, nil, "virsh destroy node1: exit status 1: error: Failed to destroy domain 'node1'; error: Requested operation is not valid: domain is not running")

	r.virsh("undefine", "node2")
	n = r.node(mac2)
	n.State = map[string]string{domainName: "node2"}
	_, err = fast.PowerState(t.Context(), n)
	wants(t, err, nil, "no domain has one of its MAC addresses")
	if n.State[domainName] != "" {
		t.Errorf("domain %q is still remembered", n.State[domainName])
	}
}

// sshd is installed anew.
func realHostKey(t *testing.T, r *real) {
	n := r.node(mac1)
	if _, err := fast.PowerState(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if err := r.sshd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = r.sshd.Wait()
	if _, err := fast.PowerState(t.Context(), n); err == nil {
		t.Fatal("a dead sshd answers")
	}
	r.startSSHD()
	_, err := fast.PowerState(t.Context(), n)
	wants(t, err, nil, "shows another host key than before")
}

// An sshd that lets in and runs nothing.
func TestRealNoSessions(t *testing.T) {
	r := startReal(t, "MaxSessions 0")
	_, err := fast.PowerState(t.Context(), r.node("aa:bb:cc:dd:ee:ff"))
	wants(t, err, nil, "sshd refuses to run commands")
}
