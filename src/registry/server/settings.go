package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/cespare/xxhash/v2"
	"github.com/go-json-experiment/json/jsontext"

	"bosh-ironic-cpi/src/etag"
)

// What a request can be refused for. Others are the store's.
var (
	errMissing  = errors.New("no settings")
	errBadID    = errors.New("id: want letters, digits, _ and -, at most 255")
	errBadText  = errors.New("settings are not one JSON object")
	errTooLong  = errors.New("settings are too long")
	errEncoding = errors.New("settings must not be compressed")
	errMatch    = errors.New("settings have changed, or are there already: read them again")
	errBody     = errors.New("the request's body did not arrive")
)

func isMissing(err error) bool { return errors.Is(err, errMissing) }

// validID reports whether an id is one: the part of a path that names an instance.
func validID(id string) bool {
	if id == "" || len(id) > 255 {
		return false
	}
	for _, c := range []byte(id) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// Check returns why id and text cannot be settings, or nil. The error does not show the text.
func Check(id string, text []byte) error {
	switch start := bytes.TrimLeft(text, " \t\r\n"); {
	case !validID(id):
		return errBadID
	case len(start) == 0 || start[0] != '{' || !jsontext.Value(text).IsValid(jsontext.AllowDuplicateNames(true)):
		return errBadText
	}
	return nil
}

// settings returns the text of id, or errMissing.
func (s *Server) settings(r *http.Request, id string) ([]byte, error) {
	text, exists, err := s.Store.Get(r.Context(), id)
	if err == nil && (!exists || len(text) == 0) {
		err = errMissing
	}
	return text, err
}

// put stores the request's body as the settings of id, if the request's conditions hold.
func (s *Server) put(w http.ResponseWriter, r *http.Request, id string) (existed bool, err error) {
	text, err := s.body(w, r)
	if err != nil {
		return false, err
	}
	if err := Check(id, text); err != nil {
		return false, err
	}
	err = s.update(r.Context(), id, func(old []byte, _ bool) ([]byte, bool, error) {
		existed = len(old) > 0
		return text, true, condition(r, old)
	})
	if err == nil {
		w.Header().Set("ETag", tag(text))
	}
	return existed, err
}

// remove ends an id, if the request's conditions hold. Where there were no settings it returns errMissing.
func (s *Server) remove(r *http.Request, id string) error {
	missing := false
	err := s.update(r.Context(), id, func(old []byte, _ bool) ([]byte, bool, error) {
		missing = len(old) == 0
		return nil, false, condition(r, old)
	})
	if err == nil && missing {
		err = errMissing
	}
	return err
}

// body reads the request's body, up to the longest that is taken.
func (s *Server) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if e := r.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return nil, errEncoding
	}
	if r.ContentLength > s.MaxSettings {
		return nil, fmt.Errorf("%w: %d bytes, want at most %d", errTooLong, r.ContentLength, s.MaxSettings)
	}
	body := http.MaxBytesReader(w, r.Body, s.MaxSettings)
	var text []byte
	var err error
	if r.ContentLength >= 0 {
		text = make([]byte, r.ContentLength)
		_, err = io.ReadFull(body, text)
	} else {
		text, err = io.ReadAll(body)
	}
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return nil, fmt.Errorf("%w: want at most %d bytes", errTooLong, s.MaxSettings)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errBody, err)
	}
	return text, nil
}

// condition is errMatch unless what the request asks of the settings that are there holds; empty: there are none.
func condition(r *http.Request, old []byte) error {
	if !etag.Holds(r, func() string { return tag(old) }) {
		return errMatch
	}
	return nil
}

// tag is the strong ETag of a text, "" for an empty one.
func tag(text []byte) string {
	if len(text) == 0 {
		return ""
	}
	return fmt.Sprintf(`"%x-%016x"`, len(text), xxhash.Sum64(text))
}

// answer is what GET and HEAD of settings answer, or errMissing.
func (s *Server) answer(r *http.Request, id string) (*given, error) {
	known, age := s.answers.find(id)
	if known != nil {
		return known, nil
	}
	text, err := s.settings(r, id)
	if err != nil {
		return nil, err
	}
	b := append(make([]byte, 0, len(text)+len(text)/2+64), `{"settings":`...)
	b = append(appendQuoted(b, text), `,"status":"ok"}`...)
	made := &given{body: b, tag: tag(text)}
	if s.alone {
		s.answers.keep(id, made, age)
	}
	return made, nil
}

// update has the store change the text of id.
func (s *Server) update(ctx context.Context, id string, change func(old []byte, exists bool) (text []byte, keep bool, err error)) error {
	defer s.answers.forget(id) // also after an error: the store may have changed all the same
	return s.Store.Update(ctx, id, change)
}

// give answers with settings, as every registry wraps them.
func give(w http.ResponseWriter, r *http.Request, g *given) {
	h := w.Header()
	h.Set("ETag", g.tag)
	h.Set("Cache-Control", "no-store")
	if none := r.Header.Get("If-None-Match"); none != "" && etag.Names(none, g.tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(g.body)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(g.body) //nolint:gosec // JSON; a client that is gone needs none
	}
}

// asIs are the bytes that a JSON string holds as they are.
var asIs = func() (table [256]bool) {
	for c := range table {
		table[c] = c >= ' ' && c != '"' && c != '\\'
	}
	return table
}()

// appendQuoted appends text, which is UTF-8, as a JSON string. encoding/json takes three times as long, and every
// agent's question passes here.
func appendQuoted(b, text []byte) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i, c := range text {
		if asIs[c] {
			continue
		}
		b = append(b, text[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
	}
	return append(append(b, text[from:]...), '"')
}
