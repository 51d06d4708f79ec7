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
	parser, err := newParser(new(commandLine), &console{out: &out, messages: &screen{w: &messages}})
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

// oldCommands are the commands of ironic, the client that went in 2017 (python-ironicclient 1.17), but for those of volumes.
var oldCommands = strings.Fields(`chassis-create chassis-delete chassis-list chassis-node-list chassis-show chassis-update create
	driver-get-vendor-passthru-methods driver-list driver-properties driver-raid-logical-disk-properties driver-show driver-vendor-passthru
	node-create node-delete node-get-boot-device node-get-console node-get-supported-boot-devices node-get-vendor-passthru-methods
	node-inject-nmi node-list node-port-list node-portgroup-list node-set-boot-device node-set-console-mode node-set-maintenance node-set-power-state
	node-set-provision-state node-set-target-raid-config node-show node-show-states node-update node-validate node-vendor-passthru
	node-vif-attach node-vif-detach node-vif-list port-create port-delete port-list port-show port-update
	portgroup-create portgroup-delete portgroup-list portgroup-port-list portgroup-show portgroup-update volume-connector-create`)

// Every old command is mapped: to one of nodectl's, or to who does it.
func TestDocsMapOldCommands(t *testing.T) {
	_, text, found := strings.Cut(docstest.Read(t, page), "## From the old commands")
	if !found {
		t.Fatal("the chapter is gone")
	}
	for _, command := range oldCommands {
		if !regexp.MustCompile("`(ironic )?" + command + "[` ]").MatchString(text) {
			t.Errorf("%s says nothing of ironic %s", page, command)
		}
	}
}

func leaves(t *testing.T) []*kong.Node {
	t.Helper()
	var out bytes.Buffer
	parser, err := newParser(new(commandLine), &console{out: &out, messages: &screen{w: &out}})
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
	// The service is a function here: it names two nodes, and the inventory two servers.
	script += `
nodectl() {
  case "$*" in
    "node list -o name") echo rack-1; echo rack-2 ;;
    "validate --all --inventory nodes.yaml -o name"|"validate --all --inventory $HOME/nodes.yaml -o name") echo server-1; echo server-2 ;;
  esac
}
`
	tests := []struct{ words, want string }{
		{"nodectl n", "node"},
		{"nodectl node pro", "provision"},
		{"nodectl --url http://x node provision rack-1 pro", "provide"},
		{"nodectl node list --no-m", "--no-maintenance"},
		{"nodectl node list -o j", "json"},
		{"nodectl node show rack-", "rack-1 rack-2"},
		{"nodectl claims --release rack-2", "rack-2"},
		{"nodectl driver li", "list"},
		{"nodectl power stat", "status"},
		{"nodectl power status -i nodes.yaml server-", "server-1 server-2"},
		{"nodectl power status --inventory = nodes.yaml server-1 server-", "server-1 server-2"},
		{"nodectl boot-device get --inventory '~/nodes.yaml' server-2", "server-2"},
		{"nodectl console server-", ""},
		{"NODECTL_INVENTORY=nodes.yaml nodectl console server-", "server-1 server-2"},
	}
	for _, tt := range tests {
		variable, words, found := strings.Cut(tt.words, " nodectl ")
		if !found || !strings.Contains(variable, "=") {
			variable, words = "NODECTL_INVENTORY=", strings.TrimPrefix(tt.words, "nodectl ")
		}
		bash := exec.CommandContext(t.Context(), "bash", "-c", script+variable+
			"\nCOMP_WORDS=(nodectl "+words+"); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _nodectl; echo \"${COMPREPLY[*]}\"")
		out, err := bash.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != tt.want {
			t.Errorf("completion of %q = %q, %v; want %q", tt.words, got, err, tt.want)
		}
	}
}

// What completion asks for is there: the names of an inventory, without any hardware.
func TestNamesOfAnInventory(t *testing.T) {
	ownState(t)
	list := nodesFileOf(t, "driver: ipmi, driver_info: {ipmi_address: 192.0.2.1}", "driver: ipmi") // something is wrong with the second
	if r := tell(t, "", "validate", "--all", "--inventory", list, "-o", "name"); r.out != "s000\ns001\n" {
		t.Errorf("names are %q: %s", r.out, r.err)
	}
}
