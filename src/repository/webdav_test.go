package repository_test

import (
	"bytes"
	"errors"
	"io"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/webdav"

	"bosh-ironic-cpi/src/repository"
	"bosh-ironic-cpi/src/repository/repositorytest"
	"bosh-ironic-cpi/src/secret"
	"bosh-ironic-cpi/src/tlsclient"
)

// nginx starts Debian's nginx in a folder of its own; settings are those of bin/webdav-up. It returns the
// server's base URL and the folder.
func nginx(t *testing.T, settings ...string) (base, folder string) {
	t.Helper()
	if _, err := exec.LookPath("nginx"); err != nil && os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("install nginx-light and libnginx-mod-http-dav-ext")
		}
		t.Skip("install nginx-light and libnginx-mod-http-dav-ext")
	}
	dir := t.TempDir()
	return script(t, "webdav-up", dir, settings...), filepath.Join(dir, "files")
}

// script runs bin/webdav-up or bin/webdav-down.
func script(t *testing.T, name, dir string, settings ...string) string {
	t.Helper()
	var out, problems bytes.Buffer
	c := exec.Command(filepath.Join("..", "..", "bin", name), dir)
	c.Env, c.Stdout, c.Stderr = append(os.Environ(), settings...), &out, &problems
	if name == "webdav-up" {
		t.Cleanup(func() { script(t, "webdav-down", dir) })
	}
	if err := c.Run(); err != nil {
		t.Fatalf("%s: %v: %s", c, err, &problems)
	}
	return strings.TrimSpace(out.String())
}

