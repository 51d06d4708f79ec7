package ssh

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bosh-ironic-cpi/src/baremetal"
	bmc "bosh-ironic-cpi/src/bmc/virsh"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/virsh"
	"bosh-ironic-cpi/src/wait"
)

// wants checks an error by what it wraps, and by what its text must have.
func wants(t *testing.T, err, sentinel error, parts ...string) {
	t.Helper()
	if err == nil || sentinel != nil && !errors.Is(err, sentinel) {
		t.Fatalf("%v; want %v", err, sentinel)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q; want %q in it", err, part)
		}
	}
	for _, other := range []error{driver.ErrUnreachable, driver.ErrAuthentication} {
		if !errors.Is(other, sentinel) && errors.Is(err, other) {
			t.Errorf("%q is also %v", err, other)
		}
	}
	if strings.Contains(err.Error(), password) {
		t.Errorf("%q holds the password", err)
	}
}

// What stands where sshd should does not speak, hangs up, or speaks something else.
func TestNoSSHD(t *testing.T) {
	deaf := func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn); conn.Close() }
	for name, tt := range map[string]struct {
		serve func(net.Conn)
		want  string
	}{
		"closed":     {nil, "connection refused: check ssh_address, ssh_port"},
		"silent":     {deaf, "it took the connection and did not let us in within 1s"},
		"hangs up":   {func(conn net.Conn) { conn.Close() }, "check that it is sshd"},
		"web server": {func(conn net.Conn) { _, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n"); conn.Close() }, "check that it is sshd"},
	} {
		t.Run(name, func(t *testing.T) {
			impatient := fast
			if name == "silent" {
				impatient.connect = time.Second // a busy machine needs a moment to connect
			}
			_, n := start(t)
			n.Info["ssh_port"] = listen(t, tt.serve)
			_, err := impatient.PowerState(t.Context(), n)
			wants(t, err, driver.ErrUnreachable, "ssh 127.0.0.1:", tt.want)
		})
	}
}

func TestVirshFails(t *testing.T) {
	const refused = "error: failed to connect to the hypervisor\nerror: Failed to connect socket to '/var/run/libvirt/libvirt-sock': No such file or directory\n"
	host, n := start(t)
	host.Host.Break(bmc.Faults{Error: refused, Status: 3})
	_, err := fast.PowerState(t.Context(), n)
	wants(t, err, nil, "ssh 127.0.0.1:", "virsh list --all --name: exit status 3: error: failed to connect to the hypervisor; error: Failed to connect socket")
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%q has several lines", err)
	}

	host.Host.Break(bmc.Faults{Error: strings.Repeat("x", 5000) + "\n"})
	if _, err = fast.PowerState(t.Context(), n); err == nil || len(err.Error()) > 700 {
		t.Errorf("%d bytes of error; want it trimmed", len(err.Error()))
	}

	host.Host.Break(bmc.Faults{})
	if err := fast.Switch(t.Context(), n, baremetal.TargetOff); err == nil || !strings.Contains(err.Error(),
		"virsh destroy node2: exit status 1: error: Failed to destroy domain 'node2'; error: Requested operation is not valid: domain is not running") {
		t.Errorf("off when it is off: %v", err)
	}
}

// Behind awk, virsh's exit status is lost: what it says is not.
func TestVirshFailsInAPipe(t *testing.T) {
	_, n := start(t)
	s, err := read(n)
	if err != nil {
		t.Fatal(err)
	}
	r, err := fast.dial(t.Context(), n, s)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	_, err = r.run(t.Context(), virsh.BootDevice, "nosuch", "")
	wants(t, err, nil, "virsh dumpxml nosuch: error: failed to get domain 'nosuch'")
}

func TestHangingCommand(t *testing.T) {
	host, n := start(t)
	host.Host.Break(bmc.Faults{Hang: true})
	impatient := fast
	impatient.command = 50 * time.Millisecond
	_, err := impatient.PowerState(t.Context(), n)
	wants(t, err, driver.ErrUnreachable, "virsh list --all --name: hardware does not answer within 50ms")
}

func TestEndlessAnswer(t *testing.T) {
	host, n := start(t)
	host.Host.Break(bmc.Faults{Flood: true})
	_, err := fast.PowerState(t.Context(), n)
	wants(t, err, nil, "virsh list --all --name: the answer is longer than")
}

