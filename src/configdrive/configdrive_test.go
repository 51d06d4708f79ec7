package configdrive

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func contents() Contents {
	return Contents{
		InstanceID: "vm-1", UserData: []byte(`{"agent_id": "a"}`), PublicKeys: []string{"ssh-rsa A", "ssh-rsa <B>"},
		NameServers: []string{"10.0.0.2", "fd00::2"}, MACs: []string{"aa:bb:cc:dd:ee:01"},
		Files: map[string][]byte{"/etc/motd": []byte("hello\n"), "/var/vcap/empty": nil},
	}
}

func TestTree(t *testing.T) {
	got, err := Tree(contents())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"ec2/latest/user-data":               `{"agent_id": "a"}`,
		"ec2/latest/meta-data.json":          `{"instance-id":"vm-1","public-keys":{"0":{"openssh-key":"ssh-rsa A"},"1":{"openssh-key":"ssh-rsa <B>"}}}`,
		"openstack/latest/user_data":         `{"agent_id": "a"}`,
		"openstack/latest/meta_data.json":    `{"uuid":"vm-1","name":"vm-1","hostname":"vm-1","public_keys":{"key-0":"ssh-rsa A","key-1":"ssh-rsa <B>"},"files":[{"path":"/etc/motd","content_path":"/content/0000"},{"path":"/var/vcap/empty","content_path":"/content/0001"}]}`,
		"openstack/latest/network_data.json": `{"links":[{"id":"nic0","type":"phy","ethernet_mac_address":"aa:bb:cc:dd:ee:01"}],"networks":[],"services":[{"type":"dns","address":"10.0.0.2"},{"type":"dns","address":"fd00::2"}]}`,
		"openstack/content/0000":             "hello",
		"openstack/content/0001":             "",
	}
	if diff := cmp.Diff(want, texts(got)); diff != "" {
		t.Errorf("Tree: want (-), got (+):\n%s", diff)
	}
}

func texts(files map[string][]byte) map[string]string {
	m := map[string]string{}
	for name, content := range files {
		m[name] = strings.TrimSuffix(string(content), "\n")
	}
	return m
}

// The agent asks a metadata service, and fails without one, when meta-data.json is missing or not JSON.
func TestTreeAlwaysHasMetaData(t *testing.T) {
	got, err := Tree(Contents{InstanceID: "vm-1", Name: "web-0"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"ec2/latest/user-data": "", "openstack/latest/user_data": "",
		"ec2/latest/meta-data.json":          `{"instance-id":"vm-1","public-keys":{"0":{"openssh-key":""}}}`,
		"openstack/latest/meta_data.json":    `{"uuid":"vm-1","name":"web-0","hostname":"web-0","public_keys":{}}`,
		"openstack/latest/network_data.json": `{"links":[],"networks":[],"services":[]}`,
	}
	if diff := cmp.Diff(want, texts(got)); diff != "" {
		t.Errorf("Tree: want (-), got (+):\n%s", diff)
	}
	for name, content := range got {
		if strings.HasSuffix(name, ".json") && !json.Valid(content) {
			t.Errorf("%s is not JSON: %s", name, content)
		}
	}
}

func TestTreeRefuses(t *testing.T) {
	for _, path := range []string{"etc/motd", "/etc/../motd", "/etc/", ""} {
		if _, err := Tree(Contents{Files: map[string][]byte{path: nil}}); !errors.Is(err, ErrPath) {
			t.Errorf("extra file %q: error = %v; want ErrPath", path, err)
		}
	}
	if _, err := Tree(Contents{NameServers: []string{"dns.example.com"}}); err == nil {
		t.Error("a name server that is a name: no error")
	}
}

func TestBuildRefuses(t *testing.T) {
	long := strings.Repeat("x", 129)
	tests := []struct {
		name  string
		files map[string][]byte
		err   error
	}{
		{"no name", map[string][]byte{"": nil}, ErrPath},
		{"the root", map[string][]byte{".": nil}, ErrPath},
		{"an absolute path", map[string][]byte{"/a": nil}, ErrPath},
		{"a path that climbs", map[string][]byte{"../a": nil}, ErrPath},
		{"a path with detours", map[string][]byte{"a/./b": nil}, ErrPath},
		{"a slash at the end", map[string][]byte{"a/": nil}, ErrPath},
		{"a zero byte", map[string][]byte{"a\x00": nil}, ErrPath},
		{"a name too long", map[string][]byte{long: nil}, ErrPath},
		{"nine directories deep", map[string][]byte{"1/2/3/4/5/6/7/8/f": nil}, ErrPath},
		{"a file that is a directory", map[string][]byte{"a": nil, "a/b": nil}, ErrPath},
		{"more than 64 MiB", map[string][]byte{"a": make([]byte, MaxSize-20*sector)}, ErrTooLarge},
		{"a file of more than 64 MiB", map[string][]byte{"a": make([]byte, MaxSize+1)}, ErrTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if image, err := Build(tt.files); !errors.Is(err, tt.err) || image != nil {
				t.Errorf("Build = %d bytes, %v; want %v", len(image), err, tt.err)
			}
		})
	}
}

func TestEncode(t *testing.T) {
	tree, err := Tree(contents())
	if err != nil {
		t.Fatal(err)
	}
	image, err := Build(tree)
	if err != nil {
		t.Fatal(err)
	}
	text, err := Encode(image)
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(text, "\r\n ") {
		t.Error("the text has more than one line")
	}
	packed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(zip); err != nil || !bytes.Equal(got, image) {
		t.Errorf("unpacked: %d bytes, %v; want the image of %d", len(got), err, len(image))
	}
	if _, err := Encode(make([]byte, MaxSize+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Encode of 64 MiB and a byte: error = %v; want ErrTooLarge", err)
	}
}

// The same VM has the same drive, so that a repeated upload is no change.
func TestEqualInputEqualBytes(t *testing.T) {
	var first string
	for range 20 {
		tree, err := Tree(contents())
		if err != nil {
			t.Fatal(err)
		}
		image, err := Build(tree)
		if err != nil {
			t.Fatal(err)
		}
		text, err := Encode(image)
		if err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = text
		}
		if text != first {
			t.Fatal("two builds of one VM's drive differ")
		}
	}
}

func BenchmarkBuildAndEncode(b *testing.B) {
	for _, size := range []int{16 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			c := contents()
			c.UserData = bytes.Repeat([]byte(`{"agent_id": "a"} `), size/18)
			b.ReportAllocs()
			for b.Loop() {
				tree, err := Tree(c)
				if err != nil {
					b.Fatal(err)
				}
				image, err := Build(tree)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := Encode(image); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
