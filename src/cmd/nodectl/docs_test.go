package main

import (
	"bytes"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"bosh-ironic-cpi/src/docstest"
)

const page = "nodectl.md"

// parses wants a command line as people write it to be understood. Nothing runs.
func parses(t *testing.T, line string) {
	t.Helper()
	line, _, _ = strings.Cut(line, " | jq")
	var words []string
	for _, w := range regexp.MustCompile(`"[^"]*"|'[^']*'|\S+`).FindAllString(line, -1) {
		if w == "|" || w == ">" {
			break
		}
		words = append(words, strings.Trim(w, `"'`))
	}
	var out, messages bytes.Buffer
	parser, err := newParser(new(commandLine), &console{out: &out, messages: &messages})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(words[1:]); err != nil {
		t.Errorf("%q: %v", line, err)
	}
}

var (
	docsLine = regexp.MustCompile(`(?m)^    (?:.* \| |.*<\()?(?:xargs -I\{\} )?(nodectl [^)\n]*)`)
	docsCell = regexp.MustCompile("\\| `(nodectl [^`]+)`[^|]*\\|\\n")
	helpLine = regexp.MustCompile(`(?m)^.*?(nodectl [^)\n]*)\)?$`)
)

func TestDocsExamplesAreCommandLines(t *testing.T) {
	text := docstest.Read(t, page)
	lines := docsLine.FindAllStringSubmatch(text, -1)
	cells := docsCell.FindAllStringSubmatch(text, -1)
	if len(lines) < 30 || len(cells) < 20 {
		t.Fatalf("%s has %d examples and %d rows; the pattern is wrong", page, len(lines), len(cells))
	}
	for _, line := range append(lines, cells...) {
		parses(t, strings.TrimSuffix(line[1], " and so on"))
	}
}

// Every command is in the docs, and ends its help with examples.
func TestDocsNameEveryCommand(t *testing.T) {
	text := docstest.Read(t, page)
	for _, leaf := range leaves(t) {
		if !strings.Contains(text, leaf.FullPath()) {
			t.Errorf("%s lacks %s", page, leaf.FullPath())
		}
		_, examples, found := strings.Cut(leaf.Detail, "Examples:\n")
		if !found {
			t.Errorf("the help of %s has no examples", leaf.FullPath())
		}
		for _, line := range helpLine.FindAllStringSubmatch(examples, -1) {
			parses(t, line[1])
		}
	}
}

func leaves(t *testing.T) []*kong.Node {
	t.Helper()
	var out bytes.Buffer
	parser, err := newParser(new(commandLine), &console{out: &out, messages: &out})
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model.Leaves(true)
}

// The files of the page can be enrolled as they stand there.
func TestDocsFilesAreRead(t *testing.T) {
	text := docstest.Read(t, page)
	for _, kind := range []string{"yaml", "csv"} {
		block := regexp.MustCompile("(?s)```" + kind + "\n(- name.*?|name,.*?)```").FindStringSubmatch(text)
		if block == nil {
			t.Fatalf("%s has no file of nodes in %s", page, kind)
		}
		if _, err := readNodes("nodes."+kind, []byte(block[1])); err != nil {
			t.Errorf("%v in\n%s", err, block[1])
		}
	}
}

func TestCompletion(t *testing.T) {
	script := tell(t, "", "completion", "bash").want(t, exitDone).out
	tests := []struct{ words, want string }{
		{"nodectl n", "node"},
		{"nodectl node pro", "provision"},
		{"nodectl --url http://x node provision rack-1 pro", "provide"},
		{"nodectl node list --no-m", "--no-maintenance"},
		{"nodectl node list -o j", "json"},
		{"nodectl node show rack-", "rack-1 rack-2"},
		{"nodectl claims --release rack-2", "rack-2"},
		{"nodectl driver li", "list"},
	}
	for _, tt := range tests {
		// The service is a function here: it names two nodes.
		bash := exec.CommandContext(t.Context(), "bash", "-c", script+"\nnodectl() { echo rack-1; echo rack-2; }\n"+
			"COMP_WORDS=("+tt.words+"); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _nodectl; echo \"${COMPREPLY[*]}\"")
		out, err := bash.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != tt.want {
			t.Errorf("completion of %q = %q, %v; want %q", tt.words, got, err, tt.want)
		}
	}
}
