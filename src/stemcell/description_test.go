package stemcell_test

import (
	"errors"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"bosh-ironic-cpi/src/stemcell"
)

var update = flag.Bool("update", false, "write testdata anew")

var (
	jammy = stemcell.Properties{
		Name: "bosh-openstack-kvm-ubuntu-jammy", Version: "1.1", Architecture: "x86_64", Infrastructure: "openstack",
		Hypervisor: "kvm", OSType: "linux", OSDistro: "ubuntu", DiskFormat: "qcow2", ContainerFormat: "bare", Disk: 5120,
	}
	light = stemcell.Properties{
		Name: "bosh-openstack-kvm-ubuntu-noble", Version: "1.2", OSDistro: "ubuntu", Architecture: "x86_64",
		ImageURL: "https://images.example.com/noble.qcow2?a=1&b=2", ImageChecksum: stemcell.Text(strings.ToUpper(sha512Digits)),
	}
)

// golden compares got with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (-want +got):\n%s", path, d)
	}
}

func TestSidecar(t *testing.T) {
	fromLight, err := stemcell.DescribeLight(light)
	if err != nil {
		t.Fatal(err)
	}
	for name, d := range map[string]stemcell.Description{
		"jammy.json": stemcell.Describe(jammy, describe(good, "qcow2", 5<<30)),
		"light.json": fromLight,
	} {
		b, err := d.Encode()
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, b)
		again, err := stemcell.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(d, again); d != "" {
			t.Errorf("%s: Decode(Encode()) (-want +got):\n%s", name, d)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"no JSON":     `<html>401</html>`,
		"nothing":     `{}`,
		"null":        `null`,
		"later":       `{"schema": 2, "id": "x", "file": "x.qcow2", "md5": "x"}`,
		"no digest":   `{"schema": 1, "id": "x", "file": "x.qcow2"}`,
		"no image":    `{"schema": 1, "id": "x", "md5": "x"}`,
		"wrong types": `{"schema": 1, "id": 7}`,
	} {
		if _, err := stemcell.Decode([]byte(in)); !errors.Is(err, stemcell.ErrSidecar) {
			t.Errorf("%s: Decode() error = %v; want ErrSidecar", name, err)
		}
	}
}

func TestMetaLine(t *testing.T) {
	d := stemcell.Describe(jammy, describe("x", "raw", 1))
	const want = "9dd4e461268c8034f5c8564e155c67a6 bosh-openstack-kvm-ubuntu-jammy\n"
	if got := d.MetaLine(); got != want {
		t.Errorf("MetaLine() = %q; want %q", got, want)
	}
	if d.File != d.ID+".raw" {
		t.Errorf("File = %q", d.File)
	}
}

func TestHashIsTheStrongest(t *testing.T) {
	tests := []struct {
		d           stemcell.Description
		algo, value string
	}{
		{stemcell.Description{MD5: "a", SHA256: "b", SHA512: "c"}, "sha512", "c"},
		{stemcell.Description{MD5: "a", SHA256: "b"}, "sha256", "b"},
		{stemcell.Description{MD5: "a"}, "md5", "a"},
	}
	for _, tt := range tests {
		if algo, value := tt.d.Hash(); algo != tt.algo || value != tt.value {
			t.Errorf("Hash() = %s %s; want %s %s", algo, value, tt.algo, tt.value)
		}
	}
}

// TestB17IDsDoNotCollide: the founding CPI's ids lacked the OS release, so that trusty and xenial of one
// version overwrote each other.
func TestB17IDsDoNotCollide(t *testing.T) {
	trusty, xenial := jammy, jammy
	trusty.Name, xenial.Name = "bosh-openstack-kvm-ubuntu-trusty-go_agent", "bosh-openstack-kvm-ubuntu-xenial-go_agent"
	a := stemcell.Describe(trusty, describe("trusty", "raw", 1)).ID
	b := stemcell.Describe(xenial, describe("xenial", "raw", 1)).ID
	if a == b {
		t.Errorf("both are %s", a)
	}
	if want := regexp.MustCompile(`^bosh-openstack-kvm-ubuntu-trusty-go_agent-1\.1-[0-9a-f]{16}$`); !want.MatchString(a) {
		t.Errorf("id %s; want %s", a, want)
	}
}

