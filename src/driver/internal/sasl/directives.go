package sasl

import (
	"errors"
	"fmt"
	"strings"
)

// A challenge of DIGEST-MD5 is shorter than that (RFC 2831, 2.1.1).
const longestChallenge = 2048

// parseDirectives reads what RFC 2831 (7.1) calls 1#( NAME "=" VALUE ): comma separated, a value being a token or quoted.
// Names are in lower case; one that comes again has several values.
func parseDirectives(text string) (map[string][]string, error) {
	if len(text) >= longestChallenge {
		return nil, fmt.Errorf("a message of %d bytes; less than %d are allowed", len(text), longestChallenge)
	}
	found := map[string][]string{}
	for {
		text = strings.TrimLeft(text, " \t\r\n,")
		if text == "" {
			return found, nil
		}
		name, rest, ok := strings.Cut(text, "=")
		name = strings.ToLower(strings.TrimRight(name, " \t\r\n"))
		if !ok || name == "" || strings.ContainsAny(name, "\", \t\r\n") {
			return nil, errors.New("a message that is not NAME=VALUE,…")
		}
		value, after, err := parseValue(strings.TrimLeft(rest, " \t\r\n"))
		if err != nil {
			return nil, err
		}
		if after = strings.TrimLeft(after, " \t\r\n"); after != "" && after[0] != ',' {
			return nil, fmt.Errorf("no comma behind the value of %.20q", name)
		}
		found[name] = append(found[name], value)
		text = after
	}
}

func parseValue(text string) (value, after string, err error) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexAny(text, ", \t\r\n")
		if end < 0 {
			end = len(text)
		}
		return text[:end], text[end:], nil
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return b.String(), text[i+1:], nil
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", errors.New("a quoted value without its end")
}

// quote is parseValue's other direction.
func quote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
