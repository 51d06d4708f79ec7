package placement_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/placement"
)

func TestNoFitTellsOfEachNearMiss(t *testing.T) {
	props := func(key string, value any) map[string]any {
		p := map[string]any{"memory_mb": "131072", "cpus": 32.0, "capabilities": "boot_mode:uefi", "rack": "r1"}
		p[key] = value
		return p
	}
	tests := []struct {
		golden string
		nodes  []placement.Candidate
	}{
		{"not_free.txt", []placement.Candidate{
			{Node: baremetal.Node{Name: "broken", Maintenance: true, MaintenanceReason: "disk 2 is dead"}},
			{Node: baremetal.Node{Name: "in-maintenance", Maintenance: true}},
			{Node: baremetal.Node{Name: "faulty", Fault: "clean failure"}},
			{Node: baremetal.Node{Name: "old", Retired: true}},
			{Node: baremetal.Node{Name: "dear", Protected: true}},
			{Node: baremetal.Node{Name: "locked", Reservation: "conductor-1"}},
			{Node: baremetal.Node{Name: "busy"}, Claimed: "deploying VM 3f2c until 12:00"},
			{Node: baremetal.Node{Name: "claimed", InstanceUUID: "3f2c"}},
			{Node: baremetal.Node{Name: "theirs"}, HeldBy: "director-2"},
			{Node: baremetal.Node{Name: "kept"}, HoldsDisks: []string{"disk-1", "disk-2"}},
			{Node: baremetal.Node{Name: "failed", ProvisionState: baremetal.DeployFailed}},
			{Node: baremetal.Node{}, HoldsDisks: []string{"disk-3"}, HeldBy: "director-2"},
		}},
		{"unfit.txt", []placement.Candidate{
			{Node: baremetal.Node{Name: "small", Properties: props("memory_mb", "65536")}},
			{Node: baremetal.Node{Name: "unmeasured", Properties: props("memory_mb", nil)}},
			{Node: baremetal.Node{Name: "narrow-1", Properties: props("cpus", 1.6e1)}},
			{Node: baremetal.Node{Name: "narrow-2", Properties: props("cpus", "16")}},
			{Node: baremetal.Node{Name: "arm", Properties: props("cpu_arch", "aarch64")}},
			{Node: baremetal.Node{Name: "legacy", Properties: props("capabilities", map[string]any{"boot_mode": "bios"})}},
			{Node: baremetal.Node{Name: "elsewhere", Properties: props("rack", 2.0)}},
			{Node: baremetal.Node{Name: "silver", ResourceClass: "silver"}},
			{Node: baremetal.Node{Name: "plain", Traits: []string{"CUSTOM_A"}}},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.golden, func(t *testing.T) {
			for i := range tt.nodes {
				complete(&tt.nodes[i].Node, props("", nil), i)
			}
			for i := range 500 { // in use
				vm := placement.Candidate{Node: baremetal.Node{Name: fmt.Sprintf("used-%03d", i)}, HeldBy: "director-1"}
				vm.Claimed = "VM " + vm.Node.Name
				vm.Node.InstanceUUID, vm.Node.ProvisionState = vm.Node.Name, baremetal.Active
				complete(&vm.Node, props("", nil), 100+i)
				tt.nodes = append(tt.nodes, vm)
			}
			_, err := placement.Candidates(tt.nodes, placement.Ask{
				Properties: map[string]any{"memory_mb": 131072.0, "cpus": 32}, Traits: []string{"CUSTOM_B", "CUSTOM_A"},
				Architecture: "x86_64", BootModes: []string{"uefi"}, ResourceClass: "gold",
				Zone: placement.Zone{Field: "properties/rack", Value: "r1"}, Director: "director-1",
			})
			var no *placement.NoFit
			if !errors.As(err, &no) || !errors.Is(err, placement.ErrNoneFits) {
				t.Fatalf("Candidates() error = %v; want a NoFit", err)
			}
			golden(t, tt.golden, err.Error()+"\n")
			counted := no.Rest
			for _, m := range no.Misses {
				counted += m.Count
			}
			if counted != len(tt.nodes) || no.Looked != counted {
				t.Errorf("%d nodes, %d looked at, %d counted", len(tt.nodes), no.Looked, counted)
			}
		})
	}
}

// complete gives a node what a VM asks for, where the test did not say otherwise.
func complete(n *baremetal.Node, properties map[string]any, i int) {
	n.UUID = fmt.Sprintf("uuid-%d", i)
	if n.ProvisionState == "" {
		n.ProvisionState = baremetal.Available
	}
	if n.Properties == nil {
		n.Properties = properties
	}
	if n.ResourceClass == "" {
		n.ResourceClass = "gold"
	}
	if n.Traits == nil {
		n.Traits = []string{"CUSTOM_A", "CUSTOM_B"}
	}
}

func TestNoFitForADisk(t *testing.T) {
	nodes := fleet(1000)
	nodes[77].HoldsDisks, nodes[77].Node.ProvisionState = []string{"disk-1"}, baremetal.CleanFailed
	nodes[77].HeldBy, nodes[77].Node.InstanceUUID = "director-1", ""
	_, err := placement.Candidates(nodes, placement.Ask{Director: "director-1", DiskCIDs: []string{"disk-1"}})
	golden(t, "disk.txt", err.Error()+"\n")
}

func TestNoFitWithoutNodes(t *testing.T) {
	_, err := placement.Candidates(nil, placement.Ask{})
	if want := "no node fits: there is none to choose from"; err == nil || err.Error() != want {
		t.Errorf("Candidates() error = %v; want %s", err, want)
	}
}

// golden compares with a file in testdata; UPDATE=1 writes it.
func golden(t *testing.T, file, got string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (UPDATE=1 rewrites it):\n%s", path, diff)
	}
}
