package api

import (
	"encoding/base64"
	"net/http"
	"strings"

	"bosh-ironic-cpi/src/httpauth"
)

// authenticated lets users in, and everybody to what a ramdisk or a client's negotiation needs: lookup, heartbeat,
// continue_inspection and the version documents. Refusals have the form of Ironic's http_basic middleware, which has no error_message.
func authenticated(users *httpauth.Users, next http.Handler) http.Handler {
	if users == nil {
		return next
	}
	refuse := func(w http.ResponseWriter, status int, message string) {
		if status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Basic realm="Baremetal API"`)
		}
		c := &call{w: w}
		_ = c.answerJSON(status, map[string]any{"error": map[string]any{"message": message, "code": status}})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if open(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		header := r.Header.Get("Authorization")
		scheme, credentials, _ := strings.Cut(header, " ")
		_, broken := base64.StdEncoding.DecodeString(credentials)
		switch _, ok := users.Allow(r); {
		case ok:
			next.ServeHTTP(w, r)
		case header == "":
			refuse(w, http.StatusUnauthorized, "Authorization required")
		case !strings.EqualFold(scheme, "basic"):
			refuse(w, http.StatusBadRequest, `Unsupported authorization type "`+scheme+`"`)
		case broken != nil:
			refuse(w, http.StatusBadRequest, "Could not decode authorization token")
		default:
			refuse(w, http.StatusUnauthorized, "Incorrect username or password")
		}
	})
}

func open(path string) bool {
	path = strings.Trim(path, "/")
	switch path {
	case "", "v1", "v1/lookup", "v1/" + continuePath:
		return true
	}
	return strings.HasPrefix(path, "v1/heartbeat/")
}
