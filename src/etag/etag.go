// Package etag decides whether a request's conditions on what is there hold: If-Match and If-None-Match, for methods
// that change something (RFC 9110, 13.1 and 13.2). Reading is net/http's own business.
package etag

import (
	"net/http"
	"strings"
)

// Holds reports whether the request may go on. current gives the strong ETag of what is there, or "" where there is
// nothing; it is asked only where the request has conditions.
func Holds(r *http.Request, current func() string) bool {
	match, none := r.Header.Get("If-Match"), r.Header.Get("If-None-Match")
	if match == "" && none == "" {
		return true
	}
	tag := current()
	return (match == "" || Names(match, tag)) && (none == "" || !Names(none, tag))
}

// Names reports whether a list of ETags, or *, names the strong ETag tag; "" is named by nothing.
func Names(list, tag string) bool {
	if tag == "" {
		return false
	}
	if strings.TrimSpace(list) == "*" {
		return true
	}
	for one := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(one) == tag {
			return true
		}
	}
	return false
}
