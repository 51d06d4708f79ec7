//go:build integration

package libvirt

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
)

// An sshServer is a private OpenSSH, that lets us in as ourselves.
type sshServer struct {
	dir, port, user string
	ed25519, rsa    string // host keys, as in known_hosts without the host
}

// startSSHD starts sshd with a configuration of its own; authorized is what stands before the key in authorized_keys.
func startSSHD(t *testing.T, authorized, config string) *sshServer {
	t.Helper()
	sshd := program(t, "sshd", "openssh-server")
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	s := &sshServer{dir: scratch(t), port: freePort(t), user: me.Username}
	if me.Uid == "0" {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // where sshd goes to separate privileges
			t.Fatal(err)
		}
	}
	s.keygen(t, "-t", "rsa", "-b", "2048", "-N", "", "-f", filepath.Join(s.dir, "host_rsa"))
	s.keygen(t, "-t", "ed25519", "-N", "", "-f", filepath.Join(s.dir, "host_ed25519"))
	s.keygen(t, "-t", "ed25519", "-N", "", "-f", filepath.Join(s.dir, "id"))
	s.ed25519, s.rsa = s.public(t, "host_ed25519"), s.public(t, "host_rsa")
	write(t, filepath.Join(s.dir, "authorized_keys"), authorized+" "+read(t, filepath.Join(s.dir, "id.pub")))
	conf := write(t, filepath.Join(s.dir, "sshd_config"), fmt.Sprintf(`ListenAddress 127.0.0.1:%s
HostKey %[2]s/host_rsa
HostKey %[2]s/host_ed25519
AuthorizedKeysFile %[2]s/authorized_keys
PidFile %[2]s/pid
UsePAM no
StrictModes no
PasswordAuthentication no
PermitRootLogin yes
%s
`, s.port, s.dir, config))
	run(t, exec.Command(sshd, "-D", "-e", "-f", conf))
	awaitListener(t, "tcp", "127.0.0.1:"+s.port)
	return s
}

func (s *sshServer) public(t *testing.T, name string) string {
	t.Helper()
	return strings.Join(strings.Fields(read(t, filepath.Join(s.dir, name+".pub")))[:2], " ")
}

func (s *sshServer) keygen(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ssh-keygen", append([]string{"-q"}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen %q: %v\n%s", args, err, out)
	}
}

// node reaches a hypervisor's socket over SSH, with the key that the server lets in.
func (s *sshServer) node(socket string) *driver.Node {
	return &driver.Node{UUID: "n1", Name: "node-1", MACs: []string{testMAC}, Info: map[string]any{
		"libvirt_uri":      fmt.Sprintf("test+ssh://%s@127.0.0.1:%s/default?socket=%s", s.user, s.port, socket),
		"ssh_key_filename": filepath.Join(s.dir, "id"),
	}}
}

// home gives us a folder of our own, without keys and agent.
func home(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("SSH_AUTH_SOCK", "")
	if err := os.Mkdir(filepath.Join(dir, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, ".ssh")
}

func wantOn(t *testing.T, n *driver.Node) {
	t.Helper()
	if state, err := (hardware{}).PowerState(t.Context(), n); err != nil || state != baremetal.PowerOn {
		t.Errorf("PowerState = %s, %v; want power on", state, err)
	}
}

func wantRefusal(t *testing.T, n *driver.Node, want error, text string) {
	t.Helper()
	_, err := hardware{}.PowerState(t.Context(), n)
	if err == nil || want != nil && !errors.Is(err, want) || !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "sesame") {
		t.Errorf("%v; want %v with %q", err, want, text)
	}
}

