package repository

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"bosh-ironic-cpi/src/repository/spool"
	"bosh-ironic-cpi/src/signedurl"
)

// DirConfig says where a [Dir] keeps its files.
type DirConfig struct {
	Root string // the directory; made when it is missing

	// PublicURL is where a web server publishes Root. Empty: URL gives file:// addresses, for an Ironic
	// or a conductor on this machine.
	PublicURL string

	// Shared makes files and folders readable for all, for a web server that runs as another user.
	Shared bool

	// Key signs the addresses below PublicURL, so that they need no credentials and expire.
	Key signedurl.Key
}

// Dir is a [Store] in a local directory. Files are synced to disk before they get their name, and no symbolic link
// leads out of the directory.
type Dir struct {
	spool  spool.Spool
	public *url.URL
	key    signedurl.Key
}

var _ Store = (*Dir)(nil)

// NewDir opens the directory, and makes it when it is missing.
func NewDir(c DirConfig) (*Dir, error) {
	if c.Root == "" {
		return nil, errors.New("repository directory: no path given")
	}
	root, err := filepath.Abs(c.Root)
	if err != nil {
		return nil, fmt.Errorf("repository directory %s: %w", c.Root, err)
	}
	d := &Dir{public: &url.URL{Scheme: "file", Path: strings.TrimRight(root, "/")}}
	d.spool.FileMode, d.spool.FolderMode = 0o600, 0o700
	if c.Shared {
		d.spool.FileMode, d.spool.FolderMode = 0o644, 0o755
	}
	if c.PublicURL != "" {
		if d.public, err = parseBase(c.PublicURL); err != nil {
			return nil, fmt.Errorf("repository's public address: %w", err)
		}
		d.key = c.Key
	}
	err = os.MkdirAll(root, d.spool.FolderMode)
	if err == nil {
		d.spool.Root, err = os.OpenRoot(root)
	}
	if err != nil {
		return nil, dirError("repository directory", err)
	}
	return d, nil
}

// stale is when an upload that nobody finished is taken for a killed process's.
const stale = 24 * time.Hour

// Close gives the directory free.
func (d *Dir) Close() error { return d.spool.Root.Close() }

// Upload implements [Store].
func (d *Dir) Upload(ctx context.Context, r io.Reader, size int64) (Draft, error) {
	_ = d.spool.Sweep(stale) // whoever comes next tries again
	src := &source{ctx: ctx, r: r, size: size}
	file, err := d.spool.Write(src)
	_, readErr := src.take()
	switch {
	case readErr != nil:
		return nil, fmt.Errorf("upload: %w", readErr)
	case err != nil:
		return nil, dirError("upload", err)
	}
	return &dirDraft{file: file}, nil
}

// Open implements [Store].
func (d *Dir) Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := ready(ctx, key); err != nil {
		return nil, err
	}
	f, err := d.spool.Root.Open(key)
	if err != nil {
		return nil, dirError("read "+key, missing(err))
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = ErrNotFound
	}
	if err == nil {
		_, err = f.Seek(offset, io.SeekStart)
	}
	if err != nil {
		_ = f.Close()
		return nil, dirError("read "+key, err)
	}
	if length < 0 {
		return f, nil
	}
	return limited(f, length), nil
}

// Stat implements [Store].
func (d *Dir) Stat(ctx context.Context, key string) (Info, error) {
	if err := ready(ctx, key); err != nil {
		return Info{}, err
	}
	info, err := d.spool.Root.Stat(key)
	if err == nil && !info.Mode().IsRegular() {
		err = ErrNotFound
	}
	if err != nil {
		return Info{}, dirError("look for "+key, missing(err))
	}
	return Info{Key: key, Size: info.Size(), Modified: info.ModTime()}, nil
}

// Delete implements [Store].
func (d *Dir) Delete(ctx context.Context, key string) error {
	if err := ready(ctx, key); err != nil {
		return err
	}
	return dirError("delete "+key, d.spool.RemoveAll(key))
}

// URL implements [Store]. Without a key the address does not expire.
func (d *Dir) URL(_ context.Context, key string, lifetime time.Duration) (string, error) {
	return address(d.public, key, d.key, lifetime)
}

// ready checks what every call with a key starts with.
func ready(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

// A dirDraft is a file in the spool.
type dirDraft struct{ file *spool.File }

// Commit implements [Draft].
func (d *dirDraft) Commit(ctx context.Context, key string) error {
	if err := ready(ctx, key); err != nil {
		return err
	}
	return dirError("store "+key, d.file.Rename(key))
}

// Discard implements [Draft].
func (d *dirDraft) Discard(context.Context) error { return dirError("discard upload", d.file.Remove()) }

// missing is ErrNotFound for a key below a file: there can be nothing.
func missing(err error) error {
	if errors.Is(err, syscall.ENOTDIR) {
		return ErrNotFound
	}
	return err
}

// dirError finds the store's word for a file system's error. It returns nil for nil.
func dirError(doing string, err error) error {
	kind := error(nil)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrNotFound):
	case errors.Is(err, fs.ErrNotExist):
		kind = ErrNotFound
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		kind = ErrFull
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		kind = ErrUnauthorized
	case errors.Is(err, syscall.EIO), errors.Is(err, syscall.ESTALE):
		kind = ErrUnavailable
	}
	if kind == nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return fmt.Errorf("%s: %w: %w", doing, kind, err)
}

// limited reads n bytes of rc, at most, and closes it.
func limited(rc io.ReadCloser, n int64) io.ReadCloser {
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(rc, n), rc}
}
