package libvirt

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"bosh-ironic-cpi/src/driver"
)

// target is where a hypervisor's daemon listens, and which of its hypervisors is meant.
type target struct {
	transport  string // unix, tcp, tls, ssh
	user       string // of ssh; empty: the one that we run as
	host, port string // port empty: the transport's own
	hypervisor string // what the daemon is asked for: qemu:///system
	socket     string // of unix and ssh; empty: see sockets
	pki        string // folder with certificates; empty: libvirt's own
	noVerify   bool   // take any certificate
	keyFile    string // of ssh
	hostKey    string // how ssh looks at the host's key
	knownHosts string // file; empty: the user's and the machine's
	netcat     string // program on the far side of ssh
}

// How strictly ssh looks at the key of a host.
const (
	hostKeyKnown       = "known"        // it is in known_hosts; also what "" means
	hostKeyUnlessOther = "unless other" // it is the only one that this host was ever known by
	hostKeyAny         = "any"
)

// String names the target for people.
func (t target) String() string {
	scheme, rest, _ := strings.Cut(t.hypervisor, "://")
	host := t.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if t.port != "" {
		host += ":" + t.port
	}
	return scheme + "+" + t.transport + "://" + host + rest
}

// withoutDaemon are the hypervisors that libvirt's library reaches by itself, from within the program that uses it.
var withoutDaemon = map[string]string{
	"vbox": "VirtualBox", "esx": "VMware ESX", "gsx": "VMware Server", "vpx": "VMware vCenter", "vmwareplayer": "VMware Player",
	"vmwarews": "VMware Workstation", "vmwarefusion": "VMware Fusion", "hyperv": "Hyper-V", "phyp": "IBM's Power hypervisor",
	"xenapi": "XenServer", "openvz": "OpenVZ", "vz": "Virtuozzo", "parallels": "Parallels",
}

// unknownHere are parameters of libvirt's own client that would change how it connects.
var unknownHere = map[string]string{
	"authfile": "set sasl_username and sasl_password", "command": "SSH is built in", "sshauth": "SSH takes keys only",
	"proxy": "SSH tries the socket, then virt-ssh-helper and netcat", "tls_priority": "TLS is 1.2 or newer",
	"known_hosts_verify": "use no_verify=1 to take any key",
}

func uriProblem(format string, args ...any) error {
	return &driver.ParameterError{Key: "libvirt_uri", Problem: fmt.Sprintf(format, args...)}
}

// parseURI reads libvirt_uri; errors are a [driver.ParameterError] and hold nothing of a password.
func parseURI(text string) (target, error) {
	u, err := url.Parse(text)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the URI, in which a password might be
		}
		return target{}, uriProblem("is no URI: %v", err)
	}
	scheme, transport, named := strings.Cut(u.Scheme, "+")
	switch {
	case scheme == "":
		return target{}, uriProblem("has no scheme; it looks like qemu+tcp://HOST/system")
	case withoutDaemon[scheme] != "":
		return target{}, uriProblem("asks for %s, which has no libvirt daemon of its own: libvirt's library talks to it from within the program "+
			"that loads it, and this driver speaks to daemons only; let VirtualBMC or sushy-tools stand in between, and use driver ipmi or redfish",
			withoutDaemon[scheme])
	case !named && u.Host == "":
		transport = "unix"
	case !named:
		transport = "tls"
	}
	if transport == "libssh" || transport == "libssh2" { // other ways to the same
		transport = "ssh"
	}
	t := target{transport: transport, host: u.Hostname(), port: u.Port(), user: u.User.Username()}
	if _, there := u.User.Password(); there {
		return t, uriProblem("holds a password, and is no secret: use sasl_password, or an SSH key")
	}
	switch {
	case !slices.Contains([]string{"unix", "tcp", "tls", "ssh"}, transport):
		return t, uriProblem("has transport %q; it is one of unix, tcp, tls, ssh", transport)
	case transport == "unix" && t.host != "":
		return t, uriProblem("names the host %s, and a Unix socket has none: use tls, tcp or ssh, or three slashes", t.host)
	case transport != "unix" && t.host == "":
		return t, uriProblem("names no host, and %s needs one", transport)
	}
	return t, t.parameters(scheme, u)
}

// parameters takes what follows the question mark. What it does not know is the hypervisor's, as with libvirt.
func (t *target) parameters(scheme string, u *url.URL) error {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return uriProblem("has parameters that are not NAME=VALUE&…: %v", err)
	}
	name := query.Get("name")
	for key, field := range map[string]*string{
		"socket": &t.socket, "pkipath": &t.pki, "keyfile": &t.keyFile, "known_hosts": &t.knownHosts, "netcat": &t.netcat,
	} {
		*field = query.Get(key)
		query.Del(key)
	}
	switch v := query.Get("no_verify"); v {
	case "":
	case "0":
		t.hostKey = hostKeyKnown
	case "1":
		t.noVerify, t.hostKey = true, hostKeyAny
	default:
		return uriProblem("has no_verify=%s; it is 0 or 1", v)
	}
	if mode := query.Get("mode"); mode == "direct" {
		return uriProblem("has mode=direct, which needs libvirt's library; leave it out")
	}
	for _, ignored := range []string{"no_verify", "mode", "name", "no_sanity", "no_tty"} {
		query.Del(ignored)
	}
	for key, instead := range unknownHere {
		if query.Has(key) {
			return uriProblem("has the parameter %s, which this driver does not know: %s", key, instead)
		}
	}
	t.hypervisor = scheme + "://" + u.EscapedPath()
	if len(query) > 0 {
		t.hypervisor += "?" + query.Encode()
	}
	if name != "" {
		t.hypervisor = name
	}
	return nil
}

// sockets are where the daemon may listen on its machine: libvirtd, or the daemon for one hypervisor that follows it.
func (t target) sockets() []string {
	if t.socket != "" {
		return []string{t.socket}
	}
	dir := "/var/run/libvirt"
	scheme, rest, _ := strings.Cut(t.hypervisor, "://")
	if strings.HasPrefix(rest, "/session") {
		if t.transport == "ssh" {
			return nil // it is in a folder of that user's, which virt-ssh-helper knows
		}
		dir = sessionFolder()
	}
	return []string{path.Join(dir, "libvirt-sock"), path.Join(dir, "virt"+scheme+"d-sock")}
}

func sessionFolder() string {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "libvirt")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "/nonexistent" // no home, no session
	}
	return filepath.Join(cache, "libvirt")
}
