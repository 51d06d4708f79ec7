package server

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"unicode"
)

// founding serves /registry/instances/ID[/...] as the registry of 2016 did. An id exists when it has settings, was
// made by POST, or has files.
func (s *Server) founding(w http.ResponseWriter, r *http.Request) {
	tail, under := strings.CutPrefix(r.URL.Path, "/registry/instances/")
	id, rest, _ := strings.Cut(tail, "/")
	known := under && validID(id) && validPath(rest)
	ofSettings := rest == "" || rest == "settings"
	asked := id
	if !known || !ofSettings {
		asked = ""
	}
	if !s.permitted(w, r, asked) {
		return
	}
	if !known {
		answer(w, http.StatusBadRequest, "text/plain; charset=utf-8", "Error parsing URI\n")
		return
	}
	switch r.Method {
	case http.MethodGet:
		s.foundingGet(w, r, id, ofSettings)
	case http.MethodHead:
		s.foundingHead(w, r, id)
	case http.MethodPut:
		s.foundingPut(w, r, id, ofSettings)
	case http.MethodPost:
		s.foundingPost(w, r, id)
	case http.MethodDelete:
		s.foundingDelete(w, r, id, rest)
	default:
		w.Header().Set("Allow", "GET, HEAD, PUT, POST, DELETE")
		answer(w, http.StatusMethodNotAllowed, "text/plain; charset=utf-8", "Method not allowed\n")
	}
}

func (s *Server) foundingGet(w http.ResponseWriter, r *http.Request, id string, ofSettings bool) {
	if !ofSettings {
		unknown(w, id)
		return
	}
	found, err := s.answer(r, id)
	if err == nil {
		give(w, r, found)
		return
	}
	exists := false
	if isMissing(err) {
		exists, err = s.exists(r.Context(), id)
	}
	switch {
	case err != nil:
		s.refuse(w, r, err)
	case exists:
		answer(w, http.StatusNotFound, "application/json", `{"settings":"{}","status":"error"}`)
	default:
		unknown(w, id)
	}
}

func (s *Server) foundingHead(w http.ResponseWriter, r *http.Request, id string) {
	found, err := s.answer(r, id)
	exists := err == nil
	if exists {
		w.Header().Set("ETag", found.tag)
	}
	if isMissing(err) {
		exists, err = s.exists(r.Context(), id)
	}
	switch {
	case err != nil:
		s.refuse(w, r, err)
	case exists:
		w.WriteHeader(http.StatusOK)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (s *Server) foundingPut(w http.ResponseWriter, r *http.Request, id string, ofSettings bool) {
	if !ofSettings {
		unknown(w, id)
		return
	}
	existed, err := s.put(w, r, id)
	switch {
	case err != nil:
		s.refuse(w, r, err)
	case existed:
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusCreated)
	}
}

// foundingPost makes an id that has no settings yet. The body was never looked at.
func (s *Server) foundingPost(w http.ResponseWriter, r *http.Request, id string) {
	hasFiles, err := s.hasFiles(r.Context(), id)
	existed := hasFiles
	if err == nil && !existed {
		err = s.update(r.Context(), id, func(old []byte, exists bool) ([]byte, bool, error) {
			existed = exists
			return old, true, nil
		})
	}
	switch {
	case err != nil:
		s.refuse(w, r, err)
	case existed:
		answer(w, http.StatusConflict, "text/plain; charset=utf-8", fmt.Sprintf("Id '%s' already exists\n", id))
	default:
		answer(w, http.StatusCreated, "text/plain; charset=utf-8", "\n")
	}
}

// foundingDelete removes the settings, a file, or the id with all that it has.
func (s *Server) foundingDelete(w http.ResponseWriter, r *http.Request, id, rest string) {
	known, err := s.exists(r.Context(), id)
	found := false
	if err == nil && known && (rest == "" || rest == "settings") {
		err = s.remove(r, id)
		found = err == nil || rest == "" && isMissing(err)
		if isMissing(err) {
			err = nil
		}
	}
	if err == nil && known && rest != "settings" && s.Files != nil {
		var files bool
		files, err = s.Files.Remove(r.Context(), strings.TrimSuffix(id+"/"+rest, "/"))
		found = found || files
	}
	switch {
	case err != nil:
		s.refuse(w, r, err)
	case found:
		w.WriteHeader(http.StatusNoContent)
	case known:
		answer(w, http.StatusNotFound, "text/plain; charset=utf-8", "\n")
	default:
		unknown(w, id)
	}
}

// exists reports whether the id has settings, was made by POST, or has files.
func (s *Server) exists(ctx context.Context, id string) (bool, error) {
	_, exists, err := s.Store.Get(ctx, id)
	if exists || err != nil {
		return exists, err
	}
	return s.hasFiles(ctx, id)
}

func (s *Server) hasFiles(ctx context.Context, id string) (bool, error) {
	if s.Files == nil {
		return false, nil
	}
	return s.Files.Exists(ctx, id)
}

func unknown(w http.ResponseWriter, id string) {
	answer(w, http.StatusNotFound, "text/plain; charset=utf-8", fmt.Sprintf("Id '%s' not found\n", id))
}

// validPath reports whether rest, behind the id, names something: elements that are names, a slash at its end or not.
func validPath(rest string) bool {
	if rest == "" {
		return true
	}
	for element := range strings.SplitSeq(strings.TrimSuffix(rest, "/"), "/") {
		if element == "" || element == "." || element == ".." || len(element) > 255 {
			return false
		}
	}
	return !strings.ContainsFunc(rest, unicode.IsControl)
}
