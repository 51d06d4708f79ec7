//go:build integration

package registry_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"bosh-ironic-cpi/src/registry"
	"bosh-ironic-cpi/src/secret"
	"bosh-ironic-cpi/src/wait"
)

const luaModule = "/usr/lib/nginx/modules/ngx_http_lua_module.so"

// luaPassword has no colon: nginx takes one for the end of the password.
const luaPassword = "p@ss/w%rd"

// The registry of 2016 was nginx, WebDAV and a Lua script: it answers a PUT with 201, the next one with 204.
func TestNginxWithLua(t *testing.T) {
	base := startNginxWithLua(t)
	client, err := registry.New(registry.Config{URL: base + "/registry", Username: user, Password: secret.New(luaPassword)})
	if err != nil {
		t.Fatal(err)
	}
	const id = "3f2c1a0b-5d6e-4f70-8a9b-0c1d2e3f4a5b"
	if _, err := client.Get(t.Context(), id); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("Get of what is not there: %v; want ErrNotFound", err)
	}
	for _, text := range []string{`{"agent_id": "a", "mbus": "nats://u:p@h"}`, "{\n  \"agent_id\": \"b\\\"c\"\n}"} { // 201, then 204
		if err := client.Put(t.Context(), id, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := client.Get(t.Context(), id); err != nil || string(got) != text {
			t.Errorf("Get = %s, %v; want %s", got, err, text)
		}
	}
	for range 2 { // 204, then 404
		if err := client.Delete(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	if _, err := client.Get(t.Context(), id); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("Get of what is deleted: %v; want ErrNotFound", err)
	}

	stranger, err := registry.New(registry.Config{URL: base + "/registry", Username: user, Password: secret.New("wrong")})
	if err != nil {
		t.Fatal(err)
	}
	if err := stranger.Put(t.Context(), id, []byte("{}")); !errors.Is(err, registry.ErrUnauthorized) {
		t.Errorf("Put with a wrong password: %v; want ErrUnauthorized", err)
	}
}

// startNginxWithLua runs Debian's nginx in a folder of its own until the test ends, and returns its address.
func startNginxWithLua(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat(luaModule); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("install nginx-light and libnginx-mod-http-lua")
		}
		t.Skip("install nginx-light and libnginx-mod-http-lua")
	}
	script, err := filepath.Abs("testdata/registry.lua")
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	account := ""
	if os.Getuid() == 0 {
		account = "user root;" // the workers too: the folder is the test's
	}
	configuration := write("nginx.conf", fmt.Sprintf(`
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module %[1]s;
%[2]s
daemon off; pid %[3]s/pid; error_log %[3]s/error.log;
events {}
http {
  access_log off;
  client_body_temp_path %[3]s/body; proxy_temp_path %[3]s/proxy; fastcgi_temp_path %[3]s/fastcgi;
  uwsgi_temp_path %[3]s/uwsgi; scgi_temp_path %[3]s/scgi;
  server {
    listen %[4]s;
    location /metadata/ { internal; root %[3]s; dav_methods PUT DELETE; create_full_put_path on; client_max_body_size 10m; }
    location /registry/ { auth_basic registry; auth_basic_user_file %[5]s; client_max_body_size 10m; content_by_lua_file %[6]s; }
  }
}`, luaModule, account, dir, address, write("htpasswd", user+":{PLAIN}"+luaPassword+"\n"), script))

	ctx, stop := context.WithCancel(t.Context())
	nginx := exec.CommandContext(ctx, "nginx", "-e", filepath.Join(dir, "error.log"), "-p", dir, "-c", configuration)
	nginx.Cancel = func() error { return nginx.Process.Signal(os.Interrupt) } // its workers end with it
	nginx.Stdout, nginx.Stderr = t.Output(), t.Output()
	if err := nginx.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = nginx.Wait() // an interrupt is what we asked for
	})
	base := "http://" + address
	err = wait.Until(t.Context(), wait.Pace{Every: 20 * time.Millisecond, Limit: 10 * time.Second}, "nginx", func(ctx context.Context) (bool, string, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/", nil)
		if err != nil {
			return false, "", err
		}
		req.Close = true
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return false, err.Error(), nil //nolint:nilerr // not up yet: asked again
		}
		return true, "", resp.Body.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
	return base
}
