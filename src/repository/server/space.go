package server

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"syscall"
	"time"

	"bosh-ironic-cpi/src/repository/spool"
)

// space watches over what a tree holds and what is free on its disk. Uploads claim their room before they come.
type space struct {
	root           *os.Root
	quota, minFree int64

	mu      sync.Mutex
	stored  int64 // bytes of files
	claimed int64 // bytes of uploads under way, as far as they are announced
	pending int64 // of those, what is not on the disk yet
}

func newSpace(ctx context.Context, root *os.Root, quota, minFree int64) (*space, error) {
	s := &space{root: root, quota: quota, minFree: minFree}
	_, err := s.measure(ctx)
	return s, err
}

// A claim is the room of one upload.
type claim struct {
	space          *space
	bytes, pending int64
}

// claim claims n bytes. The error is syscall.ENOSPC where there is no room, for 0 bytes too.
func (s *space) claim(n int64) (*claim, error) {
	c := &claim{space: s}
	if err := c.grow(n); err != nil {
		return nil, err
	}
	return c, nil
}

// grow claims n bytes more.
func (c *claim) grow(n int64) error {
	s := c.space
	free, err := s.free()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if used := s.stored + s.claimed; s.quota > 0 && used+n > s.quota {
		return fmt.Errorf("quota of %d bytes is reached: %w", s.quota, syscall.ENOSPC)
	}
	if free-s.pending-n < s.minFree {
		return fmt.Errorf("%d bytes are free, of which %d must stay so: %w", free-s.pending, s.minFree, syscall.ENOSPC)
	}
	s.claimed += n
	s.pending += n
	c.bytes += n
	c.pending += n
	return nil
}

// wrote notes that n of the bytes are on the disk.
func (c *claim) wrote(n int64) {
	c.space.mu.Lock()
	defer c.space.mu.Unlock()
	c.space.pending -= n
	c.pending -= n
}

// store notes that the upload has become a file of so many bytes, in place of one with old bytes.
func (c *claim) store(size, old int64) {
	c.drop()
	c.space.mu.Lock()
	defer c.space.mu.Unlock()
	c.space.stored = max(0, c.space.stored+size-old)
}

// drop gives up what is claimed. It may be called again.
func (c *claim) drop() {
	c.space.mu.Lock()
	defer c.space.mu.Unlock()
	c.space.claimed -= c.bytes
	c.space.pending -= c.pending
	c.bytes, c.pending = 0, 0
}

// give notes that files of n bytes have gone.
func (s *space) give(n int64) {
	s.mu.Lock()
	s.stored = max(0, s.stored-n)
	s.mu.Unlock()
}

// free is what the disk has, for a user who is not root.
func (s *space) free() (int64, error) {
	top, err := s.root.Open(".")
	if err != nil {
		return 0, err
	}
	defer top.Close()
	var disk syscall.Statfs_t
	if err := syscall.Fstatfs(int(top.Fd()), &disk); err != nil {
		return 0, err
	}
	return int64(disk.Bavail) * disk.Bsize, nil //nolint:gosec // no disk has 2^63 bytes
}

// available is how much more the tree takes.
func (s *space) available() int64 {
	free, err := s.free()
	if err != nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	room := free - s.pending - s.minFree
	if s.quota > 0 {
		room = min(room, s.quota-s.stored-s.claimed)
	}
	return max(0, room)
}

// used is what files and uploads take.
func (s *space) used() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stored + s.claimed
}

// measure counts anew. What was written meanwhile may be counted or not; the next time it is. It also finds uploads
// that WebDAV clients have begun under a temporary name, long ago.
func (s *space) measure(ctx context.Context) (abandoned []string, err error) {
	var all int64
	err = fs.WalkDir(s.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && name != ".":
			return nil // gone since
		case err != nil:
			return err
		case name == spool.Folder:
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return nil //nolint:nilerr // gone since
		}
		all += info.Size()
		if strings.HasPrefix(path.Base(name), temporary) && time.Since(info.ModTime()) > stale {
			abandoned = append(abandoned, name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.stored = all
	s.mu.Unlock()
	return abandoned, nil
}

// temporary begins the names under which our own WebDAV client uploads.
const temporary = ".upload-"

// sizeOf counts the bytes of a file, or of all files below a folder.
func sizeOf(root *os.Root, key string) (all int64, err error) {
	err = fs.WalkDir(root.FS(), key, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			all += info.Size()
		}
		return err
	})
	return all, err
}
