package spool_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"bosh-ironic-cpi/src/repository/spool"
)

func open(t *testing.T) (*spool.Spool, string) {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return &spool.Spool{Root: root, FileMode: 0o640, FolderMode: 0o750}, dir
}

func TestWriteAndRename(t *testing.T) {
	s, dir := open(t)
	for _, text := range []string{"first", "second and longer"} {
		f, err := s.Write(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		err = f.Change(func(open *os.File) error {
			_, err := open.WriteAt([]byte("!"), int64(len(text)))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if f.Size != int64(len(text)) {
			t.Errorf("Size = %d; want %d", f.Size, len(text))
		}
		if err := f.Rename("a/b/f"); err != nil {
			t.Fatal(err)
		}
		if err := f.Remove(); err != nil {
			t.Errorf("Remove after Rename: %v", err)
		}
		got, err := os.ReadFile(filepath.Join(dir, "a/b/f"))
		if err != nil || string(got) != text+"!" {
			t.Errorf("the file holds %q, %v; want %q", got, err, text+"!")
		}
	}
	for name, want := range map[string]os.FileMode{"a": 0o750, "a/b": 0o750, "a/b/f": 0o640, spool.Folder: 0o700} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v; want %v", name, info.Mode().Perm(), err, want)
		}
	}
}

func TestNothingIsLeftAfterAnError(t *testing.T) {
	s, dir := open(t)
	broken := errors.New("broken")
	if _, err := s.Write(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("Write of a broken reader: %v", err)
	}
	f, err := s.Write(strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "folder/full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := f.Rename("folder"); err == nil {
		t.Error("a file took a folder's name")
	}
	for range 2 {
		if err := f.Remove(); err != nil {
			t.Error(err)
		}
	}
	if left, err := os.ReadDir(filepath.Join(dir, spool.Folder)); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestRemoveAll(t *testing.T) {
	s, dir := open(t)
	f, err := s.Write(strings.NewReader("x"))
	if err == nil {
		err = f.Rename("a/b/f")
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"none", "a/b/f/below", "a/b/f", "a", "a"} {
		if err := s.RemoveAll(name); err != nil {
			t.Errorf("RemoveAll(%s): %v", name, err)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if _, gone := os.Stat(filepath.Join(dir, "a")); gone == nil || err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestSweep(t *testing.T) {
	s, dir := open(t)
	if err := s.Sweep(0); err != nil {
		t.Errorf("Sweep where nothing was written: %v", err)
	}
	old, err := s.Write(io.LimitReader(strings.NewReader("x"), 1))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Sweep(time.Hour); err != nil {
		t.Error(err)
	}
	if err := old.Rename("kept"); err != nil {
		t.Errorf("an upload under way was swept: %v", err)
	}
	if _, err := s.Write(strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if err := s.Sweep(0); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, spool.Folder)); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
