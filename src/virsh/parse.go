package virsh

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// ErrUnknown is a line that Ironic's driver never sends.
var ErrUnknown = errors.New("not a command of Ironic's virsh dialect")

// word is one word for the shell, in pieces: plain characters, between quotes, or an escaped quote.
const word = `(?:[A-Za-z0-9._+:@/-]|'[^'\n]*'|\\')+`

// A pattern understands one form. Its groups are the device if it has one, the URI, the domain if it has one.
type pattern struct {
	form
	whole *regexp.Regexp
}

// patterns are made from the forms: what is sent and what is understood cannot differ. They are made when first needed,
// for most programs only send.
var patterns = sync.OnceValue(func() (all []pattern) {
	for _, f := range forms {
		before := strings.ReplaceAll(regexp.QuoteMeta(f.before), `\{device\}`, `(?P<device>[a-z]+)`)
		after := strings.ReplaceAll(regexp.QuoteMeta(f.after), `\{domain\}`, `(?P<option>--domain=)?(?P<domain>`+word+`)`)
		whole := `^` + before + `(?:LC_ALL=C )?(?:/usr/bin/)?virsh (?:(?:-c|--connect)[ =](?P<uri>` + word + `) )?` + after + `$`
		all = append(all, pattern{f, regexp.MustCompile(whole)})
	}
	return all
})

// Parse understands a line, whole, or returns [ErrUnknown].
func Parse(line string) (Command, error) {
	for _, p := range patterns() {
		found := p.whole.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		group := func(name string) string {
			if i := p.whole.SubexpIndex(name); i >= 0 {
				return found[i]
			}
			return ""
		}
		c := Command{Verb: p.verb, Old: p.old, Device: group("device"), URI: unquote(group("uri")), Domain: unquote(group("domain"))}
		if strings.HasPrefix(c.Domain, "-") && group("option") == "" {
			continue // an option, for virsh
		}
		return c, nil
	}
	return Command{}, fmt.Errorf("%.200q: %w", line, ErrUnknown)
}

// unquote reads a word as a shell does.
func unquote(word string) string {
	var text strings.Builder
	for word != "" {
		switch word[0] {
		case '\'':
			inside, rest, _ := strings.Cut(word[1:], `'`)
			text.WriteString(inside)
			word = rest
		case '\\':
			text.WriteByte(word[1])
			word = word[2:]
		default:
			text.WriteByte(word[0])
			word = word[1:]
		}
	}
	return text.String()
}
