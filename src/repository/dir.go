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
)

// DirConfig says where a [Dir] keeps its files.
type DirConfig struct {
	Root string // the directory; made when it is missing

	// PublicURL is where a web server publishes Root. Empty: URL gives file:// addresses, for an Ironic
	// or a conductor on this machine.
	PublicURL string

	// Shared makes files and folders readable for all, for a web server that runs as another user.
	Shared bool
}

// Dir is a [Store] in a local directory. Files are synced to disk before they get their name.
type Dir struct {
	root           string
	public         *url.URL
	fileMode, mode fs.FileMode
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
	d := &Dir{root: root, public: &url.URL{Scheme: "file", Path: strings.TrimRight(root, "/")}, fileMode: 0o600, mode: 0o700}
	if c.Shared {
		d.fileMode, d.mode = 0o644, 0o755
	}
	if c.PublicURL != "" {
		if d.public, err = parseBase(c.PublicURL); err != nil {
			return nil, fmt.Errorf("repository's public address: %w", err)
		}
	}
	if err := os.MkdirAll(root, d.mode); err != nil {
		return nil, dirError("repository directory", err)
	}
	return d, nil
}

// stale is when an upload that nobody finished is taken for a killed process's.
const stale = 24 * time.Hour

// Upload implements [Store].
func (d *Dir) Upload(ctx context.Context, r io.Reader, size int64) (Draft, error) {
	folder := filepath.Join(d.root, temporary+"s")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, dirError("upload", err)
	}
	sweep(folder)
	f, err := os.CreateTemp(folder, "")
	if err != nil {
		return nil, dirError("upload", err)
	}
	src := &source{ctx: ctx, r: r, size: size}
	err = d.write(f, src)
	_, readErr := src.take()
	if err == nil {
		return &dirDraft{dir: d, path: f.Name()}, nil
	}
	err = dirError("upload", err)
	if readErr != nil {
		err = fmt.Errorf("upload: %w", readErr)
	}
	if gone := os.Remove(f.Name()); gone != nil {
		err = errors.Join(err, gone)
	}
	return nil, err
}

// write copies src to f, to the disk itself, and closes f.
func (d *Dir) write(f *os.File, src *source) error {
	_, err := io.CopyBuffer(struct{ io.Writer }{f}, src, make([]byte, 256<<10))
	if err == nil {
		err = f.Chmod(d.fileMode)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// sweep removes what killed processes have left. Another process may be sweeping too: errors do not matter.
func sweep(folder string) {
	entries, _ := os.ReadDir(folder)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > stale {
			_ = os.Remove(filepath.Join(folder, e.Name()))
		}
	}
}

// Open implements [Store].
func (d *Dir) Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := ready(ctx, key); err != nil {
		return nil, err
	}
	f, err := os.Open(d.path(key))
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
	info, err := os.Stat(d.path(key))
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
	err := os.RemoveAll(d.path(key))
	if errors.Is(err, syscall.ENOTDIR) { // a file stands above: nothing below it
		return nil
	}
	return dirError("delete "+key, err)
}

// URL implements [Store]. The address does not expire.
func (d *Dir) URL(_ context.Context, key string, _ time.Duration) (string, error) {
	if err := checkKey(key); err != nil {
		return "", err
	}
	return below(d.public, key).String(), nil
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

func (d *Dir) path(key string) string { return filepath.Join(d.root, filepath.FromSlash(key)) }

// A dirDraft is a file below .uploads; path is empty once it has its name.
type dirDraft struct {
	dir  *Dir
	path string
}

// Commit implements [Draft].
func (f *dirDraft) Commit(ctx context.Context, key string) error {
	if err := ready(ctx, key); err != nil {
		return err
	}
	target := f.dir.path(key)
	var err error
	for range 3 { // the folder may be deleted between the two steps by another process
		if err = os.MkdirAll(filepath.Dir(target), f.dir.mode); err != nil {
			break
		}
		if err = os.Rename(f.path, target); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return dirError("store "+key, err)
	}
	f.path = ""
	return dirError("store "+key, syncFolder(filepath.Dir(target)))
}

// Discard implements [Draft].
func (f *dirDraft) Discard(context.Context) error {
	if f.path == "" {
		return nil
	}
	if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return dirError("discard upload", err)
	}
	return nil
}

// syncFolder makes a rename survive a power cut.
func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

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
