// Package src_test holds the house to its plan: who may import whom, what stays out of programs, and what a
// file in the repository may not say. The plan is the table in docs/architecture.md; this test reads it there.
package src_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	module = "bosh-ironic-cpi/src/"
	top    = ".." // the repository, seen from here
	table  = "docs/architecture.md"
)

// A goPackage is what `go list` says about one of our packages.
type goPackage struct {
	ImportPath, Name, Doc  string
	GoFiles, Imports, Deps []string
}

// short is the path as the table has it.
func (p goPackage) short() string { return strings.TrimPrefix(p.ImportPath, module) }

// packages lists our packages; those that hold nothing but tests are left out.
func packages(t *testing.T) []goPackage {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Name,Doc,GoFiles,Imports,Deps", "./src/...")
	list.Dir = top
	out, err := list.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var all []goPackage
	for answers := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := answers.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		if len(p.GoFiles) > 0 {
			all = append(all, p)
		}
	}
}

// A row is what the table says about one package.
type row struct {
	may      []string // packages of ours that it may import; "anything" is what it says
	testOnly bool     // for tests alone: no program that operators run may hold it
}

var inBackticks = regexp.MustCompile("`([^`]+)`")

// rows reads the first table of "The house" in docs/architecture.md.
func rows(t *testing.T) map[string]row {
	t.Helper()
	text := string(content(t, table))
	_, text, found := strings.Cut(text, "\n| package under `src/` |")
	if !found {
		t.Fatalf("%s has no table with the head \"package under `src/`\"", table)
	}
	found = false
	all := map[string]row{}
	for line := range strings.Lines(text) {
		cells := strings.Split(line, "|")
		if strings.HasPrefix(line, "| `") && len(cells) == 5 {
			found = true
			r := row{testOnly: strings.Contains(cells[2], "tests only")}
			if may := strings.Trim(strings.TrimSpace(cells[3]), "–"); may != "" {
				r.may = strings.Split(may, ", ")
			}
			for _, name := range inBackticks.FindAllStringSubmatch(cells[1], -1) {
				if _, twice := all[name[1]]; twice {
					t.Errorf("%s has two rows for src/%s", table, name[1])
				}
				all[name[1]] = r
			}
		} else if found {
			break
		}
	}
	return all
}

// content reads a file of the repository.
func content(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(top, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// tracked lists the files that git keeps.
func tracked(t *testing.T) []string {
	t.Helper()
	// The owner of a clone in a container is often another user, which git would refuse.
	list := exec.CommandContext(t.Context(), "git", "-c", "safe.directory=*", "ls-files", "-z")
	list.Dir = top
	out, err := list.Output()
	if err != nil {
		t.Skipf("not a git clone: %v", err)
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 })
}

func TestImportsFollowTheTable(t *testing.T) {
	house := rows(t)
	here := map[string]bool{}
	for _, p := range packages(t) {
		here[p.short()] = true
		r, ok := house[p.short()]
		if !ok {
			t.Errorf("src/%s has no row in %s: give it one, or put its code where it belongs", p.short(), table)
			continue
		}
		for _, name := range p.Imports {
			to, ours := strings.CutPrefix(name, module)
			switch {
			case !ours:
			case house[to].testOnly && !r.testOnly:
				t.Errorf("src/%s imports src/%s, which is for tests only (%s)", p.short(), to, table)
			case slices.Contains(r.may, "anything"), slices.Contains(r.may, to):
			default:
				t.Errorf("src/%s imports src/%s, and its row in %s does not allow that", p.short(), to, table)
			}
		}
	}
	for name := range house {
		if !here[name] {
			t.Errorf("%s has a row for src/%s, which is not there: move it to what is planned", table, name)
		}
	}
}

func TestHeavyThingsStayWhereTheyBelong(t *testing.T) {
	onlyIn := []struct {
		prefix string   // of an import path
		homes  []string // packages of ours, with all below them
	}{
		{"github.com/gophercloud/gophercloud", []string{"baremetal"}},
		{"github.com/cloudfoundry/bosh-cpi-go", []string{"cpi/rpc"}},
		{"github.com/diskfs/go-diskfs", []string{"configdrive", "virtualmedia"}},
	}
	below := func(p goPackage, home string) bool {
		return p.short() == home || strings.HasPrefix(p.short(), home+"/")
	}
	for _, p := range packages(t) {
		for _, rule := range onlyIn {
			at := slices.IndexFunc(p.Imports, func(name string) bool { return strings.HasPrefix(name, rule.prefix) })
			if at >= 0 && !slices.ContainsFunc(rule.homes, func(home string) bool { return below(p, home) }) {
				t.Errorf("src/%s imports %s; it stays in src/%s", p.short(), p.Imports[at], strings.Join(rule.homes, ", src/"))
			}
		}
	}
}

func TestProgramsStayLight(t *testing.T) {
	never := []struct {
		program, dependency, why string
	}{
		{"cmd/ironic_cpi", module + "repository/server", "it starts in milliseconds"},
		{"cmd/ironic_cpi", module + "registry/server", "it starts in milliseconds"},
		{"cmd/ironic_cpi", module + "virshproxy", "it starts in milliseconds"},
		{"cmd/ironic_cpi", module + "daemon", "it starts in milliseconds"},
		{"cmd/ironic_cpi", module + "driver/vendorargs", "it starts in milliseconds"},
		{"cmd/ironic_cpi", "github.com/prometheus/client_golang/prometheus", "it starts in milliseconds"},
	}
	for _, p := range packages(t) {
		for _, rule := range never {
			if strings.HasPrefix(p.short(), rule.program) && slices.Contains(p.Deps, rule.dependency) {
				t.Errorf("src/%s depends on %s, and must not: %s; go mod why -m and go list -deps find the way",
					p.short(), rule.dependency, rule.why)
			}
		}
	}
}

// Whoever brings the package testing into a program, ours or a library, is named. gofish does, by a file of its own tests' helpers
// that is not called a test (schemas/testutil.go); it adds no flag and 1 MB with all of gofish.
func TestNoProgramCarriesTestCode(t *testing.T) {
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-e", "-json=ImportPath,Imports,Standard", "./src/cmd/...")
	list.Dir = top
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	house := rows(t)
	for answers := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath string
			Imports    []string
			Standard   bool
		}
		if err := answers.Decode(&p); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		forTests := house[strings.TrimPrefix(p.ImportPath, module)].testOnly
		if slices.Contains(p.Imports, "testing") && !p.Standard && !forTests && p.ImportPath != "github.com/stmcginnis/gofish/schemas" {
			t.Errorf("%s imports testing, and a program imports it: no program carries test code", p.ImportPath)
		}
	}
}

