package backend

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"bosh-ironic-cpi/src/wait"
)

// A NodeSpec describes a node to enrol. The zero value is a server with one NIC and disks sda, sdb, sdc of
// 1 GiB, available for direct deployments.
type NodeSpec struct {
	Name          string
	Driver        string         // default: manual-management; with Deploy fake: fake-hardware
	Deploy        string         // deploy_interface: direct (default, with a ramdisk that writes) or fake (instant, writes nothing)
	State         string         // enroll, manageable or available (default)
	MACs          []string       // default: one that no other node has
	ResourceClass string         // default: baremetal
	Properties    map[string]any // added to 4 CPUs, 8192 MB, 10 GB, x86_64; a nil value removes a key
	Traits        []string
	Extra         map[string]any
	Fields        map[string]any // any other field, as POST /v1/nodes takes it
}

// AddNode enrols a node and returns its UUID. It goes when the test ends, whatever its state then.
func (b *Backend) AddNode(t testing.TB, spec NodeSpec) string {
	t.Helper()
	uuid, err := b.enrol(t.Context(), spec)
	if uuid != "" {
		t.Cleanup(func() { b.RemoveNode(t, uuid) })
	}
	if err != nil {
		t.Fatalf("add node %s: %v", spec.Name, err)
	}
	return uuid
}

// AddNodes enrols n nodes like spec at once. Their names are spec.Name, if it has one, with -1, -2 …
func (b *Backend) AddNodes(t testing.TB, n int, spec NodeSpec) []string {
	t.Helper()
	uuids, errs := make([]string, n), make([]error, n)
	var all sync.WaitGroup
	room := make(chan struct{}, 4) // more at once only queue
	for i := range n {
		one := spec
		if spec.Name != "" {
			one.Name = fmt.Sprintf("%s-%d", spec.Name, i+1)
		}
		all.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			uuids[i], errs[i] = b.enrol(t.Context(), one)
		})
	}
	all.Wait()
	t.Cleanup(func() {
		for _, uuid := range uuids {
			if uuid != "" {
				b.RemoveNode(t, uuid)
			}
		}
	})
	for _, err := range errs {
		if err != nil {
			t.Fatalf("add nodes: %v", err)
		}
	}
	return uuids
}

// RemoveNode deletes a node in any state; one that is gone already is fine.
func (b *Backend) RemoveNode(t testing.TB, uuid string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // over by the time of Cleanup
	path := "/v1/nodes/" + uuid
	pace := wait.Pace{First: 20 * time.Millisecond, Every: 500 * time.Millisecond, Limit: time.Minute}
	err := wait.Until(ctx, pace, "node "+uuid+" to go", func(ctx context.Context) (bool, string, error) {
		status, body, err := b.do(ctx, http.MethodDelete, path, nil)
		if err != nil || status == http.StatusNoContent || status == http.StatusNotFound {
			return err == nil, "", err
		}
		// It holds a VM, or is on its way: maintenance allows it, but for the instance.
		_, _, _ = b.do(ctx, http.MethodPut, path+"/maintenance", map[string]any{"reason": "the test is over"})
		_, _, _ = b.do(ctx, http.MethodPatch, path, []map[string]any{
			{"op": "add", "path": "/protected", "value": false}, {"op": "remove", "path": "/instance_uuid"},
		})
		return false, fmt.Sprintf("%d %v", status, body), nil
	})
	if err != nil {
		t.Error(err)
	}
}

