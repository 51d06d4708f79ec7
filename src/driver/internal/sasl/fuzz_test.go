package sasl

import (
	"bytes"
	"io"
	"testing"
)

// What a server says first and second, by each mechanism: nothing makes it complete but the right proof, which nobody guesses.
func FuzzServer(f *testing.F) {
	for _, v := range scramVectors {
		f.Add([]byte(v.serverFirst), []byte(v.serverFinal))
	}
	f.Add([]byte(`realm="a\"b",nonce="n",qop="auth,auth-conf",cipher="rc4,3des",maxbuf=65536,charset=utf-8,algorithm=md5-sess`), []byte("rspauth=00"))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		l := login("user", "pencil")
		public := l
		public.Private = false
		for _, e := range []Exchange{
			newSCRAM(sha256SCRAM, l, "fuzz"), newSCRAM(sha1SCRAM, l, "fuzz"), newDigest(l, "fuzz"), newDigest(public, "fuzz"),
		} {
			e.Start()
			if _, _, rounds, err := parseServerFirst(string(first)); err == nil && rounds > 10000 {
				t.Skip("it would take long")
			}
			if _, err := e.Step(first); err != nil {
				continue
			}
			if _, err := e.Step(second); err == nil || e.Complete() {
				t.Errorf("%T took %q as a proof", e, second)
			}
		}
	})
}

// A directive's value is what was quoted.
func FuzzDirectives(f *testing.F) {
	f.Add(`realm="a\"b",nonce="n", qop=auth,`, `x"y\`)
	f.Fuzz(func(t *testing.T, text, value string) {
		if _, err := parseDirectives(text); err != nil {
			return
		}
		again, err := parseDirectives(text + ",zz=" + quote(value))
		if err != nil {
			if len(text)+len(quote(value))+4 >= longestChallenge {
				return
			}
			t.Fatal(err)
		}
		if got := again["zz"]; got[len(got)-1] != value {
			t.Errorf("%q reads as %q", quote(value), got)
		}
	})
}

// Frames of a stranger are refused.
func FuzzLayer(f *testing.F) {
	f.Add([]byte{0, 0, 0, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, frames []byte) {
		wire := &buffer{Buffer: *bytes.NewBuffer(frames)}
		if text, err := io.ReadAll(newLayer(wire, [16]byte{9}, maxFrame)); err == nil && len(frames) > 0 || len(text) > 0 {
			t.Errorf("%x reads as %x, %v", frames, text, err)
		}
	})
}