func TestEveryPackageHasAComment(t *testing.T) {
	for _, p := range packages(t) {
		want := "Package " + p.Name + " "
		if p.Name == "main" {
			want = ""
		}
		if p.Doc == "" || !strings.HasPrefix(p.Doc, want) {
			t.Errorf("src/%s has no package comment: say what it is, what it cannot do, where it is specified", p.short())
		}
	}
}

func TestTopLevelHoldsNothingElse(t *testing.T) {
	want := []string{
		"src", "jobs", "packages", "config", "bin", "manifests", "spec", "docs", "tools", "go.mod", "go.sum", "Makefile",
		"README.md", "LICENSE", "CONTRIBUTING.md", "CHANGELOG.md", ".ci", ".gitignore", ".golangci.yml",
	}
	var seen []string
	for _, name := range tracked(t) {
		first, _, _ := strings.Cut(name, "/")
		if !slices.Contains(want, first) && !slices.Contains(seen, first) {
			seen = append(seen, first)
			t.Errorf("%s at the top: a stranger reads that list first, so what is there has to be in it (%q)", first, want)
		}
	}
}

// A path of somebody's own machine is wrong on every other; /home/operator is in requests that the bosh CLI wrote.
var machinePath = regexp.MustCompile("(?:^|[\\s\"'=(:`])/(?:work|root|home/\\w+)/[\\w.-]*")

func TestNoPathOfOneMachine(t *testing.T) {
	for _, name := range tracked(t) {
		if info, err := os.Lstat(filepath.Join(top, name)); err != nil || !info.Mode().IsRegular() {
			continue // deleted, and not committed yet
		}
		for _, found := range machinePath.FindAllString(string(content(t, name)), -1) {
			if !strings.Contains(found, "/home/operator/") && !strings.Contains(found, "/home/vcap/") {
				t.Errorf("%s: %s is a path of one machine: make it relative, or an argument", name, strings.TrimSpace(found))
			}
		}
	}
}

var (
	markdownLink = regexp.MustCompile(`\]\(([^)#:\s]+)(?:#[^)]*)?\)`)
	ourPath      = regexp.MustCompile("`((?:src|bin|docs|tools|\\.ci)/[\\w./-]+)`")
)

// Recipes that name a file which has moved are worse than none.
func TestDocsNameFilesThatExist(t *testing.T) {
	for _, name := range tracked(t) {
		if path.Ext(name) != ".md" || strings.Contains(name, "/testdata/") {
			continue
		}
		text := string(content(t, name))
		var paths []string
		for _, link := range markdownLink.FindAllStringSubmatch(text, -1) {
			paths = append(paths, path.Join(path.Dir(name), link[1]))
		}
		if name == "README.md" || name == "CONTRIBUTING.md" { // others also name planned files, and files of an operator
			for _, quoted := range ourPath.FindAllStringSubmatch(text, -1) {
				paths = append(paths, quoted[1])
			}
		}
		for _, p := range paths {
			if _, err := os.Stat(filepath.Join(top, p)); err != nil {
				t.Errorf("%s names %s, which is not there", name, p)
			}
		}
	}
}

var fuzzTarget = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)

// What reads the bytes of strange hardware is fuzzed from examples that are kept, one thing each.
func TestFuzzTargetsOfDriversHaveACorpus(t *testing.T) {
	files := tracked(t)
	for _, name := range files {
		if !strings.HasSuffix(name, "_test.go") || !strings.HasPrefix(name, "src/driver/") && !strings.HasPrefix(name, "src/virsh/") {
			continue
		}
		for _, target := range fuzzTarget.FindAllSubmatch(content(t, name), -1) {
			corpus := path.Join(path.Dir(name), "testdata/fuzz", string(target[1])) + "/"
			if !slices.ContainsFunc(files, func(f string) bool { return strings.HasPrefix(f, corpus) }) {
				t.Errorf("%s: %s has no file in %s", name, target[1], corpus)
			}
		}
	}
}

var jsonBlock = regexp.MustCompile("(?s)```json\n(.*?)```")

// The first thing that an operator copies must be right.
func TestReadmeShowsAConfiguration(t *testing.T) {
	example := jsonBlock.FindSubmatch(content(t, "README.md"))
	if example == nil {
		t.Fatal("README.md has no ```json block")
	}
	file := filepath.Join(t.TempDir(), "cpi.json")
	if err := os.WriteFile(file, example[1], 0o600); err != nil {
		t.Fatal(err)
	}
	check := exec.CommandContext(t.Context(), "go", "run", "./src/cmd/ironic_cpi", "-check", "-configPath", file)
	check.Dir = top
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("ironic_cpi -check of README.md's example: %v\n%s", err, out)
	}
}
