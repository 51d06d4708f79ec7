package daemon

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A route is a path, or all below it when it ends in a slash.
type route struct {
	path    string
	service string
	handler http.Handler
	metrics *serviceMetrics
}

// covers reports whether the route is for path. "/images/" is for "/images" too: WebDAV clients ask for both.
func (r *route) covers(path string) bool {
	if r.path[len(r.path)-1] == '/' {
		return strings.HasPrefix(path, r.path) || path == r.path[:len(r.path)-1]
	}
	return path == r.path
}

// A router finds the route of a request. It is not http.ServeMux, which redirects what it would rather have.
type router struct {
	routes []route // longest path first
}

// add refuses a path that is taken.
func (r *router) add(one route) error {
	for _, other := range r.routes {
		if other.path == one.path {
			return fmt.Errorf("%s and %s both serve %s", other.service, one.service, one.path)
		}
	}
	r.routes = append(r.routes, one)
	slices.SortStableFunc(r.routes, func(a, b route) int { return len(b.path) - len(a.path) })
	return nil
}

func (r *router) find(path string) *route {
	for i := range r.routes {
		if r.routes[i].covers(path) {
			return &r.routes[i]
		}
	}
	return nil
}

// index answers GET / with the paths that are served here.
func (r *router) index(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	for _, one := range slices.Backward(r.routes) {
		_, _ = io.WriteString(w, one.path+"\n") // a client that is gone needs none
	}
}

const maxPath = 4096 // bytes

// pathStatus is 0 for a path that means one thing only, else the status to refuse it with. Whatever is behind us
// may take a path apart in its own way, so there must be one way.
func pathStatus(path string) int {
	switch {
	case len(path) > maxPath:
		return http.StatusRequestURITooLong
	case path == "" || path[0] != '/':
		return http.StatusBadRequest
	case strings.Contains(path, "//"), !utf8.ValidString(path), strings.ContainsFunc(path, unicode.IsControl):
		return http.StatusBadRequest
	}
	if !strings.Contains(path, "/.") {
		return 0
	}
	for element := range strings.SplitSeq(path, "/") {
		if element == "." || element == ".." {
			return http.StatusBadRequest
		}
	}
	return 0
}
