package backend

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A WebDAV is our daemon's repository as one test sees it. The daemon is shared, the two folders are the test's own.
type WebDAV struct {
	URL      string // base, through the test's own Proxy
	Direct   string // past it
	Proxy    *Proxy
	Images   string // URL of an empty folder for images, through the proxy; ends in a slash
	Metadata string // the same for config drives
	Dir      string // what the server serves, on disk
	folder   string
}

// StartWebDAV gives the test a repository without authentication. It starts a daemon if no earlier test has.
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
	w := &WebDAV{URL: proxy.URL, Direct: f.url, Proxy: proxy, Dir: f.dir}
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

// runWebDAV starts a daemon for all tests of this process; dir holds its trees.
func runWebDAV(ctx context.Context, account string) (dir, url string, err error) {
	begun := time.Now()
	temporary, err := os.MkdirTemp("", "webdav-")
	if err != nil {
		return "", "", err
	}
	changes := map[string]any{}
	if account != "" {
		user, password, _ := strings.Cut(account, ":")
		reading := map[string]any{"anyone_may_read": true}
		changes["repository"] = map[string]any{
			"users": []any{map[string]any{"name": user, "password": password}}, "images": reading, "metadata": reading,
		}
	}
	d, err := startDaemon(ctx, temporary, changes)
	if err != nil {
		return "", "", err
	}
	shared.started("registry", begun, func() {
		_ = d.Stop()
		if os.Getenv("BOSH_IRONIC_KEEP") == "" {
			_ = os.RemoveAll(temporary)
		} else {
			fmt.Fprintln(os.Stdout, "kept", temporary)
		}
	})
	return d.Data, d.Repository, nil
}
