//go:build integration

package libvirt

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/wait"
)

// guest is a virtual machine that QEMU emulates, with all that a change of the boot device must leave alone.
const guest = `<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
<name>guest</name><metadata><x:boot xmlns:x='urn:example' dev='hd'>not <![CDATA[<boot>]]></x:boot></metadata>
<memory unit='MiB'>32</memory><os><type arch='x86_64' machine='pc'>hvm</type>%s<bootmenu enable='no'/></os><features><acpi/></features>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/>%s</disk>
<interface type='user'><mac address='52:54:00:BB:00:01'/><model type='e1000'/><rom enabled='no'/>%s</interface>
<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1' passwd='sesame'/><video><model type='vga'/></video>
</devices><qemu:commandline><qemu:arg value='-global'/><qemu:arg value='ICH9-LPC.disable_s3=1'/></qemu:commandline></domain>`

// A real guest, by the strictest of transports: TLS with SCRAM.
func TestGuest(t *testing.T) {
	program(t, "qemu-system-x86_64", "qemu-system-x86")
	d := startDaemon(t, setting{unix: "none", mechanisms: "scram-sha-256"})
	session := "qemu+unix:///session?socket=" + d.socket
	d.define(t, session, "guest", fmt.Sprintf(guest, "<boot dev='cdrom'/><boot dev='hd'/>", "", ""))
	n := d.saslNode("tls")
	n.MACs = []string{"52:54:00:bb:00:01"}
	n.Info["libvirt_uri"] = strings.Replace(fmt.Sprint(n.Info["libvirt_uri"]), "test+tls://", "qemu+tls://", 1)
	n.Info["libvirt_uri"] = strings.Replace(fmt.Sprint(n.Info["libvirt_uri"]), "/default?", "/session?", 1)
	h := hardware{}
	power := func(target baremetal.PowerTarget, want string) {
		t.Helper()
		if _, err := driver.SetPower(t.Context(), h, n, target, wait.Pace{Every: 50 * time.Millisecond, Limit: time.Minute}); err != nil {
			t.Fatal(err)
		}
		if got := d.virshAt(t, session, "domstate", "guest"); got != want {
			t.Errorf("after %s: virsh says %s; want %s", target, got, want)
		}
	}
	boots := func(flags ...string) string {
		t.Helper()
		return d.virshAt(t, session, append(append([]string{"dumpxml", "--xpath", "/domain/os/boot"}, flags...), "guest")...)
	}
	t.Cleanup(func() {
		if d.virshAt(t, session, "domstate", "guest") == "running" {
			d.virshAt(t, session, "destroy", "guest")
		}
	})
	power(baremetal.TargetOn, "running")
	first := d.virshAt(t, session, "domid", "guest")

	before := d.virshAt(t, session, "dumpxml", "--inactive", "--security-info", "guest")
	if err := h.SetBootDevice(t.Context(), n, "pxe", true); err != nil {
		t.Fatal(err)
	}
	if got := boots(); !strings.Contains(got, "cdrom") {
		t.Errorf("the running guest now boots from %s", got)
	}
	if device, _, err := h.BootDevice(t.Context(), n); err != nil || device != "pxe" {
		t.Errorf("BootDevice = %s, %v; want pxe, at the next start", device, err)
	}
	after := d.virshAt(t, session, "dumpxml", "--inactive", "--security-info", "guest")
	want := strings.Replace(before, "    <boot dev='cdrom'/>\n    <boot dev='hd'/>\n", "    <boot dev='network'/>\n", 1)
	if diff := cmp.Diff(want, after); diff != "" || !strings.Contains(after, "passwd='sesame'") || want == before {
		t.Errorf("more than the boot device has changed (-want +got):\n%s", diff)
	}

	power(baremetal.TargetReboot, "running")
	if got := boots(); got != `<boot dev="network"/>` {
		t.Errorf("after a reboot it boots from %s", got)
	}
	if again := d.virshAt(t, session, "domid", "guest"); again == first {
		t.Errorf("the guest is still the one with id %s", again)
	}
	// There is no operating system that would listen: the guest is stuck, as a server may be.
	_, err := driver.SetPower(t.Context(), h, n, baremetal.TargetSoftOff, wait.Pace{Every: 50 * time.Millisecond, Limit: 300 * time.Millisecond})
	if e, ok := errors.AsType[*driver.PowerError](err); !ok || e.Last != baremetal.PowerOn {
		t.Errorf("soft power off: %v; want a PowerError", err)
	}
	power(baremetal.TargetOff, "shut off")
}

// Not covered upstream: libvirt takes no os/boot beside devices with an order of their own.
func TestGuestWithDeviceOrder(t *testing.T) {
	program(t, "qemu-system-x86_64", "qemu-system-x86")
	d := startDaemon(t, setting{unix: "none", mechanisms: "plain"})
	session := "qemu+unix:///session?socket=" + d.socket
	before := d.define(t, session, "guest", fmt.Sprintf(guest, "", "<boot order='2'/>", "<boot order='1'/>"))
	n := d.node("52:54:00:bb:00:01")
	n.Info["libvirt_uri"] = session
	h := hardware{}
	if device, persistent, err := h.BootDevice(t.Context(), n); err != nil || device != "pxe" || !persistent {
		t.Errorf("BootDevice = %s, %t, %v; want that of the first device", device, persistent, err)
	}
	if err := h.SetBootDevice(t.Context(), n, "cdrom", true); err != nil {
		t.Fatal(err)
	}
	if device, _, err := h.BootDevice(t.Context(), n); err != nil || device != "cdrom" {
		t.Errorf("BootDevice = %s, %v", device, err)
	}
	after := d.virshAt(t, session, "dumpxml", "--inactive", "guest")
	want := strings.NewReplacer("      <boot order='1'/>\n", "", "      <boot order='2'/>\n", "",
		"    <bootmenu enable='no'/>\n", "    <boot dev='cdrom'/>\n    <bootmenu enable='no'/>\n").Replace(before)
	if diff := cmp.Diff(want, after); diff != "" {
		t.Errorf("more than boot devices has changed (-want +got):\n%s", diff)
	}
}
