//go:build integration

package acceptance

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bosh-ironic-cpi/src/agentenv"
	"bosh-ironic-cpi/src/backend"
)

// network is a manual network with a few keys more, or others.
func network(ip string, more map[string]any) map[string]any {
	n := map[string]any{
		"type": "manual", "ip": ip, "netmask": "255.255.255.0", "gateway": ip[:strings.LastIndex(ip, ".")] + ".1",
		"dns": []any{"10.0.0.2"}, "cloud_properties": map[string]any{},
	}
	maps.Copy(n, more)
	return n
}

// disks declares disks of so many GiB, the first for the image.
func disks(sizes ...float64) []any {
	var list []any
	for i, size := range sizes {
		list = append(list, map[string]any{"name": "/dev/sd" + string(rune('a'+i)), "size_gb": size, "root": i == 0})
	}
	return list
}

// secretEnv must not stay anywhere but on the server.
func secretEnv() map[string]any {
	return map[string]any{"bosh": map[string]any{
		"password": "$6$salt$hash-of-vcap", "mbus": map[string]any{"cert": map[string]any{"private_key": "KEY-OF-THE-AGENT"}},
	}}
}

// checkNothingLeft looks for the settings of a running VM where everybody could read them: in the node, and under
// the address that the server fetched them from.
func (d *director) checkNothingLeft(cid string) {
	d.t.Helper()
	node, err := json.Marshal(d.nodeOf(cid))
	if err != nil {
		d.t.Fatal(err)
	}
	for _, secret := range []string{"hash-of-vcap", "KEY-OF-THE-AGENT", "password-of-mbus"} {
		if bytes.Contains(node, []byte(secret)) {
			d.t.Errorf("%s is in the node: %s", secret, node)
		}
	}
	fetched := 0
	for _, r := range d.webdav.Proxy.Requests() {
		if r.Method != http.MethodGet || !strings.Contains(r.Path, "/metadata/") || r.Status != http.StatusOK {
			continue
		}
		fetched++
		if _, name := filepath.Split(r.Path); len(name) < 32 {
			d.t.Errorf("the settings are under a name that can be guessed: %s", r.Path)
		}
		resp, err := http.Get(d.webdav.Direct + r.Path)
		if err != nil {
			d.t.Fatal(err)
		}
		if _ = resp.Body.Close(); resp.StatusCode != http.StatusNotFound {
			d.t.Errorf("%s is still there after the deployment: %s", r.Path, resp.Status)
		}
	}
	if fetched == 0 {
		d.t.Error("nothing was fetched from the metadata repository")
	}
	if slices.ContainsFunc(d.webdav.Files(d.t), func(f string) bool { return strings.HasPrefix(f, "metadata/") }) {
		d.t.Errorf("left in the repository: %v", d.webdav.Files(d.t))
	}
}

