//go:build integration

package main

import (
	"fmt"
	"maps"
	"net/http"
	"testing"
	"time"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/conductor/deploy"
)

// A moment is one at which the daemon is killed, and what is to become of the node then.
type moment struct {
	name   string
	node   m                        // fields; direct deployment with a ramdisk where deploy_interface is missing
	from   baremetal.ProvisionState // where the node is when the verb comes
	verb   m                        // body of PUT states/provision
	power  string                   // instead of a verb: body of PUT states/power
	state  baremetal.ProvisionState // in which the daemon is killed
	step   string                   // at which it is killed; empty: at any
	end    baremetal.ProvisionState // once it runs again
	err    string                   // last_error then
	counts map[string]int           // how often the ramdisk has carried a step out
}

func deployments() []moment {
	active := func(state baremetal.ProvisionState, step string, counts map[string]int) moment {
		return moment{
			name: fmt.Sprintf("deploy: %s %s", state, step), from: baremetal.Available, verb: m{"target": "active"},
			state: state, step: step, end: baremetal.Active, counts: counts,
		}
	}
	once := map[string]int{"write_image": 1}
	own := active(baremetal.WaitCallBack, "inject_files", map[string]int{"write_image": 1, "inject_files": 1})
	own.verb = m{"target": "active", "deploy_steps": []any{m{
		"interface": "deploy", "step": "inject_files", "priority": 70,
		"args": m{"files": []any{m{"path": "/etc/motd", "content": "aGVsbG8="}}},
	}}}
	return []moment{
		own,
		active(baremetal.Deploying, "deploy", once),
		active(baremetal.WaitCallBack, "deploy", once),
		active(baremetal.WaitCallBack, "write_image", once),
		active(baremetal.Deploying, "prepare_instance_boot", once),
		active(baremetal.Deploying, "tear_down_agent", once),
		active(baremetal.Deploying, "boot_instance", once),
	}
}

// Each step of a direct deployment has its moment, but for one that is over at once, and so have all steps that the fake
// ramdisk cleans with by itself.
func TestEveryStepHasItsMoment(t *testing.T) {
	direct := deploy.NewDirect(deploy.Ramdisk{})
	defer direct.Close()
	var steps []conductor.Step
	for _, kind := range []string{conductor.WorkDeploy, conductor.WorkClean} {
		more, err := direct.Steps(nil, kind, nil)
		if err != nil {
			t.Fatal(err)
		}
		steps = append(steps, more...)
	}
	killed := map[string]bool{"switch_to_tenant_network": true} // there is nothing to do
	for _, moments := range [][]moment{deployments(), cleanings(), deletions()} {
		for _, at := range moments {
			killed[at.step] = true
		}
	}
	for _, s := range steps {
		if !killed[s.Step] {
			t.Errorf("nobody is killed at step %s", s.Step)
		}
	}
}

func cleanings() []moment {
	automated := func(state baremetal.ProvisionState, step string) moment {
		return moment{
			name: fmt.Sprintf("automated clean: %s %s", state, step), node: m{"automated_clean": true}, from: baremetal.Manageable,
			verb: m{"target": "provide"}, state: state, step: step, end: baremetal.Available,
			counts: map[string]int{"erase_devices_metadata": 1, "erase_devices": 1},
		}
	}
	manual := automated(baremetal.CleanWait, "burnin_disk")
	manual.name, manual.node, manual.end, manual.counts = "manual clean", nil, baremetal.Manageable, map[string]int{"burnin_cpu": 1, "burnin_disk": 1}
	manual.verb = m{"target": "clean", "clean_steps": []any{
		m{"interface": "deploy", "step": "burnin_cpu"}, m{"interface": "deploy", "step": "burnin_disk"},
	}}
	return []moment{
		automated(baremetal.Cleaning, "prepare_cleaning"),
		automated(baremetal.CleanWait, "prepare_cleaning"),
		automated(baremetal.CleanWait, "erase_devices_metadata"),
		automated(baremetal.CleanWait, "erase_devices"),
		manual,
	}
}

func deletions() []moment {
	deleted := func(state baremetal.ProvisionState, step string, clean bool) moment {
		return moment{
			name: fmt.Sprintf("delete: %s %s", state, step), node: m{"automated_clean": clean}, from: baremetal.Active,
			verb: m{"target": "deleted"}, state: state, step: step, end: baremetal.Available,
		}
	}
	return []moment{
		deleted(baremetal.Deleting, "", false),
		deleted(baremetal.Deleting, "", true),
		deleted(baremetal.Cleaning, "prepare_cleaning", true),
		deleted(baremetal.CleanWait, "erase_devices_metadata", true),
	}
}

