// Package docstest holds documents to the code that they tell of: tables that are made from it, and the examples.
//
// It is for tests alone. With UPDATE=1 in the environment it writes tables anew; `make docs` does that for all.
package docstest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// docs is the folder, seen from a package's own.
func docs(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "docs")
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	t.Fatal("docs/ is in none of the folders above: run tests inside the repository")
	return ""
}

// Read returns a page of docs/.
func Read(t testing.TB, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(docs(t), page))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Table wants, between the lines <!-- begin SECTION --> and <!-- end SECTION --> of a page, just this table.
func Table(t testing.TB, page, section, table string) {
	t.Helper()
	begin, end := "<!-- begin "+section+" -->\n", "<!-- end "+section+" -->"
	before, rest, found := strings.Cut(Read(t, page), begin)
	old, after, ended := strings.Cut(rest, end)
	switch {
	case !found || !ended:
		t.Fatalf("%s has no place for the table %q", page, section)
	case old == table:
	case os.Getenv("UPDATE") == "":
		t.Errorf("%s: table %q is stale: make docs (-have +want):\n%s", page, section, cmp.Diff(old, table))
	default:
		if err := os.WriteFile(filepath.Join(docs(t), page), []byte(before+begin+table+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Examples returns the blocks of a page in one language, such as "json"; there must be at least least.
func Examples(t testing.TB, page, language string, least int) []string {
	t.Helper()
	var all []string
	for _, found := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(Read(t, page), -1) {
		all = append(all, found[1])
	}
	if len(all) < least {
		t.Fatalf("only %d examples in %s; want %d", len(all), page, least)
	}
	return all
}

// belowOptions is what an object of free form may hold.
var belowOptions = regexp.MustCompile(`[.]options[.].*`)

// Keys wants each key that the table of old names, under its head, names as a new one to be among the rows of
// reference, a table of keys. It wants to find at least least of them.
func Keys(t testing.TB, page, head string, key *regexp.Regexp, reference string, least int) {
	t.Helper()
	_, table, found := strings.Cut(Read(t, page), head)
	if !found {
		t.Fatalf("%s has no %q", page, head)
	}
	checked := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) != 4 {
			continue
		}
		for _, name := range key.FindAllStringSubmatch(cells[2], -1) {
			checked++
			known := belowOptions.ReplaceAllString(name[1], ".options")
			if !strings.Contains(reference, "| `"+known+"` |") {
				t.Errorf("%s: no key %s, in %s", page, name[1], line)
			}
		}
	}
	if checked < least {
		t.Errorf("%s: only %d keys were found in the table; want %d", page, checked, least)
	}
}