// Settings as a file in the image, with networks of all types on several NICs: B15 gave one MAC to two networks,
// and never knew one in upper case.
func TestB15NetworksAndInjectedSettings(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t), map[string]any{"agent": map[string]any{"mbus": "nats://nats:password-of-mbus@10.0.0.6:4222"}})
	macs := []string{backend.NewMAC(), backend.NewMAC(), backend.NewMAC(), backend.NewMAC()}
	node := d.node(backend.NodeSpec{Name: d.class, MACs: macs, Properties: map[string]any{"disks": disks(10)}})
	both := map[string]any{"macs": []any{strings.ToUpper(macs[2]), strings.ToUpper(strings.ReplaceAll(macs[1], ":", "-"))}}
	asked := map[string]any{
		"default": network("10.0.0.10", map[string]any{
			"default": []any{"dns", "gateway"}, "cloud_properties": both, "prefix": "32", "nic_group": "0",
			"routes":        []any{map[string]any{"destination": "10.9.0.0", "netmask": "255.255.0.0", "gateway": "10.0.0.9"}},
			"of_the_future": map[string]any{"deep": []any{1.0, "two"}},
		}),
		"storage": network("10.1.0.10", map[string]any{"cloud_properties": both}),
		"dyn":     map[string]any{"type": "dynamic", "cloud_properties": map[string]any{}},
		"public":  map[string]any{"type": "vip", "ip": "192.0.2.10"},
	}
	cid, networks := d.createVM(vmSpec{
		stemcell: d.lightStemcell(), networks: asked, env: secretEnv(), cloud: map[string]any{"spare_nics": "loopback"},
	})
	d.checkImage(node)

	want := decode[map[string]map[string]any](t, encode(t, asked))
	want["default"]["mac"], want["storage"]["mac"], want["dyn"]["mac"] = macs[1], macs[2], macs[0]
	if diff := cmp.Diff(want, networks); diff != "" {
		t.Errorf("networks that create_vm returns (-want +got):\n%s", diff)
	}
	want[strings.ReplaceAll(macs[3], ":", "-")] = map[string]any{
		"type": "manual", "ip": "127.0.0.100", "netmask": "255.255.255.0", "mac": macs[3],
	}
	settings := d.settingsOn(node)
	if diff := cmp.Diff(decode[any](t, encode(t, want)), settings["networks"]); diff != "" {
		t.Errorf("networks on the server (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(decode[any](t, encode(t, secretEnv())), settings["env"]); diff != "" {
		t.Errorf("env on the server (-want +got):\n%s", diff)
	}
	if vm, _ := settings["vm"].(map[string]any); vm["name"] != cid {
		t.Errorf("vm on the server is %v; want name %s", settings["vm"], cid)
	}
	file := d.backend.Injected(t, node)[agentenv.SettingsPath]
	if file.Mode != "0600" || !file.FromURL {
		t.Errorf("settings are injected with mode %s, from an URL %v; want 0600, true", file.Mode, file.FromURL)
	}
	if d.backend.ConfigDrive(t, node) != nil {
		t.Error("there is a config drive too")
	}
	d.checkNothingLeft(cid)
}

// Bonds and VLANs are files in the image, and the agent is told to leave the networks alone.
func TestBondsAndVLANs(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t))
	macs := []string{backend.NewMAC(), backend.NewMAC(), backend.NewMAC()}
	node := d.node(backend.NodeSpec{Name: d.class, MACs: macs}) // nobody has listed its disks
	_, networks := d.createVM(vmSpec{
		stemcell: d.rawStemcell(),
		networks: map[string]any{
			"default": network("10.0.0.10", map[string]any{"default": []any{"gateway"}, "cloud_properties": map[string]any{"bond": "bond0"}}),
			"storage": network("10.1.0.10", map[string]any{"cloud_properties": map[string]any{"bond": "bond0", "vlan": 42}}),
		},
		cloud: map[string]any{
			"bonds":      []any{map[string]any{"name": "bond0", "mode": "active-backup", "nics": []any{strings.ToUpper(macs[2]), macs[1]}}},
			"spare_nics": "unmanaged",
		},
	})
	d.checkImage(node)
	settings := decode[map[string]map[string]any](t, encode(t, d.settingsOn(node)["networks"]))
	for _, all := range []map[string]map[string]any{networks, settings} {
		for name, n := range all {
			if n["preconfigured"] != true || n["mac"] != macs[1] {
				t.Errorf("network %s: preconfigured %v, mac %v; want true, %s", name, n["preconfigured"], n["mac"], macs[1])
			}
		}
	}
	const folder = "/usr/lib/systemd/network/05-"
	dashed := func(mac string) string { return strings.ReplaceAll(mac, ":", "-") }
	want := map[string]string{ // file to a line in it
		"bond0.netdev":                         "Mode=active-backup",
		"bond0.network":                        "Gateway=10.0.0.1",
		"bond0.42.netdev":                      "Id=42",
		"bond0.42.network":                     "Address=10.1.0.10/24",
		dashed(macs[1]) + ".network":           "Bond=bond0",
		dashed(macs[2]) + ".network":           "Bond=bond0",
		dashed(macs[0]) + ".unmanaged.network": "Unmanaged=yes",
	}
	injected := d.backend.Injected(t, node)
	for name, line := range want {
		if f := injected[folder+name]; f.Mode != "0644" || !bytes.Contains(f.Content, []byte("\n"+line+"\n")) {
			t.Errorf("%s: mode %q, no line %s in it:\n%s", name, f.Mode, line, f.Content)
		}
	}
	if len(injected) != len(want)+1 { // and the settings
		t.Errorf("injected are %v", slices.Sorted(maps.Keys(injected)))
	}
}

