package placement_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/placement"
)

// pool is nine nodes that differ in one thing each from a free one.
func pool() []placement.Candidate {
	node := func(uuid string, memoryMB, cpus, localGB any) placement.Candidate {
		return placement.Candidate{Node: baremetal.Node{
			UUID: uuid, ProvisionState: baremetal.Available,
			Properties: map[string]any{"memory_mb": memoryMB, "cpus": cpus, "local_gb": localGB, "cpu_arch": "x86_64"},
		}}
	}
	large := node("large", 262144.0, 64.0, 1000.0)
	large.Node.Properties["rack"], large.Node.Properties["gpu"] = "12", true
	small := node("small", "65536", "16", "464") // as ironic-inspector writes them
	small.Node.Traits = []string{"CUSTOM_SSD", "HW_CPU_X86_AVX2"}
	small.Node.Properties["gpu"], small.Node.Properties["rack"] = "False", 12.0
	wide := node("wide", 65536.0, 32.0, 464.0)
	wide.Node.Properties["capabilities"] = "profile:compute, boot_mode:uefi"
	wide.Node.ResourceClass, wide.Node.ConductorGroup = "gold", "zone-a"
	fresh := node("fresh", 65536.0, 16.0, 200.0)
	fresh.Node.ProvisionState = baremetal.Manageable
	fresh.Node.Properties["capabilities"] = map[string]any{"boot_mode": "bios", "profile": "storage"}
	fresh.Node.Owner, fresh.Node.ChassisUUID = "team", "c1"
	arm := node("arm", 131072.0, 80.0, 900.0)
	arm.Node.Properties["cpu_arch"] = "aarch64"
	bare := placement.Candidate{Node: baremetal.Node{UUID: "bare", ProvisionState: baremetal.Manageable}}
	return []placement.Candidate{large, small, wide, fresh, arm, bare}
}

func uuids(candidates []placement.Candidate) []string {
	var list []string
	for _, c := range candidates {
		list = append(list, c.Node.UUID)
	}
	return list
}

