package placement_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/placement"
)

func drawCandidates(t *rapid.T) []placement.Candidate {
	nodes := make([]placement.Candidate, rapid.IntRange(0, 12).Draw(t, "nodes"))
	seldom := func(name string) bool { return rapid.IntRange(0, 9).Draw(t, name) == 0 }
	for i := range nodes {
		c := &nodes[i]
		c.Node.UUID = fmt.Sprintf("uuid-%d", i)
		c.Node.Name = rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "name")
		c.Node.ProvisionState = rapid.SampledFrom([]baremetal.ProvisionState{
			baremetal.Available, baremetal.Available, baremetal.Manageable, baremetal.Active,
		}).Draw(t, "state")
		c.Node.Maintenance = seldom("maintenance")
		if seldom("failed") {
			c.FailedAt = time.Unix(rapid.Int64Range(1, 3).Draw(t, "failed at"), 0)
		}
		if seldom("held") {
			c.HeldBy = rapid.SampledFrom([]string{"us", "them"}).Draw(t, "held by")
			c.HoldsDisks = rapid.SliceOfN(rapid.SampledFrom([]string{"disk-1", "disk-2"}), 0, 2).Draw(t, "disks")
		}
		c.Node.Traits = rapid.SliceOf(rapid.SampledFrom([]string{"T1", "T2"})).Draw(t, "traits")
		c.Node.ResourceClass = rapid.SampledFrom([]string{"", "gold"}).Draw(t, "class")
		c.Node.Properties = rapid.MapOf(
			rapid.SampledFrom([]string{"memory_mb", "cpus", "local_gb", "cpu_arch", "gpu", "capabilities"}),
			rapid.SampledFrom([]any{"8", 8.0, 16.0, "x86_64", "arm64", true, "boot_mode:uefi", nil}),
		).Draw(t, "properties")
	}
	return nodes
}

// drawAsk gives an ask and one that wants one thing more.
func drawAsk(t *rapid.T) (ask, more placement.Ask) {
	pick := func() placement.Ask {
		return placement.Ask{
			Director: "us",
			Properties: rapid.MapOf(
				rapid.SampledFrom([]string{"memory_mb", "cpus", "gpu", "cpu_arch"}),
				rapid.SampledFrom([]any{"8", 8.0, 12.0, "x86_64", true}),
			).Draw(t, "wanted"),
			Traits:        rapid.SliceOf(rapid.SampledFrom([]string{"T1", "T2"})).Draw(t, "wanted traits"),
			ResourceClass: rapid.SampledFrom([]string{"", "", "gold"}).Draw(t, "wanted class"),
			Architecture:  rapid.SampledFrom([]string{"", "amd64"}).Draw(t, "architecture"),
			BootModes:     rapid.SampledFrom([][]string{nil, {"bios"}, {"bios", "uefi"}}).Draw(t, "boot modes"),
		}
	}
	ask, more = pick(), pick()
	maps.Copy(more.Properties, ask.Properties)
	more.Traits = append(more.Traits, ask.Traits...)
	if ask.ResourceClass != "" {
		more.ResourceClass = ask.ResourceClass
	}
	if ask.Architecture != "" {
		more.Architecture = ask.Architecture
	}
	if ask.BootModes != nil {
		more.BootModes = ask.BootModes[:1]
	}
	return ask, more
}

func TestTheOrderOfNodesDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := drawCandidates(t)
		ask, _ := drawAsk(t)
		shuffled := rapid.Permutation(nodes).Draw(t, "shuffled")
		a, errA := placement.Candidates(nodes, ask)
		b, errB := placement.Candidates(shuffled, ask)
		if !slices.Equal(uuids(a), uuids(b)) || fmt.Sprint(errA) != fmt.Sprint(errB) {
			t.Fatalf("Candidates() = %v, %v; shuffled %v, %v", uuids(a), errA, uuids(b), errB)
		}
	})
}

func TestARequirementNeverAddsACandidate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := drawCandidates(t)
		ask, more := drawAsk(t)
		all, _ := placement.Candidates(nodes, ask)
		fewer, err := placement.Candidates(nodes, more)
		if (err == nil) != (len(fewer) > 0) {
			t.Fatalf("%d candidates and the error %v", len(fewer), err)
		}
		at := 0
		for _, c := range fewer { // and they keep their order
			i := slices.Index(uuids(all)[at:], c.Node.UUID)
			if i < 0 {
				t.Fatalf("%v without, %v with another requirement", uuids(all), uuids(fewer))
			}
			at += i + 1
		}
	})
}

func TestCandidatesLeavesItsInputAlone(t *testing.T) {
	nodes := pool()
	before := fmt.Sprintf("%+v", nodes)
	if _, err := placement.Candidates(nodes, placement.Ask{}); err != nil {
		t.Fatal(err)
	}
	if after := fmt.Sprintf("%+v", nodes); after != before {
		t.Errorf("the nodes are %s; were %s", after, before)
	}
}
