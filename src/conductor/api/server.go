package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/httpauth"
)

// A Config is what a server needs.
type Config struct {
	Conductor *conductor.Conductor
	PublicURL string          // what links begin with; empty: as the client reached us
	MaxLimit  int             // longest page of a list; 0: 1000
	MaxBody   int64           // longest body of a request, in bytes; 0: 128 MiB, because config drives come in JSON
	Users     *httpauth.Users // who may use the operators' face; nil: everybody
	Keystone  *Keystone       // who may, instead of Users; nil: nobody asks for tokens
	Log       *slog.Logger    // nil: none
}

// A Server answers for a conductor.
type Server struct {
	cfg       Config
	conductor *conductor.Conductor
	store     conductor.Store
	log       *slog.Logger
}

// New makes a server.
func New(cfg Config) *Server {
	if cfg.MaxLimit <= 0 {
		cfg.MaxLimit = 1000
	}
	if cfg.MaxBody <= 0 {
		cfg.MaxBody = 128 << 20
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.PublicURL = strings.TrimRight(cfg.PublicURL, "/")
	return &Server{cfg: cfg, conductor: cfg.Conductor, store: cfg.Conductor.Store(), log: cfg.Log}
}

// Operators is the whole API.
func (s *Server) Operators() http.Handler {
	all := face{s, append(operatorRoutes(), machineRoutes()...)}.handler()
	if s.cfg.Keystone != nil {
		return s.withToken(s.cfg.Keystone, all)
	}
	return authenticated(s.cfg.Users, all)
}

// Machines is the part for deploy ramdisks.
func (s *Server) Machines() http.Handler { return face{s, machineRoutes()}.handler() }

// A face is a server with the routes that it shows.
type face struct {
	*Server
	routes []route
}

// A route is a line in the table of what there is. The longest table is that of nodes, with some fifty lines: it is
// searched from the top.
type route struct {
	method  string
	path    []string // below /v1; {} stands for anything
	since   int      // microversion
	handle  func(*call) error
	missing error // how an older version is refused; nil: 404
}

// unknownBefore is how Ironic refuses some resources that the version spoken does not know: reading is 404, all else 405.
func unknownBefore(method, what string) error {
	f := &fault{status: http.StatusMethodNotAllowed, routing: true, text: "The API version does not allow " + what}
	if method == http.MethodGet {
		f.status = http.StatusNotFound
	}
	return f
}

func at(method, path string, since int, handle func(*call) error) route {
	return route{method: method, path: strings.Split(path, "/"), since: since, handle: handle}
}

// before says how older versions are refused.
func (r route) before(missing error) route {
	r.missing = missing
	return r
}

// match compares a path with the route's, and returns what stands for {}.
func (r route) match(path []string) ([]string, bool) {
	if len(path) != len(r.path) {
		return nil, false
	}
	var args []string
	for i, part := range r.path {
		switch {
		case part == "{}" && path[i] != "":
			args = append(args, path[i])
		case part != path[i]:
			return nil, false
		}
	}
	return args, true
}

func (f face) handler() http.Handler {
	byFirst := map[string][]route{}
	for _, r := range f.routes {
		byFirst[r.path[0]] = append(byFirst[r.path[0]], r)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{Server: f.Server, w: w, r: r, query: r.URL.Query()}
		if err := f.serve(c, byFirst); err != nil {
			c.fail(err)
		}
	})
}

func (f face) serve(c *call, routes map[string][]route) error {
	h := c.w.Header()
	h.Set("Openstack-Request-Id", "req-"+uuid.NewString())
	path := strings.Trim(c.r.URL.Path, "/")
	if path == "" && c.r.Method == http.MethodGet {
		return c.root()
	}
	parts := strings.Split(path, "/")
	if parts[0] != "v1" {
		return errNoRoute
	}
	if err := c.negotiate(); err != nil {
		return err
	}
	if accept := c.r.Header.Get("Accept"); accept != "" && !acceptsJSON(accept) {
		return &fault{status: http.StatusNotAcceptable, text: "only application/json is spoken here", routing: true}
	}
	if len(parts) == 1 {
		return c.v1(f.routes)
	}
	parts = parts[1:]
	allowed := []string{}
	for _, r := range routes[parts[0]] {
		args, ok := r.match(parts)
		if !ok {
			continue
		}
		if r.method != c.r.Method {
			allowed = append(allowed, r.method)
			continue
		}
		if c.minor < r.since {
			if r.missing != nil {
				return r.missing
			}
			return &fault{status: http.StatusNotFound, text: "Resource could not be found."}
		}
		c.args = args
		c.r.Body = http.MaxBytesReader(c.w, c.r.Body, f.cfg.MaxBody)
		return r.handle(c)
	}
	if len(allowed) > 0 {
		h.Set("Allow", strings.Join(allowed, ", "))
		return errNoMethod
	}
	return errNoRoute
}

func acceptsJSON(accept string) bool {
	return strings.Contains(accept, "json") || strings.Contains(accept, "*/*") || strings.Contains(accept, "application/*")
}

// A call is one request on its way.
type call struct {
	*Server
	w     http.ResponseWriter
	r     *http.Request
	query map[string][]string
	minor int      // of the version spoken
	args  []string // what stands for {} in the path
	self  string   // what links begin with, once somebody asked
}

// id is the i-th variable part of the path, without .json.
func (c *call) id(i int) string { return strings.TrimSuffix(c.args[i], ".json") }

