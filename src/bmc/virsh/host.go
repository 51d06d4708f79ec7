// Package virsh is a hypervisor's host as Ironic's ssh driver sees it: an SSH server that answers the virsh dialect, for
// domains that are nothing but a name, MAC addresses, a boot device and whether they run.
//
// It has no shell and no libvirt, and can be broken on purpose ([Faults]). It stands for real hosts where only Go is
// installed; what it answers is held against virsh's own answers by the tests of package virsh, and against an OpenSSH
// client by its own. For tests only.
package virsh

import (
	"slices"
	"sync"

	"bosh-ironic-cpi/src/virsh"
)

// A Domain is a virtual machine.
type Domain struct {
	Name    string
	MACs    []string
	Running bool
	Boot    string // as it is defined: network, hd, cdrom; a running domain goes on with what it was started with
	booted  string
}

// Faults are what is wrong with a host.
type Faults struct {
	Silent bool   // commands that change something are answered and not followed
	Hang   bool   // commands are not answered
	Error  string // what each command fails with
	Status int    // the exit status then; zero: 1
	Flood  bool   // answers do not end
}

// A Host has domains, whatever the transport.
type Host struct {
	mu      sync.Mutex
	domains []*Domain
	lines   []string
	faults  Faults
}

// NewHost makes one.
func NewHost(domains ...Domain) *Host {
	h := &Host{}
	for _, d := range domains {
		d.booted = d.Boot
		h.domains = append(h.domains, &d)
	}
	return h
}

// Break sets what is wrong from now on.
func (h *Host) Break(f Faults) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = f
}

// Lines are the commands so far, as they came.
func (h *Host) Lines() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.lines)
}

// Domain tells what became of a domain; the zero Domain if there is none of that name.
func (h *Host) Domain(name string) Domain {
	h.mu.Lock()
	defer h.mu.Unlock()
	if d := h.find(name); d != nil {
		return *d
	}
	return Domain{}
}

// Rename gives a domain another name, as an administrator may.
func (h *Host) Rename(from, to string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if d := h.find(from); d != nil {
		d.Name = to
	}
}

func (h *Host) find(name string) *Domain {
	i := slices.IndexFunc(h.domains, func(d *Domain) bool { return d.Name == name })
	if i < 0 {
		return nil
	}
	return h.domains[i]
}

// run answers one line; ok is false where there is no answer.
func (h *Host) run(line string) (a virsh.Answer, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, line)
	switch f := h.faults; {
	case f.Hang:
		return virsh.Answer{}, false
	case f.Error != "":
		return virsh.Answer{Stderr: f.Error, Status: max(f.Status, 1)}, true
	}
	c, err := virsh.Parse(line)
	if err != nil {
		return virsh.Answer{Stderr: err.Error() + "\n", Status: 126}, true
	}
	if c.Verb == virsh.ListAll || c.Verb == virsh.ListRunning {
		return h.list(c), true
	}
	d := h.find(c.Domain)
	if d == nil {
		return c.Fail(c.NoDomain()), true
	}
	if h.faults.Silent && c.Verb != virsh.MACs && c.Verb != virsh.BootDevice {
		return c.Done(), true
	}
	return d.do(c), true
}

func (h *Host) list(c virsh.Command) virsh.Answer {
	var names []string
	for _, d := range h.domains {
		if d.Running || c.Verb == virsh.ListAll {
			names = append(names, d.Name)
		}
	}
	return c.Names(names)
}

func (d *Domain) do(c virsh.Command) virsh.Answer {
	const notRunning = "Requested operation is not valid: domain is not running"
	switch c.Verb {
	case virsh.MACs:
		return c.Text(d.MACs...)
	case virsh.BootDevice:
		if !d.Running {
			return c.Text(d.Boot)
		}
		return c.Text(d.booted)
	case virsh.SetBootDevice:
		d.Boot = c.Device
	case virsh.Start:
		if d.Running {
			return c.Fail("Domain is already active")
		}
		d.Running, d.booted = true, d.Boot
	case virsh.Destroy:
		if !d.Running {
			return c.Fail("Failed to destroy domain '"+d.Name+"'", notRunning)
		}
		d.Running = false
	case virsh.Reset:
		if !d.Running {
			return c.Fail("Failed to reset domain '"+d.Name+"'", notRunning)
		}
	}
	return c.Done()
}
