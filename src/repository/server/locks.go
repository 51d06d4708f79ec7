package server

import (
	"errors"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/net/webdav"
)

// longestLock is how long a lock holds at most; clients refresh it. One that forgets must not keep others out.
const longestLock = time.Hour

// A lock keeps others from changing what is at a name, and with deep all below it (RFC 4918, 6).
type lock struct {
	token   string
	name    string // "/" or "/a/b"
	deep    bool
	shared  bool
	owner   string
	ends    time.Time
	timeout time.Duration
}

// covers reports whether the lock is for name.
func (l *lock) covers(name string) bool {
	return l.name == name || l.deep && isBelow(name, l.name)
}

func isBelow(name, folder string) bool {
	return folder == "/" && name != "/" || strings.HasPrefix(name, folder+"/")
}

// locks are those of a tree. There are few: they are kept in a list. x/net's own know no shared ones, and answer a
// PUT beside another of the same file with 423.
type locks struct {
	mu  sync.Mutex
	all []*lock
}

var errLocked = errors.New("somebody holds a lock")

// current removes locks that have ended, and returns the others. The caller holds the mutex.
func (s *locks) current(now time.Time) []*lock {
	s.all = slices.DeleteFunc(s.all, func(l *lock) bool { return !now.Before(l.ends) })
	return s.all
}

// add makes a lock, unless another one stands against it.
func (s *locks) add(now time.Time, l lock) (*lock, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, other := range s.current(now) {
		overlap := other.covers(l.name) || l.covers(other.name)
		if overlap && (!other.shared || !l.shared) {
			return nil, errLocked
		}
	}
	l.token = "opaquelocktoken:" + uuid.NewString()
	l.extend(now, l.timeout)
	s.all = append(s.all, &l)
	return &l, nil
}

// extend has the lock hold for d from now on.
func (l *lock) extend(now time.Time, d time.Duration) {
	if d <= 0 || d > longestLock {
		d = longestLock
	}
	l.timeout, l.ends = d, now.Add(d)
}

// refresh extends the lock of a token that covers name; nil if there is none.
func (s *locks) refresh(now time.Time, name string, tokens []string, d time.Duration) *lock {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.current(now) {
		if l.covers(name) && slices.Contains(tokens, l.token) {
			l.extend(now, d)
			copied := *l
			return &copied
		}
	}
	return nil
}

func (s *locks) remove(now time.Time, token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.current(now))
	s.all = slices.DeleteFunc(s.all, func(l *lock) bool { return l.token == token })
	return len(s.all) < before
}

// covering are copies of the locks for a name.
func (s *locks) covering(now time.Time, name string) []lock {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []lock
	for _, l := range s.current(now) {
		if l.covers(name) {
			found = append(found, *l)
		}
	}
	return found
}

// free reports whether who holds tokens may change what is at name, and with deep all below it.
func (s *locks) free(now time.Time, name string, deep bool, tokens []string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	needed, held := false, false
	for _, l := range s.current(now) {
		switch has := slices.Contains(tokens, l.token); {
		case l.covers(name):
			needed, held = true, held || has
		case deep && isBelow(l.name, name) && !has:
			return false
		}
	}
	return !needed || held
}

// lockView is what the library sees of the locks in one request. LOCK itself is not the library's.
type lockView struct {
	*locks
	view *view
}

var _ webdav.LockSystem = lockView{}

const passing = "passing" // token of what the library takes for a lock while a request runs

// Create implements webdav.LockSystem: the library asks so, before a request without conditions, whether others hold a
// lock. Requests do not lock each other out: renaming decides.
func (l lockView) Create(now time.Time, details webdav.LockDetails) (token string, err error) {
	if !l.free(now, path.Clean(details.Root), l.deep(), nil) {
		return "", webdav.ErrLocked
	}
	return passing, nil
}

// deep reports whether the request changes all below its names, too.
func (l lockView) deep() bool {
	method := l.view.request.Method
	return method == "DELETE" || method == "MOVE" || method == "COPY"
}

// Confirm implements webdav.LockSystem for one list of an If header: its conditions hold for the first name, and its
// tokens are those that both names need (RFC 4918, 10.4).
func (l lockView) Confirm(now time.Time, name0, name1 string, conditions ...webdav.Condition) (release func(), err error) {
	var tokens []string
	for _, c := range conditions {
		holds := c.ETag != "" && c.ETag == l.view.tagAt(name0)
		if c.Token != "" {
			holds = slices.ContainsFunc([]string{name0, name1}, func(name string) bool {
				return name != "" && slices.ContainsFunc(l.covering(now, path.Clean(name)), func(k lock) bool { return k.token == c.Token })
			})
			tokens = append(tokens, c.Token)
		}
		if holds == c.Not {
			return nil, webdav.ErrConfirmationFailed
		}
	}
	for _, name := range []string{name0, name1} {
		if name != "" && !l.free(now, path.Clean(name), l.deep(), tokens) {
			return nil, webdav.ErrConfirmationFailed
		}
	}
	return func() {}, nil
}

// Refresh implements webdav.LockSystem; the library is never asked to.
func (l lockView) Refresh(time.Time, string, time.Duration) (webdav.LockDetails, error) {
	return webdav.LockDetails{}, webdav.ErrNoSuchLock
}

// Unlock implements webdav.LockSystem.
func (l lockView) Unlock(now time.Time, token string) error {
	if token == passing || l.remove(now, token) {
		return nil
	}
	return webdav.ErrNoSuchLock
}
