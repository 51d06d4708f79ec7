package amt

import (
	"crypto/md5" //nolint:gosec // what AMT asks for
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// Real ones look so: "Digest:" and 32 hexadecimal digits, others in each machine.
const realm = "Digest:A4070000000000000000000000000000"

// access is HTTP digest authentication, seen from the server.
type access struct {
	cfg Config

	mu       sync.Mutex
	nonces   map[string]uint64 // with the highest count seen
	refusals int
}

// No more than this are remembered; somebody who only asks for challenges fills no memory.
const maxNonces = 1000

func (a *access) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.nonces)
}

func (a *access) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.refusals
}

// admit says whether the request may come in, and answers it if not.
func (a *access) admit(w http.ResponseWriter, r *http.Request) bool {
	known, stale := a.check(r)
	if known && !stale {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refusals++
	if len(a.nonces) >= maxNonces {
		clear(a.nonces)
	}
	nonce := rand.Text()
	a.nonces[nonce] = 0
	challenge := fmt.Sprintf(`Digest realm=%q, nonce=%q,stale="%t"`, realm, nonce, known && stale)
	if !a.cfg.WithoutQOP {
		challenge += `,qop="auth"`
	}
	if a.cfg.Algorithm != "" {
		challenge += ",algorithm=" + a.cfg.Algorithm
	}
	w.Header().Set("WWW-Authenticate", challenge)
	http.Error(w, "401 Unauthorized", http.StatusUnauthorized)
	return false
}

var parameter = regexp.MustCompile(`([\w-]+)\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^\s,"]+))`)

// check reports whether the caller knows the password, and whether the nonce that proves it is too old, or was seen.
func (a *access) check(r *http.Request) (known, stale bool) {
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Digest ")
	if !ok {
		return false, false
	}
	said := map[string]string{}
	for _, p := range parameter.FindAllStringSubmatch(text, -1) {
		said[strings.ToLower(p[1])] = strings.ReplaceAll(p[2], `\`, "") + p[3]
	}
	algorithm := a.cfg.Algorithm
	if said["algorithm"] != algorithm && (algorithm != "" || said["algorithm"] != "MD5") {
		return false, false
	}
	digest := func(parts ...string) string {
		h := md5.New() //nolint:gosec // what AMT asks for
		if algorithm == "SHA-256" {
			h = sha256.New()
		}
		h.Write([]byte(strings.Join(parts, ":")))
		return hex.EncodeToString(h.Sum(nil))
	}
	a1, a2 := digest(a.cfg.Username, realm, a.cfg.Password), digest(r.Method, r.URL.RequestURI())
	want := digest(a1, said["nonce"], said["nc"], said["cnonce"], "auth", a2)
	if a.cfg.WithoutQOP {
		want = digest(a1, said["nonce"], a2)
	} else if said["qop"] != "auth" {
		return false, false
	}
	known = said["username"] == a.cfg.Username && said["realm"] == realm && said["uri"] == r.URL.RequestURI() &&
		subtle.ConstantTimeCompare([]byte(said["response"]), []byte(want)) == 1
	return known, known && !a.fresh(said["nonce"], said["nc"])
}

// fresh takes note of a nonce's count, which may only rise.
func (a *access) fresh(nonce, count string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	last, given := a.nonces[nonce]
	if !given || a.cfg.WithoutQOP {
		return given
	}
	n, err := strconv.ParseUint(count, 16, 32)
	if err != nil || n <= last {
		return false
	}
	a.nonces[nonce] = n
	return true
}
