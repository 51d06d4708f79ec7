package server

import (
	"errors"
	"net/http"
	"time"

	"bosh-ironic-cpi/src/httpauth"
	"bosh-ironic-cpi/src/signedurl"
)

// reading are the methods that change nothing.
var reading = map[string]bool{http.MethodGet: true, http.MethodHead: true, "PROPFIND": true, http.MethodOptions: true}

// permitted lets through who may do this, and answers the others.
func (t *Tree) permitted(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodOptions {
		return true // clients ask what there is before they show who they are
	}
	if _, ok := t.Users.Allow(r); ok {
		return true
	}
	if reading[r.Method] && t.AnyoneMayRead {
		return true
	}
	if t.Readers != nil {
		if _, ok := t.Readers.Allow(r); ok {
			if reading[r.Method] {
				return true
			}
			http.Error(w, "you may read here, and no more", http.StatusForbidden)
			return false
		}
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		switch err := t.Key.Verify(r.URL, time.Now()); {
		case err == nil:
			return true
		case !errors.Is(err, signedurl.ErrUnsigned):
			http.Error(w, err.Error(), http.StatusForbidden)
			return false
		}
	}
	httpauth.Challenge(w, t.Name)
	return false
}
