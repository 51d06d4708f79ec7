// Package spool writes files beside their place in a directory and renames them in, so that nobody ever sees half
// of one, neither a reader nor who comes after a power cut.
//
// Everything happens below an [os.Root]: no path and no symbolic link leads out of the directory. Files that have no
// name yet lie in the folder [Folder] at its top; a process that was killed leaves them there for [Spool.Sweep].
//
// Start at [Spool.Write].
package spool

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"
	"time"
)

// Folder is where files without a name lie.
const Folder = ".uploads"

// A Spool belongs to one directory. Several may belong to the same one, in several processes.
type Spool struct {
	Root       *os.Root
	FileMode   fs.FileMode // of files
	FolderMode fs.FileMode // of folders that are made above them
}

// A File is on disk and has no name yet. Call Rename or Remove.
type File struct {
	spool *Spool
	name  string // "" once it has a name of its own
	Size  int64  // bytes
}

// Write copies src into a new file, to the disk itself. Nothing is left behind after an error; an error of src comes
// back wrapped.
func (s *Spool) Write(src io.Reader) (*File, error) {
	if err := s.Root.MkdirAll(Folder, 0o700); err != nil {
		return nil, err
	}
	file := &File{spool: s, name: path.Join(Folder, rand.Text())}
	f, err := s.Root.OpenFile(file.name, os.O_CREATE|os.O_EXCL|os.O_RDWR, s.FileMode)
	if err != nil {
		return nil, err
	}
	file.Size, err = io.CopyBuffer(struct{ io.Writer }{f}, src, make([]byte, 256<<10))
	if err == nil {
		err = f.Chmod(s.FileMode) // whatever the umask is
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, errors.Join(err, file.Remove())
	}
	return file, nil
}

// Change opens the file again, and syncs what was done to it.
func (f *File) Change(do func(*os.File) error) error {
	open, err := f.spool.Root.OpenFile(f.name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	err = do(open)
	if err == nil {
		err = open.Sync()
	}
	return errors.Join(err, open.Close())
}

// Stat describes the file. Its inode and times stay the same when it gets its name.
func (f *File) Stat() (fs.FileInfo, error) { return f.spool.Root.Stat(f.name) }

// Rename gives the file its name, in place of an older file, and makes the folders above.
func (f *File) Rename(name string) error {
	s := f.spool
	var err error
	for range 3 { // the folder may be deleted between the two steps by somebody else
		if err = s.Root.MkdirAll(path.Dir(name), s.FolderMode); err != nil {
			return err
		}
		if err = s.Root.Rename(f.name, name); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return err
	}
	f.name = ""
	return s.Sync(path.Dir(name))
}

// Remove removes a file that has got no name. It is no error when it is gone, or has one.
func (f *File) Remove() error {
	if f.name == "" {
		return nil
	}
	if err := f.spool.Root.Remove(f.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Sync makes what was done to the names in a folder survive a power cut.
func (s *Spool) Sync(folder string) error {
	f, err := s.Root.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// RemoveAll makes a file or folder disappear in one step, and then removes what it held. It is no error when there
// is none.
func (s *Spool) RemoveAll(name string) error {
	info, err := s.Root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR): // a file stands above: nothing below it
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		if err := s.Root.Remove(name); err != nil {
			return err
		}
		return s.Sync(path.Dir(name))
	}
	if err := s.Root.MkdirAll(Folder, 0o700); err != nil {
		return err
	}
	aside := path.Join(Folder, rand.Text())
	if err := s.Root.Rename(name, aside); err != nil {
		return s.Root.RemoveAll(name) // the top of another file system: as well as may be
	}
	return errors.Join(s.Sync(path.Dir(name)), s.Root.RemoveAll(aside))
}

// Sweep removes files without a name that are older than age: their process has been killed.
func (s *Spool) Sweep(age time.Duration) error {
	folder, err := s.Root.Open(Folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer folder.Close()
	names, err := folder.ReadDir(-1)
	for _, one := range names {
		info, gone := one.Info()
		if gone != nil || time.Since(info.ModTime()) < age {
			continue
		}
		if failed := s.Root.RemoveAll(path.Join(Folder, one.Name())); failed != nil { // another process may sweep too
			err = errors.Join(err, fmt.Errorf("remove what a killed upload has left: %w", failed))
		}
	}
	return err
}
