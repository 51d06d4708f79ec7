//go:build integration

package ssh

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/wait"
)

// A real is OpenSSH's sshd on loopback, whose keys may run one program each, which runs the real virsh, on a libvirtd of
// its own with libvirt's test driver: domains that are as real as any to virsh and libvirt, without a guest.
type real struct {
	t        *testing.T
	dir      string
	port     int
	uri      string
	user     string
	key      pair // runs what it is told to
	liar     pair // runs what changes nothing, and says that all is well
	sshd     *exec.Cmd
	stranger pair // may not come in
}

const nobody = 65534

// The program behind each key. What came is written down as it came.
const (
	obeys = "#!/bin/sh\nprintf '%%s\\n' \"$SSH_ORIGINAL_COMMAND\" >>%s/commands\nexec /bin/sh -c \"$SSH_ORIGINAL_COMMAND\"\n"
	lies  = "#!/bin/sh\ncase \"$SSH_ORIGINAL_COMMAND\" in *' start '*|*' destroy '*) exit 0;; esac\nexec /bin/sh -c \"$SSH_ORIGINAL_COMMAND\"\n"
)

// startReal starts all of it. more are lines for sshd_config.
func startReal(t *testing.T, more ...string) *real {
	t.Helper()
	for program, debianPackage := range map[string]string{
		"/usr/sbin/sshd": "openssh-server", "/usr/sbin/libvirtd": "libvirt-daemon", "/usr/bin/virsh": "libvirt-clients",
	} {
		if _, err := os.Stat(program); err != nil {
			text := fmt.Sprintf("needs %s: apt-get install %s", program, debianPackage)
			if os.Getenv("CI") == "true" {
				t.Fatal(text)
			}
			t.Skip(text)
		}
	}
	dir, err := os.MkdirTemp("", "ssh-") //nolint:usetesting // open to nobody, and short: a socket's path has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	r := &real{t: t, dir: dir, user: me.Username, key: newKey(t), liar: newKey(t), stranger: newKey(t)}
	r.libvirtd()
	r.port = listen(t, nil)
	r.write("obeys", fmt.Sprintf(obeys, dir), 0o700)
	r.write("lies", lies, 0o700)
	r.write("authorized_keys", fmt.Sprintf("restrict,command=\"%s/obeys\" %s\nrestrict,command=\"%s/lies\" %s\n", dir, r.key.public, dir, r.liar.public), 0o600)
	// HOME keeps what this machine's users have in their .bashrc out of it: bash reads that for sshd's commands, too.
	r.write("sshd_config", fmt.Sprintf(`ListenAddress 127.0.0.1:%d
HostKey %s/rsa_key
HostKey %s/host_key
AuthorizedKeysFile %s/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin forced-commands-only
PidFile none
MaxStartups 10:100:10
SetEnv HOME=%s
%s
`, r.port, dir, dir, dir, dir, strings.Join(more, "\n")), 0o600)
	r.startSSHD()
	return r
}

func (r *real) write(name, text string, mode os.FileMode) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), mode); err != nil {
		r.t.Fatal(err)
	}
}

// libvirtd starts it as nobody, who has a socket of their own.
func (r *real) libvirtd() {
	r.t.Helper()
	home := filepath.Join(r.dir, "v")
	if err := os.Mkdir(home, 0o700); err != nil {
		r.t.Fatal(err)
	}
	daemon := exec.CommandContext(r.t.Context(), "/usr/sbin/libvirtd", "-f", filepath.Join(r.dir, "libvirtd.conf"), "-p", filepath.Join(home, "pid"))
	daemon.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + home, "XDG_RUNTIME_DIR=" + home}
	if os.Getuid() == 0 {
		daemon.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		if err := os.Chown(home, nobody, nobody); err != nil {
			r.t.Fatal(err)
		}
		if err := os.Chmod(r.dir, 0o755); err != nil { // nobody goes through
			r.t.Fatal(err)
		}
	}
	r.write("libvirtd.conf", "listen_tls = 0\nauth_unix_rw = \"none\"\n", 0o644)
	said := r.run(daemon)
	r.uri = "test+unix:///default?socket=" + filepath.Join(home, "libvirt/libvirt-sock")
	err := wait.Until(r.t.Context(), wait.Pace{Every: 50 * time.Millisecond, Limit: 30 * time.Second}, "libvirtd", func(ctx context.Context) (bool, string, error) {
		out, err := exec.CommandContext(ctx, "/usr/bin/virsh", "-c", r.uri, "uri").CombinedOutput()
		return err == nil, string(out), nil
	})
	if err != nil {
		r.t.Fatalf("%v\n%s", err, said())
	}
	// The test driver forgets everything when its last connection closes: this one stays.
	holder := exec.CommandContext(r.t.Context(), "/usr/bin/virsh", "-c", r.uri)
	in, err := holder.StdinPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	out, err := holder.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		in.Close()
		_ = holder.Wait()
	})
	if _, err := io.WriteString(in, "echo here\n"); err != nil {
		r.t.Fatal(err)
	}
	for read := ""; !strings.Contains(read, "here\n"); {
		some := make([]byte, 1000)
		n, err := out.Read(some)
		if err != nil {
			r.t.Fatalf("virsh said %q, %v", read, err)
		}
		read += string(some[:n])
	}
}

