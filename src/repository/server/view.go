package server

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path"

	"golang.org/x/net/webdav"

	"bosh-ironic-cpi/src/etag"
)

// What a request can fail with besides what the file system says.
var (
	errReserved  = errors.New("name is reserved")
	errCondition = errors.New("condition does not hold")
	errTooLong   = errors.New("file is too long")
	errBroken    = errors.New("body broke off")
	errIsFolder  = errors.New("a folder has this name")
	errNoParent  = errors.New("there is no folder above")
)

// A view is the tree as one request sees it: a webdav.FileSystem that knows what the request is about, and
// remembers what decided its answer.
type view struct {
	tree     *Tree
	request  *http.Request
	source   string // key of the request's path
	failure  error  // the first one
	replaced bool   // a file was there before
}

var _ webdav.FileSystem = (*view)(nil)

// failed remembers why, and passes it on.
func (v *view) failed(err error) error {
	if err != nil && v.failure == nil && !isMissing(err) {
		v.failure = err
	}
	return err
}

// key is what a name means, or why there can be no such file.
func (v *view) key(name string) (string, error) {
	key, ok := keyOf(name)
	if !ok {
		return "", v.failed(errReserved)
	}
	return key, nil
}

// Stat implements webdav.FileSystem.
func (v *view) Stat(_ context.Context, name string) (os.FileInfo, error) {
	key, err := v.key(name)
	if err != nil {
		return nil, err
	}
	info, err := v.tree.spool.Root.Stat(key)
	if isMissing(err) {
		return nil, fs.ErrNotExist // below a file there is nothing
	}
	if err != nil {
		return nil, v.failed(err)
	}
	return tagged{info}, nil
}

// tagged is a FileInfo with our ETag.
type tagged struct{ fs.FileInfo }

// ETag implements webdav.ETager.
func (t tagged) ETag(context.Context) (string, error) { return tagOf(t.FileInfo), nil }

// Mkdir implements webdav.FileSystem.
func (v *view) Mkdir(_ context.Context, name string, _ os.FileMode) error {
	key, err := v.key(name)
	if err != nil {
		return err
	}
	s := &v.tree.spool
	if err := s.Root.Mkdir(key, s.FolderMode); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return err // 405, as the standard wants
		}
		return v.failed(err)
	}
	return v.failed(s.Sync(path.Dir(key)))
}

// OpenFile implements webdav.FileSystem. Who creates gets an upload, which becomes a file when it is closed.
func (v *view) OpenFile(_ context.Context, name string, flag int, _ os.FileMode) (webdav.File, error) {
	key, err := v.key(name)
	if err != nil {
		return nil, err
	}
	if flag&os.O_CREATE != 0 {
		return v.upload(key)
	}
	f, err := v.tree.spool.Root.Open(key)
	if err != nil {
		return nil, v.failed(err)
	}
	return &file{File: f, tree: v.tree, key: key}, nil
}

// RemoveAll implements webdav.FileSystem. Before COPY and MOVE the library removes what is at the destination; where
// a file takes a file's place that is left to the renaming, so that readers always find one.
func (v *view) RemoveAll(_ context.Context, name string) error {
	key, err := v.key(name)
	if err != nil {
		return err
	}
	if v.request.Method == http.MethodDelete {
		if err := v.condition(key); err != nil {
			return v.failed(err)
		}
	} else if v.isFile(v.source) && v.isFile(key) {
		return nil
	}
	return v.failed(v.tree.removeAll(key))
}

func (v *view) isFile(key string) bool {
	info, err := v.tree.spool.Root.Stat(key)
	return err == nil && info.Mode().IsRegular()
}

// Rename implements webdav.FileSystem.
func (v *view) Rename(_ context.Context, from, to string) error {
	old, err := v.key(from)
	if err != nil {
		return err
	}
	key, err := v.key(to)
	if err != nil {
		return err
	}
	s := &v.tree.spool
	if _, err := s.Root.Stat(path.Dir(key)); err != nil {
		return v.failed(errNoParent)
	}
	replaced := int64(0)
	if info, err := s.Root.Stat(key); err == nil {
		replaced = info.Size()
	}
	if err := s.Root.Rename(old, key); err != nil {
		return v.failed(err)
	}
	v.tree.space.give(replaced)
	if path.Dir(old) != path.Dir(key) {
		err = s.Sync(path.Dir(old))
	}
	return v.failed(errors.Join(err, s.Sync(path.Dir(key))))
}

// condition is errCondition unless what the request asks of the file that is there holds.
func (v *view) condition(key string) error {
	if !etag.Holds(v.request, func() string { return v.tagAt(key) }) {
		return errCondition
	}
	return nil
}

// tagAt is the ETag of what is at a name, "" where there is nothing.
func (v *view) tagAt(name string) string {
	key, ok := keyOf(name)
	if !ok {
		return ""
	}
	info, err := v.tree.spool.Root.Stat(key)
	if err != nil {
		return ""
	}
	return tagOf(info)
}
