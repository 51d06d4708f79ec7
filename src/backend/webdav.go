package backend

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A WebDAV is a WebDAV server (nginx) as one test sees it. The server is shared, the two folders are the test's own.
type WebDAV struct {
	URL      string // base, through the test's own Proxy
	Direct   string // past it
	Proxy    *Proxy
	Images   string // URL of an empty folder for images, through the proxy; ends in a slash
	Metadata string // the same for config drives
	Dir      string // what the server serves, on disk
	folder   string
}

// StartWebDAV gives the test a WebDAV server without authentication. It starts one if no earlier test has.
func StartWebDAV(t testing.TB) *WebDAV {
	t.Helper()
	return startWebDAV(t, "")
}

// StartWebDAVAuth is StartWebDAV with basic authentication for whatever writes; account is "user:password".
func StartWebDAVAuth(t testing.TB, account string) *WebDAV {
	t.Helper()
	return startWebDAV(t, account)
}

func startWebDAV(t testing.TB, account string) *WebDAV {
	t.Helper()
	skipShort(t)
	shared.mu.Lock()
	f := shared.webdavs[account]
	if f == nil {
		f = &fixture{}
		shared.webdavs[account] = f
	}
	shared.mu.Unlock()
	f.once.Do(func() { f.dir, f.url, f.err = runWebDAV(t.Context(), account) })
	f.check(t)
	proxy := NewProxy(t, f.url)
	w := &WebDAV{URL: proxy.URL, Direct: f.url, Proxy: proxy, Dir: filepath.Join(f.dir, "files")}
	// The names must not be guessed from each other; the folders go with the server.
	w.folder = strings.ReplaceAll(NewMAC(), ":", "")
	w.Images, w.Metadata = w.URL+"/images/"+w.folder+"/", w.URL+"/metadata/"+w.folder+"/"
	return w
}

// Files lists what the test's two folders hold: paths below Dir, like images/525400000001/stemcell.qcow2.
func (w *WebDAV) Files(t testing.TB) []string {
	t.Helper()
	var files []string
	for _, area := range []string{"images", "metadata"} {
		top := filepath.Join(w.Dir, area, w.folder)
		if _, err := os.Stat(top); err != nil {
			continue
		}
		err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			rel, err := filepath.Rel(w.Dir, path)
			files = append(files, rel)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// runWebDAV runs bin/webdav-up in a new folder.
func runWebDAV(ctx context.Context, account string) (dir, url string, err error) {
	if _, err := exec.LookPath("nginx"); err != nil && os.Getuid() != 0 {
		return "", "", &missingError{"nginx is missing: apt-get install --no-install-recommends nginx-light libnginx-mod-http-dav-ext"}
	}
	begun := time.Now()
	dir, err = os.MkdirTemp("", "webdav-")
	if err != nil {
		return "", "", err
	}
	var vars []string
	if account != "" {
		vars = []string{"AUTH=" + account}
	}
	url, err = script(ctx, "webdav-up", dir, vars...)
	if err != nil {
		return dir, "", err
	}
	shared.started(version("nginx", "-v"), begun, func() {
		_, _ = script(context.WithoutCancel(ctx), "webdav-down", dir)
		if os.Getenv("BOSH_IRONIC_KEEP") == "" {
			_ = os.RemoveAll(dir)
		} else {
			fmt.Fprintln(os.Stdout, "kept", dir)
		}
	})
	return dir, url, nil
}
