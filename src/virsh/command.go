package virsh

import (
	"regexp"
	"strings"
)

// A Verb is what can be asked for, by the name that it has in Ironic's table of commands.
type Verb string

// The verbs.
const (
	ListAll       Verb = "list_all"
	ListRunning   Verb = "list_running"
	MACs          Verb = "get_node_macs"
	Start         Verb = "start_cmd"
	Destroy       Verb = "stop_cmd"
	Reset         Verb = "reboot_cmd" // in the table of every release, sent by none
	BootDevice    Verb = "get_boot_device"
	SetBootDevice Verb = "set_boot_device"
)

// DefaultURI is which hypervisor Ironic asks for unless it is told otherwise.
const DefaultURI = "qemu:///system"

// A Command is one line for the shell of a hypervisor's host.
type Command struct {
	Verb   Verb
	URI    string // which hypervisor; empty: virsh's own choice
	Domain string // its name
	Device string // for SetBootDevice, in libvirt's words: network, hd, cdrom
	Old    bool   // worded as before Ironic 5.1 (names) or 2014.2 (MAC addresses)
}

// A form is one wording of a verb: what stands before virsh, and what follows it.
type form struct {
	verb          Verb
	old           bool
	before, after string
}

// forms has the newest wording of each verb first.
var forms = []form{
	{verb: ListAll, after: `list --all --name`},
	{verb: ListAll, old: true, after: `list --all | tail -n +2 | awk -F" " '{print $2}'`},
	{verb: ListRunning, after: `list --name`},
	{verb: ListRunning, old: true, after: `list --all|grep running | awk -v qc='"' -F" " '{print qc$2qc}'`},
	{verb: MACs, after: `dumpxml {domain} | awk -F "'" '/mac address/{print $2}'| tr -d ':'`},
	{verb: MACs, old: true, after: `dumpxml {domain} | grep "mac address" | awk -F"'" '{print $2}' | tr -d ':'`},
	{verb: Start, after: `start {domain}`},
	{verb: Destroy, after: `destroy {domain}`},
	{verb: Reset, after: `reset {domain}`},
	{
		verb:  BootDevice,
		after: `dumpxml {domain} | awk '/boot dev=/ { gsub( ".*dev=" Q, "" ); gsub( Q ".*", "" ); print; }' Q="'" RS="[<>]" | head -1`,
	},
	{
		// virsh edit runs the editor on a file with the domain's XML. This one deletes every boot device, also those that
		// stand at a disk or NIC, and writes one at the end of <os>.
		verb:   SetBootDevice,
		before: `EDITOR="sed -i '/<boot \(dev\|order\)=*\>/d;/<\/os>/i\<boot dev=\"{device}\"/>'" `,
		after:  `edit {domain}`,
	},
}

// form finds the wording.
func (c Command) form() form {
	for _, f := range forms {
		if f.verb == c.Verb && f.old == c.Old {
			return f
		}
	}
	return form{}
}

// Line is the command as Ironic sends it. A domain or URI that a shell would read as anything but a plain word is quoted,
// which Ironic forgot: whoever may name a domain could run commands on the host.
func (c Command) Line() string {
	f := c.form()
	line := strings.ReplaceAll(f.before, "{device}", c.Device) + "LC_ALL=C /usr/bin/virsh "
	if c.URI != "" {
		line += "--connect " + quote(c.URI) + " "
	}
	return line + strings.ReplaceAll(f.after, "{domain}", operand(c.Domain))
}

// String is the command for people, without what stands around it: virsh start node1.
func (c Command) String() string {
	what, _, _ := strings.Cut(c.form().after, "|")
	return "virsh " + strings.TrimSpace(strings.ReplaceAll(what, "{domain}", c.Domain))
}

// Piped tells whether virsh's answer goes through other programs, whose exit status is that of the line.
func (c Command) Piped() bool { return strings.Contains(c.form().after, "|") }

var plain = regexp.MustCompile(`^[A-Za-z0-9._+:@/-]+$`)

// quote makes one word for the shell of any text.
func quote(text string) string {
	if plain.MatchString(text) {
		return text
	}
	return `'` + strings.ReplaceAll(text, `'`, `'\''`) + `'`
}

// operand is a domain's name that virsh cannot take for an option.
func operand(name string) string {
	if strings.HasPrefix(name, "-") {
		return "--domain=" + quote(name)
	}
	return quote(name)
}
