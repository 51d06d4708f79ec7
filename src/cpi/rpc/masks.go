package rpc

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// masks knows the secrets of one call and replaces them in text.
type masks struct {
	mu       sync.Mutex
	known    map[string]bool // every way in which a secret may appear in text
	replacer *strings.Replacer
}

// shortest is the least length of a secret, in bytes: masking shorter ones would leave no readable text, and
// tell by the gaps what they are.
const shortest = 4

// hide adds secrets. Those of several lines, such as keys, are also hidden line by line.
func (m *masks) hide(secrets ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil {
		m.known = map[string]bool{}
	}
	for _, s := range secrets {
		s = strings.TrimSpace(s)
		m.add(s)
		if lines := strings.Split(s, "\n"); len(lines) > 1 {
			for _, line := range lines {
				if line = strings.TrimSpace(line); !strings.HasPrefix(line, "-----") {
					m.add(line)
				}
			}
		}
	}
	m.replacer = nil
}

// nested is how often text may be quoted inside quoted text: JSON in an error, quoted in a message, by slog.
const nested = 5

// add notes s as it looks plain, in JSON, quoted once and again, and in URLs.
func (m *masks) add(s string) {
	if len(s) < shortest {
		return
	}
	inJSON := s
	if encoded, err := json.Marshal(s); err == nil {
		inJSON = string(encoded[1 : len(encoded)-1])
	}
	_, inUserinfo, _ := strings.Cut(url.UserPassword("", s).String(), ":")
	for _, form := range []string{s, inJSON, inUserinfo, url.QueryEscape(s), url.PathEscape(s)} {
		for range nested {
			m.known[form] = true
			form = quoted(form)
		}
	}
}

func quoted(s string) string {
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}

// apply replaces every secret in text by ***.
func (m *masks) apply(text string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.replacer == nil {
		forms := make([]string, 0, len(m.known))
		for form := range m.known {
			forms = append(forms, form)
		}
		// A replacer takes the first that fits: a secret that begins with another one must come before it.
		slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
		pairs := make([]string, 0, 2*len(forms))
		for _, form := range forms {
			pairs = append(pairs, form, "***")
		}
		m.replacer = strings.NewReplacer(pairs...)
	}
	return m.replacer.Replace(text)
}

// hideIn finds the secrets of a JSON document. What is no JSON holds none that anybody could log.
func (m *masks) hideIn(document json.RawMessage) {
	var tree any
	if err := json.Unmarshal(document, &tree); err != nil {
		return
	}
	var found []string
	find(tree, false, &found)
	m.hide(found...)
}

// find collects the texts below keys that name secrets, and texts that look like one wherever they stand.
func find(node any, isSecret bool, found *[]string) {
	switch n := node.(type) {
	case map[string]any:
		if _, ok := n["file"].(string); ok && len(n) == 1 {
			return // names the file that holds a secret
		}
		for key, value := range n {
			find(value, isSecret || namesSecret(key), found)
		}
	case []any:
		for _, value := range n {
			find(value, isSecret, found)
		}
	case float64:
		if isSecret {
			*found = append(*found, strconv.FormatFloat(n, 'f', -1, 64))
		}
	case string:
		if isSecret || strings.Contains(n, "PRIVATE KEY-----") {
			*found = append(*found, n)
			return
		}
		for _, match := range userinfo.FindAllStringSubmatch(n, -1) {
			*found = append(*found, match[1])
			if plain, err := url.PathUnescape(match[1]); err == nil {
				*found = append(*found, plain)
			}
		}
	}
}

var (
	userinfo    = regexp.MustCompile(`://[^/?#\s:@]*:([^/?#\s]+)@`)
	secretWords = regexp.MustCompile(`(?i)passw|passphrase|secret|token|credential|cert|(^|[_-])key$|community`)
)

// namesSecret also takes certificates for secrets: they are noise in a log.
func namesSecret(key string) bool {
	return secretWords.MatchString(key) && !strings.Contains(strings.ToLower(key), "public")
}
