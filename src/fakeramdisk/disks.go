package fakeramdisk

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	mib = 1 << 20
	gib = 1 << 30
)

// A Disk is one disk of a node.
type Disk struct {
	Name   string `json:"name"` // sda, without /dev/
	Bytes  int64  `json:"bytes"`
	WWN    string `json:"wwn"`
	Serial string `json:"serial"`
	Model  string `json:"model,omitempty"`
}

// ParseLayout reads disks in the form "sda=1024,sdb=2048": name and MiB.
func ParseLayout(text string) ([]Disk, error) {
	var disks []Disk
	for item := range strings.SplitSeq(text, ",") {
		name, size, _ := strings.Cut(item, "=")
		n, err := strconv.ParseInt(size, 10, 32)
		if err != nil || n <= 0 || name == "" || name != path.Base(name) {
			return nil, fmt.Errorf("disk %q: want name=MiB, like sda=1024", item)
		}
		disks = append(disks, Disk{Name: name, Bytes: n * mib})
	}
	return disks, nil
}

// Disks tells the disks of the node uuid: those that its operator declared in properties.disks (a list of
// name, size in bytes or size_gb in GiB, wwn, serial, model), else layout. A disk without WWN or serial number
// gets one that depends on the node and the disk's name alone.
func Disks(uuid string, properties map[string]any, layout []Disk) ([]Disk, error) {
	disks := slices.Clone(layout)
	if declared, ok := properties["disks"].([]any); ok && len(declared) > 0 {
		disks = nil
		for i, item := range declared {
			d, err := declaredDisk(item)
			if err != nil {
				return nil, fmt.Errorf("node %s: properties.disks[%d]: %w", uuid, i, err)
			}
			disks = append(disks, d)
		}
	}
	for i := range disks {
		sum := sha256.Sum256([]byte(uuid + "/" + disks[i].Name))
		if disks[i].WWN == "" {
			disks[i].WWN = fmt.Sprintf("0x5000c500%x", sum[:4])
		}
		if disks[i].Serial == "" {
			disks[i].Serial = strings.ToUpper(fmt.Sprintf("fk%x", sum[4:9]))
		}
	}
	return disks, nil
}

func declaredDisk(item any) (Disk, error) {
	m, _ := item.(map[string]any)
	text := func(key string) string { s, _ := m[key].(string); return s }
	d := Disk{Name: path.Base(text("name")), WWN: text("wwn"), Serial: text("serial"), Model: text("model")}
	if text("name") == "" {
		return d, fmt.Errorf("name: want a text like /dev/sda")
	}
	for key, unit := range map[string]float64{"size": 1, "size_gb": gib} {
		if m[key] == nil {
			continue
		}
		n, err := strconv.ParseFloat(fmt.Sprint(m[key]), 64) // operators write numbers and texts
		if err != nil || n <= 0 {
			return d, fmt.Errorf("%s: want a positive number", key)
		}
		d.Bytes = int64(n * unit)
	}
	if d.Bytes == 0 {
		return d, fmt.Errorf("%s: want size (bytes) or size_gb", d.Name)
	}
	return d, nil
}

// A machine is the scratch disks of one node, as they are during one step.
type machine struct {
	dir   string
	node  node
	disks []Disk
}

// openMachine makes the node's disk files where they are missing. It never shortens one.
func openMachine(dir string, n node, layout []Disk) (*machine, error) {
	disks, err := Disks(n.UUID, n.Properties, layout)
	if err != nil {
		return nil, err
	}
	own, err := folder(dir, n.UUID)
	if err != nil {
		return nil, err
	}
	m := &machine{dir: own, node: n, disks: disks}
	for _, d := range disks {
		if err := m.grow(d); err != nil {
			return nil, err
		}
	}
	text, err := json.MarshalIndent(disks, "", "  ")
	if err != nil {
		return nil, err
	}
	return m, os.WriteFile(filepath.Join(own, "disks.json"), text, 0o600)
}

func (m *machine) grow(d Disk) error {
	f, err := os.OpenFile(m.file(d), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() >= d.Bytes {
		return err
	}
	return f.Truncate(d.Bytes)
}

// file is the path of the disk's bytes.
func (m *machine) file(d Disk) string { return filepath.Join(m.dir, d.Name+".img") }

// usable lists the disks that properties.skip_block_devices does not exclude.
func (m *machine) usable() ([]Disk, error) {
	skip, err := hintsOf(m.node.Properties["skip_block_devices"])
	if err != nil {
		return nil, fmt.Errorf("node %s: properties.skip_block_devices: %w", m.node.UUID, err)
	}
	return slices.DeleteFunc(slices.Clone(m.disks), func(d Disk) bool {
		return slices.ContainsFunc(skip, func(h hints) bool { return h.match(d) })
	}), nil
}

// root is the disk that takes the image: the first that matches the root device hints; without hints the
// smallest of at least 4 GiB, as the agent chooses, and if all are smaller, as scratch disks may be, the
// first. Ties go by name. (ironic-python-agent, hardware.py, get_os_install_device)
func (m *machine) root() (Disk, error) {
	const smallest = 4 * gib
	disks, err := m.usable()
	if err != nil {
		return Disk{}, err
	}
	slices.SortFunc(disks, func(a, b Disk) int { return strings.Compare(a.Name, b.Name) })
	wanted := m.node.InstanceInfo["root_device"]
	if wanted == nil {
		wanted = m.node.Properties["root_device"]
	}
	list, err := hintsOf(wanted)
	if err != nil {
		return Disk{}, fmt.Errorf("node %s: root_device: %w", m.node.UUID, err)
	}
	if len(list) > 0 {
		if i := slices.IndexFunc(disks, list[0].match); i >= 0 {
			return disks[i], nil
		}
		return Disk{}, fmt.Errorf("no suitable device was found for deployment using these hints %v", wanted)
	}
	if len(disks) == 0 {
		return Disk{}, fmt.Errorf("no suitable device was found for deployment: node %s has no disk that may be written", m.node.UUID)
	}
	best := disks[0]
	for _, d := range disks {
		if d.Bytes >= smallest && (best.Bytes < smallest || d.Bytes < best.Bytes) {
			best = d
		}
	}
	return best, nil
}
