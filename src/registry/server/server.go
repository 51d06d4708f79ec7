package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"bosh-ironic-cpi/src/httpauth"
)

// A Store keeps one text for each id. An empty text is an id without settings.
type Store interface {
	// Get returns the text of id, which the caller must not change; exists is false when there is none.
	Get(ctx context.Context, id string) (text []byte, exists bool, err error)

	// Update replaces the text of id by what change makes of it; keep false removes id. No other Update of id
	// comes between, no reader sees half, and when it returns nil, the change survives a power cut. An error of
	// change ends it and is returned as it is.
	Update(ctx context.Context, id string, change func(old []byte, exists bool) (text []byte, keep bool, err error)) error
}

// Files is what else belongs to instances: the repository's metadata, where path is ID or ID/...
type Files interface {
	Exists(ctx context.Context, path string) (bool, error) // a file or a folder

	// Remove removes a file, or a folder with all below it.
	Remove(ctx context.Context, path string) (found bool, err error)
}

// Config says what to serve.
type Config struct {
	// Store is where settings are. One that only this process writes has a method Alone() bool that says so: then
	// what was read may be answered again.
	Store Store
	Files Files           // may be nil
	Users *httpauth.Users // nil: everybody

	// OwnAddress lets a machine read settings without credentials that name its own address.
	OwnAddress bool

	MaxSettings int64 // bytes
	Log         *slog.Logger
}

// A Server answers for both dialects.
type Server struct {
	Config
	alone   bool // nobody else writes the store
	answers answers
}

// New checks the configuration.
func New(c Config) (*Server, error) {
	switch {
	case c.Store == nil:
		return nil, errors.New("no place to keep settings")
	case c.MaxSettings <= 0:
		return nil, errors.New("longest settings: want a size above 0")
	}
	s := &Server{Config: c}
	if store, ok := c.Store.(interface{ Alone() bool }); ok {
		s.alone = store.Alone()
	}
	return s, nil
}

// Routes are the paths of both dialects.
func (s *Server) Routes() map[string]http.Handler {
	return map[string]http.Handler{
		"/instances/": http.HandlerFunc(s.standard),
		"/registry/":  http.HandlerFunc(s.founding),
	}
}

// Run has nothing to do: it waits for ctx to end.
func (s *Server) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Ready asks the store, if it can tell.
func (s *Server) Ready(ctx context.Context) error {
	if store, ok := s.Store.(interface{ Ready(context.Context) error }); ok {
		return store.Ready(ctx)
	}
	return nil
}

// permitted lets through who has credentials, and a machine that asks for its own settings; to others it answers 401,
// whether the id exists or not. id is empty where the path has none.
func (s *Server) permitted(w http.ResponseWriter, r *http.Request, id string) bool {
	if _, ok := s.Users.Allow(r); ok {
		return true
	}
	reading := r.Method == http.MethodGet || r.Method == http.MethodHead
	if s.OwnAddress && reading && id != "" && r.Header.Get("Authorization") == "" && s.isOwn(r, id) {
		return true
	}
	httpauth.Challenge(w, "registry")
	return false
}
