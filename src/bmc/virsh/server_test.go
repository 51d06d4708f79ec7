//go:build integration

package virsh_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	bmc "bosh-ironic-cpi/src/bmc/virsh"
	"bosh-ironic-cpi/src/virsh"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The fake is good enough for OpenSSH's client: keys, what is printed where, exit statuses.
func TestOpenSSH(t *testing.T) {
	if _, err := exec.LookPath("ssh"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs ssh: apt-get install openssh-client")
		}
		t.Skip("needs ssh: apt-get install openssh-client")
	}
	dir := t.TempDir()
	key := filepath.Join(dir, "id")
	if out, err := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	s, err := bmc.Serve(t.Context(), bmc.NewHost(bmc.Domain{Name: "node1", MACs: []string{"52:54:00:aa:00:01"}, Boot: "hd"}), bmc.Account{User: "ironic", Key: string(public)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	host, port := s.Address()
	known := filepath.Join(dir, "known_hosts")
	if err := os.WriteFile(known, []byte("["+host+"]:"+port+" "+s.HostKey()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		command virsh.Command
		want    virsh.Answer
	}{
		{virsh.Command{Verb: virsh.ListAll, URI: virsh.DefaultURI}, virsh.Answer{Stdout: "node1\n\n"}},
		{virsh.Command{Verb: virsh.ListRunning}, virsh.Answer{Stdout: "\n"}},
		{virsh.Command{Verb: virsh.Start, Domain: "node1"}, virsh.Answer{Stdout: "Domain 'node1' started\n\n"}},
		{virsh.Command{Verb: virsh.Start, Domain: "node1"}, virsh.Answer{Stdout: "\n", Stderr: "error: Domain is already active\n", Status: 1}},
		{virsh.Command{Verb: virsh.ListRunning, Old: true}, virsh.Answer{Stdout: "\"node1\"\n"}},
		{virsh.Command{Verb: virsh.MACs, Domain: "node1"}, virsh.Answer{Stdout: "525400aa0001\n"}},
		{virsh.Command{Verb: virsh.SetBootDevice, Domain: "node1", Device: "network"}, virsh.Answer{Stdout: "Domain 'node1' XML configuration edited.\n\n"}},
		{virsh.Command{Verb: virsh.BootDevice, Domain: "node1"}, virsh.Answer{Stdout: "hd\n"}},
		{virsh.Command{Verb: virsh.Reset, Domain: "node1"}, virsh.Answer{Stdout: "Domain 'node1' was reset\n\n"}},
		{virsh.Command{Verb: virsh.Destroy, Domain: "nosuch"}, virsh.Answer{Stdout: "\n", Stderr: "error: failed to get domain 'nosuch'\n", Status: 1}},
	} {
		c := exec.CommandContext(t.Context(), "ssh", "-F", "none", "-q", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes",
			"-o", "UserKnownHostsFile="+known, "-i", key, "-p", port, "ironic@"+host, tt.command.Line())
		var stdout, stderr bytes.Buffer
		c.Stdout, c.Stderr = &stdout, &stderr
		err := c.Run()
		if got := (virsh.Answer{Stdout: stdout.String(), Stderr: stderr.String(), Status: c.ProcessState.ExitCode()}); got != tt.want {
			t.Errorf("%s: %+v, %v; want %+v", tt.command, got, err, tt.want)
		}
	}
	if lines := s.Host.Lines(); len(lines) != 10 || !strings.HasPrefix(lines[0], "LC_ALL=C /usr/bin/virsh --connect qemu:///system list") {
		t.Errorf("commands came as %q", lines)
	}
}
