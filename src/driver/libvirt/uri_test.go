package libvirt

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bosh-ironic-cpi/src/driver"
)

func TestURI(t *testing.T) {
	tests := []struct {
		uri  string
		want target
	}{
		{"qemu+unix:///system", target{transport: "unix", hypervisor: "qemu:///system"}},
		{"qemu:///system", target{transport: "unix", hypervisor: "qemu:///system"}},
		{"test+unix:///default?socket=/run/l/sock", target{transport: "unix", hypervisor: "test:///default", socket: "/run/l/sock"}},
		{"qemu+tcp://kvm1:26509/system", target{transport: "tcp", host: "kvm1", port: "26509", hypervisor: "qemu:///system"}},
		{"qemu://kvm1/system", target{transport: "tls", host: "kvm1", hypervisor: "qemu:///system"}},
		{
			"qemu+tls://[2001:db8::1]/system?pkipath=/etc/p&no_verify=1",
			target{transport: "tls", host: "2001:db8::1", hypervisor: "qemu:///system", pki: "/etc/p", noVerify: true, hostKey: hostKeyAny},
		},
		{
			"qemu+ssh://op@kvm1/system?keyfile=/k&socket=/s&no_verify=0&netcat=/usr/bin/ncat&known_hosts=/h",
			target{
				transport: "ssh", user: "op", host: "kvm1", hypervisor: "qemu:///system", keyFile: "/k", socket: "/s", hostKey: hostKeyKnown,
				netcat: "/usr/bin/ncat", knownHosts: "/h",
			},
		},
		{"qemu+libssh2://kvm1/system", target{transport: "ssh", host: "kvm1", hypervisor: "qemu:///system"}},
		{"lxc+ssh://kvm1/?no_tty=1&mode=legacy", target{transport: "ssh", host: "kvm1", hypervisor: "lxc:///"}},
		{"remote+tls://kvm1/system?name=qemu:///embed", target{transport: "tls", host: "kvm1", hypervisor: "qemu:///embed"}},
		{"xen+tls://kvm1/system?color=blue", target{transport: "tls", host: "kvm1", hypervisor: "xen:///system?color=blue"}},
	}
	for _, tt := range tests {
		got, err := parseURI(tt.uri)
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(target{})); err != nil || diff != "" {
			t.Errorf("parseURI(%s): %v (-want +got)\n%s", tt.uri, err, diff)
		}
	}
}

func TestURIRefused(t *testing.T) {
	tests := []struct{ uri, want string }{
		{"vbox:///session", "VirtualBox, which has no libvirt daemon of its own"},
		{"vbox+ssh://op@desk/session", "VirtualBox"},
		{"esx://vc/?no_verify=1", "VMware ESX"},
		{"gsx://old", "VMware Server"},
		{"vpx://vc/dc/host", "vCenter"},
		{"vmwareplayer:///session", "VMware Player"},
		{"hyperv://win", "Hyper-V"},
		{"xenapi://pool", "XenServer"},
		{"openvz:///system", "OpenVZ"},
		{"vz:///system", "Virtuozzo"},
		{"qemu+unix://kvm1/system", "names the host kvm1"},
		{"qemu+ssh:///system", "names no host"},
		{"qemu+carrier-pigeon://kvm1/system", "one of unix, tcp, tls, ssh"},
		{"qemu+ext:///system", "one of unix, tcp, tls, ssh"},
		{"/var/run/libvirt", "no scheme"},
		{"qemu+tls://kvm1/system?no_verify=yes", "it is 0 or 1"},
		{"qemu+tcp://kvm1/system?authfile=/etc/auth", "sasl_username"},
		{"qemu+ssh://kvm1/system?command=/bin/plink", "SSH is built in"},
		{"qemu+ssh://kvm1/system?mode=direct", "mode=direct"},
		{"qemu+tcp://kvm1/system?a=%zz", "NAME=VALUE"},
		{"qemu+ssh://op:sesame@kvm1/system", "holds a password"},
		{"qemu+ssh://op:sesame@kvm1:port/system", "is no URI"},
	}
	for _, tt := range tests {
		_, err := parseURI(tt.uri)
		e, ok := errors.AsType[*driver.ParameterError](err)
		if !ok || e.Key != "libvirt_uri" || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "sesame") {
			t.Errorf("parseURI(%s): %v; want a ParameterError of libvirt_uri with %q", tt.uri, err, tt.want)
		}
	}
}

func TestSockets(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/1000")
	tests := []struct {
		uri  string
		want []string
	}{
		{"qemu:///system", []string{"/var/run/libvirt/libvirt-sock", "/var/run/libvirt/virtqemud-sock"}},
		{"qemu:///session", []string{"/run/user/1000/libvirt/libvirt-sock", "/run/user/1000/libvirt/virtqemud-sock"}},
		{"qemu+ssh://kvm1/session", nil},
		{"qemu:///session?socket=/s", []string{"/s"}},
	}
	for _, tt := range tests {
		parsed, err := parseURI(tt.uri)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, parsed.sockets()); diff != "" {
			t.Errorf("sockets of %s (-want +got)\n%s", tt.uri, diff)
		}
	}
}

// What ssh runs on the other machine goes through a shell there.
func TestCommandIsQuoted(t *testing.T) {
	parsed, err := parseURI("qemu+ssh://kvm1/system?x=$(reboot)'")
	if err != nil {
		t.Fatal(err)
	}
	const want = `sh -c 'if command -v virt-ssh-helper >/dev/null 2>&1; then exec virt-ssh-helper '\''qemu:///system?x=%24%28reboot%29%27'\''; ` +
		`else exec '\''nc'\'' -U '\''/var/run/libvirt/libvirt-sock'\''; fi'`
	if got := command(parsed); got != want {
		t.Errorf("command = %s; want %s", got, want)
	}
	parsed.socket = "/tmp/it's"
	if got, want := command(parsed), `exec 'nc' -U '/tmp/it'\''s'`; got != want {
		t.Errorf("command = %s; want %s", got, want)
	}
}
