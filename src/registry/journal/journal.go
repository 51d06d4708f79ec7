package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
)

// What a caller acts on. A disk that is full is syscall.ENOSPC.
var (
	ErrInUse   = errors.New("is used by another process")
	ErrDamaged = errors.New("is damaged")
	ErrFailed  = errors.New("takes no more writes: an earlier one did not reach the disk; restart when the disk is well")
	ErrClosed  = errors.New("is closed")
	ErrTooLong = errors.New("is too long")
)

// Options change what Open does. The zero value is good.
type Options struct {
	Metrics prometheus.Registerer // may be nil
	MinDead int64                 // bytes of old texts that are worth a new file; 64 MiB if zero
	Reserve int64                 // bytes that are filled with zeros at a time; 8 MiB if zero
}

// A Journal is a map from names to texts, on disk. It may be used by several goroutines.
type Journal struct {
	path    string
	lock    *os.File
	options Options
	metrics *metrics

	// Only who leads a commit touches these.
	buffer []byte
	free   int64 // the file is filled with zeros up to here
	number uint64

	mu     sync.RWMutex
	file   *os.File
	mark   mark
	index  map[string]place
	end    int64 // of the last frame
	live   int64 // bytes of frames that hold current texts
	retry  int64 // dead bytes at which a compaction that failed is tried again
	failed error // why there are no more writes
	queue  []*update
	led    bool       // somebody commits
	idle   *sync.Cond // led has become false
}

// A place is where a text is in the file.
type place struct {
	offset int64
	length int64
	sum    uint32 // CRC-32C of the text
}

// Open opens the journal at path, and makes it with the folder above when it is missing. The error is ErrInUse,
// ErrDamaged, or the file system's.
func Open(path string, o Options) (*Journal, error) {
	o.MinDead = cmp.Or(o.MinDead, 64<<20)
	o.Reserve = cmp.Or(o.Reserve, 8<<20)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("journal %s: %w", path, err)
	}
	j := &Journal{path: path, options: o, index: map[string]place{}}
	j.idle = sync.NewCond(&j.mu)
	err := j.open()
	if err != nil {
		_ = j.release()
		return nil, fmt.Errorf("journal %s: %w", path, err)
	}
	j.metrics = newMetrics(o.Metrics, j)
	return j, nil
}

func (j *Journal) open() (err error) {
	if j.lock, err = os.OpenFile(j.path+".lock", os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return err
	}
	if err = syscall.Flock(int(j.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return ErrInUse
	}
	if err = os.Remove(j.path + next); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err // a compaction was killed
	}
	j.file, err = os.OpenFile(j.path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return j.create()
	}
	if err != nil {
		return err
	}
	return j.recover()
}

// create starts an empty journal.
func (j *Journal) create() error {
	file, mark, err := newFile(j.path + next)
	if err != nil {
		return err
	}
	j.file, j.mark, j.end, j.free = file, mark, headerSize, headerSize
	return j.takeName(file)
}

// takeName gives a whole new file the journal's name.
func (j *Journal) takeName(file *os.File) error {
	if err := file.Sync(); err != nil {
		return err
	}
	if err := os.Rename(j.path+next, j.path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(j.path))
}

// Get returns the text of id, which the caller may keep and must not change; exists is false when there is none.
func (j *Journal) Get(_ context.Context, id string) (text []byte, exists bool, err error) {
	return j.get(id)
}

func (j *Journal) get(id string) (text []byte, exists bool, err error) {
	for {
		j.mu.RLock()
		at, exists := j.index[id]
		file := j.file
		j.mu.RUnlock()
		switch {
		case file == nil:
			return nil, false, fmt.Errorf("journal %s: %w", j.path, ErrClosed)
		case !exists:
			return nil, false, nil
		}
		text, err := readText(file, at)
		if errors.Is(err, os.ErrClosed) {
			continue // a new file has taken its place
		}
		if err != nil {
			return nil, false, fmt.Errorf("journal %s: text of %s: %w", j.path, id, err)
		}
		return text, true, nil
	}
}

func readText(file *os.File, at place) ([]byte, error) {
	text := make([]byte, at.length)
	if _, err := file.ReadAt(text, at.offset); err != nil {
		return nil, err
	}
	if crc32.Checksum(text, castagnoli) != at.sum {
		return nil, fmt.Errorf("%w at byte %d", ErrDamaged, at.offset)
	}
	return text, nil
}

// Alone reports that nobody else writes what Get reads: one process at a time has the file.
func (j *Journal) Alone() bool { return true }

// Len is how many texts there are.
func (j *Journal) Len() int {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return len(j.index)
}

// Ready returns why there can be no more writes, or nil.
func (j *Journal) Ready(context.Context) error {
	j.mu.RLock()
	defer j.mu.RUnlock()
	if j.file == nil {
		return ErrClosed
	}
	return j.failed
}

// Close waits for the commit under way, and gives the file free. Writers that come later, or still wait, get
// ErrClosed.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	if j.failed == nil {
		j.failed = ErrClosed
	}
	for j.led {
		j.idle.Wait()
	}
	err := j.file.Truncate(j.end) // the zeros are of no use to others
	j.metrics.unregister()
	return errors.Join(err, j.release())
}

// release closes what is open.
func (j *Journal) release() error {
	var err error
	if j.file != nil {
		err = j.file.Close()
		j.file = nil
	}
	if j.lock != nil {
		err = errors.Join(err, j.lock.Close())
	}
	return err
}

// syncFolder makes a rename survive a power cut.
func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