func TestCandidates(t *testing.T) {
	tests := []struct {
		name string
		ask  placement.Ask
		want []string
		err  error
	}{
		{name: "anything", want: []string{"small", "wide", "arm", "large", "fresh", "bare"}},
		{
			name: "by MAC: only those, in their order",
			ask:  placement.Ask{Nodes: []string{"bare", "large", "gone", "small", "large"}},
			want: []string{"bare", "large", "small"},
		},
		{name: "by MAC: none of them is known", ask: placement.Ask{Nodes: []string{"gone"}}, err: placement.ErrNoneFits},
		{name: "by MAC: an empty list", ask: placement.Ask{Nodes: []string{}}, err: placement.ErrNoneFits},
		{name: "by definition: the node just made", ask: placement.Ask{Nodes: []string{"fresh"}}, want: []string{"fresh"}},
		{
			name: "by properties: at least",
			ask:  placement.Ask{Properties: map[string]any{"memory_mb": 65536.0, "cpus": 32.0}},
			want: []string{"wide", "arm", "large"},
		},
		{
			name: "quoted numbers of the size stay numbers",
			ask:  placement.Ask{Properties: map[string]any{"local_gb": "400", "memory_mb": 60000}},
			want: []string{"small", "wide", "arm", "large"},
		},
		{
			name: "a quoted number equals a text and is exceeded by a number",
			ask:  placement.Ask{Properties: map[string]any{"rack": "11"}},
			want: []string{"small"},
		},
		{name: "a text is exact", ask: placement.Ask{Properties: map[string]any{"rack": "12"}}, want: []string{"small", "large"}},
		{name: "a number is none of a text", ask: placement.Ask{Properties: map[string]any{"cpu_arch": 1.0}}, err: placement.ErrNoneFits},
		{name: "a property that is missing is not empty", ask: placement.Ask{Properties: map[string]any{"site": ""}}, err: placement.ErrNoneFits},
		{name: "a number as JSON has it", ask: placement.Ask{Properties: map[string]any{"cpus": json.Number("80")}}, want: []string{"arm"}},
		{name: "true", ask: placement.Ask{Properties: map[string]any{"gpu": true}}, want: []string{"large"}},
		{name: "false, which Python writes False", ask: placement.Ask{Properties: map[string]any{"gpu": false}}, want: []string{"small"}},
		{
			name: "architecture by another name",
			ask:  placement.Ask{Properties: map[string]any{"cpu_arch": "arm64"}},
			want: []string{"arm"},
		},
		{name: "too large", ask: placement.Ask{Properties: map[string]any{"memory_mb": 1 << 30}}, err: placement.ErrNoneFits},
		{name: "traits", ask: placement.Ask{Traits: []string{"HW_CPU_X86_AVX2", "CUSTOM_SSD"}}, want: []string{"small"}},
		{name: "a trait too many", ask: placement.Ask{Traits: []string{"CUSTOM_SSD", "CUSTOM_X"}}, err: placement.ErrNoneFits},
		{name: "resource class", ask: placement.Ask{ResourceClass: "gold"}, want: []string{"wide"}},
		{name: "capability in a text", ask: placement.Ask{Capabilities: map[string]string{"profile": "compute"}}, want: []string{"wide"}},
		{name: "capability in an object", ask: placement.Ask{Capabilities: map[string]string{"profile": "storage"}}, want: []string{"fresh"}},
		{name: "stemcell's architecture", ask: placement.Ask{Architecture: "arm64"}, want: []string{"arm", "bare"}},
		{
			name: "stemcell that only boots by BIOS",
			ask:  placement.Ask{Architecture: "amd64", BootModes: []string{"bios"}},
			want: []string{"small", "large", "fresh", "bare"},
		},
		{name: "either boot mode", ask: placement.Ask{Nodes: []string{"wide"}, BootModes: []string{"bios", "uefi"}}, want: []string{"wide"}},
		{
			name: "zone is a conductor group",
			ask:  placement.Ask{Zone: placement.Zone{Field: "conductor_group", Value: "Zone-A"}},
			want: []string{"wide"},
		},
		{name: "zone is a chassis", ask: placement.Ask{Zone: placement.Zone{Field: "chassis", Value: "c1"}}, want: []string{"fresh"}},
		{name: "zone is an owner", ask: placement.Ask{Zone: placement.Zone{Field: "owner", Value: "team"}}, want: []string{"fresh"}},
		{
			name: "zone is a property, number or text",
			ask:  placement.Ask{Zone: placement.Zone{Field: "properties/rack", Value: "12"}},
			want: []string{"small", "large"},
		},
		{name: "no such zone field", ask: placement.Ask{Zone: placement.Zone{Field: "rack", Value: "12"}}, err: placement.ErrBadAsk},
		{
			name: "an AZ without a zone",
			ask:  placement.Ask{Nodes: []string{"arm"}, Zone: placement.Zone{Field: "chassis"}},
			want: []string{"arm"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := placement.Candidates(pool(), tt.ask)
			if !errors.Is(err, tt.err) {
				t.Fatalf("Candidates(%+v) error = %v; want %v", tt.ask, err, tt.err)
			}
			if g := uuids(got); !slices.Equal(g, tt.want) {
				t.Errorf("Candidates(%+v) = %v; want %v", tt.ask, g, tt.want)
			}
		})
	}
}

