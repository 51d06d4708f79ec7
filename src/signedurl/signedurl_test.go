package signedurl_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"bosh-ironic-cpi/src/secret"
	"bosh-ironic-cpi/src/signedurl"
)

func key(t testing.TB, text string) signedurl.Key {
	t.Helper()
	k, err := signedurl.NewKey(secret.New(text))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func parse(t testing.TB, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestVerify(t *testing.T) {
	k, other := key(t, strings.Repeat("k", 32)), key(t, strings.Repeat("o", 32))
	now := time.Unix(1_800_000_000, 0)
	signed := parse(t, "http://user:hunter2@h:8081/metadata/a%20b/%C3%BC?x=1")
	k.Sign(signed, now.Add(time.Minute))
	text := signed.String()
	if strings.Contains(text, "hunter2") {
		t.Errorf("signed address %s still holds the password", text)
	}
	tests := []struct {
		name, url string
		key       signedurl.Key
		at        time.Time
		want      error
	}{
		{"as signed", text, k, now, nil},
		{"to the last second", text, k, now.Add(59 * time.Second), nil},
		{"expired", text, k, now.Add(time.Minute), signedurl.ErrExpired},
		{"otherwise escaped", strings.Replace(text, "a%20b", "%61%20%62", 1), k, now, nil},
		{"another host", strings.Replace(text, "h:8081", "10.0.0.1", 1), k, now, nil},
		{"another path", strings.Replace(text, "a%20b", "a%20c", 1), k, now, signedurl.ErrForged},
		{"deeper", strings.Replace(text, "?", "/more?", 1), k, now, signedurl.ErrForged},
		{"later end", strings.Replace(text, "expires=1", "expires=2", 1), k, now, signedurl.ErrForged},
		{"another key", text, other, now, signedurl.ErrForged},
		{"no key", text, signedurl.Key{}, now, signedurl.ErrUnsigned},
		{"no signature", "http://h/metadata/x?expires=9999999999", k, now, signedurl.ErrUnsigned},
		{"no base64", "http://h/metadata/x?expires=9999999999&signature=%25", k, now, signedurl.ErrForged},
		{"no query", "http://h/metadata/x", k, now, signedurl.ErrUnsigned},
	}
	for _, tt := range tests {
		if err := tt.key.Verify(parse(t, tt.url), tt.at); !errors.Is(err, tt.want) {
			t.Errorf("%s: Verify = %v; want %v", tt.name, err, tt.want)
		}
	}
}

func TestSignedIsVerified(t *testing.T) {
	k := key(t, strings.Repeat("k", 40))
	now := time.Now()
	rapid.Check(t, func(t *rapid.T) {
		u := &url.URL{Scheme: "https", Host: "h", Path: "/" + rapid.String().Draw(t, "path")}
		k.Sign(u, now.Add(time.Hour))
		again, err := url.Parse(u.String())
		if err == nil {
			err = k.Verify(again, now)
		}
		if err != nil {
			t.Errorf("%s: %v", u, err)
		}
	})
}

func TestNewKeyWantsLength(t *testing.T) {
	if _, err := signedurl.NewKey(secret.New("hunter2")); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("NewKey of seven bytes: %v", err)
	}
}
