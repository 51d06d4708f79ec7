package ssh

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bmc "bosh-ironic-cpi/src/bmc/virsh"
	"bosh-ironic-cpi/src/driver"
)

// pemRSA is the only kind of key that Ironic took: RSA in PEM.
func pemRSA(t *testing.T) pair {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	k := form(t, key, "")
	k.private = string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	return k
}

func TestCredentials(t *testing.T) {
	modern, old := newKey(t), pemRSA(t)
	name := filepath.Join(t.TempDir(), "id_raviron_0001")
	if err := os.WriteFile(name, []byte(old.private), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		account bmc.Account
		key     string
		value   string
	}{
		{"password", bmc.Account{Password: password}, "ssh_password", password},
		{"password that is asked for", bmc.Account{Password: password, Asked: true}, "ssh_password", password},
		{"contents of a PEM key", bmc.Account{Key: old.public}, "ssh_key_contents", old.private},
		{"contents of an OpenSSH key", bmc.Account{Key: modern.public}, "ssh_key_contents", modern.private},
		{"contents without the last line end", bmc.Account{Key: modern.public}, "ssh_key_contents", strings.TrimSpace(modern.private)},
		{"key file", bmc.Account{Key: old.public}, "ssh_key_filename", name},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.account.User = "raviron"
			n := nodeAt(serve(t, domains(), tt.account))
			delete(n.Info, "ssh_password")
			n.Info["ssh_username"], n.Info[tt.key] = "raviron", tt.value
			if err := fast.Validate(n); err != nil {
				t.Error(err)
			}
			if _, err := fast.PowerState(t.Context(), n); err != nil {
				t.Error(err)
			}
			n.Info["ssh_username"] = "stranger"
			_, err := fast.PowerState(t.Context(), n)
			if !errors.Is(err, driver.ErrAuthentication) || !strings.Contains(err.Error(), "user stranger, "+tt.key) {
				t.Errorf("another user: %v; want ErrAuthentication that names user and key", err)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	key := newKey(t)
	_, secret, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	locked := form(t, secret, "passphrase")
	tests := []struct {
		name    string
		set     map[string]any // beside what is right
		key     string         // that the error names; empty: all is right
		problem string
	}{
		{name: "a password", set: nil},
		{name: "what Ironic's driver took beside", set: map[string]any{"ssh_port": 2222.0, "ssh_terminal_port": "8023", "vbox_use_headless": "True"}},
		{name: "a pinned host key", set: map[string]any{"ssh_host_key": key.public}},
		{name: "a line of ssh-keyscan", set: map[string]any{"ssh_host_key": "192.0.2.7 " + key.public}},
		{name: "no address", set: map[string]any{"ssh_address": nil}, key: "ssh_address"},
		{name: "no user", set: map[string]any{"ssh_username": ""}, key: "ssh_username"},
		{name: "no kind", set: map[string]any{"ssh_virt_type": nil}, key: "ssh_virt_type"},
		{name: "VirtualBox", set: map[string]any{"ssh_virt_type": "vbox"}, key: "ssh_virt_type", problem: `is "vbox": VirtualBox's own commands are not spoken: use virsh, with ssh_libvirt_uri vbox:///session`},
		{name: "VMware", set: map[string]any{"ssh_virt_type": "vmware"}, key: "ssh_virt_type", problem: `is "vmware": VMware's own`},
		{name: "Parallels", set: map[string]any{"ssh_virt_type": "parallels"}, key: "ssh_virt_type", problem: `is "parallels": Parallels' own`},
		{name: "XenServer", set: map[string]any{"ssh_virt_type": "xenserver"}, key: "ssh_virt_type", problem: `is "xenserver": XenServer's own`},
		{name: "nonsense", set: map[string]any{"ssh_virt_type": "abacus"}, key: "ssh_virt_type", problem: `is "abacus": no such thing is known: use virsh`},
		{name: "no port", set: map[string]any{"ssh_port": "ssh"}, key: "ssh_port"},
		{name: "port 0", set: map[string]any{"ssh_port": 0}, key: "ssh_port"},
		{name: "too high a port", set: map[string]any{"ssh_port": 65536}, key: "ssh_port"},
		{name: "no terminal port", set: map[string]any{"ssh_terminal_port": "tty"}, key: "ssh_terminal_port"},
		{name: "no credentials", set: map[string]any{"ssh_password": nil}, key: "ssh_password", problem: "set one of the three"},
		{name: "two credentials", set: map[string]any{"ssh_key_contents": key.private}, key: "ssh_key_contents", problem: "is set beside ssh_password"},
		{name: "both keys", set: map[string]any{"ssh_password": "", "ssh_key_contents": "x", "ssh_key_filename": "y"}, key: "ssh_key_filename", problem: "is set beside ssh_key_contents"},
		{name: "no private key", set: map[string]any{"ssh_password": nil, "ssh_key_contents": key.public}, key: "ssh_key_contents", problem: "is no private key"},
		{name: "a passphrase", set: map[string]any{"ssh_password": nil, "ssh_key_contents": locked.private}, key: "ssh_key_contents", problem: "is a key with a passphrase"},
		{name: "no key file", set: map[string]any{"ssh_password": nil, "ssh_key_filename": "/nowhere/id"}, key: "ssh_key_filename", problem: "is not there"},
		{name: "a folder", set: map[string]any{"ssh_password": nil, "ssh_key_filename": os.TempDir()}, key: "ssh_key_filename", problem: "which is no file"},
		{name: "no host key", set: map[string]any{"ssh_host_key": "SHA256:abc"}, key: "ssh_host_key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := &driver.Node{MACs: []string{"52:54:00:aa:00:01"}, Info: map[string]any{
				"ssh_address": "192.0.2.7", "ssh_username": "ironic", "ssh_virt_type": "virsh", "ssh_password": password,
			}}
			maps.Copy(n.Info, tt.set)
			err := fast.Validate(n)
			if e, ok := errors.AsType[*driver.ParameterError](err); tt.key != "" && (!ok || e.Key != tt.key || !strings.Contains(e.Problem, tt.problem)) {
				t.Errorf("%v; want a ParameterError: %s %s", err, tt.key, tt.problem)
			}
			if tt.key == "" && err != nil {
				t.Error(err)
			}
			if err != nil && (strings.Contains(err.Error(), password) || strings.Contains(err.Error(), "PRIVATE KEY")) {
				t.Errorf("the error holds a secret: %v", err)
			}
		})
	}
}