func TestNodesThatAreNotFree(t *testing.T) {
	const ours, disk = "director-1", "disk-1"
	tests := []struct {
		name string
		c    placement.Candidate
		free bool // for a VM of ours without disks
		disk bool // for a VM of ours with this disk
	}{
		{"free", placement.Candidate{}, true, false},
		{"maintenance", placement.Candidate{Node: baremetal.Node{Maintenance: true}}, false, false},
		{"retired", placement.Candidate{Node: baremetal.Node{Retired: true}}, false, false},
		{"protected", placement.Candidate{Node: baremetal.Node{Protected: true}}, false, false},
		{"fault", placement.Candidate{Node: baremetal.Node{Fault: "power failure"}}, false, false},
		{"locked", placement.Candidate{Node: baremetal.Node{Reservation: "conductor-1"}}, false, false},
		{"claimed", placement.Candidate{Node: baremetal.Node{InstanceUUID: "vm"}}, false, false},
		{"claimed by a document", placement.Candidate{Claimed: "deploying VM x until 12:00"}, false, false},
		{"held by us", placement.Candidate{HeldBy: ours}, true, false},
		{"held by another", placement.Candidate{HeldBy: "director-2"}, false, false},
		{"disks of another", placement.Candidate{HeldBy: "director-2", HoldsDisks: []string{disk}}, false, false},
		{"our disk", placement.Candidate{HeldBy: ours, HoldsDisks: []string{disk}}, false, true},
		{"our disk and another", placement.Candidate{HeldBy: ours, HoldsDisks: []string{"disk-0", disk}}, false, true},
		{"another disk", placement.Candidate{HeldBy: ours, HoldsDisks: []string{"disk-0"}}, false, false},
		{"a disk nobody holds", placement.Candidate{HoldsDisks: []string{disk}}, false, true},
		{
			"reserved for our disk",
			placement.Candidate{HeldBy: ours, HoldsDisks: []string{disk}, Node: baremetal.Node{InstanceUUID: "kept"}},
			false, true,
		},
		{
			"claimed by somebody, a disk nobody holds",
			placement.Candidate{HoldsDisks: []string{disk}, Node: baremetal.Node{InstanceUUID: "kept"}},
			false, false,
		},
		{
			"reserved, but in use",
			placement.Candidate{HeldBy: ours, HoldsDisks: []string{disk}, Claimed: "VM x", Node: baremetal.Node{InstanceUUID: "x"}},
			false, false,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.c
			c.Node.UUID, c.Node.ProvisionState = "n", baremetal.Available
			for _, ask := range []struct {
				placement.Ask
				want bool
			}{
				{placement.Ask{Director: ours}, tt.free},
				{placement.Ask{Director: ours, DiskCIDs: []string{disk}}, tt.disk},
			} {
				_, err := placement.Candidates([]placement.Candidate{c}, ask.Ask)
				if got := err == nil; got != ask.want {
					t.Errorf("Candidates(%+v) fits = %v; want %v (%v)", ask.Ask, got, ask.want, err)
				}
			}
		})
	}
}

func TestOnlyTwoProvisionStatesAreFree(t *testing.T) {
	states := []baremetal.ProvisionState{
		"", baremetal.Enroll, baremetal.Verifying, baremetal.Manageable, baremetal.Available, baremetal.Deploying,
		baremetal.WaitCallBack, baremetal.Active, baremetal.DeployFailed, baremetal.Deleting, baremetal.ErrorState,
		baremetal.Cleaning, baremetal.CleanWait, baremetal.CleanFailed, baremetal.Inspecting, baremetal.InspectWait,
		baremetal.InspectFailed, baremetal.Adopting, baremetal.AdoptFailed, baremetal.Rescuing, baremetal.RescueWait,
		baremetal.Rescue, baremetal.RescueFailed, baremetal.Unrescuing, baremetal.UnrescueFailed,
	}
	var nodes []placement.Candidate
	for _, s := range states {
		nodes = append(nodes, placement.Candidate{Node: baremetal.Node{UUID: string(s), ProvisionState: s}})
	}
	got, err := placement.Candidates(nodes, placement.Ask{})
	if want := []string{"available", "manageable"}; err != nil || !slices.Equal(uuids(got), want) {
		t.Errorf("Candidates() = %v, %v; want %v", uuids(got), err, want)
	}
}

func TestNodesThatFailedLatelyComeLast(t *testing.T) {
	noon := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	nodes := pool()
	nodes[1].FailedAt = noon.Add(time.Minute) // small
	nodes[2].FailedAt = noon                  // wide
	got, err := placement.Candidates(nodes, placement.Ask{})
	if want := []string{"arm", "large", "fresh", "bare", "wide", "small"}; err != nil || !slices.Equal(uuids(got), want) {
		t.Errorf("Candidates() = %v, %v; want %v", uuids(got), err, want)
	}
	got, err = placement.Candidates(nodes, placement.Ask{Nodes: []string{"small", "large"}})
	if want := []string{"large", "small"}; err != nil || !slices.Equal(uuids(got), want) {
		t.Errorf("by MAC: Candidates() = %v, %v; want %v", uuids(got), err, want)
	}
}

func TestB2ANodeWithoutThePropertyIsSkipped(t *testing.T) {
	got, err := placement.Candidates(pool(), placement.Ask{Properties: map[string]any{"rack": 1.0}})
	if want := []string{"small", "large"}; err != nil || !slices.Equal(uuids(got), want) {
		t.Errorf("Candidates() = %v, %v; want %v", uuids(got), err, want)
	}
}

