//go:build integration

package acceptance

import (
	"archive/tar"
	"compress/gzip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// properties are those of the OpenStack stemcell, as its stemcell.MF has them.
func properties() map[string]any {
	return map[string]any{
		"name": "bosh-openstack-kvm-ubuntu-jammy", "version": "1.1", "infrastructure": "openstack", "hypervisor": "kvm",
		"disk": 5120, "disk_format": "qcow2", "container_format": "bare", "os_type": "linux", "os_distro": "ubuntu",
		"architecture": "x86_64", "auto_disk_config": true,
	}
}

// image makes the archive of a small stemcell once: a disk of 32 MiB with one partition.
var image = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "stemcell-")
	if err != nil {
		return "", err
	}
	raw, qcow2 := filepath.Join(dir, "root.raw"), filepath.Join(dir, "root.img")
	if err := os.WriteFile(raw, nil, 0o600); err != nil {
		return "", err
	}
	if err := os.Truncate(raw, 32<<20); err != nil {
		return "", err
	}
	partition := exec.Command("sfdisk", "-q", raw)
	partition.Stdin = strings.NewReader("start=2048, type=83\n")
	if err := partition.Run(); err != nil {
		return "", err
	}
	if err := exec.Command("qemu-img", "convert", "-O", "qcow2", raw, qcow2).Run(); err != nil {
		return "", err
	}
	return filepath.Join(dir, "image"), archive(filepath.Join(dir, "image"), qcow2)
})

// archive packs one file as the member root.img.
func archive(to, file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	zip := gzip.NewWriter(out)
	pack := tar.NewWriter(zip)
	if err := pack.WriteHeader(&tar.Header{Name: "root.img", Mode: 0o644, Size: int64(len(content))}); err != nil {
		return err
	}
	if _, err := pack.Write(content); err != nil {
		return err
	}
	if err := pack.Close(); err != nil {
		return err
	}
	return zip.Close()
}

func imagePath(t testing.TB) string {
	t.Helper()
	path, err := image()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// stemcell uploads the small stemcell.
func (d *director) stemcell() string {
	d.t.Helper()
	return decode[string](d.t, d.must("create_stemcell", imagePath(d.t), properties()))
}