func openWebDAV(t *testing.T, c repository.WebDAVConfig) *repository.WebDAV {
	t.Helper()
	w, err := repository.NewWebDAV(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func TestWebDAVOnNginx(t *testing.T) {
	base, folder := nginx(t, "AUTH=director:p@ss/w%rd", "AUTH_READ=1")
	tests := 0
	repositorytest.Run(t, repositorytest.Rig{
		ReplacesAtOnce: true,
		Open: func(t *testing.T) (repository.Store, string) {
			tests++ // a folder each, of which none is there yet
			path := "/images/" + strings.Repeat("x", tests) + "/über 100%"
			address, err := url.Parse(base)
			if err != nil {
				t.Fatal(err)
			}
			return openWebDAV(t, repository.WebDAVConfig{
				URL:      address.JoinPath("images", strings.Repeat("x", tests), url.PathEscape("über 100%")).String(),
				Username: "director", Password: secret.New("p@ss/w%rd"),
			}), made(t, filepath.Join(folder, path))
		},
	})
}

// TestWebDAVOnNetWebDAV runs the suite on another server: it deletes folders without a slash, makes no parents,
// and removes a file before it puts another in its place.
func TestWebDAVOnNetWebDAV(t *testing.T) {
	repositorytest.Run(t, repositorytest.Rig{
		Open: func(t *testing.T) (repository.Store, string) {
			root := t.TempDir()
			server := httptest.NewServer(&webdav.Handler{FileSystem: webdav.Dir(root), LockSystem: noLocks{webdav.NewMemLS()}})
			t.Cleanup(server.Close)
			return openWebDAV(t, repository.WebDAVConfig{URL: server.URL + "/made/by us"}), made(t, filepath.Join(root, "made", "by us"))
		},
	})
}

// noLocks let everybody pass. The library's own let two requests for one file refuse each other (423), which no other
// server does.
type noLocks struct{ webdav.LockSystem }

func (noLocks) Create(time.Time, webdav.LockDetails) (string, error) { return "none", nil }

func (noLocks) Unlock(time.Time, string) error { return nil }

// made makes a folder so that the suite can look into it. Upload would make it as well: see TestWebDAVMakesItsFolder.
func made(t *testing.T, path string) string {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWebDAVMakesItsFolder(t *testing.T) {
	base, folder := nginx(t)
	server := httptest.NewServer(&webdav.Handler{FileSystem: webdav.Dir(folder), LockSystem: webdav.NewMemLS()})
	t.Cleanup(server.Close)
	for i, address := range []string{base + "/images/not/there/yet", server.URL + "/metadata/not/there/yet"} {
		for range 2 { // the second client finds it
			store(t, openWebDAV(t, repository.WebDAVConfig{URL: address}), "a/b", "x")
		}
		if _, err := os.Stat(filepath.Join(folder, []string{"images", "metadata"}[i], "not/there/yet/a/b")); err != nil {
			t.Error(err)
		}
	}
}

// TestB19FolderThatIsThere: the founding CPI failed on a folder that was left over.
func TestB19FolderThatIsThere(t *testing.T) {
	base, folder := nginx(t)
	if err := os.MkdirAll(filepath.Join(folder, "metadata/3f2c/ec2/latest"), 0o755); err != nil {
		t.Fatal(err)
	}
	w := openWebDAV(t, repository.WebDAVConfig{URL: base + "/metadata"})
	store(t, w, "3f2c/ec2/latest/user-data", "{}")
	store(t, w, "3f2c/ec2/other/user-data", "{}")
}

func TestWebDAVUnauthorized(t *testing.T) {
	base, _ := nginx(t, "AUTH=director:right", "AUTH_READ=1")
	for name, c := range map[string]repository.WebDAVConfig{
		"none": {}, "password": {Username: "director", Password: secret.New("wrong-hunter2")},
		"user": {Username: "hunter", Password: secret.New("right")},
	} {
		for _, path := range []string{"/images", "/images/x"} {
			c.URL = base + path
			w := openWebDAV(t, c)
			r := &counter{left: 64 << 20}
			_, uploadErr := w.Upload(t.Context(), r, 64<<20)
			if r.read > 1<<20 {
				t.Errorf("%s: %d bytes were sent to find that they are refused", name, r.read)
			}
			_, openErr := w.Open(t.Context(), "f", 0, -1)
			_, statErr := w.Stat(t.Context(), "f")
			for what, err := range map[string]error{
				"Upload": uploadErr, "Open": openErr, "Stat": statErr, "Delete": w.Delete(t.Context(), "f"),
			} {
				if !errors.Is(err, repository.ErrUnauthorized) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("%s, %s: %v; want ErrUnauthorized", name, what, err)
				}
			}
		}
	}
}

// counter is a reader of zeros that counts them.
type counter struct{ left, read int64 }

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n := min(int64(len(p)), c.left)
	c.left, c.read = c.left-n, c.read+n
	if n == 0 {
		return 0, io.EOF
	}
	return int(n), nil
}

func TestWebDAVFull(t *testing.T) {
	base, folder := nginx(t, "MAX_BODY=1m")
	w := openWebDAV(t, repository.WebDAVConfig{URL: base + "/images"})
	for _, size := range []int64{8 << 20, -1} {
		r := &counter{left: 8 << 20}
		if _, err := w.Upload(t.Context(), r, size); !errors.Is(err, repository.ErrFull) {
			t.Errorf("Upload of more than the server takes, announced as %d: %v; want ErrFull", size, err)
		}
		if size > 0 && r.read > 1<<20 {
			t.Errorf("%d bytes were sent to find that they are too many", r.read)
		}
	}
	if left, err := os.ReadDir(filepath.Join(folder, "images")); err != nil || len(left) > 0 {
		t.Errorf("%v are left, %v", left, err)
	}
	store(t, w, "f", "small")
}

// TestB23AddressForMachines: the founding CPI's machines met a server that asks for a password. B11: it put
// the credentials into the address twice.
func TestB23AddressForMachines(t *testing.T) {
	password := secret.New("p@:/ %?#é")
	const escaped = "p%40%3A%2F%20%25%3F%23%C3%A9"
	tests := []struct {
		name string
		c    repository.WebDAVConfig
		want string
	}{
		{"plain", repository.WebDAVConfig{URL: "http://h:80/images/"}, "http://h:80/images/a%20b/c"},
		{"top", repository.WebDAVConfig{URL: "http://h"}, "http://h/a%20b/c"},
		{
			"credentials",
			repository.WebDAVConfig{URL: "http://h/images", Username: "bosh", Password: password},
			"http://bosh:" + escaped + "@h/images/a%20b/c",
		},
		{
			"credentials in the address",
			repository.WebDAVConfig{URL: "http://bosh:" + escaped + "@h/images"},
			"http://bosh:" + escaped + "@h/images/a%20b/c",
		},
		{
			"credentials twice",
			repository.WebDAVConfig{URL: "http://old:gone@h/images", Username: "bosh", Password: password},
			"http://bosh:" + escaped + "@h/images/a%20b/c",
		},
		{
			"public",
			repository.WebDAVConfig{
				URL: "https://h/images", Username: "bosh", Password: password, PublicURL: "http://10.0.0.1:8080/img/",
			},
			"http://10.0.0.1:8080/img/a%20b/c",
		},
		{
			"public with credentials of its own",
			repository.WebDAVConfig{
				URL: "https://h/images", Username: "bosh", Password: password, PublicURL: "http://reader:r%40@h/img",
			},
			"http://reader:r%40@h/img/a%20b/c",
		},
	}
	for _, tt := range tests {
		got, err := openWebDAV(t, tt.c).URL(t.Context(), "a b/c", time.Hour)
		if err != nil || got != tt.want {
			t.Errorf("%s: URL = %s, %v; want %s", tt.name, got, err, tt.want)
		}
	}
}

func TestNewWebDAVRefuses(t *testing.T) {
	for _, c := range []repository.WebDAVConfig{
		{},
		{URL: "h/images"},
		{URL: "dav://h/images"},
		{URL: "http://u:hunter2@h:x/"},
		{URL: "http://h/?hunter2"},
		{URL: "http://h/", PublicURL: "//u:hunter2@h"},
		{URL: "https://h", TLS: tlsclient.Config{CA: "hunter2"}},
		{URL: "https://h", TLS: tlsclient.Config{ClientKey: secret.New("hunter2")}},
		{URL: "https://h", TLS: tlsclient.Config{ClientCert: "hunter2"}},
	} {
		_, err := repository.NewWebDAV(c)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("NewWebDAV(%+v) error = %v", c, err)
		}
	}
}
