package server

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/net/webdav"

	"bosh-ironic-cpi/src/repository/spool"
)

// An upload is a file that is being written, by PUT, COPY, or LOCK of a name that is free. It lies on the disk without
// a name, and gets it when it is closed, unless something went wrong.
type upload struct {
	view  *view
	key   string
	claim *claim
	file  *spool.File // nil: nothing was written yet
	props deadProps   // what the file is to have
}

var _ webdav.File = (*upload)(nil)

// upload begins one, if the request may and there is room for what it announces.
func (v *view) upload(key string) (*upload, error) {
	announced := int64(0)
	if v.request.Method == http.MethodPut {
		announced = max(0, v.request.ContentLength)
	}
	info, err := v.tree.spool.Root.Stat(key)
	switch {
	case err == nil && info.IsDir():
		return nil, v.failed(errIsFolder)
	case v.tree.MaxFile > 0 && announced > v.tree.MaxFile:
		return nil, v.failed(errTooLong)
	case v.request.Method == http.MethodPut:
		err = v.condition(key)
	default:
		if _, err = v.tree.spool.Root.Stat(path.Dir(key)); isMissing(err) {
			err = errNoParent // PUT alone makes folders, as nginx does
		}
	}
	if err != nil {
		return nil, v.failed(err)
	}
	claim, err := v.tree.space.claim(announced)
	if err != nil {
		return nil, v.failed(err)
	}
	return &upload{view: v, key: key, claim: claim}, nil
}

// ReadFrom implements io.ReaderFrom: the library copies into an upload once.
func (u *upload) ReadFrom(src io.Reader) (int64, error) {
	var err error
	if u.file != nil {
		return 0, u.view.failed(fmt.Errorf("upload of %s is written already", u.key))
	}
	u.file, err = u.view.tree.spool.Write(&watched{Reader: src, upload: u})
	if err != nil {
		return 0, u.view.failed(err)
	}
	return u.file.Size, nil
}

// A watched reader counts what goes to the disk, and stops where there is no room.
type watched struct {
	io.Reader
	upload *upload
	read   int64
}

// more is how much room is claimed at a time for a body whose length nobody knows.
const more = 4 << 20

// Read implements io.Reader.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	w.read += int64(n)
	u := w.upload
	if most := u.view.tree.MaxFile; most > 0 && w.read > most {
		return 0, errTooLong
	}
	if w.read > u.claim.bytes && u.claim.grow(max(more, int64(n))) != nil { // near the end, as much as it is
		if full := u.claim.grow(int64(n)); full != nil {
			return 0, full
		}
	}
	u.claim.wrote(int64(n))
	if err != nil && !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return n, fmt.Errorf("%w: %w", errBroken, err)
	}
	return n, err
}

// Close implements io.Closer: it gives the file its name.
func (u *upload) Close() error {
	defer u.claim.drop()
	v := u.view
	if v.failure == nil && u.file == nil {
		_, _ = u.ReadFrom(strings.NewReader("")) // its error is v.failure
	}
	if v.failure == nil {
		v.failed(u.store()) //nolint:errcheck // remembered
	}
	if u.file != nil {
		if err := u.file.Remove(); err != nil && v.failure == nil {
			return err
		}
	}
	return v.failure
}

// store puts the file in the place of the one that is there now.
func (u *upload) store() error {
	v, s := u.view, &u.view.tree.spool
	leave, err := v.tree.turns.Take(v.request.Context(), u.key)
	if err != nil {
		return err
	}
	defer leave()
	old, err := s.Root.Stat(u.key)
	replaced := int64(0)
	if err == nil {
		v.replaced, replaced = true, old.Size()
	}
	if v.request.Method == http.MethodPut {
		if err := v.condition(u.key); err != nil {
			return err
		}
		u.props = v.tree.propsOf(u.key) // a new content keeps them (RFC 4918, 9.7.1)
	}
	if len(u.props) > 0 {
		if err := u.file.Change(u.props.write); err != nil {
			return err
		}
	}
	if err := u.file.Rename(u.key); err != nil {
		return err
	}
	u.claim.store(u.file.Size, replaced)
	return nil
}

// Stat implements http.File.
func (u *upload) Stat() (fs.FileInfo, error) {
	if u.view.failure != nil {
		return nil, u.view.failure
	}
	if u.file == nil {
		if _, err := u.ReadFrom(strings.NewReader("")); err != nil {
			return nil, err
		}
	}
	info, err := u.file.Stat()
	if err != nil {
		return nil, u.view.failed(err)
	}
	return tagged{info}, nil
}

// DeadProps implements webdav.DeadPropsHolder.
func (u *upload) DeadProps() (propMap, error) { return u.props.all(), nil }

// Patch implements webdav.DeadPropsHolder: COPY gives a file its original's properties.
func (u *upload) Patch(patches []webdav.Proppatch) ([]webdav.Propstat, error) {
	for i, patch := range patches {
		patches[i].Props = slices.DeleteFunc(patch.Props, func(p webdav.Property) bool { return p.XMLName == lockDiscovery || p.XMLName == supportedLock })
	}
	u.props = u.props.patched(patches)
	return done(patches), nil
}

// Write implements io.Writer, which the library does not use here.
func (u *upload) Write([]byte) (int, error) { return 0, u.view.failed(errors.ErrUnsupported) }

// Read implements io.Reader: there is nothing to read yet.
func (u *upload) Read([]byte) (int, error) { return 0, io.EOF }

// Seek implements io.Seeker, which an upload cannot.
func (u *upload) Seek(int64, int) (int64, error) { return 0, errors.ErrUnsupported }

// Readdir implements http.File: an upload is no folder.
func (u *upload) Readdir(int) ([]os.FileInfo, error) { return nil, errors.ErrUnsupported }
