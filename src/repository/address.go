package repository

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"bosh-ironic-cpi/src/signedurl"
)

// parseBase reads an http or https address below which files lie. Its errors do not show the address, which
// may hold a password.
func parseBase(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		if bad, ok := errors.AsType[*url.Error](err); ok {
			err = bad.Err // without the address
		}
		return nil, fmt.Errorf("not an address: %w", err)
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return nil, errors.New("not an address: want http://HOST/PATH or https://HOST/PATH")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("not an address for files: it has a query or a fragment")
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	return u, nil
}

// below returns base with key behind its path, escaped.
func below(base *url.URL, key string) *url.URL {
	parts := strings.Split(key, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	u := *base
	u.RawPath = base.EscapedPath() + "/" + strings.Join(parts, "/")
	u.Path = base.Path + "/" + key
	return &u
}

// address is where a machine fetches key below base: with a key that signs, for a lifetime and without credentials.
func address(base *url.URL, key string, signs signedurl.Key, lifetime time.Duration) (string, error) {
	if err := checkKey(key); err != nil {
		return "", err
	}
	u := below(base, key)
	if !signs.IsZero() {
		signs.Sign(u, time.Now().Add(lifetime))
	}
	return u.String(), nil
}
