// Package ssh drives virtual machines by the virsh commands of Ironic's old ssh driver, sent over SSH to the hypervisor's
// host or to a proxy that speaks the same (Raviron). It is for test beds.
//
// It switches on and off, hard, and chooses the boot device, which stays until the next choice: virsh knows no device for
// one boot. A node is the domain that has one of the MAC addresses of its ports. Of the old driver's kinds of
// virtualization it speaks virsh alone, and it serves no console.
//
// What is sent and read is package virsh's; the order of commands is that of ironic/drivers/modules/ssh.py (Ocata). Start
// at [Spec].
package ssh

import (
	"context"
	"fmt"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/virsh"
)

// Spec is the driver's line in the table.
var Spec = driver.Spec{
	Name:  "ssh",
	About: "virtual machines, by virsh on their hypervisor's host over SSH",
	Keys: []driver.Key{
		{Name: "ssh_address", Meaning: "name or address of the hypervisor's host", Required: true},
		{Name: "ssh_username", Meaning: "user to log in as", Required: true},
		{Name: "ssh_virt_type", Meaning: "how the host is spoken to; only virsh is", Required: true},
		{Name: "ssh_password", Meaning: "password of the user; one of ssh_password, ssh_key_contents and ssh_key_filename is needed", Secret: true},
		{Name: "ssh_key_contents", Meaning: "private key, PEM or OpenSSH, without passphrase; instead of a password", Secret: true},
		{Name: "ssh_key_filename", Meaning: "file with the private key, where the conductor runs; instead of a password"},
		{Name: "ssh_port", Meaning: "TCP port of sshd", Default: "22"},
		{Name: "ssh_host_key", Meaning: "the host's public key, as ssh-keyscan prints it; without it the first key that is seen is remembered"},
		{Name: "ssh_libvirt_uri", Meaning: "hypervisor for virsh --connect", Default: virsh.DefaultURI},
		{Name: "ssh_terminal_port", Meaning: "port of the console in Ironic; accepted and not served"},
		{Name: "vbox_use_headless", Meaning: "how VirtualBox starts its machines; accepted, and means nothing to virsh"},
	},
	New: func() any { return standard },
}

// standard has Ironic's limits where Ironic has one: ten seconds to connect, three looks for a domain.
var standard = hardware{connect: 15 * time.Second, command: 2 * time.Minute, looks: 3, pause: 3 * time.Second}

type hardware struct {
	connect time.Duration // until the host lets us in
	command time.Duration // until a command ends
	looks   int           // how often to look for a domain with the node's MAC addresses: a definition that changes is away for a moment
	pause   time.Duration // between looks
}

var (
	_ driver.Located    = hardware{}
	_ driver.BootDevice = hardware{}
	_ driver.Validator  = hardware{}
)

// PowerState implements driver.Power: what runs is on, and so is what is paused.
func (h hardware) PowerState(ctx context.Context, n *driver.Node) (state baremetal.PowerState, err error) {
	err = h.at(ctx, n, func(ctx context.Context, r *remote, domain string) error {
		answer, err := r.run(ctx, virsh.ListRunning, domain, "")
		switch {
		case err != nil:
			return err
		case virsh.Running(answer.Stdout, domain):
			state = baremetal.PowerOn
		default:
			state = baremetal.PowerOff
		}
		return nil
	})
	return state, err
}

func (hardware) PowerTargets() []baremetal.PowerTarget {
	return []baremetal.PowerTarget{baremetal.TargetOn, baremetal.TargetOff, baremetal.TargetReboot}
}

// Switch implements driver.Power. A reboot is off and on, for a boot device counts from the next start on, and virsh reset is
// none.
func (h hardware) Switch(ctx context.Context, n *driver.Node, target baremetal.PowerTarget) error {
	verbs := map[baremetal.PowerTarget][]virsh.Verb{
		baremetal.TargetOn: {virsh.Start}, baremetal.TargetOff: {virsh.Destroy}, baremetal.TargetReboot: {virsh.Destroy, virsh.Start},
	}[target]
	if verbs == nil {
		return fmt.Errorf("power target %q: %w", target, driver.ErrUnsupported)
	}
	return h.at(ctx, n, func(ctx context.Context, r *remote, domain string) error {
		for _, verb := range verbs {
			if _, err := r.run(ctx, verb, domain, ""); err != nil {
				return err
			}
		}
		return nil
	})
}

// devices are Ironic's names for boot devices, and libvirt's.
var devices = map[string]string{"pxe": "network", "disk": "hd", "cdrom": "cdrom"}

func (hardware) BootDevices() []string { return []string{"pxe", "disk", "cdrom"} }

// BootDevice implements driver.BootDevice. A domain that runs shows what it was started with; one that has an order of disks
// and NICs instead, or a device that Ironic has no name for, shows none.
func (h hardware) BootDevice(ctx context.Context, n *driver.Node) (device string, persistent bool, err error) {
	err = h.at(ctx, n, func(ctx context.Context, r *remote, domain string) error {
		answer, err := r.run(ctx, virsh.BootDevice, domain, "")
		if err != nil {
			return err
		}
		found, err := virsh.ParseBootDevice(answer.Stdout)
		for ours, theirs := range devices {
			if theirs == found {
				device = ours
			}
		}
		return err
	})
	return device, device != "", err
}

// SetBootDevice implements driver.BootDevice. It counts from the next start on and stays, persistent or not, as in Ironic.
func (h hardware) SetBootDevice(ctx context.Context, n *driver.Node, device string, _ bool) error {
	theirs, ok := devices[device]
	if !ok {
		return fmt.Errorf("boot device %q: %w", device, driver.ErrUnsupported)
	}
	return h.at(ctx, n, func(ctx context.Context, r *remote, domain string) error {
		_, err := r.run(ctx, virsh.SetBootDevice, domain, theirs)
		return err
	})
}

// Validate implements driver.Validator. Ironic also logged in; here that is left to the first command.
func (hardware) Validate(n *driver.Node) error {
	_, err := read(n)
	return err
}

// Where implements driver.Located.
func (hardware) Where(n *driver.Node) string {
	s, _ := read(n)
	return "ssh " + s.address
}

// at logs in, finds the node's domain and hands both to do. Its errors name the node.
func (h hardware) at(ctx context.Context, n *driver.Node, do func(ctx context.Context, r *remote, domain string) error) error {
	s, err := read(n)
	if err != nil {
		return err
	}
	if err := h.in(ctx, n, s, do); err != nil {
		return fmt.Errorf("node %s: %w", n.Label(), err)
	}
	return nil
}

func (h hardware) in(ctx context.Context, n *driver.Node, s settings, do func(ctx context.Context, r *remote, domain string) error) error {
	leave, err := crowd.enter(ctx, s.address)
	if err != nil {
		return err
	}
	defer leave()
	r, err := h.dial(ctx, n, s)
	if err != nil {
		return err
	}
	defer r.close()
	domain, err := h.find(ctx, n, r)
	if err != nil {
		return err
	}
	return do(ctx, r, domain)
}
