package agentenv

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// Each archive holds a VM's wishes, its networks, and the files that come of them: UPDATE=1 go test writes those.
func TestNetworkdFiles(t *testing.T) {
	archives, err := filepath.Glob("testdata/networkd/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives in testdata/networkd (%v)", err)
	}
	for _, name := range archives {
		t.Run(filepath.Base(name), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			a := assignArchive(t, archive)
			got := &txtar.Archive{Comment: archive.Comment, Files: slices.Clone(archive.Files[:2])}
			for _, f := range a.Files {
				got.Files = append(got.Files, txtar.File{Name: f.Path, Data: f.Content})
				if f.Mode != 0o644 {
					t.Errorf("%s has mode %o; want 644: systemd-networkd is not root", f.Path, f.Mode)
				}
			}
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(name, txtar.Format(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(txtar.Format(archive)), string(txtar.Format(got))); diff != "" {
				t.Errorf("%s: want (-), got (+); UPDATE=1 go test rewrites it:\n%s", name, diff)
			}
		})
	}
}

// assignArchive assigns what an archive asks for to the four NICs. Where files are written for the networks, all
// of them must be preconfigured, or else the agent would configure all of them.
func assignArchive(t *testing.T, archive *txtar.Archive) Assignment {
	t.Helper()
	if len(archive.Files) < 2 || archive.Files[0].Name != "vm.json" || archive.Files[1].Name != "networks.json" {
		t.Fatal("the archive must begin with vm.json and networks.json")
	}
	var vm struct {
		Bonds         []Bond    `json:"bonds"`
		Spare         SpareNICs `json:"spare_nics"`
		Preconfigured bool      `json:"preconfigured"` // what is expected
		EnableIPv6    bool      `json:"enable_ipv6"`
	}
	if err := json.Unmarshal(archive.Files[0].Data, &vm); err != nil {
		t.Fatal(err)
	}
	a, err := Assign(networks(t, string(archive.Files[1].Data)), fourNICs, Options{Spare: vm.Spare, Bonds: vm.Bonds})
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range a.Settings {
		if got := n["preconfigured"] == true; !n.vip() && got != vm.Preconfigured {
			t.Errorf("network %q: preconfigured %v; want %v", name, got, vm.Preconfigured)
		}
	}
	if a.EnableIPv6 != vm.EnableIPv6 {
		t.Errorf("EnableIPv6 = %v; want %v", a.EnableIPv6, vm.EnableIPv6)
	}
	return a
}

// missing fails in CI and skips elsewhere.
func missing(t *testing.T, program, debian string) {
	t.Helper()
	text := program + " is missing: apt-get install " + debian
	if os.Getenv("CI") == "true" {
		t.Fatal(text)
	}
	t.Skip(text)
}
