//go:build integration

package main

import (
	"bytes"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// With conductor.key_file no file of the daemon's, its log included, holds a BMC's password; it is there again after a
// kill -9, and deployments work with it.
func TestConductorSeals(t *testing.T) {
	t.Parallel()
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("0123456789abcdef0123456789abcdef"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serveConductor(t, m{"key_file": key})
	fake := m{"fake_password": "hunter2", "fake_expects": "hunter2", "nested": m{"password": "hunter2"}}
	uuid := s.fakeNodes(1, m{"driver_info": fake})[0]
	s.Kill()
	s.Restart(t)
	if n := s.verb(uuid, m{"target": "active"}); n["provision_state"] != "active" {
		t.Errorf("the node is %v, %v", n["provision_state"], n["last_error"])
	}
	s.set(uuid, m{"/driver_info/fake_expects": "hunter3"})
	s.must(http.MethodPut, "/v1/nodes/"+uuid+"/states/power", m{"target": "power on"})
	if n := s.rests(uuid); n["last_error"] == nil {
		t.Error("the password that is stored is not the one that hardware is asked with")
	}
	err := filepath.WalkDir(filepath.Dir(s.Data), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte("hunter")) {
			t.Errorf("%s holds a password", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
