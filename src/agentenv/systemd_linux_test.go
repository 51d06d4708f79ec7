package agentenv

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

const networkd = "/lib/systemd/systemd-networkd"

// The real systemd-networkd reads every golden file without a complaint. What the kernel makes of bonds and VLANs
// is not looked at: not every kernel has them.
func TestSystemdReadsNetworkdFiles(t *testing.T) {
	archives, err := filepath.Glob("testdata/networkd/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range archives {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			log, _ := startNetworkd(t, name, "Enumeration completed")
			complaint := regexp.MustCompile(`(?m)^.*` + regexp.QuoteMeta(networkdDir) + `.*:\d+: .*$`)
			for _, line := range complaint.FindAllString(log, -1) {
				t.Error(line)
			}
		})
	}
}

// The test above can fail.
func TestSystemdComplains(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.txtar")
	archive := txtar.Archive{Files: []txtar.File{{Name: networkdDir + "x.network", Data: []byte("[Match]\nName=x\n[Network]\nFoo=bar\n")}}}
	if err := os.WriteFile(bad, txtar.Format(&archive), 0o600); err != nil {
		t.Fatal(err)
	}
	if log, _ := startNetworkd(t, bad, "Enumeration completed"); !strings.Contains(log, "Unknown key 'Foo'") {
		t.Errorf("systemd-networkd took an unknown key:\n%s", log)
	}
}

// systemd-networkd gives a NIC with two static networks both addresses and both default routes.
func TestSystemdConfiguresDualStack(t *testing.T) {
	_, pid := startNetworkd(t, "testdata/networkd/dual-stack.txtar", "nic: Routes set")
	ask := func(args ...string) string {
		args = append([]string{"-t", strconv.Itoa(pid), "-n", "ip"}, args...)
		out, err := exec.CommandContext(t.Context(), "nsenter", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v: %s", args, err, out)
		}
		return string(out)
	}
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"address", "show", "dev", "nic"}, "inet 10.0.0.10/32"},
		{[]string{"address", "show", "dev", "nic"}, "inet6 2001:db8::10/64"},
		{[]string{"-4", "route"}, "default via 169.254.0.1 dev nic"},
		{[]string{"-6", "route"}, "default via 2001:db8::1 dev nic"},
	}
	for _, tt := range tests {
		if got := ask(tt.args...); !strings.Contains(got, tt.want) {
			t.Errorf("ip %q = %s; want %s", tt.args, got, tt.want)
		}
	}
}

// startNetworkd runs systemd-networkd on an archive's files, in namespaces of its own with one NIC that bears mac2,
// until its log says what is waited for. It returns the log so far and the process, which ends with the test.
func startNetworkd(t *testing.T, archive, until string) (log string, pid int) {
	t.Helper()
	if os.Geteuid() != 0 {
		missing(t, "root", "sudo")
	}
	for program, debian := range map[string]string{networkd: "systemd", "ip": "iproute2", "nsenter": "util-linux"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, program, debian)
		}
	}
	parsed, err := txtar.ParseFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range parsed.Files {
		if !filepath.IsAbs(f.Name) {
			continue
		}
		// A veth has no permanent address.
		content := strings.ReplaceAll(string(f.Data), "PermanentMACAddress=", "MACAddress=")
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(f.Name)), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	script := `set -e
		mount --make-rprivate /
		mount -t tmpfs tmpfs /run
		mkdir -p /run/systemd/netif /run/systemd/network
		mount --bind /run/systemd/network /etc/systemd/network
		mount --bind "$0" /usr/lib/systemd/network
		mount -t sysfs -o ro sysfs /sys # no udev here, systemd-networkd concludes
		ip link add nic address ` + mac2 + ` type veth peer name switch
		ip link set switch up
		exec ` + networkd
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script, dir)
	cmd.Env = append(os.Environ(), "SYSTEMD_LOG_TARGET=console", "SYSTEMD_LOG_LEVEL=debug")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = cmd.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	t.Cleanup(func() {
		limit.Stop()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		log += lines.Text() + "\n"
		if strings.Contains(lines.Text(), until) {
			return log, cmd.Process.Pid
		}
	}
	t.Fatalf("systemd-networkd ended without %q:\n%s", until, log)
	return "", 0
}
