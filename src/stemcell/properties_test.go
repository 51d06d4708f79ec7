package stemcell_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bosh-ironic-cpi/src/stemcell"
)

const sha512Digits = "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce" +
	"47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"

func TestProperties(t *testing.T) {
	tests := []struct {
		name, in string
		want     stemcell.Properties
	}{
		{name: "none", in: `null`},
		{name: "empty", in: `{}`},
		{
			name: "as the bosh CLI sends them",
			in: `{"architecture":"x86_64","auto_disk_config":true,"container_format":"bare","disk":5120,"disk_format":"qcow2",
				"hypervisor":"kvm","infrastructure":"openstack","name":"bosh-openstack-kvm-ubuntu-jammy","os_distro":"ubuntu",
				"os_type":"linux","version":"1.1"}`,
			want: stemcell.Properties{
				Architecture: "x86_64", ContainerFormat: "bare", Disk: 5120, DiskFormat: "qcow2", Hypervisor: "kvm",
				Infrastructure: "openstack", Name: "bosh-openstack-kvm-ubuntu-jammy", OSDistro: "ubuntu", OSType: "linux", Version: "1.1",
			},
		},
		{
			name: "numbers and text in each other's place",
			in:   `{"version": 1.10, "disk": "5120", "boot_modes": ["uefi"], "name": null}`,
			want: stemcell.Properties{Version: "1.10", Disk: 5120, BootModes: []string{"uefi"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got stemcell.Properties
			if err := json.Unmarshal([]byte(tt.in), &got); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("properties (-want +got):\n%s", d)
			}
			if err := got.Check(); err != nil {
				t.Errorf("Check() = %v", err)
			}
		})
	}
}

func TestPropertiesRefuses(t *testing.T) {
	tests := []struct {
		name, in, says string
		want           error
	}{
		{"name is a list", `{"name": ["x"]}`, "want a string", stemcell.ErrProperties},
		{"disk is a word", `{"disk": "big"}`, "disk", stemcell.ErrProperties},
		{"disk is negative", `{"disk": -1}`, "disk", stemcell.ErrProperties},
		{"disk format", `{"disk_format": "vmdk"}`, "vmdk", stemcell.ErrFormat},
		{"container format", `{"container_format": "ovf"}`, "ovf", stemcell.ErrFormat},
		{"boot mode", `{"boot_modes": ["pxe"]}`, "boot_modes", stemcell.ErrProperties},
		{"light: no checksum", `{"image_url": "http://h/x"}`, "checksum", stemcell.ErrProperties},
		{"light: no address", `{"image_url": "x.qcow2", "image_checksum": "` + sha512Digits + `"}`, "image_url", stemcell.ErrProperties},
		{"light: ftp", `{"image_url": "ftp://h/x", "image_checksum": "` + sha512Digits + `"}`, "image_url", stemcell.ErrProperties},
		{"light: broken address", `{"image_url": "http://u:hunter2@h:x/", "image_checksum": "00"}`, "image_url", stemcell.ErrProperties},
		{"light: short checksum", `{"image_url": "http://h/x", "image_checksum": "abc"}`, "image_checksum", stemcell.ErrProperties},
		{
			"light: no digits", `{"image_url": "http://h/x", "image_checksum": "` + strings.Repeat("xy", 16) + `"}`,
			"32 hexadecimal digits", stemcell.ErrProperties,
		},
		{
			"light: algorithm", `{"image_url": "http://h/x", "image_os_hash_algo": "crc", "image_os_hash_value": "00"}`,
			"image_os_hash_algo", stemcell.ErrProperties,
		},
		{
			"light: algorithm alone", `{"image_url": "http://h/x", "image_os_hash_algo": "sha512", "image_checksum": "` + sha512Digits + `"}`,
			"image_os_hash_value", stemcell.ErrProperties,
		},
		{
			"light: wrong length", `{"image_url": "http://h/x", "image_os_hash_algo": "sha256", "image_os_hash_value": "` + sha512Digits + `"}`,
			"sha256", stemcell.ErrProperties,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var p stemcell.Properties
			err := json.Unmarshal([]byte(tt.in), &p)
			if err == nil {
				err = p.Check()
			}
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error = %v; want %v about %q", err, tt.want, tt.says)
			}
		})
	}
}

func TestBootModes(t *testing.T) {
	tests := []struct {
		name, distro string
		want         []string
	}{
		{"bosh-openstack-kvm-ubuntu-jammy", "ubuntu", []string{"bios"}},
		{"bosh-openstack-kvm-ubuntu-jammy-go_agent-raw", "ubuntu", []string{"bios"}},
		{"bosh-openstack-kvm-ubuntu-xenial-go_agent", "ubuntu", []string{"bios"}},
		{"bosh-openstack-kvm-centos-7-go_agent", "centos", []string{"bios"}},
		{"bosh-openstack-kvm-ubuntu-noble", "ubuntu", []string{"bios", "uefi"}},
		{"bosh-openstack-kvm-ubuntu-noble-fips", "", []string{"bios", "uefi"}},
		{"my-own", "ubuntu", nil},
		{"", "", nil},
		{"jammyjellyfish", "", nil},
	}
	for _, tt := range tests {
		if d := cmp.Diff(tt.want, stemcell.BootModes(tt.name, tt.distro)); d != "" {
			t.Errorf("BootModes(%q, %q) (-want +got):\n%s", tt.name, tt.distro, d)
		}
	}
}
