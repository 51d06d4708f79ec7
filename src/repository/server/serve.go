package server

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/net/webdav"
)

const (
	classes = "1, 2"  // of WebDAV
	maxXML  = 1 << 20 // bytes of a request that is XML
)

// allowed are the methods that a tree knows.
var allowed = []string{
	"OPTIONS", "GET", "HEAD", "PUT", "DELETE", "MKCOL", "COPY", "MOVE", "PROPFIND", "PROPPATCH", "LOCK", "UNLOCK",
}

// ServeHTTP implements http.Handler for all below /NAME/.
func (t *Tree) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key, ok := t.key(r.URL.Path)
	if !t.permitted(w, r) {
		return
	}
	switch {
	case !ok:
		http.Error(w, "no file can have this name", http.StatusBadRequest)
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		t.get(w, r, key)
	case r.Method == http.MethodOptions:
		h := w.Header()
		h.Set("DAV", classes)
		h.Set("Allow", strings.Join(allowed, ", "))
		h.Set("MS-Author-Via", "DAV")
		w.WriteHeader(http.StatusOK)
	case !slices.Contains(allowed, r.Method):
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	default:
		t.dav(w, r, key)
	}
}

// key is what a request's path means below the directory.
func (t *Tree) key(path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, "/"+t.Name)
	if !ok {
		return "", false
	}
	return keyOf(rest)
}

// dav has golang.org/x/net/webdav answer, over what this request may see and do.
func (t *Tree) dav(w http.ResponseWriter, r *http.Request, key string) {
	if status, text := t.refused(r, key); status != 0 {
		http.Error(w, text, status)
		return
	}
	view := &view{tree: t, request: r, source: key}
	if r.Method != http.MethodPut {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxXML))
		if err != nil || emptyNamespace(body) {
			http.Error(w, "want XML of at most 1 MiB, without empty namespaces", http.StatusBadRequest)
			return
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	if u, err := url.Parse(r.Header.Get("Destination")); err == nil && u.Path != "" {
		r.Header.Set("Destination", u.EscapedPath()) // the host is a matter of whoever stands before us
		if r.Header.Get("Overwrite") == "" {
			r.Header.Set("Overwrite", "T") // the standard's default, which the library has for COPY alone
		}
	}
	if r.Method == "LOCK" {
		view.lock(w, r, key)
		return
	}
	handler := webdav.Handler{Prefix: "/" + t.Name, FileSystem: view, LockSystem: lockView{locks: &t.locks, view: view}}
	handler.ServeHTTP(&davAnswer{ResponseWriter: w, view: view}, r)
}

// emptyNamespace reports whether XML binds a prefix to no namespace, which is an error that the library's reader does
// not find (XML namespaces 1.0, 2.2). What else may be wrong it does.
func emptyNamespace(body []byte) bool {
	reader := xml.NewDecoder(bytes.NewReader(body))
	for {
		token, err := reader.RawToken()
		if err != nil {
			return false
		}
		start, ok := token.(xml.StartElement)
		if ok && slices.ContainsFunc(start.Attr, func(a xml.Attr) bool { return a.Name.Space == "xmlns" && a.Value == "" }) {
			return true
		}
	}
}

// refused is what the library would let pass, and why not.
func (t *Tree) refused(r *http.Request, key string) (status int, text string) {
	switch {
	case key == "." && (r.Method == http.MethodPut || r.Method == http.MethodDelete || r.Method == "MOVE"):
		return http.StatusForbidden, "this is the tree itself"
	case r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/"):
		return http.StatusConflict, "a file's name does not end in a slash"
	case r.Method == http.MethodPut && r.Header.Get("Content-Range") != "":
		return http.StatusBadRequest, "parts of a file cannot be written"
	case r.Method == "PROPFIND" && r.Header.Get("Depth") != "0" && r.Header.Get("Depth") != "1":
		return http.StatusForbidden, `<?xml version="1.0" encoding="utf-8"?><D:error xmlns:D="DAV:"><D:propfind-finite-depth/></D:error>`
	case r.Method == "COPY" || r.Method == "MOVE":
		return t.refusedTarget(r, key)
	}
	return 0, ""
}

