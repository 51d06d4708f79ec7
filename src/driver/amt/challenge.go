package amt

import (
	"net/http"
	"strings"

	"github.com/icholy/digest"
)

// A challengeError is a server that asks for credentials in a way that we do not have.
type challengeError struct{ problem string }

// Error implements error.
func (e *challengeError) Error() string { return "digest authentication: " + e.problem }

// findChallenge picks the first challenge that can be answered. It stands in for the library's own, which fails at what
// RFC 9110 allows: names in capitals, parameters that it does not know if there is an underscore or a dot in them,
// empty list elements, several challenges in one header.
func findChallenge(h http.Header) (*digest.Challenge, error) {
	problem := "no digest challenge"
	for _, header := range h.Values("WWW-Authenticate") {
		for _, c := range challenges(header) {
			switch {
			case !strings.EqualFold(c.scheme, "digest"):
			case c.parameters["nonce"] == "":
				problem = "the challenge has no nonce"
			default:
				found := c.digest()
				if digest.CanDigest(found) {
					return found, nil
				}
				problem = "algorithm " + quote(found.Algorithm) + " with qop " + quote(c.parameters["qop"]) + " is not known here"
			}
		}
	}
	return nil, &challengeError{problem}
}

// A challenge is a scheme with parameters, their names in lower case.
type challenge struct {
	scheme     string
	parameters map[string]string
}

func (c challenge) digest() *digest.Challenge {
	p := c.parameters
	d := &digest.Challenge{
		Realm: p["realm"], Nonce: p["nonce"], Opaque: p["opaque"], Algorithm: p["algorithm"],
		Stale: strings.EqualFold(p["stale"], "true"), Userhash: strings.EqualFold(p["userhash"], "true"),
	}
	for _, q := range strings.FieldsFunc(p["qop"], func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
		d.QOP = append(d.QOP, strings.ToLower(q))
	}
	return d
}

// challenges reads a WWW-Authenticate header (RFC 9110, section 11.6.1), and is lenient: what it does not understand, it
// leaves out.
func challenges(header string) (all []challenge) {
	s := scanner(header)
	for {
		s.skip(" \t,")
		name := s.token()
		switch {
		case name == "" && s == "":
			return all
		case name == "": // something that has no place here
			s = s[1:]
			continue
		}
		s.skip(" \t")
		if !strings.HasPrefix(string(s), "=") {
			all = append(all, challenge{scheme: name, parameters: map[string]string{}})
			continue
		}
		s = s[1:]
		s.skip(" \t")
		value := s.value()
		if len(all) > 0 {
			all[len(all)-1].parameters[strings.ToLower(name)] = value
		}
	}
}

// A scanner is the rest of a header.
type scanner string

func (s *scanner) skip(set string) { *s = scanner(strings.TrimLeft(string(*s), set)) }

// token takes characters that are no delimiters.
func (s *scanner) token() string {
	end := strings.IndexAny(string(*s), " \t,;=\"\\")
	if end < 0 {
		end = len(*s)
	}
	token := string((*s)[:end])
	*s = (*s)[end:]
	return token
}

// value takes a quoted string, or everything up to a space or comma: nonces of some servers end with = and have no quotes.
func (s *scanner) value() string {
	if !strings.HasPrefix(string(*s), `"`) {
		end := strings.IndexAny(string(*s), " \t,")
		if end < 0 {
			end = len(*s)
		}
		value := string((*s)[:end])
		*s = (*s)[end:]
		return value
	}
	var b strings.Builder
	rest := (*s)[1:]
	for i := 0; i < len(rest); i++ {
		switch {
		case rest[i] == '"':
			*s = rest[i+1:]
			return b.String()
		case rest[i] == '\\' && i+1 < len(rest):
			i++
		}
		b.WriteByte(rest[i])
	}
	*s = ""
	return b.String()
}