func TestNoPorts(t *testing.T) {
	_, n := start(t)
	n.MACs = nil
	if err := fast.Validate(n); err == nil || !strings.Contains(err.Error(), "has no port: the driver finds") {
		t.Errorf("%v; want: it has no port", err)
	}
}

// A number in driver_info is a number, or its digits; an address may be one of IPv6.
func TestAddress(t *testing.T) {
	for _, tt := range []struct {
		address string
		port    any
		want    string
	}{
		{"hyper.example.com", nil, "hyper.example.com:22"},
		{"192.0.2.7", 2222.0, "192.0.2.7:2222"},
		{"2001:db8::7", "2222", "[2001:db8::7]:2222"},
		{"[2001:db8::7]", nil, "[2001:db8::7]:22"},
	} {
		n := &driver.Node{MACs: []string{"52:54:00:aa:00:01"}, Info: map[string]any{
			"ssh_address": tt.address, "ssh_username": "ironic", "ssh_virt_type": "virsh", "ssh_password": password,
		}}
		if tt.port != nil {
			n.Info["ssh_port"] = tt.port
		}
		if s, err := read(n); err != nil || s.address != tt.want {
			t.Errorf("address %s, port %v: %s, %v; want %s", tt.address, tt.port, s.address, err, tt.want)
		}
	}
}
