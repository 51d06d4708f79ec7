package repository

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"bosh-ironic-cpi/src/wait"
)

// askFirst is the size of an upload from which on the server is asked whether it wants it (Expect:
// 100-continue), so that a refusal does not cost the transfer.
const askFirst = 1 << 20

// cleanUp is how removing a broken upload is paced, also after the caller's context has ended.
var cleanUp = wait.Pace{First: 100 * time.Millisecond, Every: time.Second, Limit: 20 * time.Second}

// Upload implements [Store]. A size of -1 is sent chunked, which not every server or proxy takes.
func (w *WebDAV) Upload(ctx context.Context, r io.Reader, size int64) (Draft, error) {
	if err := w.makeBase(ctx); err != nil {
		return nil, err
	}
	src := &source{ctx: ctx, r: r, size: size}
	d := &webdavDraft{dav: w, at: below(w.base, temporary+"-"+strings.ToLower(rand.Text()))}
	err := w.put(ctx, d.at, src, size)
	read, readErr := src.take()
	if readErr != nil {
		err = fmt.Errorf("upload to %s: %w", w.base, readErr)
	}
	if err == nil {
		d.size = read
		return d, nil
	}
	if !errors.Is(err, ErrUnauthorized) { // then there is nothing, and removing it is not allowed either
		if remains := d.abandon(context.WithoutCancel(ctx)); remains != nil {
			err = fmt.Errorf("%w; a part of it may remain: %w", err, remains)
		}
	}
	return nil, err
}

// abandon removes what a server keeps of an upload that broke. It asks twice: a server may still be busy with
// what it has read, and make the file, or hold a lock on it, after it was asked to remove it.
func (d *webdavDraft) abandon(ctx context.Context) error {
	gone := 0
	return wait.Until(ctx, cleanUp, "the server to drop the upload", func(ctx context.Context) (bool, string, error) {
		answer, err := d.dav.ask(ctx, request{method: http.MethodDelete, to: d.at})
		switch {
		case err != nil:
			return false, "no answer", err
		case answer.StatusCode == http.StatusLocked:
			gone = 0
		case answer.StatusCode >= 300 && answer.StatusCode != http.StatusNotFound:
			return false, answer.Status, answer.fault()
		default:
			gone++
		}
		return gone == 2, answer.Status, nil
	})
}

// put sends r once.
func (w *WebDAV) put(ctx context.Context, to *url.URL, r io.Reader, size int64) error {
	q := request{method: http.MethodPut, to: to, body: r, size: size, header: http.Header{}}
	q.header.Set("Content-Type", "application/octet-stream")
	if size < 0 || size >= askFirst {
		q.header.Set("Expect", "100-continue")
	}
	answer, err := w.once(ctx, q)
	if err != nil {
		return err
	}
	defer answer.finish()
	switch answer.StatusCode {
	case http.StatusOK, http.StatusCreated, http.StatusNoContent:
		return nil
	}
	return answer.fault()
}

// makeBase makes the collection that the configured address names, once. It also finds a wrong password
// before an upload is sent.
func (w *WebDAV) makeBase(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.baseMade || w.base.Path == "" {
		return nil
	}
	status, err := w.makeFolders(ctx, w.base)
	if status == http.StatusUnauthorized || errors.Is(err, ErrUnavailable) || ctx.Err() != nil {
		return err
	}
	// Any other no is no reason to stop: many a server lets its clients write below a folder and not make it.
	w.baseMade = true
	return nil
}

// makeFolders makes the collection at and those above it that are missing, and returns the last status.
func (w *WebDAV) makeFolders(ctx context.Context, at *url.URL) (int, error) {
	answer, err := w.ask(ctx, request{method: "MKCOL", to: folder(at)})
	if err != nil {
		return 0, err
	}
	if above, ok := parent(at); ok && answer.wantsFolder() {
		if status, err := w.makeFolders(ctx, above); err != nil {
			return status, err
		}
		if answer, err = w.ask(ctx, request{method: "MKCOL", to: folder(at)}); err != nil {
			return 0, err
		}
	}
	switch answer.StatusCode {
	case http.StatusOK, http.StatusCreated, http.StatusNoContent,
		http.StatusMethodNotAllowed: // it is there
		return answer.StatusCode, nil
	}
	return answer.StatusCode, answer.fault()
}

