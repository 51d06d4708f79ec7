package repository_test

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"bosh-ironic-cpi/src/repository"
	"bosh-ironic-cpi/src/repository/repositorytest"
	"bosh-ironic-cpi/src/secret"
	"bosh-ironic-cpi/src/signedurl"
)

func openDir(t *testing.T, c repository.DirConfig) *repository.Dir {
	t.Helper()
	d, err := repository.NewDir(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func TestDir(t *testing.T) {
	repositorytest.Run(t, repositorytest.Rig{
		ReplacesAtOnce: true,
		Open: func(t *testing.T) (repository.Store, string) {
			root := filepath.Join(t.TempDir(), "made by NewDir")
			return openDir(t, repository.DirConfig{Root: root}), root
		},
	})
}

// store puts content into s.
func store(t *testing.T, s repository.Store, key, content string) {
	t.Helper()
	draft, err := s.Upload(t.Context(), strings.NewReader(content), int64(len(content)))
	if err == nil {
		err = draft.Commit(t.Context(), key)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestDirModes(t *testing.T) {
	tests := []struct {
		shared       bool
		file, folder os.FileMode
	}{
		{false, 0o600, 0o700},
		{true, 0o644, 0o755},
	}
	for _, tt := range tests {
		root := filepath.Join(t.TempDir(), "root")
		store(t, openDir(t, repository.DirConfig{Root: root, Shared: tt.shared}), "vms/f", "x")
		for path, want := range map[string]os.FileMode{"vms/f": tt.file, "vms": tt.folder, ".": tt.folder, ".uploads": 0o700} {
			info, err := os.Stat(filepath.Join(root, path))
			if err != nil || info.Mode().Perm() != want {
				t.Errorf("shared %v: %s has mode %v, %v; want %v", tt.shared, path, info.Mode().Perm(), err, want)
			}
		}
	}
}

func TestDirURL(t *testing.T) {
	tests := []struct{ root, public, want string }{
		{"/srv/a b", "", "file:///srv/a%20b/vms/%C3%BC%25"},
		{"/srv", "https://h:8443/images/", "https://h:8443/images/vms/%C3%BC%25"},
		{"/srv", "http://u:p%40@h/a%20b", "http://u:p%40@h/a%20b/vms/%C3%BC%25"},
	}
	for _, tt := range tests {
		root := filepath.Join(t.TempDir(), tt.root)
		got, err := openDir(t, repository.DirConfig{Root: root, PublicURL: tt.public}).URL(t.Context(), "vms/ü%", time.Hour)
		want := strings.Replace(tt.want, "file://", "file://"+strings.TrimSuffix(root, tt.root), 1)
		if err != nil || got != want {
			t.Errorf("URL = %s, %v; want %s", got, err, want)
		}
	}
	for _, address := range []string{"h/images", "ftp://h", "http://u:hunter2@h:x/", "http://h/?q"} {
		_, err := repository.NewDir(repository.DirConfig{Root: t.TempDir(), PublicURL: address})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("NewDir with public address %s: %v", address, err)
		}
	}
}

func TestDirRemovesWhatKilledProcessesLeft(t *testing.T) {
	root := t.TempDir()
	d := openDir(t, repository.DirConfig{Root: root})
	running, err := d.Upload(t.Context(), strings.NewReader("x"), 1)
	if err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(root, ".uploads", "old")
	if err := os.WriteFile(old, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-25 * time.Hour)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	store(t, d, "f", "x")
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the leftover of yesterday is still there: %v", err)
	}
	if err := running.Commit(t.Context(), "g"); err != nil {
		t.Errorf("an upload under way was removed: %v", err)
	}
}

func TestDirFull(t *testing.T) {
	root := t.TempDir()
	if err := syscall.Mount("tmpfs", root, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("needs root to mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(root, 0); err != nil {
			t.Error(err)
		}
	})
	d := openDir(t, repository.DirConfig{Root: root})
	if _, err := d.Upload(t.Context(), strings.NewReader(strings.Repeat("x", 2<<20)), -1); !errors.Is(err, repository.ErrFull) {
		t.Errorf("Upload to a full disk: %v; want ErrFull", err)
	}
	store(t, d, "f", strings.Repeat("x", 1<<19)) // the failed upload has left nothing
}

func TestDirRefused(t *testing.T) {
	root := t.TempDir()
	d := openDir(t, repository.DirConfig{Root: root})
	if err := os.Chmod(root, 0o500); err != nil {
		t.Fatal(err)
	}
	refused := make(chan error)
	go func() {
		if os.Getuid() == 0 { // who may do everything: not on this thread, which ends with the goroutine
			runtime.LockOSThread()
			if err := syscall.Setfsuid(65534); err != nil {
				t.Error(err)
			}
		}
		_, err := d.Upload(t.Context(), strings.NewReader("x"), 1)
		refused <- err
	}()
	if err := <-refused; !errors.Is(err, repository.ErrUnauthorized) {
		t.Errorf("Upload into a folder that may not be written: %v; want ErrUnauthorized", err)
	}
}

func TestNewDirNeedsAPath(t *testing.T) {
	if _, err := repository.NewDir(repository.DirConfig{}); err == nil {
		t.Error("NewDir without a path succeeded")
	}
}

// A link may stay inside; none leads out, neither for reading nor for writing.
func TestDirStaysInItsDirectory(t *testing.T) {
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	d := openDir(t, repository.DirConfig{Root: root})
	store(t, d, "inside/f", "x")
	for name, target := range map[string]string{"out": outside, "file": filepath.Join(outside, "secret"), "up": "../" + filepath.Base(outside), "in": "inside"} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := d.Open(t.Context(), "in/f", 0, -1); err != nil {
		t.Errorf("a link inside: %v", err)
	} else {
		r.Close()
	}
	for _, key := range []string{"out/secret", "file", "up/secret"} {
		if _, err := d.Open(t.Context(), key, 0, -1); err == nil {
			t.Errorf("Open of %s leads out", key)
		}
		if _, err := d.Stat(t.Context(), key); err == nil {
			t.Errorf("Stat of %s leads out", key)
		}
	}
	for _, key := range []string{"out/new", "up/new", "out/deep/new"} {
		draft, err := d.Upload(t.Context(), strings.NewReader("x"), 1)
		if err == nil {
			err = draft.Commit(t.Context(), key)
			_ = draft.Discard(t.Context())
		}
		if err == nil {
			t.Errorf("Commit of %s leads out", key)
		}
		_ = d.Delete(t.Context(), key)
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) != 1 {
		t.Errorf("outside there is now %v, %v", left, err)
	}
}

func TestURLIsSigned(t *testing.T) {
	key, err := signedurl.NewKey(secret.New(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	w, err := repository.NewWebDAV(repository.WebDAVConfig{URL: "https://user:hunter2@h:8081/images", Key: key})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []repository.Store{w, openDir(t, repository.DirConfig{Root: t.TempDir(), PublicURL: "https://h:8081/images/", Key: key})} {
		text, err := s.URL(t.Context(), "vms/ü%", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(text)
		if err != nil || u.Host != "h:8081" || u.Path != "/images/vms/ü%" || u.User != nil {
			t.Errorf("URL = %s, %v", text, err)
		}
		if err := key.Verify(u, time.Now().Add(59*time.Minute)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if err := key.Verify(u, time.Now().Add(61*time.Minute)); !errors.Is(err, signedurl.ErrExpired) {
			t.Errorf("%s, later: %v", text, err)
		}
	}
	local, err := openDir(t, repository.DirConfig{Root: "/tmp", Key: key}).URL(t.Context(), "f", time.Hour)
	if err != nil || local != "file:///tmp/f" {
		t.Errorf("URL of a local file = %s, %v", local, err)
	}
}
