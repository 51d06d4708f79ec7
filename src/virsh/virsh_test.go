package virsh_test

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"bosh-ironic-cpi/src/virsh"
)

// Every release's commands are understood, and sent again byte for byte.
func TestIronicsOwnCommands(t *testing.T) {
	text, err := os.ReadFile("testdata/ironic-commands.txt")
	if err != nil {
		t.Fatal(err)
	}
	release, seen := "", 0
	for line := range strings.Lines(string(text)) {
		verb, command, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		if strings.HasPrefix(line, "#") {
			release = strings.TrimSpace(line)
		}
		if strings.HasPrefix(line, "#") || command == "(none)" {
			continue
		}
		seen++
		c, err := virsh.Parse(command)
		if err != nil || string(c.Verb) != verb || c.URI != virsh.DefaultURI {
			t.Errorf("%s: Parse(%s) = %+v, %v; want %s", release, command, c, err, verb)
			continue
		}
		want := command
		if release == "### ironic 2014.1" { // without LC_ALL, which changes nothing that is read
			want = "LC_ALL=C " + command
		}
		if c.Line() != want {
			t.Errorf("%s: %s: Line() =\n%s\nwant\n%s", release, verb, c.Line(), want)
		}
	}
	if seen != 38 {
		t.Errorf("%d commands; want 38", seen)
	}
}

// What Ocata, the last release with the driver, sends is what we send.
func TestLine(t *testing.T) {
	on := func(verb virsh.Verb) virsh.Command {
		return virsh.Command{Verb: verb, URI: virsh.DefaultURI, Domain: "node1", Device: "network"}
	}
	const base = "LC_ALL=C /usr/bin/virsh --connect qemu:///system "
	tests := []struct {
		command virsh.Command
		want    string
	}{
		{on(virsh.ListAll), base + `list --all --name`},
		{on(virsh.ListRunning), base + `list --name`},
		{on(virsh.MACs), base + `dumpxml node1 | awk -F "'" '/mac address/{print $2}'| tr -d ':'`},
		{on(virsh.Start), base + `start node1`},
		{on(virsh.Destroy), base + `destroy node1`},
		{on(virsh.BootDevice), base + `dumpxml node1 | awk '/boot dev=/ { gsub( ".*dev=" Q, "" ); gsub( Q ".*", "" ); print; }' Q="'" RS="[<>]" | head -1`},
		{on(virsh.SetBootDevice), `EDITOR="sed -i '/<boot \(dev\|order\)=*\>/d;/<\/os>/i\<boot dev=\"network\"/>'" ` + base + `edit node1`},
		{virsh.Command{Verb: virsh.Start, Domain: "node1"}, `LC_ALL=C /usr/bin/virsh start node1`},
		{virsh.Command{Verb: virsh.Start, Domain: "a b"}, `LC_ALL=C /usr/bin/virsh start 'a b'`},
		{virsh.Command{Verb: virsh.Start, Domain: "$(reboot)"}, `LC_ALL=C /usr/bin/virsh start '$(reboot)'`},
		{virsh.Command{Verb: virsh.Start, Domain: "it's"}, `LC_ALL=C /usr/bin/virsh start 'it'\''s'`},
		{virsh.Command{Verb: virsh.Start, Domain: "--help"}, `LC_ALL=C /usr/bin/virsh start --domain=--help`},
		{
			virsh.Command{Verb: virsh.ListAll, URI: "test+unix:///default?socket=/run/x"},
			`LC_ALL=C /usr/bin/virsh --connect 'test+unix:///default?socket=/run/x' list --all --name`,
		},
	}
	for _, tt := range tests {
		if got := tt.command.Line(); got != tt.want {
			t.Errorf("%+v.Line() =\n%s\nwant\n%s", tt.command, got, tt.want)
		}
	}
}

