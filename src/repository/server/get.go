package server

import (
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"syscall"
)

// get answers GET and HEAD of a file or a folder.
func (t *Tree) get(w http.ResponseWriter, r *http.Request, key string) {
	f, err := t.spool.Root.Open(key)
	var info fs.FileInfo
	if err == nil {
		defer f.Close()
		info, err = f.Stat()
	}
	switch {
	case isMissing(err):
		http.Error(w, "no such file", http.StatusNotFound)
	case err != nil:
		t.unreadable(w, r, err)
	case info.IsDir() && !strings.HasSuffix(r.URL.Path, "/"):
		http.Redirect(w, r, (&url.URL{Path: r.URL.Path + "/"}).EscapedPath(), http.StatusMovedPermanently)
	case info.IsDir():
		t.folder(w, r, f)
	case !info.Mode().IsRegular():
		http.Error(w, "not a file", http.StatusForbidden)
	default:
		h := w.Header()
		h.Set("ETag", tagOf(info))
		h.Set("Content-Type", typeOf(key))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "sandbox") // whatever was put here runs nothing in a browser
		http.ServeContent(w, r, "", info.ModTime(), f)
	}
}

// unreadable answers for a file that is there, or would be: a link that leads out, no permission, a broken disk.
func (t *Tree) unreadable(w http.ResponseWriter, r *http.Request, err error) {
	t.Log.WarnContext(r.Context(), "file cannot be read", "tree", t.Name, "err", err)
	http.Error(w, "this file cannot be read", http.StatusForbidden)
}

// tagOf is a strong ETag: every replacement is another inode, every change in place another time.
func tagOf(info fs.FileInfo) string {
	inode := uint64(0)
	if system, ok := info.Sys().(*syscall.Stat_t); ok {
		inode = system.Ino
	}
	return fmt.Sprintf(`"%x-%x-%x"`, info.Size(), info.ModTime().UnixNano(), inode)
}

func typeOf(key string) string {
	if kind := mime.TypeByExtension(path.Ext(key)); kind != "" {
		return kind
	}
	return "application/octet-stream"
}

// folder answers for a folder: that it is there, and with listing on, what is in it.
func (t *Tree) folder(w http.ResponseWriter, r *http.Request, f *os.File) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	switch {
	case r.Method == http.MethodHead:
		w.WriteHeader(http.StatusOK) // the CPI of 2016 asks so whether a folder is there
	case !t.Listing:
		http.Error(w, "folders are not shown", http.StatusForbidden)
	default:
		list(w, r, f)
	}
}