// base is what links begin with.
func (c *call) base() string {
	if c.self != "" {
		return c.self
	}
	scheme := "http"
	if c.r.TLS != nil {
		scheme = "https"
	}
	c.self = cmp.Or(c.cfg.PublicURL, scheme+"://"+c.r.Host)
	return c.self
}

// param is a query parameter; empty: not given.
func (c *call) param(name string) string {
	if v := c.query[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

func (c *call) has(name string) bool { return len(c.query[name]) > 0 }

// text reads the request's body.
func (c *call) text() ([]byte, error) {
	text, err := io.ReadAll(c.r.Body)
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, &fault{status: http.StatusRequestEntityTooLarge, text: fmt.Sprintf("The body is longer than %d bytes.", c.cfg.MaxBody)}
		}
		return nil, invalid("The body could not be read to its end.")
	}
	return bytes.TrimSpace(text), nil
}

// body decodes the request's JSON; an empty body leaves into as it is.
func (c *call) body(into any) error {
	text, err := c.text()
	if err != nil {
		return err
	}
	return decode(text, into)
}

func decode(text []byte, into any) error {
	if len(text) == 0 {
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return invalid("The body is no JSON of the form wanted: %v", err)
	}
	return nil
}

// object decodes a body that must be a JSON object.
func (c *call) object(what string) (map[string]any, error) {
	text, err := c.text()
	if err != nil {
		return nil, err
	}
	return objectOf(what, text)
}

// verbatim is object with its numbers as they were written, as json.Number: to some, 1.0 is not the integer 1.
func (c *call) verbatim(what string) (map[string]any, error) {
	text, err := c.text()
	if err != nil {
		return nil, err
	}
	if m, err := objectOf(what, text); err != nil || len(text) == 0 {
		return m, err
	}
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return m, d.Decode(&m)
}

func objectOf(what string, text []byte) (map[string]any, error) {
	var value any = map[string]any{}
	if err := decode(text, &value); err != nil {
		return nil, err
	}
	m, ok := value.(map[string]any)
	if !ok {
		return nil, invalid("Schema error for %s: %s is not of type 'object'", what, python(value))
	}
	return m, nil
}

// answer writes a JSON text.
func (c *call) answer(status int, text []byte) error {
	h := c.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", fmt.Sprint(len(text)))
	c.w.WriteHeader(status)
	_, err := c.w.Write(text)
	if err != nil {
		c.log.DebugContext(c.r.Context(), "client is gone", "err", err)
	}
	return nil
}

// answerJSON writes any value.
func (c *call) answerJSON(status int, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.answer(status, text)
}

// accepted answers 202 without a body; location is a path below /v1, or empty.
func (c *call) accepted(location string) error {
	if location != "" {
		c.w.Header().Set("Location", c.base()+"/v1/"+location)
	}
	c.w.WriteHeader(http.StatusAccepted)
	return nil
}

func (c *call) noContent() error {
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// fail writes an error in Ironic's form: JSON in a string in JSON.
func (c *call) fail(err error) {
	f := faultOf(err)
	if f.status >= http.StatusInternalServerError {
		c.log.ErrorContext(c.r.Context(), "request failed", "method", c.r.Method, "path", c.r.URL.Path, "err", err)
	}
	var inner any
	if f.routing {
		c.w.Header().Del(versionHeader) // no version was spoken
		inner = map[string]any{"code": f.status, "title": http.StatusText(f.status), "description": f.text}
	} else {
		side := "Client"
		if f.status >= http.StatusInternalServerError {
			side = "Server"
		}
		inner = map[string]any{"faultcode": side, "faultstring": f.text, "debuginfo": nil}
	}
	text, _ := json.Marshal(inner)
	_ = c.answerJSON(f.status, map[string]string{"error_message": string(text)})
}

// A fault is an error that the API itself finds.
type fault struct {
	status  int
	text    string
	routing bool // in the form for paths and versions
}

// Error implements error.
func (f *fault) Error() string { return f.text }

var errNoRoute = &fault{status: http.StatusNotFound, routing: true}

// errNoMethod refuses a method that the version spoken does not know.
var errNoMethod = &fault{status: http.StatusMethodNotAllowed, routing: true}

// errTooNew refuses what the version spoken does not know.
var errTooNew = &fault{status: http.StatusNotAcceptable, text: "Request not acceptable."}

func invalid(format string, args ...any) error {
	return &fault{status: http.StatusBadRequest, text: fmt.Sprintf(format, args...)}
}

// faultOf finds the status for what the conductor refused.
func faultOf(err error) *fault {
	if f, ok := errors.AsType[*fault](err); ok {
		return f
	}
	status := http.StatusInternalServerError
	for _, k := range []struct {
		kind   error
		status int
	}{
		{baremetal.ErrNotFound, http.StatusNotFound},
		{baremetal.ErrInvalid, http.StatusBadRequest},
		{baremetal.ErrWrongState, http.StatusBadRequest},
		{baremetal.ErrLocked, http.StatusConflict},
		{baremetal.ErrAssociated, http.StatusConflict},
		{baremetal.ErrTaken, http.StatusConflict},
		{conductor.ErrConflict, http.StatusConflict},
		{conductor.ErrForbidden, http.StatusForbidden},
		{conductor.ErrBusy, http.StatusServiceUnavailable},
		{driver.ErrUnsupported, http.StatusBadRequest},
	} {
		if errors.Is(err, k.kind) {
			status = k.status
			break
		}
	}
	if _, ok := errors.AsType[*driver.ParameterError](err); ok {
		status = http.StatusBadRequest
	}
	return &fault{status: status, text: err.Error()}
}