// run starts a daemon, and ends it with the test. said is what it wrote so far, once it has ended.
func (r *real) run(daemon *exec.Cmd) (said func() string) {
	r.t.Helper()
	var out bytes.Buffer
	daemon.Stdout, daemon.Stderr = &out, &out
	daemon.Cancel = func() error { return daemon.Process.Signal(syscall.SIGTERM) }
	daemon.WaitDelay = 10 * time.Second
	if err := daemon.Start(); err != nil {
		r.t.Fatal(err)
	}
	end := func() {
		_ = daemon.Process.Signal(syscall.SIGTERM)
		_ = daemon.Wait()
	}
	r.t.Cleanup(end)
	return func() string {
		end()
		return out.String()
	}
}

// startSSHD starts it, with a new host key.
func (r *real) startSSHD() {
	r.t.Helper()
	if os.Getuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // as Debian's service does
			r.t.Fatal(err)
		}
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		r.t.Fatal(err)
	}
	r.write("host_key", form(r.t, key, "").private, 0o600)
	r.write("rsa_key", pemRSA(r.t).private, 0o600) // a host has several: which one is asked for must not change
	r.sshd = exec.CommandContext(r.t.Context(), "/usr/sbin/sshd", "-D", "-e", "-f", filepath.Join(r.dir, "sshd_config"))
	said := r.run(r.sshd)
	err = wait.Until(r.t.Context(), wait.Pace{Every: 20 * time.Millisecond, Limit: 30 * time.Second}, "sshd", func(ctx context.Context) (bool, string, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port)))
		if err == nil {
			err = conn.Close()
		}
		return err == nil, fmt.Sprint(err), nil
	})
	if err != nil {
		r.t.Fatalf("%v\n%s", err, said())
	}
	r.t.Cleanup(func() {
		if r.t.Failed() {
			r.t.Logf("sshd said:\n%s", said())
		}
	})
}

// node is one with a domain of that MAC address.
func (r *real) node(mac string) *driver.Node {
	return &driver.Node{
		UUID: "3f2c1a0b-5d6e-4f70-8a9b-0c1d2e3f4a5b", Name: "web-1", MACs: []string{mac},
		Info: map[string]any{
			"ssh_address": "127.0.0.1", "ssh_port": r.port, "ssh_username": r.user, "ssh_virt_type": "virsh",
			"ssh_key_contents": r.key.private, "ssh_libvirt_uri": r.uri,
		},
	}
}

// virsh is the test's own way to libvirt.
func (r *real) virsh(args ...string) string {
	r.t.Helper()
	out, err := exec.CommandContext(r.t.Context(), "/usr/bin/virsh", append([]string{"-q", "-c", r.uri}, args...)...).CombinedOutput()
	if err != nil {
		r.t.Fatalf("virsh %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// define makes a domain, or changes it. boot is what stands in <os>, device what stands in the NIC.
func (r *real) define(name, mac, boot, device string) {
	r.t.Helper()
	var escaped bytes.Buffer
	if err := xml.EscapeText(&escaped, []byte(name)); err != nil {
		r.t.Fatal(err)
	}
	r.write("domain.xml", fmt.Sprintf(`<domain type='test'>
  <name>%s</name>
  <memory>8192</memory>
  <os><type>hvm</type>%s</os>
  <devices><interface type='network'><mac address='%s'/><source network='default'/>%s</interface></devices>
</domain>`, escaped.String(), boot, mac, device), 0o600)
	r.virsh("define", filepath.Join(r.dir, "domain.xml"))
}

// commands are what came by the key that obeys.
func (r *real) commands() []string {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, "commands"))
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}
