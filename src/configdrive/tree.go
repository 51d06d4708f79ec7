package configdrive

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"path"
	"slices"
)

// Contents are what a config drive says.
type Contents struct {
	InstanceID  string            // the VM's CID
	Name        string            // the host's name; empty: InstanceID
	UserData    []byte            // for a BOSH agent: its settings, as JSON
	PublicKeys  []string          // SSH keys, one line each
	NameServers []string          // IP addresses
	MACs        []string          // the server's NICs
	Files       map[string][]byte // more files by their absolute path on the server
}

// Tree lays c out as files by their path in the drive: ec2/latest for BOSH agents, openstack/latest beside it for
// everybody else. The agent takes the user-data and the first public key, and goes looking for a metadata service
// when meta-data.json is missing, so that is always there.
func Tree(c Contents) (map[string][]byte, error) {
	if c.Name == "" {
		c.Name = c.InstanceID
	}
	tree := map[string][]byte{
		"ec2/latest/user-data":       c.UserData,
		"openstack/latest/user_data": c.UserData,
	}
	documents := map[string]any{"ec2/latest/meta-data.json": c.ec2()}
	type file struct {
		Path    string `json:"path"`
		Content string `json:"content_path"`
	}
	var files []file
	for i, name := range slices.Sorted(maps.Keys(c.Files)) {
		if !path.IsAbs(name) || path.Clean(name) != name {
			return nil, fmt.Errorf("%w: extra file %q is not an absolute path", ErrPath, name)
		}
		content := fmt.Sprintf("/content/%04d", i)
		tree["openstack"+content] = c.Files[name]
		files = append(files, file{name, content})
	}
	keys := map[string]string{}
	for i, key := range c.PublicKeys {
		keys[fmt.Sprintf("key-%d", i)] = key
	}
	documents["openstack/latest/meta_data.json"] = struct {
		UUID       string            `json:"uuid"`
		Name       string            `json:"name"`
		Hostname   string            `json:"hostname"`
		PublicKeys map[string]string `json:"public_keys"`
		Files      []file            `json:"files,omitempty"`
	}{c.InstanceID, c.Name, c.Name, keys, files}
	network, err := c.networkData()
	if err != nil {
		return nil, err
	}
	documents["openstack/latest/network_data.json"] = network
	for name, document := range documents {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(document); err != nil {
			return nil, fmt.Errorf("encode %s: %w", name, err)
		}
		tree[name] = b.Bytes()
	}
	return tree, nil
}

// ec2 is meta-data.json. Without a key there is an empty one: agents of 2016 insist on it.
func (c Contents) ec2() any {
	type key struct {
		OpenSSH string `json:"openssh-key"`
	}
	keys := map[string]key{"0": {}}
	for i, k := range c.PublicKeys {
		keys[fmt.Sprint(i)] = key{k}
	}
	return struct {
		InstanceID string         `json:"instance-id"`
		PublicKeys map[string]key `json:"public-keys"`
	}{c.InstanceID, keys}
}

// networkData is network_data.json with NICs and name servers and no networks: those are the agent's business.
// Newer Ironics write their own when it is missing or wholly empty (ironic/conductor/configdrive_utils.py).
func (c Contents) networkData() (any, error) {
	type link struct {
		ID   string `json:"id"`
		Type string `json:"type"`
		MAC  string `json:"ethernet_mac_address"`
	}
	type service struct {
		Type    string `json:"type"`
		Address string `json:"address"`
	}
	links, services := []link{}, []service{}
	for i, mac := range c.MACs {
		links = append(links, link{fmt.Sprintf("nic%d", i), "phy", mac})
	}
	for _, server := range c.NameServers {
		if _, err := netip.ParseAddr(server); err != nil {
			return nil, fmt.Errorf("name server: %w", err)
		}
		services = append(services, service{"dns", server})
	}
	return struct {
		Links    []link    `json:"links"`
		Networks []any     `json:"networks"`
		Services []service `json:"services"`
	}{links, []any{}, services}, nil
}
