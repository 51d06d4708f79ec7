// Package repository keeps files that servers fetch: stemcell images, config drives, settings.
//
// A [Store] has two implementations here: [Dir], a local directory, and [WebDAV], a client of any WebDAV
// server. Both stream, so that memory stays bounded whatever the size of a file, and both let a new file be
// seen only whole: it is written under a temporary name and moved to its own. A process that is killed in
// between leaves the temporary file: .upload-* at the top of the store, which no key can name.
//
// What the contract means in practice is written as tests, in package repositorytest.
package repository

import (
	"context"
	"errors"
	"io"
	"time"
)

// What a caller acts on.
var (
	ErrNotFound     = errors.New("no such file in the repository")
	ErrUnauthorized = errors.New("repository refused the credentials")
	ErrFull         = errors.New("repository has no room left")
	ErrUnavailable  = errors.New("repository does not answer")
	ErrBadKey       = errors.New("not a file name for the repository")
	ErrSize         = errors.New("not as long as announced")
)

// Info describes a file.
type Info struct {
	Key      string
	Size     int64 // bytes
	Modified time.Time
}

// A Store keeps files under keys: relative slash-separated paths such as "vms/3f2c/user-data". Keys with
// empty, "." or ".." elements, elements of more than 255 bytes, control characters or bytes that are not
// UTF-8, a leading slash, or a first element that starts with ".upload" are [ErrBadKey].
//
// Every method may fail with [ErrUnauthorized] or [ErrUnavailable]; when ctx ends first, with its error.
// Several processes may use one store at once.
type Store interface {
	// Upload reads r to its end into a temporary file. size is in bytes, or -1 when it is not known; a
	// reader that ends early or late is ErrSize, an error of r is returned wrapped. Nothing is left behind
	// after an error, and r is not read any more once Upload has returned. ErrFull.
	Upload(ctx context.Context, r io.Reader, size int64) (Draft, error)

	// Open reads length bytes from offset; a negative length reads to the end, and so does one that
	// reaches beyond it. ErrNotFound, also for a folder. ctx must live until the reader is closed.
	Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)

	// Stat returns ErrNotFound when there is no such file; a folder is none.
	Stat(ctx context.Context, key string) (Info, error)

	// Delete removes a file, or a folder (key without trailing slash) with all below it. It is no error
	// when there is nothing to remove.
	Delete(ctx context.Context, key string) error

	// URL gives an address where a server can fetch key for at least lifetime; the file need not exist
	// yet. A store that cannot sign gives its plain address, which may hold a password: callers keep
	// secrets in keys that cannot be guessed and delete them early.
	URL(ctx context.Context, key string, lifetime time.Duration) (string, error)
}

// A Draft is an uploaded file that has no name yet. Call Commit or Discard; after a Commit that failed,
// Discard. Discard after a Commit that succeeded does nothing, so it can be deferred.
type Draft interface {
	// Commit gives the file its name, replacing an older one in one step, and makes the folders above it.
	Commit(ctx context.Context, key string) error
	// Discard removes the file. It is no error when it is gone.
	Discard(ctx context.Context) error
}
