package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"bosh-ironic-cpi/src/config"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"registry": main})
}

// The command line, as an operator sees it: one script per subject.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           filepath.Join("testdata", "script"),
		UpdateScripts: os.Getenv("UPDATE") != "",
		Setup:         freePorts,
		Cmds:          map[string]func(*testscript.TestScript, bool, []string){"request": request, "envsubst": envsubst},
	})
}

const page = "../../../docs/registry.md"

func TestDocsOfRegistry(t *testing.T) {
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

// Each example of the docs is a whole configuration; the files that it names are made up.
func TestDocsExamplesAreRead(t *testing.T) {
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(read(t, page), -1)
	if len(examples) < 2 {
		t.Fatalf("only %d examples in %s", len(examples), page)
	}
	dir := t.TempDir()
	password := written(t, dir, "password", "change-me\n")
	certificate, key := writeCertificate(t, dir)
	for _, e := range examples {
		text := strings.NewReplacer(
			"/var/vcap/jobs/registry/config/registry_password", password,
			"/var/vcap/jobs/registry/config/cert.pem", certificate,
			"/var/vcap/jobs/registry/config/key.pem", key,
		).Replace(e[1])
		c, warnings, err := load(written(t, dir, "registry.yml", text))
		if err == nil {
			_, err = prepare(&c)
		}
		if err != nil || len(warnings) > 0 {
			t.Errorf("%v, %v in\n%s", err, warnings, text)
		}
	}
}

// Every key that the table of old properties names as the new place exists.
func TestDocsNameTrueKeys(t *testing.T) {
	_, table, _ := strings.Cut(read(t, page), "| property of 2016 |")
	keys := config.Reference(configuration{})
	dotted := regexp.MustCompile("`([a-z_]+(?:[.][a-z_]+)*)`")
	checked := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) != 4 {
			if checked > 0 {
				break // the end of the table
			}
			continue
		}
		for _, found := range dotted.FindAllStringSubmatch(cells[2], -1) {
			checked++
			if !strings.Contains(keys, "| `"+found[1]+"` |") {
				t.Errorf("no key %s, in %s", found[1], line)
			}
		}
	}
	if checked < 8 {
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

func written(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