func TestIDs(t *testing.T) {
	safe := regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,180}$`)
	rapid.Check(t, func(t *rapid.T) {
		p := stemcell.Properties{
			Name: stemcell.Text(rapid.String().Draw(t, "name")), Version: stemcell.Text(rapid.String().Draw(t, "version")),
		}
		one, two := rapid.String().Draw(t, "content"), rapid.String().Draw(t, "other content")
		a := stemcell.Describe(p, describe(one, "raw", 1))
		again := stemcell.Describe(p, describe(one, "raw", 1))
		b := stemcell.Describe(p, describe(two, "raw", 1))
		switch {
		case !safe.MatchString(a.ID):
			t.Errorf("id %q is not safe as a file's name", a.ID)
		case a.ID != again.ID:
			t.Errorf("the same stemcell is %s and %s", a.ID, again.ID)
		case (a.ID == b.ID) != (one == two):
			t.Errorf("ids %s and %s for contents %q and %q", a.ID, b.ID, one, two)
		}
	})
}

func TestLight(t *testing.T) {
	a, err := stemcell.DescribeLight(light)
	if err != nil {
		t.Fatal(err)
	}
	if !a.Light() || a.SHA512 != sha512Digits || a.File != "" {
		t.Errorf("DescribeLight() = %+v", a)
	}
	moved, other := light, light
	moved.ImageURL = "https://images.example.com/other.qcow2"
	other.ImageChecksum, other.ImageOSHashAlgo, other.ImageOSHashValue = "", "sha512", light.ImageChecksum
	b, err := stemcell.DescribeLight(moved)
	if err != nil || b.ID == a.ID {
		t.Errorf("another address has the same id %s, %v", b.ID, err)
	}
	if c, err := stemcell.DescribeLight(other); err != nil || c.ID != a.ID {
		t.Errorf("the same checksum by another key has id %s, %v; want %s", c.ID, err, a.ID)
	}
	if _, err := stemcell.DescribeLight(jammy); !errors.Is(err, stemcell.ErrProperties) {
		t.Errorf("DescribeLight() of a stemcell that is not light: %v", err)
	}
}

func TestFromMeta(t *testing.T) {
	got, err := stemcell.FromMeta("stemcell_ubuntu-x86_64-3262.12",
		"9DD4E461268C8034F5C8564E155C67A6 bosh-openstack-kvm-ubuntu-trusty-go_agent\n")
	if err != nil {
		t.Fatal(err)
	}
	want := stemcell.Description{
		Schema: 1, ID: "stemcell_ubuntu-x86_64-3262.12", Name: "bosh-openstack-kvm-ubuntu-trusty-go_agent", Version: "3262.12",
		OSDistro: "ubuntu", Architecture: "x86_64", BootModes: []string{"bios"}, DiskFormat: "qcow2",
		File: "stemcell_ubuntu-x86_64-3262.12.qcow2", MD5: "9dd4e461268c8034f5c8564e155c67a6",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("FromMeta() (-want +got):\n%s", d)
	}
}

// TestB13MetaThatIsNone: the founding CPI took whatever a server answered for a checksum, a page that asks for
// a password included.
func TestB13MetaThatIsNone(t *testing.T) {
	for _, meta := range []string{"", "\n", "<html> <head>401 Authorization Required", "9dd4e461 name", strings.Repeat("x", 32) + " n"} {
		if _, err := stemcell.FromMeta("stemcell_ubuntu-x86_64-1", meta); !errors.Is(err, stemcell.ErrMeta) {
			t.Errorf("FromMeta(%q) error = %v; want ErrMeta", meta, err)
		}
	}
}

func TestKeys(t *testing.T) {
	if got := stemcell.Sidecar("x") + " " + stemcell.Meta("x"); got != "x.json x.meta" {
		t.Errorf("keys = %s", got)
	}
}