func TestB3NumbersCompareAlsoWithTexts(t *testing.T) {
	got, err := placement.Candidates(pool(), placement.Ask{
		Nodes:      []string{"small"},
		Properties: map[string]any{"memory_mb": 65536.0, "cpus": 9.0, "local_gb": 464.0}, // "9" > "16" as texts
	})
	if want := []string{"small"}; err != nil || !slices.Equal(uuids(got), want) {
		t.Errorf("Candidates() = %v, %v; want %v", uuids(got), err, want)
	}
	_, err = placement.Candidates(pool(), placement.Ask{
		Nodes:      []string{"small"},
		Properties: map[string]any{"memory_mb": 100000.0}, // "65536" > "100000" as texts
	})
	if !errors.Is(err, placement.ErrNoneFits) {
		t.Errorf("Candidates() error = %v; want %v", err, placement.ErrNoneFits)
	}
}

// fleet is n nodes as a pool holds them: most in use, numbers as numbers and as texts.
func fleet(n int) []placement.Candidate {
	nodes := make([]placement.Candidate, n)
	for i := range nodes {
		c := &nodes[i]
		c.Node = baremetal.Node{
			UUID: fmt.Sprintf("00000000-0000-4000-8000-%012d", i), Name: fmt.Sprintf("rack%d-node%d", i%40, i),
			ProvisionState: baremetal.Available, ResourceClass: "baremetal", Traits: []string{"CUSTOM_A", "CUSTOM_B"},
			Properties: map[string]any{
				"memory_mb": float64(65536 * (1 + i%4)), "cpus": "32", "local_gb": "464", "cpu_arch": "x86_64",
				"capabilities": "boot_mode:uefi,profile:compute",
			},
		}
		if i%4 == 1 {
			c.Node.ProvisionState, c.Node.InstanceUUID = baremetal.Active, "vm"
		}
	}
	return nodes
}

func BenchmarkCandidates(b *testing.B) {
	nodes := fleet(10_000)
	ask := placement.Ask{
		Properties: map[string]any{"memory_mb": 65536, "cpus": 16}, Traits: []string{"CUSTOM_B"},
		ResourceClass: "baremetal", Capabilities: map[string]string{"profile": "compute"},
		Architecture: "x86_64", BootModes: []string{"uefi"},
	}
	tests := []struct {
		name, seed string
		cpus, want int
	}{
		{"fits", "", 16, 7500},
		{"fits, by lot", "5a4f7c1e-0d0b-4e0a-8c8e-6d2f3b9a1c55", 16, 7500},
		{"none fits", "", 64, 0},
	}
	for _, tt := range tests {
		ask.Seed, ask.Properties["cpus"] = tt.seed, tt.cpus
		b.Run(tt.name, func(b *testing.B) {
			before := cpuTime(b)
			for b.Loop() {
				if got, _ := placement.Candidates(nodes, ask); len(got) != tt.want {
					b.Fatalf("%d candidates; want %d", len(got), tt.want)
				}
			}
			b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// cpuTime is what this process used, collection of garbage included: the clock tells more of the machine's other work.
func cpuTime(b *testing.B) int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func TestSeedSpreadsEqualNodesAlone(t *testing.T) {
	var nodes []placement.Candidate
	for i := range 20 {
		nodes = append(nodes, placement.Candidate{Node: baremetal.Node{
			UUID: fmt.Sprintf("node-%02d", i), ProvisionState: baremetal.Available,
			Properties: map[string]any{"memory_mb": float64(1024 * (1 + i%2))},
		}})
	}
	first := map[string]bool{}
	for i := range 10 {
		best, err := placement.Candidates(nodes, placement.Ask{Seed: fmt.Sprintf("agent-%d", i)})
		if err != nil {
			t.Fatal(err)
		}
		first[best[0].Node.UUID] = true
		for j, n := range best {
			if want := float64(1024 * (1 + j/10)); n.Node.Properties["memory_mb"] != want {
				t.Errorf("place %d has %v MB; want %v: the lot must not outweigh the size", j, n.Node.Properties["memory_mb"], want)
			}
		}
	}
	if len(first) < 4 {
		t.Errorf("10 seeds begin with %d of 10 equal nodes", len(first))
	}
}