// When a call ends, so has all that it started, whatever became of it.
func TestNothingStaysOpen(t *testing.T) {
	host, n := start(t)
	before := goleak.IgnoreCurrent()
	for _, fault := range []bmc.Faults{{}, {Error: "error: no\n"}, {Flood: true}, {Hang: true}} {
		host.Host.Break(fault)
		impatient := fast
		impatient.command = 100 * time.Millisecond
		if _, err := impatient.PowerState(t.Context(), n); (err != nil) != (fault != bmc.Faults{}) {
			t.Errorf("%+v: %v", fault, err)
		}
	}
	n.Info["ssh_password"] = "letmein"
	_, err := fast.PowerState(t.Context(), n)
	wants(t, err, driver.ErrAuthentication)
	goleak.VerifyNone(t, before)
}

// A caller that gives up is let go at once: at the door, before sshd speaks, and in the middle of a command.
func TestCancelled(t *testing.T) {
	host, hanging := start(t)
	host.Host.Break(bmc.Faults{Hang: true})
	asked := make(chan struct{}, 1)
	_, silent := start(t)
	silent.Info["ssh_port"] = listen(t, func(conn net.Conn) {
		asked <- struct{}{}
		_, _ = io.Copy(io.Discard, conn)
		conn.Close()
	})
	for name, tt := range map[string]struct {
		node  *driver.Node
		ready func()
	}{
		"silent": {silent, func() { <-asked }},
		"hanging": {hanging, func() {
			pace := wait.Pace{Every: 2 * time.Millisecond, Limit: 20 * time.Second}
			if err := wait.Until(t.Context(), pace, "a command", func(context.Context) (bool, string, error) {
				return len(host.Host.Lines()) > 0, "none", nil
			}); err != nil {
				t.Error(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() {
				_, err := fast.PowerState(ctx, tt.node)
				ended <- err
			}()
			tt.ready()
			cancel()
			cancelled := time.Now()
			wants(t, <-ended, context.Canceled, "ssh 127.0.0.1:")
			if took := time.Since(cancelled); took > time.Second {
				t.Errorf("it took %s to end", took)
			}
		})
	}
}

// Nobody waits for a place longer than they want to.
func TestCancelledAtTheDoor(t *testing.T) {
	var d doors
	for range atOnce {
		if _, err := d.enter(t.Context(), "192.0.2.7:22"); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.enter(ctx, "192.0.2.7:22"); !errors.Is(err, context.Canceled) {
		t.Errorf("enter with an ended context: %v", err)
	}
	leave, err := d.enter(t.Context(), "192.0.2.8:22")
	if err != nil {
		t.Fatal(err)
	}
	leave()
}

func TestHostKey(t *testing.T) {
	host, n := start(t)
	ask := func() error {
		_, err := fast.PowerState(t.Context(), n)
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	first := host.HostKey()
	if got, want := n.State[hostKey], address(host)+" "+first; got != want {
		t.Errorf("remembered %q; want %q", got, want)
	}
	if err := ask(); err != nil {
		t.Error(err)
	}
	if err := host.Rekey(); err != nil {
		t.Fatal(err)
	}
	before := len(host.Host.Lines())
	wants(t, ask(), driver.ErrUntrusted, "ssh 127.0.0.1:", "shows another host key than before", "set driver_info ssh_host_key")
	if got := n.State[hostKey]; got != address(host)+" "+first {
		t.Errorf("remembered %q; want the first key still", got)
	}

	n.Info["ssh_host_key"] = first
	err := ask()
	if e, ok := errors.AsType[*driver.ParameterError](err); !ok || e.Key != "ssh_host_key" || !errors.Is(err, driver.ErrUntrusted) {
		t.Errorf("with the old key pinned: %v; want a ParameterError, and ErrUntrusted", err)
	}
	if after := len(host.Host.Lines()); after != before {
		t.Error("a host with a wrong key was sent commands")
	}

	n.Info["ssh_host_key"] = "127.0.0.1 " + host.HostKey() + " comment"
	if err := ask(); err != nil {
		t.Errorf("with the new key pinned: %v", err)
	}
	delete(n.Info, "ssh_host_key")
	if err := ask(); err != nil {
		t.Errorf("the pinned key is remembered: %v", err)
	}

	other, elsewhere := start(t)
	n.Info["ssh_port"] = elsewhere.Info["ssh_port"]
	if err := ask(); err != nil || n.State[hostKey] != address(other)+" "+other.HostKey() {
		t.Errorf("another host: %v, remembered %q", err, n.State[hostKey])
	}
}

// A host that has lost the kind of key that it had is not trusted either.
func TestHostKeyOfAnotherType(t *testing.T) {
	host, n := start(t)
	n.State = map[string]string{hostKey: address(host) + " " + pemRSA(t).public}
	_, err := fast.PowerState(t.Context(), n)
	wants(t, err, driver.ErrUntrusted, "has no host key of type ssh-rsa any more")
}
