package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"bosh-ironic-cpi/src/config"
	"bosh-ironic-cpi/src/docstest"
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

const page = "registry.md"

func TestDocsOfRegistry(t *testing.T) {
	docstest.Table(t, page, "keys", config.Reference(configuration{}))
}

// Each example of the docs is a whole configuration; the files that it names are made up.
func TestDocsExamplesAreRead(t *testing.T) {
	dir := t.TempDir()
	password := written(t, dir, "password", "change-me\n")
	certificate, key := writeCertificate(t, dir)
	made := strings.NewReplacer(
		"/var/vcap/jobs/registry/config/registry_password", password,
		"/var/vcap/jobs/registry/config/api_password", password,
		"/var/vcap/jobs/registry/config/keystone_password", password,
		"/var/vcap/jobs/registry/config/cert.pem", certificate,
		"/var/vcap/jobs/registry/config/key.pem", key,
	)
	for _, e := range append(docstest.Examples(t, page, "yaml", 2), docstest.Examples(t, "conductor.md", "yaml", 2)...) {
		c, warnings, err := load(written(t, dir, "registry.yml", made.Replace(e)))
		if err == nil {
			_, err = prepare(&c)
		}
		if err != nil || len(warnings) > 0 {
			t.Errorf("%v, %v in\n%s", err, warnings, e)
		}
	}
}

// Every key that the table of old properties names as the new place exists.
func TestDocsNameTrueKeys(t *testing.T) {
	key := regexp.MustCompile("`([a-z_]+(?:[.][a-z_]+)+)`")
	docstest.Keys(t, page, "| property of 2016 |", key, config.Reference(configuration{}), 7)
}

func written(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
