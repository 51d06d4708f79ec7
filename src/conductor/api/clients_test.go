//go:build integration

package api_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bosh-ironic-cpi/src/backend"
	"bosh-ironic-cpi/src/conductor/api"
	"bosh-ironic-cpi/src/httpauth"
	"bosh-ironic-cpi/src/secret"
)

// serveBaremetal runs the command baremetal for each line of standard input, a JSON array of arguments. To load the
// client takes ten times as long as to ask: it is loaded once, and every command is a process forked from there.
const serveBaremetal = `
import json, os, sys, tempfile
from cliff import command, commandmanager
from ironicclient import shell

commandmanager.CommandManager(shell._NAMESPACE)
command._get_distribution_for_module(shell)  # reads what Debian says about each Python package
for line in sys.stdin:
    arguments = json.loads(line)
    sys.argv = ["baremetal", *arguments]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                status = shell.main(arguments)
            except SystemExit as end:
                status = end.code
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status if isinstance(status, int) else 1)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        out.seek(0)
        err.seek(0)
        print(json.dumps({"Status": status, "Out": out.read().decode(), "Err": err.read().decode()}), flush=True)
`

// A baremetal is Debian's command of that name (python3-ironicclient), and where it sends its requests.
type baremetal struct {
	t      testing.TB
	access []string // options before the command
	in     io.WriteCloser
	out    *json.Decoder
	made   string // UUID of what was created last
}

// A printed is what a command leaves behind.
type printed struct {
	Status   int
	Out, Err string
}

// newBaremetal skips the test on a laptop without the client.
func newBaremetal(t testing.TB, access ...string) *baremetal {
	t.Helper()
	const python = "/usr/bin/python3" // Debian's: there may be others, without Debian's packages
	if _, err := exec.LookPath("baremetal"); err != nil {
		if os.Getenv("CI") != "true" {
			t.Skip("the command baremetal is missing: apt-get install python3-ironicclient")
		}
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "-c", serveBaremetal)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return &baremetal{t: t, access: access, in: in, out: json.NewDecoder(bufio.NewReader(out))}
}

// run splits a command at its spaces, those in single quotes excepted; {} stands for what was created last.
func (b *baremetal) run(command string) printed {
	b.t.Helper()
	line, err := json.Marshal(slices.Concat(b.access, words(strings.ReplaceAll(command, " {}", " "+b.made))))
	if err != nil {
		b.t.Fatal(err)
	}
	var p printed
	if _, err := b.in.Write(append(line, '\n')); err != nil {
		b.t.Fatal(err)
	}
	if err := b.out.Decode(&p); err != nil {
		b.t.Fatalf("baremetal %s: %v", command, err)
	}
	var made struct{ UUID string }
	if strings.Contains(command, " create ") && json.Unmarshal([]byte(p.Out), &made) == nil {
		b.made = made.UUID
	}
	return p
}

var word = regexp.MustCompile(`(?:[^\s']|'[^']*')+`)

func words(command string) []string {
	list := word.FindAllString(command, -1)
	for i := range list {
		list[i] = strings.ReplaceAll(list[i], "'", "")
	}
	return list
}

// without is how the command comes to a server that asks for no credentials.
func without(url string) []string { return []string{"--os-auth-type", "none", "--os-endpoint", url} }

func withPassword(url, password string) []string {
	return []string{"--os-auth-type", "http_basic", "--os-endpoint", url, "--os-username", "admin", "--os-password", password}
}

// guarded serves a conductor's API to the user admin.
func guarded(t testing.TB, r *rig) string {
	t.Helper()
	users, err := httpauth.New(httpauth.User{Name: "admin", Password: secret.New("secret")})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(api.New(api.Config{Conductor: r.conductor, Users: users}).Operators())
	t.Cleanup(web.Close)
	return web.URL
}

