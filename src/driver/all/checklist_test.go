package all_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// checklists are what the staging drivers' own tests asserted, numbered in section 7 of the specification of those drivers: a
// letter and ranges of numbers for each, and the package that has the tests. Numbers in between (A19, B16 to B19, L29, …)
// were never given.
var checklists = []struct {
	letter, home string
	ranges       [][2]int
}{
	{"W", "wol", [][2]int{{1, 15}}},
	{"A", "amt", [][2]int{{1, 18}, {20, 32}, {40, 51}, {60, 61}}},
	{"B", "iboot", [][2]int{{1, 15}, {20, 30}}},
	{"L", "libvirt", [][2]int{{1, 28}, {30, 36}, {40, 44}}},
	{"N", "nodemanager", [][2]int{{1, 35}, {40, 58}, {60, 70}}},
}

// A test of a row has its number in its name: func TestW5NoRoute, t.Run("W5 no route", …), or a case of a table whose name
// begins with it.
func TestEveryRowOfTheChecklistsHasATest(t *testing.T) {
	for _, list := range checklists {
		there := numbersOf(t, list.letter, filepath.Join("..", list.home))
		for _, r := range list.ranges {
			for number := r[0]; number <= r[1]; number++ {
				if row := list.letter + strconv.Itoa(number); !there[row] {
					t.Errorf("no test in src/driver/%s has %s in its name", list.home, row)
				}
			}
		}
	}
}

// numbersOf finds a letter's numbers in the names of a package's tests.
func numbersOf(t *testing.T, letter, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("tests in %s: %d, %v", dir, len(files), err)
	}
	inFunction := regexp.MustCompile(`^Test(` + letter + `\d+)(?:[A-Z_]|$)`)
	inTable := regexp.MustCompile(`^(?:` + letter + `\d+ )*(?:` + letter + `\d+)\b`)
	there := map[string]bool{}
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(node ast.Node) bool {
			for _, name := range names(node) {
				for number := range strings.FieldsSeq(inTable.FindString(name)) {
					there[number] = true
				}
			}
			if f, ok := node.(*ast.FuncDecl); ok {
				if found := inFunction.FindStringSubmatch(f.Name.Name); found != nil {
					there[found[1]] = true
				}
			}
			return true
		})
	}
	return there
}

// names are the texts in a node that may be a subtest's: what a Run gets first, and what stands in a table, as a field or
// as a key.
func names(node ast.Node) (found []string) {
	var places []ast.Expr
	switch node := node.(type) {
	case *ast.CallExpr:
		if f, ok := node.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Run" && len(node.Args) == 2 {
			places = node.Args[:1]
		}
	case *ast.CompositeLit:
		places = node.Elts
	case *ast.KeyValueExpr:
		places = []ast.Expr{node.Key, node.Value}
	}
	for _, place := range places {
		for sum, ok := place.(*ast.BinaryExpr); ok; sum, ok = place.(*ast.BinaryExpr) { // "N47 " + method
			place = sum.X
		}
		if text, ok := place.(*ast.BasicLit); ok && text.Kind == token.STRING {
			if name, err := strconv.Unquote(text.Value); err == nil {
				found = append(found, name)
			}
		}
	}
	return found
}