// A server with two disks gets a config drive, which foreign tools read; a stemcell of the CPI of 2016 will do.
func TestConfigDrive(t *testing.T) {
	t.Parallel()
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFounding operator@example.com"
	d := newDirector(t, backend.Start(t), map[string]any{"agent": map[string]any{
		"mbus": "nats://nats:password-of-mbus@10.0.0.6:4222", "public_keys": []string{key}, "nameservers": []string{"10.0.0.53"},
	}})
	mac := backend.NewMAC()
	node := d.node(backend.NodeSpec{Name: d.class, MACs: []string{mac, backend.NewMAC()}, Properties: map[string]any{"disks": disks(10, 10)}})
	cid, _ := d.createVM(vmSpec{stemcell: d.foundingStemcell(), env: secretEnv()})
	d.checkImage(node)

	settings := d.settingsOn(node)
	wantDisks := map[string]any{"system": "/dev/sda", "ephemeral": map[string]any{"path": "/dev/sdb"}, "persistent": map[string]any{}}
	if diff := cmp.Diff(wantDisks, settings["disks"]); diff != "" {
		t.Errorf("disks on the server (-want +got):\n%s", diff)
	}
	if n := settings["networks"].(map[string]any); len(n) != 1 {
		t.Errorf("networks on the server are %v; want the one asked for: spare NICs are left to DHCP", n)
	}
	if files := d.backend.Injected(t, node); len(files) > 0 {
		t.Errorf("files are injected too: %v", files)
	}
	iso := d.backend.ConfigDrive(t, node)
	if label := volume(t, iso); label != "config-2" {
		t.Errorf("the drive's label is %q; agents look for config-2", label)
	}
	type openSSH struct {
		Key string `json:"openssh-key"`
	}
	ec2 := decode[struct {
		ID   string             `json:"instance-id"`
		Keys map[string]openSSH `json:"public-keys"`
	}](t, drive(t, iso, "/ec2/latest/meta-data.json"))
	if ec2.ID != cid || ec2.Keys["0"].Key != key {
		t.Errorf("ec2/latest/meta-data.json says %+v", ec2)
	}
	openstack := decode[map[string]any](t, drive(t, iso, "/openstack/latest/meta_data.json"))
	if keys, _ := openstack["public_keys"].(map[string]any); openstack["uuid"] != cid || keys["key-0"] != key {
		t.Errorf("openstack/latest/meta_data.json says %v", openstack)
	}
	if text := string(drive(t, iso, "/openstack/latest/network_data.json")); !strings.Contains(text, mac) || !strings.Contains(text, "10.0.0.53") {
		t.Errorf("openstack/latest/network_data.json says %s", text)
	}
	d.checkNothingLeft(cid)
	d.must("delete_vm", cid)
	if got, want := d.stateOf(node), "available, instance <nil>, extra map[]"; got != want {
		t.Errorf("node is left %s; want %s", got, want)
	}
}

