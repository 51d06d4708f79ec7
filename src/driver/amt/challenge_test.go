package amt

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/icholy/digest"
)

func TestChallenge(t *testing.T) {
	plain := digest.Challenge{Realm: "x", Nonce: "y", QOP: []string{"auth"}}
	tests := []struct {
		name, header string
		want         digest.Challenge
	}{
		{
			"AMT", `Digest realm="Digest:A4070000000000000000000000000000", nonce="Cz5bAwAAAABBmTQ3MDhlNzU0",stale="false",qop="auth"`,
			digest.Challenge{Realm: "Digest:A4070000000000000000000000000000", Nonce: "Cz5bAwAAAABBmTQ3MDhlNzU0", QOP: []string{"auth"}},
		},
		{"scheme and names in any case", `dIGEST Realm="x", NONCE="y", QOP="Auth"`, plain},
		{"without qop", `Digest realm="x", nonce="y"`, digest.Challenge{Realm: "x", Nonce: "y"}},
		{"several qop", `Digest realm="x", nonce="y", qop="auth-int, auth"`, digest.Challenge{Realm: "x", Nonce: "y", QOP: []string{"auth-int", "auth"}}},
		{"stale", `Digest realm="x", nonce="y", stale=TRUE`, digest.Challenge{Realm: "x", Nonce: "y", Stale: true}},
		{
			"SHA-256 and opaque", `Digest realm="x", nonce="y", algorithm=SHA-256, opaque="o", userhash=true`,
			digest.Challenge{Realm: "x", Nonce: "y", Algorithm: "SHA-256", Opaque: "o", Userhash: true},
		},
		{
			"commas, equals signs and escapes in quotes", `Digest realm="a, \"b\" = \\c", nonce="y", qop="auth"`,
			digest.Challenge{Realm: `a, "b" = \c`, Nonce: "y", QOP: []string{"auth"}},
		},
		{"no quotes", `Digest realm=x, nonce=y, qop=auth`, plain},
		{"base64 without quotes", `Digest realm=x, nonce=eQ==,qop=auth`, digest.Challenge{Realm: "x", Nonce: "eQ==", QOP: []string{"auth"}}},
		{"unknown parameters", `Digest realm="x", x_a=1, nonce="y", b.c/d=e+f, g="h, nonce=1", qop="auth"`, plain},
		{"empty elements", `Digest realm="x",, nonce="y",	qop="auth",`, plain},
		{"spaces around equals signs", `Digest realm = "x" , nonce= "y" ,qop ="auth"`, plain},
		{"another scheme before", `Negotiate, Basic realm="z, Digest nonce=no", Digest realm="x", nonce="y", qop="auth"`, plain},
		{"another scheme after", `Digest realm="x", nonce="y", qop="auth", Basic realm="z"`, plain},
		{"one that nobody can do first", `Digest realm="z", nonce="z", algorithm=ROT13, Digest realm="x", nonce="y", qop="auth"`, plain},
		{"no end of quotes", `Digest nonce="y", qop="auth", realm="x`, plain},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := findChallenge(http.Header{"Www-Authenticate": {tt.header}})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, *got); diff != "" {
				t.Errorf("findChallenge(%s) (-want +got):\n%s", tt.header, diff)
			}
		})
	}
	t.Run("in two headers", func(t *testing.T) {
		got, err := findChallenge(http.Header{"Www-Authenticate": {"Negotiate", `Digest realm="x", nonce="y", qop="auth"`}})
		if err != nil || !cmp.Equal(plain, *got) {
			t.Errorf("findChallenge = %v, %v", got, err)
		}
	})
	for header, problem := range map[string]string{
		"":                             "no digest challenge",
		`Basic realm="Digest"`:         "no digest challenge",
		`=,"`:                          "no digest challenge",
		`Digest realm="x", qop="auth"`: "no nonce",
		`Digest realm="x", nonce="y", qop="secret-handshake"`: "secret-handshake",
		`Digest realm="x", nonce="y", algorithm=ROT13`:        "ROT13",
	} {
		_, err := findChallenge(http.Header{"Www-Authenticate": {header}})
		if _, ok := errors.AsType[*challengeError](err); !ok || !strings.Contains(err.Error(), problem) {
			t.Errorf("findChallenge(%s) = %v; want it to say %q", header, err, problem)
		}
	}
}

func FuzzChallenge(f *testing.F) {
	f.Add(`Digest realm="Digest:A4070000000000000000000000000000", nonce="Cz5bAwAAAABBmTQ3MDhlNzU0",stale="false",qop="auth"`)
	f.Add(`Basic realm="a\"b", Digest nonce=eQ==, x_y=1,,qop="auth-int, auth"`)
	f.Fuzz(func(t *testing.T, header string) {
		c, err := findChallenge(http.Header{"Www-Authenticate": {header}})
		if err != nil {
			return
		}
		if c.Nonce == "" || !digest.CanDigest(c) {
			t.Errorf("findChallenge(%q) = %v, which cannot be answered", header, c)
		}
		for _, part := range []string{c.Realm, c.Nonce, c.Opaque, c.Algorithm} {
			if len(part) > len(header) {
				t.Errorf("findChallenge(%q) found %q, which is longer", header, part)
			}
		}
	})
}