// The same commands on Ironic, without credentials, and on the conductor, which asks for a password: they end with the
// same status and print the same.
func TestBaremetalCommand(t *testing.T) {
	t.Parallel()
	theirs, r := backend.Start(t).Direct, start(t, nil)
	ours := guarded(t, r)
	drive := t.TempDir()
	if err := os.WriteFile(filepath.Join(drive, "user-data"), []byte("#cloud-config\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	commands := commandLines(drive)
	var want, got []any
	t.Run("commands", func(t *testing.T) { // ends when both have ended
		t.Run("Ironic", func(t *testing.T) {
			t.Parallel()
			want = walk(newBaremetal(t, without(theirs)...), theirs, theirs, commands)
		})
		t.Run("conductor", func(t *testing.T) {
			t.Parallel()
			got = walk(newBaremetal(t, withPassword(ours, "secret")...), ours, r.url, commands)
		})
	})
	if t.Failed() {
		return
	}
	for i, c := range commands {
		if failed := want[i].(map[string]any)["status"] != 0; failed != c.fails {
			t.Errorf("baremetal %s: on Ironic it ends with %v", c.line, want[i])
		}
		diff := cmp.Diff(want[i], got[i])
		switch {
		case c.intended == "" && diff != "":
			t.Errorf("baremetal %s (-Ironic +ours):\n%s", c.line, diff)
		case c.intended != "" && diff == "":
			t.Errorf("baremetal %s prints what it does with Ironic; the list says: %s", c.line, c.intended)
		}
	}
}

// walk runs the commands on one server, which open shows without credentials.
func walk(b *baremetal, url, open string, commands []commandLine) (results []any) {
	for _, c := range commands {
		results = append(results, shown(b.run(c.line), url))
		if c.settle != "" {
			settle(b.t, open, walker, c.settle)
		}
	}
	return results
}

// How the command is let in, or not.
func TestBaremetalCommandAccess(t *testing.T) {
	r := start(t, nil)
	locked := guarded(t, r)
	const list = "node list -f json"
	tests := []struct {
		name   string
		access []string
		status int
		out    string
		err    string
	}{
		{"open", without(r.url), 0, "[]\n", ""},
		{"password", withPassword(locked, "secret"), 0, "[]\n", ""},
		{"wrong password", withPassword(locked, "wrong"), 1, "", "Unauthorized (HTTP 401)"},
		{"no password", without(locked), 1, "", "Unauthorized (HTTP 401)"},
	}
	b := newBaremetal(t)
	for _, tt := range tests {
		b.access = tt.access
		if p := b.run(list); p.Status != tt.status || p.Out != tt.out || !strings.Contains(p.Err, tt.err) {
			t.Errorf("%s: %+v; want status %d, %q, and %q in the error", tt.name, p, tt.status, tt.out, tt.err)
		}
	}
}

// What a walk through the commands makes.
const (
	walker      = "5eed0000-0000-4000-8000-000000000001"
	walkChassis = "5eed0000-0000-4000-8000-000000000002"
	walkPort    = "5eed0000-0000-4000-8000-000000000003"
	walkRequest = "5eed0000-0000-4000-8000-000000000005"
	walkOther   = "5eed0000-0000-4000-8000-000000000006"
)

// A commandLine is one for baremetal.
type commandLine struct {
	line     string
	fails    bool
	settle   string // afterwards, the walker is to come to rest in this state
	intended string // why Ironic makes it print something else
}

// commandLines is a node's life, and that of what belongs to it.
func commandLines(drive string) []commandLine {
	return slices.Concat(enrollLines(), listLines(), controlLines(), instanceLines(drive), allocationLines(), farewellLines())
}

func enrollLines() []commandLine {
	return []commandLine{
		{line: "driver list -f json", intended: "Ironic has ipmi"},
		{line: "driver show fake-hardware -f json --fields name hosts type default_deploy_interface default_network_interface"},
		{line: "driver show nonsense", fails: true},
		{line: "driver property list manual-management -f json", intended: "other drivers"},
		{line: "driver property list nonsense", fails: true},
		{line: "driver passthru list fake-hardware -f json"},
		{line: "driver raid property list manual-management -f json", intended: "Ironic's has RAID by its ramdisk"},
		{line: "chassis create --uuid " + walkChassis + " --description rack --extra a=b -f json"},
		{line: "chassis set " + walkChassis + " --description 'rack 2' --extra c=d"},
		{line: "chassis unset " + walkChassis + " --extra a"},
		{line: "chassis show " + walkChassis + " -f json"},
		{line: "chassis list -f json"},
		{line: "chassis list --long -f json"},
		{line: "chassis list --fields uuid extra -f json"},
		{line: "node create --uuid " + walker + " --name walker --driver fake-hardware --driver-info ipmi_password=hunter2 --driver-info ipmi_username=root" +
			` --property cpus=4 --property capabilities=boot_mode:uefi --extra a=b --extra 'c={"d":1}' --resource-class walk --deploy-interface fake` +
			" --chassis-uuid " + walkChassis + " -f json"},
		{line: "node create --uuid " + walker + " --driver fake-hardware --max-retries 0", fails: true}, // else it asks for 10 s
		{line: "node create --name walker-3 --driver nonsense", fails: true},
		{line: "node create --name walker-3 --driver fake-hardware --deploy-interface nonsense", fails: true, intended: "other interfaces"},
		{line: "node create --uuid " + walkOther + " --name walker-2 --driver fake-hardware --resource-class walk --network-interface noop --automated-clean -f json"},
		{line: "port create --uuid " + walkPort + " --node " + walker + " --pxe-enabled true --extra a=b --physical-network lan" +
			" --local-link-connection switch_id=0a:1b:2c:3d:4e:5f --local-link-connection port_id=Ethernet3/1 52:54:00:5E:ED:01 -f json"},
		{line: "port create --node " + walker + " 52-54-00-5e-ed-02", fails: true},
		{line: "port create --node " + walkPort + " 52:54:00:5e:ed:02", fails: true},
		{line: "port set " + walkPort + " --extra c=d --pxe-disabled --physical-network wan"},
		{line: "port unset " + walkPort + " --extra a --physical-network"},
		{line: "port show " + walkPort + " -f json"},
		{line: "port show --address 52:54:00:5e:ed:01 -f json --fields uuid node_uuid"},
		{line: "port list --node walker -f json"},
		{line: "port list --address 52:54:00:5e:ed:01 --long -f json"},
		{line: "port list --node walker --fields address pxe_enabled -f json"},
		{line: "port group create --node " + walker + " --name bond --mode 802.3ad --property miimon=100 -f json"},
		{line: "port group set bond --extra a=b --mode active-backup"},
		{line: "port group unset bond --extra a"},
		{line: "port group show bond -f json"},
		{line: "port group list -f json"},
		{line: "port group list --long -f json"},
		{line: "port set " + walkPort + " --port-group " + walkOther, fails: true},
		{line: "port set " + walkPort + " --port-group {}"},
		{line: "port list --port-group bond -f json"},
		{line: "port unset " + walkPort + " --port-group"},
		{line: "port group delete bond"},
		{line: "node set walker --property memory_mb=4096 --extra e=f --description 'the walker' --owner somebody --lessee nobody --driver-info ipmi_port=623 --instance-info a=b"},
		{line: "node set walker --resource-class march --automated-clean --conductor-group ''"},
		{line: "node set walker --name 'not a name'", fails: true},
		{line: "node set walker --target-raid-config nonsense", fails: true},
		{line: "node unset walker --extra a --property memory_mb --lessee --driver-info ipmi_port --instance-info a"},
		{line: "node unset walker --automated-clean", fails: true, intended: "Ironic answers 500"},
		{line: "node set walker --no-automated-clean"},
		{line: "node unset walker --extra nothing", fails: true},
		{line: "node set walker --resource-class walk"},
		{line: "node add trait walker CUSTOM_SSD HW_CPU_X86_VMX CUSTOM_GPU"},
		{line: "node add trait walker nonsense", fails: true},
		{line: "node remove trait walker CUSTOM_GPU"},
		{line: "node remove trait walker CUSTOM_GPU", fails: true},
		{line: "node trait list walker -f json"},
		{line: "node show walker -f json"},
		{line: "node show walker --fields uuid name traits -f json"},
		{line: "node show nobody", fails: true},
	}
}

// listLines are asked for while walker has no power state yet.
func listLines() []commandLine {
	return []commandLine{
		{line: "node list --resource-class walk -f json"},
		{line: "node list --resource-class walk --long -f json"},
		{line: "node list --resource-class walk --fields uuid name extra driver_info -f json"},
		{line: "node list --resource-class walk --fields uuid nonsense", fails: true},
		{line: "node list --resource-class walk --sort name:desc -f json"},
		{line: "node list --resource-class walk --sort resource_class:asc,name:desc -f json", fails: true},
		{line: "node list --resource-class walk --sort nonsense", fails: true},
		{line: "node list --resource-class walk --sort uuid --limit 1 -f json"},
		{line: "node list --resource-class walk --sort uuid --limit 1 --marker " + walker + " -f json"},
		{line: "node list --resource-class walk --sort uuid --limit 0 -f json"},
		{line: "node list --marker 5eed0000-0000-4000-8000-0000000000ff", fails: true},
		{line: "node list --chassis " + walkChassis + " -f json"},
		{line: "node list --owner somebody -f json"},
		{line: "node list --lessee nobody -f json"},
		{line: "node list --resource-class walk --maintenance -f json"},
		{line: "node list --resource-class walk --no-maintenance -f json"},
		{line: "node list --resource-class walk --associated -f json"},
		{line: "node list --resource-class walk --unassociated -f json"},
		{line: "node list --resource-class walk --retired -f json"},
		{line: "node list --resource-class walk --provision-state enroll -f json"},
		{line: "node list --resource-class walk --provision-state nonsense", fails: true},
		{line: "node list --resource-class walk --driver fake-hardware --conductor-group '' -f json"},
		{line: "node list --fault nonsense", fails: true},
		{line: "node list --fault 'power failure' -f json"},
		{line: "conductor list --fields hostname alive conductor_group -f json"},
		{line: "conductor list -f json"},
		{line: "conductor show 127.0.0.1 --fields hostname alive conductor_group -f json"},
		{line: "conductor show nobody", fails: true},
		{line: "deploy template list -f json"},
		{line: "volume connector list -f json"},
		{line: "volume target list -f json"},
	}
}

// controlLines walks the node to available, and switches it.
func controlLines() []commandLine {
	return []commandLine{
		{line: "node provide walker", fails: true},
		{line: "node manage walker --wait", settle: "manageable"},
		{line: "node inspect walker", settle: "manageable"},
		{line: "node validate walker -f json", intended: "says what interfaces come to that nothing stands behind"},
		{line: "node validate nobody", fails: true},
		{line: "node show walker --fields power_state provision_state target_power_state fault last_error maintenance -f json"},
		{line: "node power on walker", settle: "manageable"},
		{line: "node show walker --fields power_state target_power_state last_error -f json"},
		{line: "node power off walker --soft --power-timeout 30", settle: "manageable"},
		{line: "node show walker --fields power_state target_power_state last_error -f json"},
		{line: "node reboot walker --soft", settle: "manageable"},
		{line: "node reboot walker", settle: "manageable"},
		{line: "node show walker --fields power_state target_power_state last_error -f json"},
		{line: "node power on nobody", fails: true},
		{line: "node boot device show walker --supported -f json", intended: "disk and cdrom too"},
		{line: "node boot device set walker pxe --persistent"},
		{line: "node boot device show walker -f json", intended: "Ironic's fake hardware forgets that it is persistent"},
		{line: "node boot device set walker floppy", fails: true},
		{line: "node boot mode set walker uefi"},
		{line: "node console show walker -f json"},
		{line: "node inject nmi walker", fails: true},
		{line: "node passthru list walker -f json"},
		{line: "node passthru call walker third_method_sync --arg bar=meow", fails: true}, // true is no object: the client's own fault
		{line: "node passthru call walker nonsense", fails: true},
		{line: "node bios setting list walker -f json"},
		{line: "node vif list walker -f json"},
		{line: "node vif attach walker " + walkPort},
		{line: "node vif detach walker " + walkPort},
		{line: "node maintenance set walker --reason 'new fans'"},
		{line: "node show walker --fields maintenance maintenance_reason -f json"},
		{line: "node list --maintenance --resource-class walk --fields name maintenance_reason -f json"},
		{line: "node maintenance unset walker"},
		{line: "node show walker --fields maintenance maintenance_reason -f json"},
		{line: `node clean walker --clean-steps '[{"interface": "deploy", "step": "erase_devices"}]'`, settle: "clean failed"},
		{line: "node show walker --fields maintenance fault last_error target_provision_state -f json", intended: "other words"},
		{line: "node maintenance unset walker"},
		{line: "node manage walker", settle: "manageable"},
		{line: `node clean walker --clean-steps '{"interface": "deploy"}'`, fails: true},
		{line: "node provide walker", settle: "available"},
		{line: "node history list walker -f json", intended: "other words"},
		{line: "node history get walker " + walkPort, fails: true},
	}
}

// instanceLines come and go: with a config drive that is an object, and one that is a directory.
func instanceLines(drive string) []commandLine {
	rest := "node show walker --fields name provision_state target_provision_state power_state instance_uuid instance_info last_error -f json"
	return []commandLine{
		{line: "node maintenance set walker"},
		{line: "node deploy walker", fails: true},
		{line: "node maintenance unset walker"},
		{line: "node set walker --instance-uuid " + walkRequest + " --instance-info image_source=http://127.0.0.1:9/none --instance-info image_checksum=0"},
		{line: "node show --instance " + walkRequest + " -f json --fields name instance_uuid"},
		{line: "node list --associated --resource-class walk -f json"},
		{line: `node deploy walker --config-drive '{"meta_data":{"a":"b"},"user_data":"#cloud-config"}'`, settle: "active"},
		{line: rest},
		{line: "node set walker --protected --protected-reason 'in use'"},
		{line: "node undeploy walker", fails: true},
		{line: "node unset walker --protected"},
		{line: "node delete walker --max-retries 0", fails: true},
		{line: "node rebuild walker --config-drive " + drive, settle: "active"},
		{line: "node show walker --fields name provision_state target_provision_state power_state instance_uuid last_error -f json"},
		{line: "node rescue walker --rescue-password hunter2", settle: "rescue"},
		{line: "node unrescue walker", settle: "active"},
		{line: "node undeploy walker", settle: "available"},
		{line: rest},
		{line: "node deploy walker --config-drive 'not base64'", fails: true},
		{line: "node deploy walker --config-drive " + drive, settle: "active"},
		{line: "node undeploy walker --wait", settle: "available"}, // it asks every 10 s
		{line: "node abort walker", fails: true},
	}
}

func allocationLines() []commandLine {
	return []commandLine{
		{line: "allocation create --uuid " + walkRequest + " --name wish --resource-class walk --trait CUSTOM_SSD --candidate-node walker --extra a=b --wait -f json" +
			" -c uuid -c name -c resource_class -c traits -c candidate_nodes -c extra -c state -c node_uuid"},
		{line: "allocation create --name wish --resource-class walk --max-retries 0", fails: true},
		{line: "allocation create --name 'not a name' --resource-class walk", fails: true},
		{line: "allocation create --trait CUSTOM_SSD", fails: true},
		{line: "allocation show wish -f json --fields uuid name candidate_nodes traits last_error resource_class state node_uuid owner"},
		{line: "allocation list -f json"},
		{line: "allocation list --node walker -f json --fields uuid name traits extra candidate_nodes"},
		{line: "allocation list --resource-class nothing -f json"},
		{line: "allocation list --state active --fields uuid name -f json"},
		{line: "allocation set wish --extra c=d --name dream"},
		{line: "allocation unset dream --extra a"},
		{line: "allocation show dream -f json --fields name extra state node_uuid"},
		{line: "node show walker --fields allocation_uuid instance_uuid instance_info -f json"},
		{line: "allocation delete dream"},
		{line: "allocation show dream", fails: true},
		{line: "allocation create --name none --resource-class nothing --wait", fails: true},
		{line: "allocation show none -f json --fields name state last_error node_uuid"},
		{line: "allocation delete none"},
		{line: "node show walker --fields allocation_uuid instance_uuid -f json"},
	}
}

func farewellLines() []commandLine {
	return []commandLine{
		{line: "chassis delete " + walkChassis, fails: true},
		{line: "node remove trait walker --all"},
		{line: "node unset walker --chassis-uuid --name"},
		{line: "node show walker", fails: true},
		{line: "port delete " + walkPort},
		{line: "port delete " + walkPort, fails: true},
		{line: "node delete " + walker + " walker-2"},
		{line: "node delete " + walker, fails: true},
		{line: "chassis delete " + walkChassis},
	}
}

var anyUUID = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// shown is what was printed, without what two servers never share.
func shown(p printed, url string) any {
	var v any
	if json.Unmarshal([]byte(p.Out), &v) != nil {
		v = p.Out
	}
	return map[string]any{"status": p.Status, "out": alike(plain(v, url)), "err": alike(plain(p.Err, url))}
}

// alike replaces the UUIDs that a server made itself.
func alike(v any) any {
	switch v := v.(type) {
	case string:
		return anyUUID.ReplaceAllStringFunc(v, func(id string) string {
			if strings.HasPrefix(id, "5eed") {
				return id
			}
			return "(a UUID)"
		})
	case []any:
		for i := range v {
			v[i] = alike(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = alike(v[key])
		}
	}
	return v
}
