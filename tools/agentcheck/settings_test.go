package agentcheck

import (
	"bosh-ironic-cpi/src/agentenv"
	"bosh-ironic-cpi/src/configdrive"
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const ssdPath = "/dev/disk/by-id/wwn-0x5000c500a1b2c3d4"

// vm are complete settings made of the recorded create_vm.
func vm(t *testing.T) agentenv.Settings {
	t.Helper()
	agentID, networks, env := request(t)
	ports, _ := nics(3)
	a, err := agentenv.Assign(networks, ports, agentenv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return agentenv.Settings{
		AgentID: agentID, VMCID: "0d1f1c9e-6a3b-4c55-9d7e-2f0a6f1f7b11", Mbus: "https://mbus:p@0.0.0.0:6868",
		NTP: []string{"0.pool.ntp.org"}, Networks: a.Settings,
		Blobstore:  &agentenv.Blobstore{Provider: "dav", Options: map[string]any{"endpoint": "http://10.0.0.6:25250", "retries": 3}},
		Disks:      agentenv.Disks{System: "/dev/sda", Ephemeral: ssdPath, RawEphemeral: []string{"/dev/sdd"}},
		Env:        env,
		PublicKeys: []string{"ssh-ed25519 AAAA operator"},
	}
}

func encode(t *testing.T, s agentenv.Settings) []byte {
	t.Helper()
	text, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestBothSourcesReadTheSame(t *testing.T) {
	text := encode(t, vm(t))
	file, err := fromFile(t, text)
	if err != nil {
		t.Fatalf("file source: %v", err)
	}
	tree, err := configdrive.Tree(configdrive.Contents{InstanceID: "vm-1", UserData: text, PublicKeys: []string{"ssh-ed25519 AAAA operator"}})
	if err != nil {
		t.Fatal(err)
	}
	source := driveSource(t, pack(t, tree))
	drive, err := source.Settings()
	if err != nil {
		t.Fatalf("config drive source: %v", err)
	}
	if diff := cmp.Diff(file, drive); diff != "" {
		t.Errorf("file source (-) and config drive source (+) differ:\n%s", diff)
	}
	if key, err := source.PublicSSHKeyForUsername("vcap"); err != nil || key != "ssh-ed25519 AAAA operator" {
		t.Errorf("PublicSSHKeyForUsername = %q, %v; want the operator's key", key, err)
	}
}

func pack(t *testing.T, tree map[string][]byte) string {
	t.Helper()
	image, err := configdrive.Build(tree)
	if err != nil {
		t.Fatal(err)
	}
	text, err := configdrive.Encode(image)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestConfigDriveWithoutKeys(t *testing.T) {
	tree, err := configdrive.Tree(configdrive.Contents{InstanceID: "vm-1", UserData: encode(t, vm(t))})
	if err != nil {
		t.Fatal(err)
	}
	if key, err := driveSource(t, pack(t, tree)).PublicSSHKeyForUsername("vcap"); err != nil || key != "" {
		t.Errorf("PublicSSHKeyForUsername = %q, %v; want none, and no error", key, err)
	}
	delete(tree, "ec2/latest/meta-data.json") // what Tree must never leave out
	if _, err := driveSource(t, pack(t, tree)).PublicSSHKeyForUsername("vcap"); err == nil {
		t.Error("PublicSSHKeyForUsername without meta-data.json = nil; want the error that sends the agent to a metadata service")
	}
}

func TestWhatTheAgentUnderstands(t *testing.T) {
	ours := vm(t)
	s, err := fromFile(t, encode(t, ours))
	if err != nil {
		t.Fatal(err)
	}
	checks := []struct {
		what      string
		got, want any
	}{
		{"agent id", s.AgentID, "30b1ee28-7510-44ce-7f52-8f8064bbbc7b"},
		{"VM name", s.VM.Name, ours.VMCID},
		{"mbus", s.GetMbusURL(), ours.Mbus},
		{"mbus CA", s.GetMbusCerts().CA, "CA"},
		{"mbus key", s.GetMbusCerts().PrivateKey, "KEY"},
		{"NTP", s.GetNtpServers(), ours.NTP},
		{"password", s.Env.GetPassword(), "*"},
		{"blobstore of env wins", s.GetBlobstore().Type, "local"},
		{"blobstore of ours", s.Blobstore.Options["retries"], 3.0},
		{"keys", s.Env.GetAuthorizedKeys(), ours.PublicKeys},
		{"system disk", s.Disks.System, "/dev/sda"},
		{"ephemeral disk", s.EphemeralDiskSettings().Path, ssdPath},
		{"raw ephemeral disk", s.RawEphemeralDiskSettings()[0].Path, "/dev/sdd"},
		{"persistent disks", len(s.Disks.Persistent), 0},
		{"hint as a map", s.PersistentDiskSettingsFromHint("cid", map[string]any{"path": ssdPath}).Path, ssdPath},
		{"hint as a string", s.PersistentDiskSettingsFromHint("cid", ssdPath).Path, ssdPath},
	}
	for _, c := range checks {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s: want (-), got (+):\n%s", c.what, diff)
		}
	}
}

func TestNoEphemeralDisk(t *testing.T) {
	ours := vm(t)
	ours.Disks.Ephemeral = ""
	s, err := fromFile(t, encode(t, ours))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.EphemeralDiskSettings(); got.Path != "" || s.Disks.Ephemeral != nil {
		t.Errorf("EphemeralDiskSettings() = %+v; want none, so that the root disk is partitioned", got)
	}
}

// What the agent cannot read, so that the checks above mean something.
func TestAgentRefuses(t *testing.T) {
	tests := []struct{ name, old, new string }{
		{"a prefix that is a number", `"prefix": "32"`, `"prefix": 32`},
		{"a system disk that is a map", `"system": "/dev/sda"`, `"system": {"path": "/dev/sda"}`},
	}
	ours := vm(t)
	ours.Networks["default"]["prefix"] = "32"
	good := encode(t, ours)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bad := bytes.Replace(good, []byte(tt.old), []byte(tt.new), 1)
			if bytes.Equal(bad, good) || !json.Valid(bad) {
				t.Fatalf("no %s in the settings", tt.old)
			}
			if _, err := fromFile(t, bad); err == nil {
				t.Error("the agent took it; want an error")
			}
		})
	}
}
