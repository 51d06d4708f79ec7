//go:build integration

package main

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bosh-ironic-cpi/src/backend"
	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/store"
)

// Servers boot from and call the machines' face, which shows nothing else; what they were told before a kill -9 holds
// after it.
func TestMachinesFace(t *testing.T) {
	t.Parallel()
	iso := filepath.Join(t.TempDir(), "ramdisk.iso")
	if err := os.WriteFile(iso, []byte("an ISO image"), 0o600); err != nil {
		t.Fatal(err)
	}
	machines := "http://" + backend.FreeAddress()
	s := serveConductor(t, m{
		"machines_listen": []any{machines}, "machines_url": machines, "boot_iso": iso, "default_interfaces": m{"inspect": "agent"},
		"enabled_hardware_types": []any{"fake-hardware"},
	})
	node := s.must(http.MethodPost, "/v1/nodes", m{"name": "n1", "driver": "fake-hardware"})
	uuid, _ := node["uuid"].(string)
	s.must(http.MethodPost, "/v1/ports", m{"node_uuid": uuid, "address": "52:54:00:aa:00:01"})
	s.verb(uuid, m{"target": "manage"})
	s.must(http.MethodPut, "/v1/nodes/"+uuid+"/states/provision", m{"target": "inspect"})
	s.look(uuid, "inspect wait", 10*time.Millisecond, func(n m) bool { return n["provision_state"] == "inspect wait" })

	address := s.inDrive(uuid, "cdrom")
	if !strings.HasPrefix(address, machines+"/media/"+uuid+"/") {
		t.Fatalf("in the drive is %q; want an address of the machines' face", address)
	}
	s.Kill()
	s.Restart(t)
	if status, text := ask(t.Context(), http.MethodGet, address, ""); status != http.StatusOK || text != "an ISO image" {
		t.Errorf("boot image: %d %q", status, text)
	}
	for _, closed := range []string{machines + "/v1/nodes", machines + "/v1/nodes/" + uuid, s.url + "/media/" + uuid + "/boot.iso", strings.Split(address, "?")[0]} {
		if status, text := ask(t.Context(), http.MethodGet, closed, ""); status != http.StatusNotFound {
			t.Errorf("%s: %d %s; want 404", closed, status, text)
		}
	}
	report := `{"inventory": {"interfaces": [{"name": "eth0", "mac_address": "52:54:00:AA:00:01"}], "cpu": {"count": 2}}, "error": null}`
	if status, text := ask(t.Context(), http.MethodPost, machines+"/v1/continue_inspection", report); status != http.StatusAccepted || !strings.Contains(text, uuid) {
		t.Errorf("continue_inspection: %d %s", status, text)
	}
	if n := s.rests(uuid); n["provision_state"] != "manageable" || n["power_state"] != "power off" {
		t.Errorf("the node is %v", n)
	}
	if address := s.inDrive(uuid, "cdrom"); address != "" {
		t.Errorf("still in the drive: %q", address)
	}
}

// inDrive is what the node's fake hardware has in a virtual drive.
func (s *served) inDrive(uuid, device string) (address string) {
	s.t.Helper()
	kept, err := store.Open(s.t.Context(), filepath.Join(s.Data, "conductor.sqlite"), store.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	defer kept.Close()
	err = kept.View(context.WithoutCancel(s.t.Context()), func(tx conductor.Tx) error {
		n, err := tx.Node(uuid)
		if err == nil {
			address = n.Details.DriverState["media_"+device]
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return address
}