func TestSSHKeys(t *testing.T) {
	d := startDaemon(t, setting{unix: "none", mechanisms: "plain"})
	s := startSSHD(t, "", "")
	locked := filepath.Join(s.dir, "locked")
	write(t, locked, read(t, filepath.Join(s.dir, "id")))
	s.keygen(t, "-p", "-P", "", "-N", "sesame", "-f", locked)
	t.Run("a file", func(t *testing.T) {
		home(t)
		wantOn(t, s.node(d.socket))
	})
	t.Run("a file with a passphrase", func(t *testing.T) {
		home(t)
		n := s.node(d.socket)
		n.Info["ssh_key_filename"], n.Info["ssh_key_passphrase"] = locked, "sesame"
		wantOn(t, n)
		n.Info["ssh_key_passphrase"] = "sesame?"
		_, err := hardware{}.PowerState(t.Context(), n)
		wantParameter(t, err, "ssh_key_passphrase", "does not open")
		delete(n.Info, "ssh_key_passphrase")
		_, err = hardware{}.PowerState(t.Context(), n)
		wantParameter(t, err, "ssh_key_passphrase", "no ssh-agent")
	})
	t.Run("a file with a passphrase, in ssh-agent", func(t *testing.T) {
		home(t)
		agent := filepath.Join(s.dir, "agent")
		run(t, exec.Command(program(t, "ssh-agent", "openssh-client"), "-D", "-a", agent))
		awaitListener(t, "unix", agent)
		t.Setenv("SSH_AUTH_SOCK", agent)
		if out, err := exec.Command("ssh-add", "-q", filepath.Join(s.dir, "id")).CombinedOutput(); err != nil {
			t.Fatalf("ssh-add: %v\n%s", err, out)
		}
		n := s.node(d.socket)
		n.Info["ssh_key_filename"] = locked
		wantOn(t, n)
	})
	t.Run("the user's own", func(t *testing.T) {
		ssh := home(t)
		n := s.node(d.socket)
		delete(n.Info, "ssh_key_filename")
		n.Info["libvirt_uri"] = fmt.Sprint(n.Info["libvirt_uri"], "&no_verify=1")
		wantRefusal(t, n, driver.ErrAuthentication, "no key at all")
		s.keygen(t, "-t", "ecdsa", "-N", "", "-f", filepath.Join(ssh, "id_ecdsa"))
		wantRefusal(t, n, driver.ErrAuthentication, "id_ecdsa: check authorized_keys")
		write(t, filepath.Join(ssh, "id_ed25519"), read(t, filepath.Join(s.dir, "id")))
		wantOn(t, n)
	})
	t.Run("no key", func(t *testing.T) {
		home(t)
		n := s.node(d.socket)
		n.Info["ssh_key_filename"] = filepath.Join(s.dir, "sshd_config")
		_, err := hardware{}.PowerState(t.Context(), n)
		wantParameter(t, err, "ssh_key_filename", "no private key")
	})
}

