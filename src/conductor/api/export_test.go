package api

import (
	"net/http"
	"slices"
	"strings"
)

// A Route is a line of the server's table, for tests.
type Route struct {
	Method string
	Path   string // below /v1; {} stands for anything
	Since  int    // microversion
}

// String is how tests name a route.
func (r Route) String() string { return r.Method + " " + r.Path }

// Routes is the whole table, in the order in which it is searched.
func Routes() []Route {
	var all []Route
	for _, r := range slices.Concat(operatorRoutes(), machineRoutes()) {
		all = append(all, Route{r.method, strings.Join(r.path, "/"), r.since})
	}
	return all
}

// RouteOf finds what answers a request, and what stands for each {}.
func RouteOf(r *http.Request) (found Route, args []string, ok bool) {
	parts := strings.Split(strings.Trim(strings.TrimPrefix(r.URL.Path, "/v1"), "/"), "/")
	for _, known := range slices.Concat(operatorRoutes(), machineRoutes()) {
		if args, ok := known.match(parts); ok && known.method == r.Method {
			return Route{known.method, strings.Join(known.path, "/"), known.since}, args, true
		}
	}
	return Route{}, nil, false
}
