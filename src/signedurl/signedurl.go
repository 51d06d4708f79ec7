// Package signedurl makes addresses that open one file for reading, without credentials, until they expire.
//
// A signature covers the path and the end of its time. Whoever holds the [Key] makes addresses without asking
// the server: the CPI signs, the companion daemon verifies. An address cannot be revoked before its end, except
// by deleting the file or changing the key. Queries other than the signature's own are not covered.
//
//	http://HOST/metadata/KEY?expires=1764547200&signature=BASE64URL
//
// Start at [Key.Sign] and [Key.Verify].
package signedurl

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"bosh-ironic-cpi/src/secret"
)

// What [Key.Verify] finds.
var (
	ErrUnsigned = errors.New("address is not signed")
	ErrForged   = errors.New("signature does not fit the address")
	ErrExpired  = errors.New("address has expired")
)

const (
	expires   = "expires"
	signature = "signature"
	minKey    = 32 // bytes
)

// A Key signs and verifies. The zero Key verifies nothing.
type Key struct{ text secret.Text }

// NewKey wants at least 32 bytes, best random ones: openssl rand -hex 32.
func NewKey(text secret.Text) (Key, error) {
	if n := len(text.Reveal()); n < minKey {
		return Key{}, fmt.Errorf("signing key has %d bytes, want at least %d; openssl rand -hex 32 makes one", n, minKey)
	}
	return Key{text: text}, nil
}

// IsZero reports whether there is no key.
func (k Key) IsZero() bool { return k.text.IsZero() }

// Sign adds expiry and signature to the query of u, which is changed. Credentials in u go: they are what a
// signature replaces. k must not be zero.
func (k Key) Sign(u *url.URL, end time.Time) {
	u.User = nil
	at := strconv.FormatInt(end.Unix(), 10)
	q := u.Query()
	q.Set(expires, at)
	q.Set(signature, base64.RawURLEncoding.EncodeToString(k.sum(u.Path, at)))
	u.RawQuery = q.Encode()
}

// Verify returns nil for a signed address whose time has not ended, else ErrUnsigned, ErrForged or ErrExpired.
func (k Key) Verify(u *url.URL, now time.Time) error {
	q := u.Query()
	at, given := q.Get(expires), q.Get(signature)
	if k.IsZero() || given == "" {
		return ErrUnsigned
	}
	sum, err := base64.RawURLEncoding.DecodeString(given)
	if err != nil || !hmac.Equal(sum, k.sum(u.Path, at)) {
		return ErrForged
	}
	end, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return ErrForged
	}
	if now.Unix() >= end {
		return ErrExpired
	}
	return nil
}

// sum covers the decoded path, so that it does not matter how a client writes it.
func (k Key) sum(path, end string) []byte {
	mac := hmac.New(sha256.New, []byte(k.text.Reveal()))
	fmt.Fprintf(mac, "GET\n%s\n%s", end, path)
	return mac.Sum(nil)
}
