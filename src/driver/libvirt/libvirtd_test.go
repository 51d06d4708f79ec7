//go:build integration

package libvirt

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/wait"
)

// nobody is the user as whom root runs libvirtd: unprivileged, it touches nothing of the machine.
const nobody = 65534

const (
	saslUser     = "admin"
	saslPassword = "sesame, öffne dich" // not all ASCII, in ISO 8859-1
	testMAC      = "aa:bb:cc:dd:ee:ff"  // of the one domain that the test driver begins with
)

// A daemon is a private libvirtd, with its test driver and qemu:///session.
type daemon struct {
	dir, socket, tcp, tls string
}

// setting is how a daemon is to authenticate on its Unix socket, and by what SASL mechanisms.
type setting struct{ unix, mechanisms string }

// program wants what Debian's package brings.
func program(t testing.TB, name, debian string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin") {
		if file := filepath.Join(dir, name); exec.Command("test", "-x", file).Run() == nil {
			return file
		}
	}
	text := name + " is missing: apt-get install --no-install-recommends " + debian
	if os.Getenv("CI") != "true" {
		t.Skip(text)
	}
	t.Fatal(text)
	return ""
}

// scratch is a folder that an unprivileged daemon may use; its name is short, as those of sockets have to be.
func scratch(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "lv-") //nolint:usetesting // t.TempDir is below a folder of ours alone, and its name is long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func write(t testing.TB, name, text string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// freePort is one that the kernel chose; nobody else is given it soon.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// startDaemon starts libvirtd, with SASL on TCP and TLS.
func startDaemon(t testing.TB, s setting) *daemon {
	t.Helper()
	libvirtd := program(t, "libvirtd", "libvirt-daemon")
	program(t, "virsh", "libvirt-clients")
	d := &daemon{dir: scratch(t), tcp: freePort(t), tls: freePort(t)}
	d.socket = filepath.Join(d.dir, "libvirt", "libvirt-sock")
	newPKI(t, d.dir)
	conf := write(t, filepath.Join(d.dir, "libvirtd.conf"), fmt.Sprintf(`listen_tcp = 1
listen_tls = 1
listen_addr = "127.0.0.1"
tcp_port = "%s"
tls_port = "%s"
ca_file = "%[3]s/cacert.pem"
cert_file = "%[3]s/servercert.pem"
key_file = "%[3]s/serverkey.pem"
auth_tcp = "sasl"
auth_tls = "sasl"
auth_unix_rw = "%s"
log_outputs = "3:file:%[3]s/log"
`, d.tcp, d.tls, d.dir, s.unix))
	write(t, filepath.Join(d.dir, "libvirt.conf"), "mech_list: "+s.mechanisms+"\nsasldb_path: "+d.dir+"/sasl.db\n")
	addUser(t, d.dir, saslUser)
	addUser(t, d.dir, saslUser, "-u", "elsewhere") // of another realm than this machine's name
	cmd := exec.Command(libvirtd, "--listen", "--config", conf, "--pid-file", filepath.Join(d.dir, "pid"))
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + d.dir, "XDG_RUNTIME_DIR=" + d.dir, "SASL_CONF_PATH=" + d.dir}
	asNobody(t, cmd, d.dir)
	t.Cleanup(func() {
		if log, err := os.ReadFile(filepath.Join(d.dir, "log")); err == nil && t.Failed() {
			t.Logf("libvirtd:\n%s", log)
		}
	})
	run(t, cmd)
	awaitListener(t, "unix", d.socket)
	awaitListener(t, "tcp", "127.0.0.1:"+d.tls)
	return d
}

func addUser(t testing.TB, dir, name string, more ...string) {
	t.Helper()
	args := append([]string{"-p", "-c", "-f", filepath.Join(dir, "sasl.db"), "-a", "libvirt"}, more...)
	cmd := exec.Command(program(t, "saslpasswd2", "sasl2-bin"), append(args, name)...)
	cmd.Stdin = strings.NewReader(saslPassword)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("saslpasswd2: %v\n%s", err, out)
	}
}

// asNobody gives the folder, and with it the program, to an unprivileged user, unless we are one.
func asNobody(t testing.TB, cmd *exec.Cmd, dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	err := filepath.Walk(dir, func(name string, _ os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(name, nobody, nobody)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// run starts a program, which ends with the test, and with us if we are killed.
func run(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		timer := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", cmd.Path, out.String())
		}
	})
}

func awaitListener(t testing.TB, network, address string) {
	t.Helper()
	pace := wait.Pace{Every: 20 * time.Millisecond, Limit: 20 * time.Second}
	err := wait.Until(t.Context(), pace, "a listener at "+address, func(ctx context.Context) (bool, string, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			return true, "", conn.Close()
		}
		return false, err.Error(), nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// uri is that of the test driver at a socket.
func uri(socket string) string { return "test+unix:///default?socket=" + socket }

// hold keeps a connection open: what the test driver knows is gone with the last one.
func (d *daemon) hold(t testing.TB) {
	t.Helper()
	p, err := parse(&driver.Node{Info: map[string]any{"libvirt_uri": uri(d.socket)}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := open(t.Context(), &p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
}

// virsh asks the daemon past us.
func (d *daemon) virsh(t testing.TB, args ...string) string {
	t.Helper()
	return d.virshAt(t, uri(d.socket), args...)
}

func (d *daemon) virshAt(t testing.TB, uri string, args ...string) string {
	t.Helper()
	cmd := exec.Command("virsh", append([]string{"--quiet", "--connect", uri}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+d.dir)
	var out, errors bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errors
	if err := cmd.Run(); err != nil {
		t.Fatalf("virsh %q: %v\n%s", args, err, errors.String())
	}
	return strings.TrimSpace(out.String())
}

// define defines a domain, and answers with its inactive definition.
func (d *daemon) define(t testing.TB, uri, name, definition string) string {
	t.Helper()
	file := write(t, filepath.Join(t.TempDir(), name+".xml"), definition)
	d.virshAt(t, uri, "define", file)
	return d.virshAt(t, uri, "dumpxml", "--inactive", name)
}

// node is one with that MAC address, on the test driver.
func (d *daemon) node(macs ...string) *driver.Node {
	return &driver.Node{UUID: "n1", Name: "node-1", MACs: macs, Info: map[string]any{"libvirt_uri": uri(d.socket)}}
}

// quick is a pace at which the test driver keeps up.
var quick = wait.Pace{Every: 10 * time.Millisecond, Limit: 20 * time.Second}
