package server

import (
	"net/http"
	"strings"
)

// standard serves /instances/ID/settings as bosh-registry did: every answer is JSON with a status.
func (s *Server) standard(w http.ResponseWriter, r *http.Request) {
	id, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/instances/"), "/")
	known := validID(id) && rest == "settings"
	if !known {
		id = ""
	}
	if !s.permitted(w, r, id) {
		return
	}
	if !known {
		says(w, http.StatusNotFound, "not_found")
		return
	}
	var err error
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		var found *given
		if found, err = s.answer(r, id); err == nil {
			give(w, r, found)
		}
	case http.MethodPut:
		var existed bool
		if existed, err = s.put(w, r, id); err == nil {
			says(w, map[bool]int{false: http.StatusCreated, true: http.StatusOK}[existed], "ok")
		}
	case http.MethodDelete:
		if err = s.remove(r, id); err == nil {
			says(w, http.StatusOK, "ok")
		}
	default:
		w.Header().Set("Allow", "GET, HEAD, PUT, DELETE")
		says(w, http.StatusMethodNotAllowed, "method_not_allowed")
	}
	switch {
	case isMissing(err):
		says(w, http.StatusNotFound, "not_found")
	case err != nil:
		s.refuse(w, r, err)
	}
}

// says writes {"status": status}.
func says(w http.ResponseWriter, code int, status string) {
	answer(w, code, "application/json", `{"status":"`+status+`"}`)
}
