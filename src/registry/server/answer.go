package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"syscall"

	"bosh-ironic-cpi/src/repository"
)

// statuses is what an error means to the client, first match wins; what is not here is our own fault. Where tell is
// empty, the error's text is for the client.
var statuses = []struct {
	err    error
	status int
	tell   string
}{
	{errBadID, http.StatusBadRequest, ""},
	{errBadText, http.StatusBadRequest, ""},
	{errBody, http.StatusBadRequest, "the request's body did not arrive"},
	{errTooLong, http.StatusRequestEntityTooLarge, ""},
	{errEncoding, http.StatusUnsupportedMediaType, ""},
	{errMatch, http.StatusPreconditionFailed, ""},
	{syscall.ENOSPC, http.StatusInsufficientStorage, "no room left: nothing was changed"},
	{syscall.EDQUOT, http.StatusInsufficientStorage, "no room left: nothing was changed"},
	{repository.ErrFull, http.StatusInsufficientStorage, "no room left: nothing was changed"},
	{repository.ErrUnavailable, http.StatusBadGateway, "the server that keeps the settings does not answer"},
	{repository.ErrUnauthorized, http.StatusBadGateway, "the server that keeps the settings refuses our credentials"},
	{context.Canceled, http.StatusServiceUnavailable, "the request was given up"},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, "the request took too long"},
}

// refuse answers for an error.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status, text := http.StatusInternalServerError, "internal error"
	for _, known := range statuses {
		if errors.Is(err, known.err) {
			status, text = known.status, known.tell
			break
		}
	}
	if text == "" {
		text = err.Error()
	}
	if status >= http.StatusInternalServerError {
		s.Log.ErrorContext(r.Context(), "settings request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	}
	answer(w, status, "text/plain; charset=utf-8", text+"\n")
}

// answer writes a short answer.
func answer(w http.ResponseWriter, status int, kind, text string) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) //nolint:gosec // JSON or plain text; a client that is gone needs none
}
