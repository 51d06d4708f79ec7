package sasl

import (
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // DIGEST-MD5 it is
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// Qualities of protection. auth-int, which signs and does not encrypt, is of no use here.
const (
	qopAuth = "auth"
	qopConf = "auth-conf"
)

// What we take in one frame of the layer, and what a server takes that does not say (RFC 2831, 2.1.1).
const maxFrame = 65536

// digest is RFC 2831, the first authentication only (not the subsequent one, which takes nonces again).
type digest struct {
	login    Login
	nonce    string // of the client's
	uri      string
	answered bool
	verified bool
	want     string // the server's rspauth
	session  [md5.Size]byte
	cipher   string // of the layer; empty: none
	peerMax  int    // what the server takes in one frame
}

func newDigest(login Login, nonce string) *digest {
	return &digest{login: login, nonce: nonce, uri: login.Service + "/" + login.Host}
}

func (d *digest) Start() []byte { return nil }

func (d *digest) Complete() bool { return d.verified }

func (d *digest) Secure(conn net.Conn) net.Conn {
	if d.cipher == "" {
		return conn
	}
	return newLayer(conn, d.session, d.peerMax)
}

func (d *digest) Step(message []byte) (answer []byte, err error) {
	switch {
	case d.verified && len(message) == 0:
		return nil, nil
	case d.verified:
		err = errors.New("a message after the last one")
	default:
		var directives map[string][]string
		if directives, err = parseDirectives(string(message)); err != nil {
			break
		}
		if d.answered {
			err = d.verify(directives)
		} else {
			answer, err = d.answer(directives)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("DIGEST-MD5: %w", err)
	}
	return answer, nil
}

// answer is the digest-response to the server's digest-challenge.
func (d *digest) answer(challenge map[string][]string) ([]byte, error) {
	nonces := challenge["nonce"]
	if len(nonces) != 1 || nonces[0] == "" {
		return nil, errors.New("a challenge without a nonce")
	}
	if a := challenge["algorithm"]; len(a) != 1 || !strings.EqualFold(a[0], "md5-sess") {
		return nil, fmt.Errorf("algorithm %.40q; md5-sess is the only one", a)
	}
	qop, err := d.protection(challenge)
	if err != nil {
		return nil, err
	}
	realm := ""
	if realms := challenge["realm"]; len(realms) > 0 {
		realm = realms[0]
	}
	unicode := slices.Equal(challenge["charset"], []string{"utf-8"})
	d.session, err = d.a1(realm, nonces[0], unicode)
	if err != nil {
		return nil, err
	}
	d.want = d.response("", nonces[0], qop)
	d.answered = true

	var fields []string
	if unicode {
		fields = append(fields, "charset=utf-8")
	}
	fields = append(fields, "username="+quote(d.login.Username))
	if len(challenge["realm"]) > 0 {
		fields = append(fields, "realm="+quote(realm))
	}
	fields = append(fields, "nonce="+quote(nonces[0]), "nc=00000001", "cnonce="+quote(d.nonce), "digest-uri="+quote(d.uri),
		"response="+d.response("AUTHENTICATE", nonces[0], qop), "qop="+qop)
	if d.cipher != "" {
		fields = append(fields, "cipher="+quote(d.cipher), fmt.Sprintf("maxbuf=%d", maxFrame))
	}
	return []byte(strings.Join(fields, ",")), nil
}

// protection chooses quality of protection and cipher: where others may listen, all is encrypted.
func (d *digest) protection(challenge map[string][]string) (qop string, err error) {
	offered := listed(challenge["qop"])
	if len(offered) == 0 {
		offered = []string{qopAuth} // the default of RFC 2831
	}
	if d.login.Private {
		if slices.Contains(offered, qopAuth) {
			return qopAuth, nil
		}
	}
	if !slices.Contains(offered, qopConf) {
		return "", fmt.Errorf("the server offers the protection %q; wanted: %s", offered, qopConf)
	}
	ciphers := listed(challenge["cipher"])
	if !slices.Contains(ciphers, rc4Only) {
		return "", fmt.Errorf("the server offers the ciphers %q; of use here: %s", ciphers, rc4Only)
	}
	d.cipher, d.peerMax = rc4Only, maxFrame
	if limits := challenge["maxbuf"]; len(limits) > 0 {
		d.peerMax, err = strconv.Atoi(limits[0])
		if err != nil || len(limits) > 1 || d.peerMax <= overhead || d.peerMax > 1<<24-1 {
			return "", fmt.Errorf("the server takes frames of %.40q bytes", limits)
		}
		d.peerMax = min(d.peerMax, maxFrame)
	}
	return qopConf, nil
}

// listed splits a directive that is a list.
func listed(values []string) (words []string) {
	for _, v := range values {
		words = append(words, strings.FieldsFunc(strings.ToLower(v), func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })...)
	}
	return words
}

// a1 is H(A1), from which also the layer's keys are made.
func (d *digest) a1(realm, nonce string, unicode bool) (sum [md5.Size]byte, err error) {
	var parts [3]string
	for i, text := range []string{d.login.Username, realm, d.login.Password.Reveal()} {
		latin, ok := latin1(text)
		switch {
		case ok:
			parts[i] = latin
		case unicode:
			parts[i] = text
		default:
			return sum, errors.New("the server does not know UTF-8, and name or password have letters beyond ISO 8859-1")
		}
	}
	inner := md5.Sum([]byte(strings.Join(parts[:], ":")))                       //nolint:gosec // as RFC 2831 has it
	return md5.Sum(slices.Concat(inner[:], []byte(":"+nonce+":"+d.nonce))), nil //nolint:gosec // as RFC 2831 has it
}

// response is the value of response (method AUTHENTICATE) or of rspauth (no method).
func (d *digest) response(method, nonce, qop string) string {
	a2 := method + ":" + d.uri
	if qop != qopAuth {
		a2 += ":00000000000000000000000000000000"
	}
	session := hex.EncodeToString(d.session[:])
	return hexMD5(session + ":" + nonce + ":00000001:" + d.nonce + ":" + qop + ":" + hexMD5(a2))
}

// verify checks the server's proof that it knows the password.
func (d *digest) verify(directives map[string][]string) error {
	proof := directives["rspauth"]
	if len(proof) != 1 || !hmac.Equal([]byte(strings.ToLower(proof[0])), []byte(d.want)) {
		return errors.New("the server does not know the password: it is not the one that it seems to be")
	}
	d.verified = true
	return nil
}

func hexMD5(text string) string {
	sum := md5.Sum([]byte(text)) //nolint:gosec // as RFC 2831 has it
	return hex.EncodeToString(sum[:])
}

// latin1 is UTF-8 text in ISO 8859-1, which RFC 2831 (2.1.2.1) hashes where it can.
func latin1(text string) (string, bool) {
	var b strings.Builder
	for _, r := range text {
		if r > 0xff {
			return "", false
		}
		b.WriteByte(byte(r)) //nolint:gosec // see above
	}
	return b.String(), true
}