// refusedTarget is why the target of COPY or MOVE cannot be.
func (t *Tree) refusedTarget(r *http.Request, key string) (status int, text string) {
	u, err := url.Parse(r.Header.Get("Destination"))
	if err != nil || u.Path == "" {
		return http.StatusBadRequest, "want a Destination"
	}
	if u.Path != "/"+t.Name && !strings.HasPrefix(u.Path, "/"+t.Name+"/") {
		return http.StatusBadGateway, "the destination is in another tree"
	}
	_, err = t.spool.Root.Stat(key)
	switch to, ok := t.key(u.Path); {
	case isMissing(err): // before the library removes what is at the destination
		return http.StatusNotFound, "no such file"
	case !ok:
		return http.StatusForbidden, "no file can have the name of the destination"
	case key == "." || strings.HasPrefix(to, key+"/"):
		return http.StatusForbidden, "a folder cannot be put into itself"
	}
	return 0, ""
}

// statuses is what an error means to the client, first match wins. The library's own status stands for all else.
var statuses = []struct {
	err    error
	status int
	text   string
}{
	{errCondition, http.StatusPreconditionFailed, "the file has changed, or is there already"},
	{errTooLong, http.StatusRequestEntityTooLarge, "the file is too long"},
	{errBroken, http.StatusBadRequest, "the file did not arrive whole: nothing was changed"},
	{syscall.ENOSPC, http.StatusInsufficientStorage, "no room left: nothing was changed"},
	{syscall.EDQUOT, http.StatusInsufficientStorage, "no room left: nothing was changed"},
	{errReserved, http.StatusForbidden, "this name is for uploads under way"},
	{errIsFolder, http.StatusConflict, "a folder has this name"},
	{errNoParent, http.StatusConflict, "there is no folder above"},
	{syscall.EISDIR, http.StatusConflict, "a folder has this name"},
	{syscall.ENOTDIR, http.StatusConflict, "a file has the name of a folder above"},
	{syscall.EEXIST, http.StatusConflict, "a folder has this name, or a file the name of one above"},
	{fs.ErrPermission, http.StatusForbidden, "the daemon may not write here"},
	{syscall.EIO, http.StatusInternalServerError, "the disk fails"},
	{syscall.EROFS, http.StatusForbidden, "the disk cannot be written"},
}

// A davAnswer puts right the library's statuses, which know no full disk and no file that was replaced.
type davAnswer struct {
	http.ResponseWriter
	view *view
	own  bool // the body is ours: what the library writes is dropped
}

// WriteHeader implements http.ResponseWriter.
func (a *davAnswer) WriteHeader(status int) {
	v := a.view
	if status == http.StatusCreated && v.replaced && v.request.Method == http.MethodPut {
		status = http.StatusNoContent
	}
	if v.failure != nil {
		for _, known := range statuses {
			if errors.Is(v.failure, known.err) {
				a.own = true
				http.Error(a.ResponseWriter, known.text, known.status)
				return
			}
		}
		if status < http.StatusBadRequest {
			status = http.StatusInternalServerError
		}
	}
	if status >= http.StatusInternalServerError && v.failure != nil {
		v.tree.Log.ErrorContext(v.request.Context(), "request to tree failed", "tree", v.tree.Name, "method", v.request.Method, "err", v.failure)
	}
	a.own = status == http.StatusNoContent
	a.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (a *davAnswer) Write(p []byte) (int, error) {
	if a.own {
		return len(p), nil
	}
	return a.ResponseWriter.Write(p)
}

// ReadFrom implements io.ReaderFrom as a plain writer would: the library copies nothing that the kernel could.
func (a *davAnswer) ReadFrom(src io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{a}, src)
}
