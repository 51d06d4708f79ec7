package repository

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// temporary starts the names of files that have no key yet; keys may not start with it.
const temporary = ".upload"

// checkKey returns ErrBadKey and why, unless key is as [Store] says.
func checkKey(key string) error {
	why := ""
	switch {
	case key == "":
		why = "it is empty"
	case !utf8.ValidString(key):
		why = "it is not UTF-8"
	case strings.ContainsFunc(key, unicode.IsControl):
		why = "it holds a control character"
	case strings.HasPrefix(key, temporary):
		why = "names that start with " + temporary + " are for uploads under way"
	}
	for element := range strings.SplitSeq(key, "/") {
		switch {
		case why != "":
		case element == "" || element == "." || element == "..":
			why = "every part between slashes needs a name"
		case len(element) > 255:
			why = "a part between slashes is longer than 255 bytes"
		}
	}
	if why != "" {
		return fmt.Errorf("key %q: %w: %s", key, ErrBadKey, why)
	}
	return nil
}
