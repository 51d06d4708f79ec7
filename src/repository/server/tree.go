package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"bosh-ironic-cpi/src/httpauth"
	"bosh-ironic-cpi/src/repository/spool"
	"bosh-ironic-cpi/src/signedurl"
	"bosh-ironic-cpi/src/wait"
)

// TreeConfig says what to serve, and to whom.
type TreeConfig struct {
	Name string // first part of the path: "images" is served below /images/
	Dir  string // made when it is missing

	Users         *httpauth.Users // who may read and write; nil: everybody
	Readers       *httpauth.Users // who may read besides; nil: nobody in particular
	AnyoneMayRead bool
	Key           signedurl.Key // what signed addresses are checked with
	Listing       bool          // show folders to those who may read

	Quota   int64 // bytes that the tree may hold; 0: as many as there are
	MinFree int64 // bytes that uploads leave free on the disk
	MaxFile int64 // bytes of the longest file; 0: any

	Log     *slog.Logger
	Metrics prometheus.Registerer // may be nil
}

// A Tree is one directory that is served.
type Tree struct {
	TreeConfig
	spool spool.Spool
	lock  *os.File
	space *space
	locks locks
	turns wait.Turns // of writers, by path
}

// inUse is the file whose lock says that a process serves the directory.
const inUse = spool.Folder + "/in-use"

// NewTree opens the directory, measures it, and removes what a killed process has left of its uploads.
func NewTree(ctx context.Context, c TreeConfig) (*Tree, error) {
	t := &Tree{TreeConfig: c}
	dir, err := filepath.Abs(c.Dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = t.open(ctx, dir)
	}
	if err != nil {
		_ = t.Close()
		return nil, fmt.Errorf("directory %s: %w", c.Dir, err)
	}
	return t, nil
}

func (t *Tree) open(ctx context.Context, dir string) (err error) {
	t.spool = spool.Spool{FileMode: 0o600, FolderMode: 0o700}
	if t.spool.Root, err = os.OpenRoot(dir); err != nil {
		return err
	}
	if err = t.spool.Root.MkdirAll(spool.Folder, 0o700); err != nil {
		return err
	}
	if t.lock, err = t.spool.Root.OpenFile(inUse, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return err
	}
	if err = syscall.Flock(int(t.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return errors.New("is used by another process")
	}
	if err = t.clear(); err != nil {
		return err
	}
	if t.space, err = newSpace(ctx, t.spool.Root, t.Quota, t.MinFree); err != nil {
		return err
	}
	return t.register(t.Metrics)
}

// clear removes all uploads without a name: they were a process's that is gone.
func (t *Tree) clear() error {
	folder, err := t.spool.Root.Open(spool.Folder)
	if err != nil {
		return err
	}
	defer folder.Close()
	names, err := folder.Readdirnames(-1)
	for _, name := range names {
		if name != path.Base(inUse) {
			err = errors.Join(err, t.spool.Root.RemoveAll(path.Join(spool.Folder, name)))
		}
	}
	return err
}

// Close gives the directory free.
func (t *Tree) Close() error {
	var err error
	if t.lock != nil {
		err = t.lock.Close()
	}
	if t.spool.Root != nil {
		err = errors.Join(err, t.spool.Root.Close())
	}
	return err
}

// Routes is the one path that the tree is served below.
func (t *Tree) Routes() map[string]http.Handler {
	return map[string]http.Handler{"/" + t.Name + "/": t}
}

const (
	measureEvery = time.Hour
	stale        = 24 * time.Hour
)

// Run measures the tree every hour, because others may write the directory too, and removes uploads that clients
// began under a temporary name and gave up.
func (t *Tree) Run(ctx context.Context) error {
	for {
		if err := wait.Pause(ctx, measureEvery); err != nil {
			return nil //nolint:nilerr // the end
		}
		abandoned, err := t.space.measure(ctx)
		for _, name := range abandoned {
			err = errors.Join(err, t.spool.RemoveAll(name))
		}
		if err != nil && ctx.Err() == nil {
			t.Log.WarnContext(ctx, "tree could not be measured", "tree", t.Name, "err", err)
		}
	}
}

// Ready returns why files cannot be written, or nil.
func (t *Tree) Ready(context.Context) error {
	if _, err := t.spool.Root.Stat(spool.Folder); err != nil {
		return err
	}
	claim, err := t.space.claim(0)
	if err == nil {
		claim.drop()
	}
	return err
}

// Exists reports whether there is a file or a folder at a path below the tree.
func (t *Tree) Exists(_ context.Context, name string) (bool, error) {
	key, ok := keyOf(name)
	if !ok {
		return false, nil
	}
	_, err := t.spool.Root.Stat(key)
	if isMissing(err) {
		return false, nil
	}
	return err == nil, err
}

// Remove removes a file, or a folder with all below it.
func (t *Tree) Remove(ctx context.Context, name string) (found bool, err error) {
	key, ok := keyOf(name)
	if !ok || key == "." {
		return false, nil
	}
	if found, err = t.Exists(ctx, name); !found || err != nil {
		return found, err
	}
	return true, t.removeAll(key)
}

// removeAll removes what is at key, and counts what becomes free.
func (t *Tree) removeAll(key string) error {
	freed, _ := sizeOf(t.spool.Root, key) // at the next measuring at the latest, it is right
	err := t.spool.RemoveAll(key)
	if err == nil {
		t.space.give(freed)
	}
	return err
}

// keyOf is the path below the directory that a slash-separated name means, "." for the top. ok is false for a
// name that no file can have, and for those of uploads under way.
func keyOf(name string) (key string, ok bool) {
	key = strings.Trim(name, "/")
	if key == "" {
		return ".", true
	}
	first := true
	for element := range strings.SplitSeq(key, "/") {
		if element == "" || element == "." || element == ".." || len(element) > 255 || first && element == spool.Folder {
			return "", false
		}
		first = false
	}
	return key, !strings.ContainsRune(key, 0)
}

// isMissing is also true for a path below a file.
func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
