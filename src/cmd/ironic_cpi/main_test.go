package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"bosh-ironic-cpi/src/config"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ironic_cpi": main})
}

// The command line and the protocol, as a Director and the CLI see them: one script per subject.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           filepath.Join("testdata", "script"),
		UpdateScripts: os.Getenv("UPDATE") != "",
		Cmds:          map[string]func(*testscript.TestScript, bool, []string){"answer": answer},
	})
}

// answer wants the last stdout to be one line of JSON with result, error and log, and shows the first two as
// plain lines, so that a script reads "answer result pong" or "answer Bosh::Clouds::CpiError no request".
func answer(ts *testscript.TestScript, neg bool, args []string) {
	out := ts.ReadFile("stdout")
	line := regexp.MustCompile(`^\{"result":(.*),"error":(null|\{.*\}),"log":"(.*)"\}\n$`).FindStringSubmatch(out)
	if line == nil {
		ts.Fatalf("stdout is not one answer: %q", out)
	}
	want := strings.Join(args[1:], " ")
	found := strings.Contains(line[2], args[0]) && strings.Contains(line[2], want)
	if args[0] == "result" {
		found = line[1] == want && line[2] == "null"
	}
	if found == neg {
		ts.Fatalf("answer is %s", out)
	}
}

const page = "../../../docs/configuration.md"

func TestDocsOfConfiguration(t *testing.T) {
	text := read(t, page)
	head, rest, found := strings.Cut(text, "configuration.go -->\n")
	_, tail, ended := strings.Cut(rest, "<!-- end -->")
	if !found || !ended {
		t.Fatalf("%s has no place for the keys", page)
	}
	want := head + "configuration.go -->\n" + config.Reference(configuration{}) + "<!-- end -->" + tail
	if text == want {
		return
	}
	if os.Getenv("UPDATE") == "" {
		t.Fatalf("%s is stale: make docs (-have +want):\n%s", page, cmp.Diff(text, want))
	}
	if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Each example of the docs is a whole configuration; the secrets' files are made up.
func TestDocsExamplesAreRead(t *testing.T) {
	examples := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(read(t, page), -1)
	if len(examples) < 3 {
		t.Fatalf("only %d examples in %s", len(examples), page)
	}
	secrets := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secrets, []byte("a secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	inJobs := regexp.MustCompile(`/var/vcap/jobs/[^"]*`)
	for _, e := range examples {
		file := filepath.Join(t.TempDir(), "cpi.json")
		if err := os.WriteFile(file, []byte(inJobs.ReplaceAllString(e[1], secrets)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := load(file, nil, func(json.RawMessage) {}); err != nil {
			t.Errorf("%v in\n%s", err, e[1])
		}
	}
}

// Every key that the table of old properties names as the new place exists.
func TestDocsNameTrueKeys(t *testing.T) {
	_, table, _ := strings.Cut(read(t, page), "## From the properties")
	keys := config.Reference(configuration{})
	dotted := regexp.MustCompile("`([a-z_]+[.][a-z_.]+)[:`]")
	checked := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) != 4 {
			continue
		}
		for _, found := range dotted.FindAllStringSubmatch(cells[2], -1) {
			checked++
			key := regexp.MustCompile(`[.]options[.].*`).ReplaceAllString(found[1], ".options")
			if !strings.Contains(keys, "| `"+key+"` |") {
				t.Errorf("no key %s, in %s", key, line)
			}
		}
	}
	if checked < 45 {
		t.Errorf("only %d keys were found in the table", checked)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// BenchmarkInfo measures a whole process: start, one info, end.
func BenchmarkInfo(b *testing.B) {
	program := filepath.Join(b.TempDir(), "ironic_cpi")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	for b.Loop() {
		info := exec.CommandContext(b.Context(), program)
		info.Stdin = strings.NewReader(`{"method":"info","arguments":[]}`)
		if out, err := info.Output(); err != nil || !strings.Contains(string(out), `"api_version":3`) {
			b.Fatalf("%v: %s", err, out)
		}
	}
}
