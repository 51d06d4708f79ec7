package backend

import (
	"context"
	_ "embed"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"bosh-ironic-cpi/src/wait"
)

// Founding is what the release of 2016 served: Debian's nginx with WebDAV and a registry in Lua, on its ports and
// paths, at a loopback address of its own.
type Founding struct {
	Registry string // http://ADDRESS:25777/registry
	Metadata string // http://ADDRESS:25777/metadata
	Images   string // http://ADDRESS:8081/images
	Dir      string // what is served, on disk: registry/metadata, repository/images, repository/deploy
	User     string // of the registry
	Password string
}

//go:embed testdata/registry.lua
var luaRegistry []byte

//go:embed testdata/founding.conf
var foundingConf string

const (
	modules     = "/usr/lib/nginx/modules/"
	luaPackages = "nginx-light libnginx-mod-http-dav-ext libnginx-mod-http-lua lua-cjson"
)

// StartFounding runs it until the test ends. Everybody on this machine may write below /metadata/, as the
// founding release had it.
func StartFounding(t testing.TB) *Founding {
	t.Helper()
	skipShort(t)
	cjson, _ := filepath.Glob("/usr/lib/*/lua/5.1/cjson.so")
	_, missing := os.Stat(modules + "ngx_http_lua_module.so")
	if missing != nil || len(cjson) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("install " + luaPackages)
		}
		t.Skip("install " + luaPackages)
	}
	address := fmt.Sprintf("127.%d.%d.%d", 1+rand.N(250), rand.N(250), 2+rand.N(250))
	dir := t.TempDir()
	t.Cleanup(func() {
		if log, err := os.ReadFile(filepath.Join(dir, "error.log")); err == nil && t.Failed() {
			t.Logf("nginx: %s", log[max(0, len(log)-2000):])
		}
	})
	f := &Founding{
		Registry: "http://" + address + ":25777/registry", Metadata: "http://" + address + ":25777/metadata",
		Images: "http://" + address + ":8081/images", Dir: filepath.Join(dir, "store"),
		User: "bosh", Password: "p@ss/w%rd", // no colon: nginx takes one for the end of the password
	}
	for _, folder := range []string{"store/registry/metadata", "store/repository/images", "store/repository/deploy", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	account := ""
	if os.Getuid() == 0 {
		account = "user root;" // the workers too: the folder is the test's
	}
	for name, text := range map[string]string{
		"registry.lua": string(luaRegistry),
		"htpasswd":     f.User + ":{PLAIN}" + f.Password + "\n",
		"nginx.conf":   fmt.Sprintf(foundingConf, account, dir, address, modules, filepath.Dir(cjson[0])),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	runNginx(t, dir)
	if err := answers(t.Context(), f.Registry); err != nil {
		t.Fatal(err)
	}
	return f
}

// runNginx starts it in dir, until the test ends.
func runNginx(t testing.TB, dir string) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	nginx := exec.CommandContext(ctx, "nginx", "-e", filepath.Join(dir, "error.log"), "-p", dir, "-c", filepath.Join(dir, "nginx.conf"))
	nginx.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin")
	nginx.Cancel = func() error { return nginx.Process.Signal(os.Interrupt) } // its workers end with it
	nginx.Stdout, nginx.Stderr = t.Output(), t.Output()
	if err := nginx.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = nginx.Wait() // an interrupt is what we asked for
	})
}

// answers waits until something answers at url, whatever it says.
func answers(ctx context.Context, url string) error {
	return wait.Until(ctx, wait.Pace{First: 5 * time.Millisecond, Every: 50 * time.Millisecond, Limit: 15 * time.Second}, url+" to answer",
		func(ctx context.Context) (bool, string, error) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
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
}
