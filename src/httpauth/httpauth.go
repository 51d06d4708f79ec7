// Package httpauth knows who may call: HTTP basic authentication against a short list of users.
//
// Passwords are kept as they are or as bcrypt hashes, and compared in constant time: how long an answer takes
// says nothing about which users there are or how much of a password was right. It has no sessions, no roles
// and no lock-out. Basic authentication is (RFC 7617).
//
// Start at [New].
package httpauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"

	"golang.org/x/crypto/bcrypt"

	"bosh-ironic-cpi/src/secret"
)

// A User may call. Password is one of
//
//	$2y$10$...    a bcrypt hash, as htpasswd -B writes it ($2a$ and $2b$ too)
//	{PLAIN}text   the text, as in nginx' password files
//	text          the text
type User struct {
	Name     string
	Password secret.Text
}

// Users are those who may call. A nil *Users lets everybody in. It may be used by several goroutines.
type Users struct {
	users  []*user
	key    [32]byte      // of the digests that remember what bcrypt has said
	hashes chan struct{} // bcrypt runs under way: a crowd of wrong passwords leaves the machine usable
	decoy  []byte        // hash that strangers are compared with; nil when no user has one
}

type user struct {
	name  string
	plain [sha256.Size]byte
	hash  []byte                            // bcrypt; nil: plain counts
	right atomic.Pointer[[sha256.Size]byte] // digest of the password that bcrypt has accepted
}

// New checks the list. No users at all give nil, which lets everybody in: whoever listens beyond this machine
// must not let it come to that. Its errors name users, never passwords.
func New(list ...User) (*Users, error) {
	if len(list) == 0 {
		return nil, nil //nolint:nilnil // documented: nobody is asked
	}
	u := &Users{hashes: make(chan struct{}, runtime.NumCPU())}
	if _, err := rand.Read(u.key[:]); err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, one := range list {
		text := one.Password.Reveal()
		switch {
		case one.Name == "":
			return nil, errors.New("a user without a name")
		case strings.ContainsAny(one.Name, ":\r\n"):
			return nil, fmt.Errorf("user %q: a name cannot hold a colon or a line break", one.Name)
		case names[one.Name]:
			return nil, fmt.Errorf("user %q is there twice", one.Name)
		case strings.TrimPrefix(text, "{PLAIN}") == "":
			return nil, fmt.Errorf("user %q has no password", one.Name)
		}
		names[one.Name] = true
		made := &user{name: one.Name}
		if isHash(text) {
			if _, err := bcrypt.Cost([]byte(text)); err != nil {
				return nil, fmt.Errorf("user %q: the password starts like a bcrypt hash and is none", one.Name)
			}
			made.hash, u.decoy = []byte(text), []byte(text)
		} else {
			made.plain = u.digest(strings.TrimPrefix(text, "{PLAIN}"))
		}
		u.users = append(u.users, made)
	}
	return u, nil
}

func isHash(text string) bool {
	return strings.HasPrefix(text, "$2a$") || strings.HasPrefix(text, "$2b$") || strings.HasPrefix(text, "$2y$")
}

// Allow reports whether the request bears the credentials of a user, and whose. Nobody in particular (nil
// Users) is "".
func (u *Users) Allow(r *http.Request) (name string, ok bool) {
	if u == nil {
		return "", true
	}
	name, password, ok := r.BasicAuth()
	if !ok {
		return "", false
	}
	digest := u.digest(password)
	var found *user
	for _, one := range u.users {
		if subtle.ConstantTimeCompare([]byte(one.name), []byte(name)) == 1 {
			found = one
		}
	}
	if found == nil {
		found = &user{hash: u.decoy} // takes as long, and is never right
	}
	if !u.right(r.Context(), found, password, digest) || found.name == "" {
		return "", false
	}
	return name, true
}

func (u *Users) right(ctx context.Context, one *user, password string, digest [sha256.Size]byte) bool {
	if one.hash == nil {
		return subtle.ConstantTimeCompare(one.plain[:], digest[:]) == 1
	}
	if known := one.right.Load(); known != nil && subtle.ConstantTimeCompare(known[:], digest[:]) == 1 {
		return true
	}
	select {
	case u.hashes <- struct{}{}:
		defer func() { <-u.hashes }()
	case <-ctx.Done():
		return false
	}
	if bcrypt.CompareHashAndPassword(one.hash, []byte(password)) != nil {
		return false
	}
	one.right.Store(&digest) // a tenth of a second once, not with every request
	return true
}

// digest makes passwords of any length comparable in constant time. It is never told to anybody.
func (u *Users) digest(password string) [sha256.Size]byte {
	return sha256.Sum256(append(append(make([]byte, 0, 128), u.key[:]...), password...))
}

// Challenge answers 401 and asks for credentials.
func Challenge(w http.ResponseWriter, realm string) {
	w.Header().Set("WWW-Authenticate", fmt.Sprintf("Basic realm=%q, charset=\"UTF-8\"", realm))
	http.Error(w, "credentials are missing or wrong", http.StatusUnauthorized)
}
