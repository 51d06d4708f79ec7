package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"bosh-ironic-cpi/src/config"
	"bosh-ironic-cpi/src/docstest"
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

const page = "configuration.md"

func TestDocsOfConfiguration(t *testing.T) {
	docstest.Table(t, page, "keys", config.Reference(configuration{}))
}

// Each example of the docs is a whole configuration; the secrets' files are made up.
func TestDocsExamplesAreRead(t *testing.T) {
	secrets := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secrets, []byte("a secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	inJobs := regexp.MustCompile(`/var/vcap/jobs/[^"]*`)
	for _, e := range docstest.Examples(t, page, "json", 3) {
		file := filepath.Join(t.TempDir(), "cpi.json")
		if err := os.WriteFile(file, []byte(inJobs.ReplaceAllString(e, secrets)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := load(file, nil, func(json.RawMessage) {}); err != nil {
			t.Errorf("%v in\n%s", err, e)
		}
	}
}

// Every key that the table of old properties names as the new place exists.
func TestDocsNameTrueKeys(t *testing.T) {
	key := regexp.MustCompile("`([a-z_]+[.][a-z_.]+)[:`]")
	docstest.Keys(t, page, "## From the properties", key, config.Reference(configuration{}), 45)
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