func TestSSHHosts(t *testing.T) {
	d := startDaemon(t, setting{unix: "none", mechanisms: "plain"})
	s := startSSHD(t, "", "")
	host := "[127.0.0.1]:" + s.port
	other := s.public(t, "id")
	tests := []struct {
		name, known, parameters string
		want                    string // empty: it works
	}{
		{name: "one key known", known: s.ed25519, parameters: "&no_verify=0"}, // whichever sshd would show first
		{name: "the other key known", known: s.rsa, parameters: "&no_verify=0"},
		{name: "unknown", parameters: "&no_verify=0", want: "is in none of"},
		{name: "another", known: other, parameters: "&no_verify=0", want: "is not the one in"},
		{name: "any", known: other, parameters: "&no_verify=1"},
		{name: "unknown, and a key file", parameters: ""}, // L6: as the staging driver has it
		{name: "another, and a key file", known: other, parameters: "", want: "is not the one in"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ssh := home(t)
			if tt.known != "" {
				write(t, filepath.Join(ssh, "known_hosts"), host+" "+tt.known+"\n")
			}
			n := s.node(d.socket)
			n.Info["libvirt_uri"] = fmt.Sprint(n.Info["libvirt_uri"], tt.parameters)
			if tt.want == "" {
				wantOn(t, n)
				return
			}
			wantRefusal(t, n, nil, tt.want)
		})
	}
	t.Run("another than at first", func(t *testing.T) {
		ssh := home(t)
		n := s.node(d.socket)
		wantOn(t, n)
		first := n.State[firstKey]
		if !strings.HasPrefix(first, "127.0.0.1:"+s.port+" ") {
			t.Errorf("remembered is %q", first)
		}
		wantOn(t, n)
		n.State[firstKey] = strings.Replace(first, "SHA256:", "SHA256:x", 1)
		wantRefusal(t, n, nil, "is not the one that it showed first")
		write(t, filepath.Join(ssh, "known_hosts"), host+" "+s.rsa+"\n") // the operator knows better
		wantOn(t, n)
		if n.State[firstKey] != "" {
			t.Errorf("still remembered is %q", n.State[firstKey])
		}
	})
	t.Run("a file of its own", func(t *testing.T) {
		home(t)
		n := s.node(d.socket)
		file := write(t, filepath.Join(s.dir, "known"), host+" "+s.ed25519+"\n")
		base := fmt.Sprint(n.Info["libvirt_uri"], "&no_verify=0&known_hosts=")
		n.Info["libvirt_uri"] = base + file
		wantOn(t, n)
		n.Info["libvirt_uri"] = base + "/nowhere/known_hosts"
		_, err := hardware{}.PowerState(t.Context(), n)
		wantParameter(t, err, "libvirt_uri", "known_hosts=/nowhere/known_hosts")
	})
}

func TestSSHWays(t *testing.T) {
	program(t, "nc", "netcat-openbsd")
	program(t, "virt-ssh-helper", "libvirt-daemon")
	d := startDaemon(t, setting{unix: "none", mechanisms: "plain"})
	home(t)
	t.Run("a program, where sockets are not forwarded", func(t *testing.T) {
		s := startSSHD(t, "", "AllowStreamLocalForwarding no")
		n := s.node(d.socket)
		wantOn(t, n)
		n.Info["libvirt_uri"] = fmt.Sprint(n.Info["libvirt_uri"], "&netcat=/usr/bin/nc.openbsd")
		wantOn(t, n)
		n.Info["libvirt_uri"] = fmt.Sprint(n.Info["libvirt_uri"], "x")
		wantRefusal(t, n, driver.ErrUnreachable, "nc.openbsdx")
		wantRefusal(t, s.node("/nowhere/sock"), driver.ErrUnreachable, "/nowhere/sock")
	})
	t.Run("a command that sshd forces", func(t *testing.T) {
		s := startSSHD(t, `restrict,command="nc -U `+d.socket+`"`, "")
		wantOn(t, s.node("/somewhere/else"))
	})
	t.Run("virt-ssh-helper", func(t *testing.T) {
		s := startSSHD(t, "", "AllowStreamLocalForwarding no\nSetEnv XDG_RUNTIME_DIR="+d.dir)
		n := s.node("")
		n.MACs = []string{"02:00:00:00:00:01"}
		n.Info["libvirt_uri"] = fmt.Sprintf("qemu+ssh://%s@127.0.0.1:%s/session", s.user, s.port)
		if _, err := (hardware{}).PowerState(t.Context(), n); !errors.Is(err, errNoDomain) && !strings.Contains(fmt.Sprint(err), "virt-ssh-helper: cannot connect") {
			t.Errorf("%v; want virt-ssh-helper at work", err) // for root it goes to the system's daemon, if there is one
		}
	})
	t.Run("no sshd", func(t *testing.T) {
		s := &sshServer{dir: d.dir, port: freePort(t), user: "op"}
		n := s.node(d.socket)
		n.Info["ssh_key_filename"] = ""
		wantRefusal(t, n, driver.ErrUnreachable, "check address, firewall")
		s.port = d.tcp
		n = s.node(d.socket)
		n.Info["ssh_key_filename"] = ""
		wantRefusal(t, n, driver.ErrUnreachable, "")
	})
}