// wantsFolder reports whether the folder above may be what is missing: 409 by the standard, 404 from nginx, and
// 403 from servers that are vague.
func (a answer) wantsFolder() bool {
	switch a.StatusCode {
	case http.StatusConflict, http.StatusNotFound, http.StatusForbidden:
		return true
	}
	return false
}

// folder returns u with the slash at its end that collections have.
func folder(u *url.URL) *url.URL {
	f := *u
	f.Path, f.RawPath = f.Path+"/", f.EscapedPath()+"/"
	return &f
}

// parent returns the collection that u is in; false for the top.
func parent(u *url.URL) (*url.URL, bool) {
	p, escaped := *u, u.EscapedPath()
	p.Path = u.Path[:max(strings.LastIndexByte(u.Path, '/'), 0)]
	p.RawPath = escaped[:max(strings.LastIndexByte(escaped, '/'), 0)]
	return &p, p.Path != ""
}

// A webdavDraft is a file under a temporary name beside the top-level keys.
type webdavDraft struct {
	dav    *WebDAV
	at     *url.URL
	size   int64
	placed bool
}

// Commit implements [Draft].
func (d *webdavDraft) Commit(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	answer, err := d.move(ctx, key)
	if err == nil && answer.wantsFolder() && strings.Contains(key, "/") {
		above, _ := parent(below(d.dav.base, key))
		if _, err := d.dav.makeFolders(ctx, above); err != nil {
			return err
		}
		answer, err = d.move(ctx, key)
	}
	if errors.Is(err, ErrUnavailable) || err == nil && answer.mayPass() {
		// The answer may have been lost on its way: ask again, and "no such file" means that it was.
		answer, err = d.move(ctx, key)
		if err == nil && answer.StatusCode == http.StatusNotFound {
			if info, found := d.dav.Stat(ctx, key); found == nil && info.Size == d.size {
				d.placed = true
				return nil
			}
		}
	}
	if err != nil {
		return err
	}
	switch answer.StatusCode {
	case http.StatusOK, http.StatusCreated, http.StatusNoContent:
		d.placed = true
		return nil
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return d.copyTo(ctx, key)
	}
	return answer.fault()
}

// move asks the server once to give the file its name.
func (d *webdavDraft) move(ctx context.Context, key string) (answer, error) {
	header := http.Header{}
	header.Set("Destination", below(d.dav.base, key).String())
	header.Set("Overwrite", "T")
	a, err := d.dav.once(ctx, request{method: "MOVE", to: d.at, header: header})
	if err == nil {
		a.settle()
	}
	return a, err
}

// copyTo is for a server without MOVE: the file goes through this process once more.
func (d *webdavDraft) copyTo(ctx context.Context, key string) error {
	if strings.Contains(key, "/") {
		above, _ := parent(below(d.dav.base, key))
		// A server may have no MKCOL either, and no need of it: PUT will say what is wrong.
		if _, err := d.dav.makeFolders(ctx, above); errors.Is(err, ErrUnavailable) {
			return err
		}
	}
	a, err := d.dav.once(ctx, request{method: http.MethodGet, to: d.at})
	if err != nil {
		return err
	}
	defer a.finish()
	if a.StatusCode != http.StatusOK {
		return a.fault()
	}
	src := &source{ctx: ctx, r: a.Body, size: d.size}
	err = d.dav.put(ctx, below(d.dav.base, key), src, d.size)
	if _, readErr := src.take(); readErr != nil {
		err = fmt.Errorf("copy the upload to %s: %w", key, readErr)
	}
	if err != nil {
		return err
	}
	if err := d.Discard(ctx); err != nil {
		return err
	}
	d.placed = true
	return nil
}

// Discard implements [Draft].
func (d *webdavDraft) Discard(ctx context.Context) error {
	if d.placed {
		return nil
	}
	return d.dav.remove(ctx, d.at)
}
