package server

import (
	"cmp"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"bosh-ironic-cpi/src/repository/spool"
)

// page is how many names are sorted at once; a folder with more is shown in that many pieces, so that memory stays
// bounded.
const page = 10_000

// list writes a folder's names as HTML, as web servers do.
func list(w io.Writer, r *http.Request, f *os.File) {
	folder := strings.TrimSuffix(r.URL.Path, "/") + "/"
	fmt.Fprintf(w, "<!DOCTYPE html>\n<title>%[1]s</title>\n<h1>%[1]s</h1>\n<pre>\n", template.HTMLEscapeString(folder))
	if strings.Count(folder, "/") > 2 {
		fmt.Fprintf(w, "<a href=\"../\">../</a>\n")
	}
	for {
		names, err := f.ReadDir(page)
		slices.SortFunc(names, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
		for _, one := range names {
			line(w, folder, one)
		}
		if err != nil {
			break
		}
	}
	fmt.Fprintf(w, "</pre>\n")
}

func line(w io.Writer, folder string, one fs.DirEntry) {
	info, err := one.Info()
	if err != nil || one.Name() == spool.Folder {
		return // gone since, or not for others
	}
	name, size := one.Name(), fmt.Sprint(info.Size())
	if one.IsDir() {
		name, size = name+"/", "-"
	}
	href := url.URL{Path: folder + name}
	fmt.Fprintf(w, "<a href=\"%s\">%s</a> %s %s\n", template.HTMLEscapeString(href.EscapedPath()), template.HTMLEscapeString(name),
		info.ModTime().UTC().Format("2006-01-02 15:04:05"), size)
}
