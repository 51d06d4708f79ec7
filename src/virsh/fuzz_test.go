package virsh_test

import (
	"strings"
	"testing"

	"bosh-ironic-cpi/src/virsh"
)

// FuzzAnswers reads what a hypervisor's host may print.
func FuzzAnswers(f *testing.F) {
	for _, a := range recorded(f) {
		f.Add(a.Stdout)
	}
	f.Fuzz(func(t *testing.T, stdout string) {
		for _, name := range virsh.ParseNames(stdout) {
			if strings.ContainsAny(name, "\n\r\x00") || strings.TrimSpace(name) == "" {
				t.Errorf("name %q", name)
			}
			c := virsh.Command{Verb: virsh.Start, URI: virsh.DefaultURI, Domain: name}
			if again, err := virsh.Parse(c.Line()); err != nil || again != c {
				t.Errorf("%s is understood as %+v, %v", c.Line(), again, err)
			}
			virsh.Running(stdout, name)
		}
		for _, mac := range virsh.ParseMACs(stdout) {
			if len(mac) != 12 || virsh.NormalMAC(mac) != mac {
				t.Errorf("MAC address %q", mac)
			}
		}
		if device, err := virsh.ParseBootDevice(stdout); err == nil && strings.ContainsAny(device, "\r\n") {
			t.Errorf("boot device %q", device)
		}
	})
}

// FuzzParse reads what a client may send: what is understood means the same when it is sent again.
func FuzzParse(f *testing.F) {
	f.Add("LC_ALL=C /usr/bin/virsh --connect qemu:///system start node1")
	f.Add(`virsh -c 'qemu:///a b' dumpxml 'it'\''s' | grep "mac address" | awk -F"'" '{print $2}' | tr -d ':'`)
	f.Add(`EDITOR="sed -i '/<boot \(dev\|order\)=*\>/d;/<\/os>/i\<boot dev=\"hd\"/>'" virsh edit --domain=-x`)
	f.Fuzz(func(t *testing.T, line string) {
		c, err := virsh.Parse(line)
		if err != nil {
			return
		}
		if again, err := virsh.Parse(c.Line()); err != nil || again != c {
			t.Errorf("%q is %+v, and %s is %+v, %v", line, c, c.Line(), again, err)
		}
	})
}