func TestString(t *testing.T) {
	for verb, want := range map[virsh.Verb]string{
		virsh.ListAll: "virsh list --all --name", virsh.MACs: "virsh dumpxml node1", virsh.Start: "virsh start node1",
		virsh.SetBootDevice: "virsh edit node1",
	} {
		if got := (virsh.Command{Verb: verb, URI: virsh.DefaultURI, Domain: "node1", Device: "hd"}).String(); got != want {
			t.Errorf("%s prints as %q; want %q", verb, got, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, line := range []string{
		"", "true", "virsh", "virsh undefine node1", "virsh start node1; reboot", "virsh start node1 node2", "virsh start", "virsh start ",
		"virsh start $(reboot)", "virsh start node1\nreboot", "virsh start `reboot`", "virsh start --paused", "virsh start 'a",
		"sh -c 'virsh start node1'", "virsh list --all --name | sh", "virsh --connect qemu:///system;reboot start node1",
		"virsh dumpxml node1", "EDITOR=vi virsh edit node1", "/tmp/virsh start node1", "virsh reset node1 ",
	} {
		if c, err := virsh.Parse(line); !errors.Is(err, virsh.ErrUnknown) {
			t.Errorf("Parse(%q) = %+v, %v; want ErrUnknown", line, c, err)
		}
	}
}

// Whatever a domain is called, the server gets what the client meant.
func TestWhatIsSentIsUnderstood(t *testing.T) {
	verbs := []virsh.Verb{
		virsh.ListAll, virsh.ListRunning, virsh.MACs, virsh.Start, virsh.Destroy, virsh.Reset, virsh.BootDevice, virsh.SetBootDevice,
	}
	rapid.Check(t, func(t *rapid.T) {
		want := virsh.Command{
			Verb: rapid.SampledFrom(verbs).Draw(t, "verb"),
			URI:  rapid.SampledFrom([]string{"", virsh.DefaultURI, "xen:///", "test+unix:///default?socket=/a b"}).Draw(t, "uri"),
		}
		if slices.Contains([]virsh.Verb{virsh.ListAll, virsh.ListRunning, virsh.MACs}, want.Verb) {
			want.Old = rapid.Bool().Draw(t, "old")
		}
		if want.Verb != virsh.ListAll && want.Verb != virsh.ListRunning {
			want.Domain = rapid.StringMatching(`[^\x00-\x1f]{1,20}`).Draw(t, "domain")
		}
		if want.Verb == virsh.SetBootDevice {
			want.Device = "network"
		}
		if got, err := virsh.Parse(want.Line()); err != nil || got != want {
			t.Errorf("Parse(%s) = %+v, %v; want %+v", want.Line(), got, err, want)
		}
	})
}

// recorded gives what real virsh left behind.
func recorded(t testing.TB) map[string]virsh.Answer {
	archive, err := txtar.ParseFile("testdata/virsh-9.0.txtar")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]virsh.Answer{}
	var command string
	for _, f := range archive.Files { // in the order cmd, stdout, stderr, rc
		name, kind, _ := strings.Cut(f.Name, ".")
		a := all[name+": "+command]
		switch kind {
		case "cmd":
			command = strings.TrimSuffix(string(f.Data), "\n")
		case "stdout":
			a.Stdout = string(f.Data)
		case "stderr":
			a.Stderr = string(f.Data)
		case "rc":
			if a.Status, err = strconv.Atoi(strings.TrimSpace(string(f.Data))); err != nil {
				t.Fatal(err)
			}
		}
		if kind != "cmd" {
			all[name+": "+command] = a
		}
	}
	return all
}

// Our answers are virsh's, byte for byte.
func TestAnswersAreVirshs(t *testing.T) {
	for title, want := range recorded(t) {
		name, line, _ := strings.Cut(title, ": ")
		c, err := virsh.Parse(line)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := answer(name, c); got != want {
			t.Errorf("%s: %+v; want %+v", title, got, want)
		}
	}
}

// answer is what a server says that has node1 and node2.
func answer(name string, c virsh.Command) virsh.Answer {
	notRunning := "Requested operation is not valid: domain is not running"
	switch {
	case c.Domain == "nosuch":
		return c.Fail(c.NoDomain())
	case name == "start_again":
		return c.Fail("Domain is already active")
	case name == "destroy_again":
		return c.Fail("Failed to destroy domain 'node1'", notRunning)
	case name == "reset_off":
		return c.Fail("Failed to reset domain 'node1'", notRunning)
	case c.Verb == virsh.ListAll:
		return c.Names([]string{"node1", "node2"})
	case strings.HasSuffix(name, "_none"):
		return c.Names(nil)
	case c.Verb == virsh.ListRunning:
		return c.Names([]string{"node1"})
	case c.Verb == virsh.MACs:
		return c.Text("52:54:00:AA:00:01", "52:54:00:aa:01:01")
	case name == "get_boot_device_after_set_off":
		return c.Text("hd")
	case c.Verb == virsh.BootDevice:
		return c.Text("network")
	}
	return c.Done()
}

// Real virsh's answers are read for what they say.
func TestReadRecordedAnswers(t *testing.T) {
	got := map[string]any{}
	for title, a := range recorded(t) {
		name, line, _ := strings.Cut(title, ": ")
		switch c, _ := virsh.Parse(line); c.Verb {
		case virsh.ListAll:
			got[name] = virsh.ParseNames(a.Stdout)
		case virsh.ListRunning:
			got[name] = []bool{virsh.Running(a.Stdout, "node1"), virsh.Running(a.Stdout, "node"), virsh.Running(a.Stdout, "node2")}
		case virsh.MACs:
			got[name] = virsh.ParseMACs(a.Stdout)
		case virsh.BootDevice:
			device, err := virsh.ParseBootDevice(a.Stdout)
			if err != nil {
				t.Error(err)
			}
			got[name] = device
		}
	}
	names, macs := []string{"node1", "node2"}, []string{"525400aa0001", "525400aa0101"}
	want := map[string]any{
		"list_all_new": names, "list_all_old": names,
		"list_running_new_none": []bool{false, false, false}, "list_running_old_none": []bool{false, false, false},
		"list_running_new_one": []bool{true, false, false}, "list_running_old_one": []bool{true, false, false},
		"get_node_macs": macs, "get_node_macs_2014": macs, "get_node_macs_missing": []string(nil),
		"get_boot_device": "network", "get_boot_device_after_set_off": "hd",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
}

// What proxies print that fail with exit status 0 is no domain's address, and two boot devices are none.
func TestReadGarbage(t *testing.T) {
	for _, text := range []string{"", "\n", "Error: no such VM", "unrecognized command: list --name\n", "52540", "525400aa00zz", "525400aa000102"} {
		if macs := virsh.ParseMACs(text); macs != nil {
			t.Errorf("ParseMACs(%q) = %q; want none", text, macs)
		}
	}
	if device, err := virsh.ParseBootDevice("hd\nnetwork\n"); err == nil {
		t.Errorf("two boot devices: %q; want an error", device)
	}
	if device, err := virsh.ParseBootDevice(""); err != nil || device != "" {
		t.Errorf("no boot device: %q, %v; want none", device, err)
	}
	if names := virsh.ParseNames("\x1b[2Jnode1\n \nnode2\r\n"); !slices.Equal(names, []string{"node2"}) {
		t.Errorf("ParseNames = %q; want node2 alone", names)
	}
}
