//go:build integration

package amt

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/icholy/digest"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/wait"
)

const apacheConfig = `
ServerName localhost
User nobody
Group nogroup
Listen %[2]s
PidFile %[1]s/pid
ErrorLog %[1]s/error.log
DefaultRuntimeDir %[1]s
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authn_core_module /usr/lib/apache2/modules/mod_authn_core.so
LoadModule authn_file_module /usr/lib/apache2/modules/mod_authn_file.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule authz_user_module /usr/lib/apache2/modules/mod_authz_user.so
LoadModule auth_digest_module /usr/lib/apache2/modules/mod_auth_digest.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
StartServers 1
<Location "/wsman">
  AuthType Digest
  AuthName "A4070000, with a comma"
  AuthDigestProvider file
  AuthUserFile %[1]s/users
  AuthDigestNonceLifetime 1
  Require valid-user
  ProxyPass %[3]s/wsman
</Location>
`

// startApache has apache's mod_auth_digest before a server, and gives its address.
func startApache(t *testing.T, behind string) string {
	t.Helper()
	const apache, module = "/usr/sbin/apache2", "/usr/lib/apache2/modules/mod_auth_digest.so"
	if _, err := os.Stat(module); err != nil {
		t.Fatalf("%v: install Debian's package apache2-bin", err)
	}
	dir, err := os.MkdirTemp("", "apache") //nolint:usetesting // its children, who are somebody else, have to get in
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	const realm = "A4070000, with a comma" // apache's file of users takes no colon, which AMT's has
	line := fmt.Sprintf("admin:%s:%x\n", realm, md5.Sum([]byte("admin:"+realm+":"+password)))
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("users", line)
	write("apache.conf", fmt.Sprintf(apacheConfig, dir, address, behind))
	var out bytes.Buffer
	c := exec.Command(apache, "-X", "-f", filepath.Join(dir, "apache.conf"))
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Signal(os.Interrupt)
		_ = c.Wait()
	})
	pace := wait.Pace{First: 10 * time.Millisecond, Every: 100 * time.Millisecond, Limit: time.Minute}
	err = wait.Until(t.Context(), pace, "apache", func(ctx context.Context) (bool, string, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if conn != nil {
			return true, "", conn.Close()
		}
		return false, fmt.Sprint(err), nil
	})
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "error.log"))
		t.Fatalf("%v\n%s%s", err, out.String(), log)
	}
	return address
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// A recorder keeps the challenges that come.
type recorder struct {
	http.RoundTripper
	requests   int
	challenges []string
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.RoundTripper.RoundTrip(req)
	r.requests++
	if err == nil && resp.StatusCode == http.StatusUnauthorized {
		r.challenges = append(r.challenges, resp.Header.Get("WWW-Authenticate"))
	}
	return resp, err
}

// Our side of digest authentication, at apache's mod_auth_digest: the right password, a nonce that is used again, one that
// has become too old, which apache says by stale=true, and a wrong password.
func TestApache(t *testing.T) {
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, body(`<h:I xmlns:h="`+cim+associatedPower+`"><h:PowerState>2</h:PowerState></h:I>`))
	}))
	defer behind.Close()
	n := nodeAt(t, startApache(t, behind.URL))
	c, err := newHardware(nil).open(n)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	r := &recorder{RoundTripper: c.transport}
	c.http.Transport.(*digest.Transport).Transport = r
	asked := 0
	pace := wait.Pace{Every: 100 * time.Millisecond, Limit: time.Minute}
	err = wait.Until(t.Context(), pace, "a nonce to be stale", func(ctx context.Context) (bool, string, error) {
		state, err := c.powerState(ctx)
		if err != nil || state != baremetal.PowerOn {
			return false, "", fmt.Errorf("PowerState = %q, %w", state, err)
		}
		asked++
		return len(r.challenges) > 1, fmt.Sprintf("%d exchanges", asked), nil
	})
	if err != nil || !strings.Contains(r.challenges[len(r.challenges)-1], "stale=true") {
		t.Errorf("%v; challenges %q; want the last to be stale", err, r.challenges)
	}
	if asked < 3 || r.requests != asked+2 {
		t.Errorf("%d requests for %d exchanges; want one for each, and two for challenges", r.requests, asked)
	}
	n.Info["amt_password"] = "wrong"
	if _, err := newHardware(nil).PowerState(t.Context(), n); !errors.Is(err, driver.ErrAuthentication) {
		t.Errorf("PowerState with a wrong password = %v; want %v", err, driver.ErrAuthentication)
	}
}