// What would not boot, or leave the agent in the dark, is refused before the node is touched, with advice.
func TestRefusedBeforeTheNodeIsTouched(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t))
	bond := map[string]any{"name": "bond0", "count": 1}
	bonded := map[string]any{"a": network("10.0.0.10", map[string]any{"cloud_properties": map[string]any{"bond": "bond0"}})}
	two := map[string]any{"a": network("10.0.0.10", nil), "b": network("10.1.0.10", nil)}
	tests := []struct {
		name     string
		deploy   string
		disks    []any
		cloud    map[string]any
		networks map[string]any
		want     string
	}{
		{
			name: "config drive on the only disk", disks: disks(10), cloud: map[string]any{"settings_delivery": "config_drive"},
			want: "use settings_delivery inject, or give a second disk",
		},
		{
			name: "ephemeral data behind the config drive", disks: disks(10, 10),
			cloud: map[string]any{"settings_delivery": "config_drive", "ephemeral_device": "root"},
			want:  "the ephemeral disk is the root disk, and the agent cannot partition a disk that ends in a config drive",
		},
		{name: "one disk that nobody injects into", deploy: "fake", disks: disks(10), want: "use deploy interface direct with settings_delivery inject"},
		{
			name: "injection that is not possible", deploy: "fake", disks: disks(10, 10), cloud: map[string]any{"settings_delivery": "inject"},
			want: `deploy interface "fake" cannot inject: use deploy interface direct, or settings_delivery config_drive`,
		},
		{name: "root disk beyond MBR", disks: disks(3000), want: "root disk of 3000 GiB, and stemcells partition at most 2048 GiB"},
		{
			name: "bond that nobody injects", deploy: "fake", disks: disks(10, 10), cloud: map[string]any{"bonds": []any{bond}}, networks: bonded,
			want: "need files in the image",
		},
		{name: "bond that nobody described", disks: disks(10, 10), networks: bonded, want: `bond "bond0" is not among the VM type's bonds`},
		{name: "two networks on one NIC", disks: disks(10, 10), networks: two, want: `network "b"`},
		{name: "disk that is not there", disks: disks(10, 10), cloud: map[string]any{"ephemeral_device": "/dev/sdx"}, want: "/dev/sdx"},
		{name: "disks that nobody understands", disks: []any{map[string]any{"naem": "/dev/sda"}}, want: "disks[0].naem is not known"},
	}
	stemcell := d.stemcell()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := *d
			d.t = t
			mac := backend.NewMAC()
			node := d.node(backend.NodeSpec{MACs: []string{mac}, Deploy: tt.deploy, Properties: map[string]any{"disks": tt.disks}})
			cloud := map[string]any{"macs": []string{mac}}
			maps.Copy(cloud, tt.cloud)
			vm := vmSpec{stemcell: stemcell, cloud: cloud, networks: tt.networks}
			if message := d.fails("VMCreationFailed", false, "create_vm", d.arguments(vm)...); !strings.Contains(message, tt.want) {
				t.Errorf("%q is not in %q", tt.want, message)
			}
			if got, want := d.stateOf(node), "available, instance <nil>, extra map[]"; got != want {
				t.Errorf("node is left %s; want %s", got, want)
			}
		})
	}
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// volume reads the label of a drive with a foreign reader.
func volume(t testing.TB, iso []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "configdrive.iso")
	if err := os.WriteFile(file, iso, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "isoinfo", "-d", "-i", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if label, ok := strings.CutPrefix(line, "Volume id: "); ok {
			return strings.TrimSpace(label)
		}
	}
	return ""
}

// checkImage compares the root disk with the small stemcell: the number that sfdisk gave its partition table.
func (d *director) checkImage(node string) {
	d.t.Helper()
	const at, length = 440, 4
	number := func(file string) []byte {
		f, err := os.Open(file)
		if err != nil {
			d.t.Fatal(err)
		}
		defer f.Close()
		content, err := io.ReadAll(io.NewSectionReader(f, at, length))
		if err != nil || len(content) < length {
			d.t.Fatalf("%s: %d bytes, %v", file, len(content), err)
		}
		return content
	}
	want := number(filepath.Join(filepath.Dir(imagePath(d.t)), "root.raw"))
	if got := number(d.backend.Disk(d.t, node, "sda")); !bytes.Equal(got, want) || bytes.Equal(want, make([]byte, length)) {
		d.t.Errorf("the root disk has the partition table %x; the stemcell's is %x", got, want)
	}
}
