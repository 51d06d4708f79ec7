package agentenv

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// decoded is an env.
func decoded(t *testing.T, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func fullSettings(t *testing.T) Settings {
	t.Helper()
	a, err := Assign(networks(t, `{"default": {"type": "manual", "ip": "10.0.0.10", "prefix": "32", "netmask": "255.255.255.0", "gateway": "10.0.0.1",
		"dns": ["10.0.0.2"], "default": ["dns", "gateway"], "cloud_properties": {"a": "<&>"}}, "public": {"type": "vip", "ip": "192.0.2.1"}}`), fourNICs[:2], Options{})
	if err != nil {
		t.Fatal(err)
	}
	return Settings{
		AgentID: "agent-1", VMCID: "vm-1", Mbus: "https://mbus:s3cret@0.0.0.0:6868", NTP: []string{"0.pool.ntp.org"},
		Blobstore:  &Blobstore{Provider: "dav", Options: map[string]any{"endpoint": "http://10.0.0.6:25250", "retries": 3, "tls": true}},
		Networks:   a.Settings,
		Disks:      Disks{System: "/dev/sda", Ephemeral: "/dev/disk/by-id/wwn-0x5000", RawEphemeral: []string{"/dev/sdd", "/dev/sde"}},
		Env:        decoded(t, `{"bosh": {"password": "s3cret", "authorized_keys": ["ssh-rsa 0", "ssh-rsa A"], "mbus": {"cert": {"private_key": "s3cret"}}}, "persistent_disk_fs": "xfs"}`),
		PublicKeys: []string{"ssh-rsa A", "ssh-rsa B"},
	}
}

func TestSettings(t *testing.T) {
	smallest := Settings{AgentID: "agent-1", VMCID: "vm-1", Mbus: "nats://10.0.0.6:4222"}
	ipv6 := smallest
	ipv6.EnableIPv6 = true
	for name, s := range map[string]Settings{"full": fullSettings(t), "smallest": smallest, "ipv6": ipv6} {
		t.Run(name, func(t *testing.T) {
			got, err := s.Encode()
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "testdata/settings-"+name+".json", got)
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s: want (-), got (+); UPDATE=1 go test rewrites it:\n%s", name, diff)
	}
}

func TestSettingsFile(t *testing.T) {
	s := fullSettings(t)
	f, err := s.File()
	if err != nil {
		t.Fatal(err)
	}
	want, _ := s.Encode()
	if f.Path != "/var/vcap/bosh/agent-bootstrap-env.json" || f.Mode != 0o600 || !bytes.Equal(f.Content, want) {
		t.Errorf("File() = %s, mode %o; want the settings for root alone", f.Path, f.Mode)
	}
}

func TestB14BlobstoreOptionsKeepTheirTypes(t *testing.T) {
	text, err := fullSettings(t).Encode()
	if err != nil {
		t.Fatal(err)
	}
	got := decoded(t, string(text))["blobstore"]
	want := map[string]any{"provider": "dav", "options": map[string]any{"endpoint": "http://10.0.0.6:25250", "retries": 3.0, "tls": true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("blobstore: want (-), got (+):\n%s", diff)
	}
}

func TestEnvIsNotChanged(t *testing.T) {
	s := fullSettings(t)
	s.EnableIPv6 = true
	if _, err := s.Encode(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fullSettings(t).Env, s.Env); diff != "" {
		t.Errorf("Encode changed the caller's env:\n%s", diff)
	}
}

func TestEnvRefused(t *testing.T) {
	tests := []struct{ env, text string }{
		{`{"bosh": "x"}`, "env.bosh is a string"},
		{`{"bosh": {"authorized_keys": "x"}}`, "env.bosh.authorized_keys is a string"},
		{`{"bosh": {"ipv6": true}}`, "env.bosh.ipv6 is a bool"},
	}
	for _, tt := range tests {
		s := Settings{Env: decoded(t, tt.env), PublicKeys: []string{"k"}, EnableIPv6: true}
		if _, err := s.Encode(); !errors.Is(err, ErrEnv) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("env %s: error = %v; want ErrEnv with %q", tt.env, err, tt.text)
		}
	}
}

func TestSettingsDoNotPrint(t *testing.T) {
	for _, v := range []any{fullSettings(t), UserData{Server: "vm-1", Endpoint: "http://u:s3cret@10.0.0.5:25777"}} {
		var b bytes.Buffer
		fmt.Fprintf(&b, "%v %+v %#v %s", v, v, v, v)
		slog.New(slog.NewJSONHandler(&b, nil)).InfoContext(t.Context(), "x", "v", v)
		slog.New(slog.NewTextHandler(&b, nil)).InfoContext(t.Context(), "x", "v", v)
		if strings.Contains(b.String(), "s3cret") {
			t.Errorf("%T prints its secrets: %s", v, b.String())
		}
	}
}

func TestUserData(t *testing.T) {
	u := UserData{Server: "vm-1", Endpoint: "http://u:p@10.0.0.5:25777", NameServers: []string{"10.0.0.2"}, Networks: fullSettings(t).Networks}
	got, err := u.Encode()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/user-data.json", got)
}