func fakes() []moment {
	fake := m{"driver": "fake-hardware", "deploy_interface": "fake"}
	twice := []any{m{"interface": "deploy", "step": "deploy"}, m{"interface": "deploy", "step": "deploy"}}
	return []moment{
		{name: "fake: deploy", node: fake, from: baremetal.Available, verb: m{"target": "active"}, state: baremetal.Deploying, step: "deploy", end: baremetal.Active},
		{name: "fake: clean", node: fake, from: baremetal.Manageable, verb: m{"target": "clean", "clean_steps": twice}, state: baremetal.Cleaning, step: "deploy", end: baremetal.Manageable},
		{name: "fake: verify", node: fake, from: baremetal.Enroll, verb: m{"target": "manage"}, state: baremetal.Verifying, end: baremetal.Manageable},
		{name: "fake: inspect", node: fake, from: baremetal.Manageable, verb: m{"target": "inspect"}, state: baremetal.Inspecting, end: baremetal.Manageable},
		{name: "fake: adopt", node: fake, from: baremetal.Manageable, verb: m{"target": "adopt"}, state: baremetal.Adopting, end: baremetal.Active},
		{
			name: "fake: power on", node: fake, from: baremetal.Available, power: "power on", state: baremetal.Available, end: baremetal.Available,
			err: "Conductor one ended while it held the node's lock.",
		},
	}
}

// The daemon is killed while it deploys, cleans, deletes and so on, at each step. When it runs again the node comes to its
// end, nothing stays locked, and the node can be used as before.
func TestConductorKilled(t *testing.T) {
	t.Parallel()
	for group, moments := range map[string][]moment{"deploy": deployments(), "clean": cleanings(), "delete": deletions(), "fake": fakes()} {
		t.Run(group, func(t *testing.T) {
			t.Parallel()
			s := serveConductor(t, nil)
			r := startRamdisk(t, s.url)
			for _, at := range moments {
				t.Run(at.name, func(t *testing.T) {
					s := &served{Daemon: s.Daemon, t: t, url: s.url}
					s.killAt(r, at)
				})
			}
		})
	}
}

// killAt kills the daemon at a moment in a new node's life.
func (s *served) killAt(r *ramdisk, at moment) {
	s.t.Helper()
	delay := 60 * time.Millisecond
	uuid, caught := s.catch(r, at, delay)
	for !caught { // too fast for us: this machine has other things to do
		if delay *= 3; delay > 5*time.Second {
			s.t.Fatalf("no node was ever seen %s at %q", at.state, at.step)
		}
		uuid, caught = s.catch(r, at, delay)
	}
	s.Kill()
	s.Restart(s.t)

	n := s.rests(uuid)
	last, _ := n["last_error"].(string)
	if n["provision_state"] != string(at.end) || last != at.err {
		s.t.Errorf("the node is %v, %q; want %s, %q", n["provision_state"], last, at.end, at.err)
	}
	for step, want := range at.counts {
		if got := r.carriedOut(s.t, uuid, step); got != want {
			s.t.Errorf("%s was carried out %d times; want %d", step, got, want)
		}
	}
	if kept := at.end == baremetal.Active || at.power != ""; at.hasInstance() && (n["instance_uuid"] != nil) != kept {
		s.t.Errorf("the instance is %v; want it kept: %t", n["instance_uuid"], kept)
	}
	s.set(uuid, m{"/driver_info": m{}, "/automated_clean": false})
	s.walk(uuid, baremetal.Available)
	if at.from == baremetal.Available { // and once more, undisturbed
		s.set(uuid, m{"/instance_info": r.image})
		s.walk(uuid, baremetal.Active)
	}
	held := s.must(http.MethodGet, "/v1/nodes?fields=uuid,reservation,provision_state", nil)
	for _, one := range held["nodes"].([]any) {
		if one.(m)["reservation"] != nil {
			s.t.Errorf("still locked: %v", one)
		}
	}
}

// hasInstance reports whether the node is claimed before the verb.
func (at moment) hasInstance() bool {
	return at.from == baremetal.Available || at.from == baremetal.Active
}

// catch makes a node whose hardware is slow, and has it go where the daemon is to be killed. It reports whether it is there.
func (s *served) catch(r *ramdisk, at moment, delay time.Duration) (uuid string, caught bool) {
	s.t.Helper()
	node := m{"driver": "manual-management", "management_interface": "fake", "deploy_interface": "direct", "instance_info": r.image}
	maps.Copy(node, at.node)
	uuid = fmt.Sprint(s.must(http.MethodPost, "/v1/nodes", node)["uuid"])
	s.set(uuid, m{"/automated_clean": false})
	s.walk(uuid, at.from)
	s.set(uuid, m{"/driver_info": m{"fake_delay": delay.String(), "fake_step_delay": (3 * delay).String()}, "/automated_clean": node["automated_clean"]})
	if at.hasInstance() {
		s.set(uuid, m{"/instance_uuid": uuid})
	}
	for _, step := range []string{"write_image", "inject_files", "erase_devices_metadata", "erase_devices", "burnin_disk"} {
		r.slow(s.t, uuid, step, 3*delay)
	}
	if at.power != "" {
		s.must(http.MethodPut, "/v1/nodes/"+uuid+"/states/power", m{"target": at.power})
	} else {
		s.must(http.MethodPut, "/v1/nodes/"+uuid+"/states/provision", at.verb)
	}
	s.look(uuid, fmt.Sprintf("%s at %q", at.state, at.step), 3*time.Millisecond, func(n m) bool {
		step, _ := n["deploy_step"].(m)["step"].(string)
		if step == "" {
			step, _ = n["clean_step"].(m)["step"].(string)
		}
		caught = n["provision_state"] == string(at.state) && (at.step == "" || step == at.step) && (at.power == "" || n["target_power_state"] == at.power)
		over := n["provision_state"] == string(at.end) && n["reservation"] == nil && n["target_power_state"] == nil
		return caught || over
	})
	return uuid, caught
}