// enrol returns the UUID also with an error, if the node was made.
func (b *Backend) enrol(ctx context.Context, spec NodeSpec) (string, error) {
	node := spec.body()
	if delay := b.Env["FAKE_DEPLOY_DELAY"]; delay != "" && node["driver_info"] == nil {
		node["driver_info"] = map[string]any{"fake_step_delay": delay}
	}
	created, err := b.must(ctx, http.MethodPost, "/v1/nodes", node)
	if err != nil {
		return "", err
	}
	uuid := fmt.Sprint(created["uuid"])
	macs := spec.MACs
	if macs == nil {
		macs = []string{NewMAC()}
	}
	for _, mac := range macs {
		port := map[string]any{"node_uuid": uuid, "address": strings.ToLower(mac)}
		if _, err := b.must(ctx, http.MethodPost, "/v1/ports", port); err != nil {
			return uuid, err
		}
	}
	if len(spec.Traits) > 0 {
		path := "/v1/nodes/" + uuid + "/traits"
		if _, err := b.must(ctx, http.MethodPut, path, map[string]any{"traits": spec.Traits}); err != nil {
			return uuid, err
		}
	}
	walk := []struct{ verb, state string }{{"manage", "manageable"}, {"provide", "available"}}
	switch spec.State {
	case "enroll":
		walk = nil
	case "manageable":
		walk = walk[:1]
	case "", "available":
	default:
		return uuid, fmt.Errorf("no way to state %q", spec.State)
	}
	for _, step := range walk {
		if err := b.provision(ctx, uuid, step.verb, step.state); err != nil {
			return uuid, err
		}
	}
	return uuid, nil
}

// body is what POST /v1/nodes takes.
func (s NodeSpec) body() map[string]any {
	properties := map[string]any{
		"cpus": 4, "memory_mb": 8192, "local_gb": 10, "cpu_arch": "x86_64", "capabilities": "boot_mode:bios",
	}
	for key, value := range s.Properties {
		if value == nil {
			delete(properties, key)
		} else {
			properties[key] = value
		}
	}
	node := map[string]any{"properties": properties, "resource_class": "baremetal"}
	if s.Deploy == "fake" {
		node["driver"] = "fake-hardware"
		node["deploy_interface"] = "fake"
	} else { // fake-hardware knows no boot device but pxe, and a direct deployment ends with disk
		maps.Copy(node, map[string]any{
			"driver": "manual-management", "power_interface": "fake", "boot_interface": "ipxe", "deploy_interface": "direct",
		})
	}
	for key, value := range map[string]string{"name": s.Name, "driver": s.Driver, "resource_class": s.ResourceClass} {
		if value != "" {
			node[key] = value
		}
	}
	if s.Extra != nil {
		node["extra"] = s.Extra
	}
	maps.Copy(node, s.Fields)
	return node
}

// NewMAC returns a random MAC of the range for local use.
func NewMAC() string {
	b := make([]byte, 5)
	_, _ = rand.Read(b) // never fails
	return fmt.Sprintf("52:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4])
}

// Provision sends a verb and waits until the node rests in the state wanted.
func (b *Backend) Provision(t testing.TB, node, verb, state string) {
	t.Helper()
	if err := b.provision(t.Context(), node, verb, state); err != nil {
		t.Fatal(err)
	}
}

func (b *Backend) provision(ctx context.Context, node, verb, state string) error {
	path := "/v1/nodes/" + node + "/states/provision"
	if _, err := b.must(ctx, http.MethodPut, path, map[string]any{"target": verb}); err != nil {
		return err
	}
	return b.settle(ctx, node, state)
}

// WaitState waits until the node rests, unlocked, in the state; it fails the test if it rests in another one.
func (b *Backend) WaitState(t testing.TB, node, state string) {
	t.Helper()
	if err := b.settle(t.Context(), node, state); err != nil {
		t.Fatal(err)
	}
}

func (b *Backend) settle(ctx context.Context, node, state string) error {
	pace := wait.Pace{First: 10 * time.Millisecond, Every: 100 * time.Millisecond, Limit: 2 * time.Minute}
	return wait.Until(ctx, pace, "node "+node+" to be "+state, func(ctx context.Context) (bool, string, error) {
		const fields = "?fields=provision_state,target_provision_state,reservation,last_error"
		n, err := b.must(ctx, http.MethodGet, "/v1/nodes/"+node+fields, nil)
		if err != nil {
			return false, "", err
		}
		now := fmt.Sprint(n["provision_state"])
		switch {
		case n["reservation"] != nil:
			return false, now + ", locked", nil
		case now == state:
			return true, now, nil
		case strings.HasSuffix(now, "failed") || n["target_provision_state"] == nil:
			return false, now, fmt.Errorf("node %s is %s instead of %s: %v", node, now, state, n["last_error"])
		}
		return false, now, nil
	})
}
