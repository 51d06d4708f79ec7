package api

import (
	"errors"
	"net/http"
	"strings"

	"bosh-ironic-cpi/src/keystone"
)

// A Keystone says who may use the operators' face: those whose token has a role that is good for it. Nodes belong to no
// project here: whoever may read, reads them all.
type Keystone struct {
	Tokens  *keystone.Tokens
	Admins  []string // roles that may do everything, in whatever project or domain
	Readers []string // roles that may read, in whatever project or domain
}

// allows decides as Ironic's policies do for somebody who sees every node. The role reader, which each member of each
// project has, counts for the whole system only. Vendor methods may do anything, by GET too.
func (k *Keystone) allows(t keystone.Token, r *http.Request) bool {
	if t.Has(k.Admins...) {
		return true
	}
	reads := (r.Method == http.MethodGet || r.Method == http.MethodHead) && !strings.Contains(r.URL.Path, "/vendor_passthru")
	return reads && (t.Has(k.Readers...) || t.System && t.Has("reader"))
}

// withToken lets those in whose X-Auth-Token is good for what they ask; what is open to all stays so.
func (s *Server) withToken(k *Keystone, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if open(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		c := &call{Server: s, w: w, r: r}
		t, err := k.Tokens.Check(r.Context(), r.Header.Get("X-Auth-Token"))
		switch {
		case errors.Is(err, keystone.ErrInvalid):
			w.Header().Set("WWW-Authenticate", `Keystone uri="`+k.Tokens.URL()+`"`)
			c.unauthenticated(http.StatusUnauthorized, "The request you have made requires authentication.")
		case err != nil:
			s.log.ErrorContext(r.Context(), "token not checked", "err", err)
			c.unauthenticated(http.StatusServiceUnavailable, "The Keystone service is temporarily unavailable.")
		case !k.allows(t, r):
			c.fail(&fault{status: http.StatusForbidden, text: "Access was denied to the following resource: " + r.Method + " " + r.URL.Path})
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// unauthenticated answers in the form of Ironic's middleware for Keystone, which has no error_message.
func (c *call) unauthenticated(status int, message string) {
	_ = c.answerJSON(status, map[string]any{"error": map[string]any{"code": status, "title": http.StatusText(status), "message": message}})
}
