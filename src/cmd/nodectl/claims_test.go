package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const director = "60788736-0000-4000-8000-000000000001"

// vm is the CPI's document on a node with a VM.
func vm(cid, step string) map[string]any {
	return map[string]any{
		"version": 1, "director": director, "claim": map[string]any{cid: 1}, "agent_id": "agent-1", "step": step,
		"origin": map[string]any{"state": "available", "name": "rack-9"},
	}
}

// kept is the CPI's document on a node that is kept for its disks.
func kept() map[string]any {
	return map[string]any{
		"version": 1, "director": director, "claim": map[string]any{"5c1fd5b6-0000-4000-8000-000000000001": 1},
		"step": "held for disks", "origin": map[string]any{"state": "available"},
		"disks": []any{map[string]any{"cid": "disk-1", "size_mb": 5, "skip": true, "device": map[string]any{"wwn": "0xa"}}},
		"saved": map[string]any{"clean": true, "was": true},
	}
}

func with(document map[string]any, key string, value any) map[string]any {
	document[key] = value
	return document
}

func held(name, state, instance string, document any) map[string]any {
	n := map[string]any{"name": name, "provision_state": state, "extra": map[string]any{"bosh_cpi": document}}
	if instance != "" {
		n["instance_uuid"] = instance
	}
	return n
}

const (
	cid1 = "8a17d3fc-0000-4000-8000-000000000001"
	cid2 = "8a17d3fc-0000-4000-8000-000000000002"
	hold = "5c1fd5b6-0000-4000-8000-000000000001"
	old  = "2020-01-01T00:00:00Z"
	far  = "2120-01-01T00:00:00Z"
)

func TestClaims(t *testing.T) {
	newFake(t,
		map[string]any{"name": "free"},
		held("vm", "active", cid1, vm(cid1, "ready")),
		held("kept", "available", hold, kept()),
		held("busy", "deploying", cid2, with(vm(cid2, "deploy"), "deadline", far)),
		held("dead", "active", cid2, with(vm(cid2, "deploy"), "deadline", old)),
		held("robbed", "active", "ffffffff-0000-4000-8000-000000000001", vm(cid1, "ready")),
		held("open", "active", "", vm(cid1, "ready")),
		held("broken", "error", cid1, vm(cid1, "ready")),
		held("newer", "active", "", map[string]any{"version": 9}),
		held("failed", "available", "", map[string]any{"version": 1, "failed": map[string]any{"at": old, "reason": "GET http://u:hunter2@x/ timed out"}}),
		map[string]any{"name": "nova", "provision_state": "active", "instance_uuid": "ffffffff-0000-4000-8000-000000000002"},
		map[string]any{"name": "legacy", "provision_state": "active"},
		held("defined", "manageable", "", map[string]any{"version": 1, "origin": map[string]any{"created": true}}),
	)
	var list []claimed
	got := tell(t, "", "claims", "-o", "json").want(t, exitDone)
	if err := json.Unmarshal([]byte(got.out), &list); err != nil {
		t.Fatal(err)
	}
	orphans := map[string]string{}
	for _, c := range list {
		orphans[c.Name], _, _ = strings.Cut(c.Orphan, ":")
	}
	want := map[string]string{
		"vm": "", "kept": "", "busy": "", "failed": "", "nova": "", "dead": "abandoned", "robbed": "instance_uuid is somebody else's",
		"open": "instance_uuid is gone", "broken": "the VM does not run", "newer": "node newer (00000000-0000-4000-8000-000000000009)",
		"legacy":  "runs for nobody, or for a VM of the CPI of 2016, which marks no node",
		"defined": "was defined by a cloud-config, and serves nobody",
	}
	if diff := cmp.Diff(orphans, want); diff != "" {
		t.Errorf("orphans (-got +want):\n%s", diff)
	}
	table := tell(t, "", "claims").want(t, exitDone)
	table.shows(t, "disk-1", "at work until "+far, "not the CPI's: instance ffffffff", "failed "+old+": GET http://***@x/ timed out")
	if strings.Contains(table.out+got.out, "hunter2") {
		t.Error("a password is shown")
	}
	tell(t, "", "claims", "--orphans", "--director", director, "-o", "name").want(t, exitDone).shows(t, "dead\nrobbed\nopen\nbroken\n")
}

func TestReleaseAsksFirst(t *testing.T) {
	fake := newFake(t,
		map[string]any{"name": "free"},
		held("vm", "active", cid1, vm(cid1, "ready")),
		held("kept", "available", hold, kept()),
		held("busy", "deploying", cid2, with(vm(cid2, "deploy"), "deadline", far)),
		map[string]any{"name": "nova", "provision_state": "active", "instance_uuid": "ffffffff-0000-4000-8000-000000000002"},
	)
	tell(t, "", "claims", "--release", "free", "--yes").want(t, exitDone, "nobody holds it")
	tell(t, "", "claims", "--release", "vm").want(t, exitWrong, "release node vm (", "VM "+cid1+" of Director "+director, "hint: add --yes")
	tell(t, "", "claims", "--release", "kept", "--yes").want(t, exitWrong, "disk-1 would be erased, which needs --forget-disks")
	tell(t, "", "claims", "--release", "kept", "--forget-disks").want(t, exitWrong, "hint: add --yes")
	tell(t, "", "claims", "--release", "busy", "--yes").want(t, exitFailed, `a process is at step "deploy"`, "until "+far)
	tell(t, "", "claims", "--release", "nova", "--yes").want(t, exitFailed, "is not the CPI's")
	tell(t, "", "claims", "--release", "x", "--yes").want(t, exitNotFound)
	tell(t, "", "claims", "--yes").want(t, exitWrong, "go with --release")
	if changed := append(fake.requests("PUT"), fake.requests("PATCH")...); len(changed) > 0 {
		t.Errorf("changes: %q", changed)
	}
}

func TestRelease(t *testing.T) {
	fake := newFake(t, held("web-0", "active", cid1, with(vm(cid1, "ready"), "given_name", "web-0")))
	tell(t, "", "claims", "--release", "web-0", "--yes").
		want(t, exitDone, "node rack-9 (", "released; it is available", "agent of VM "+cid1)
	n := fake.node("rack-9")
	if n == nil || n["provision_state"] != "available" || n["extra"].(map[string]any)["bosh_cpi"] != nil {
		t.Errorf("nodes are %v", fake.nodes)
	}
	if last := fake.requests("PATCH"); len(last) != 1 || !strings.Contains(last[0], `"path":"/extra/bosh_cpi/claim/`+cid1) {
		t.Errorf("patches = %q; want one that begins with the claim", last)
	}
}

func TestReleaseForgetsDisks(t *testing.T) {
	n := held("kept", "available", hold, kept())
	n["automated_clean"] = false
	n["properties"] = map[string]any{"skip_block_devices": []any{map[string]any{"wwn": "0xa"}, map[string]any{"wwn": "0xb"}}}
	fake := newFake(t, n)
	tell(t, "", "claims", "--release", "kept", "--yes", "--forget-disks").want(t, exitDone, "released; it is available")
	now := fake.node("kept")
	list, _ := now["properties"].(map[string]any)["skip_block_devices"].([]any)
	if len(list) != 1 || now["automated_clean"] != true || now["instance_uuid"] != nil {
		t.Errorf("the node is %v", now)
	}
	var verbs []string
	for _, r := range fake.requests("PUT") {
		verbs = append(verbs, r[strings.Index(r, "{"):])
	}
	if diff := cmp.Diff(verbs, []string{`{"target":"manage"}`, `{"target":"provide"}`}); diff != "" {
		t.Errorf("verbs (-got +want): it has to be cleaned\n%s", diff)
	}
}

// What a release cannot do stays for the next one.
func TestReleaseIsRepeated(t *testing.T) {
	fake := newFake(t, held("a", "deploy failed", cid1, with(with(vm(cid1, "deploy"), "deadline", old), "origin", map[string]any{"state": "manageable"})))
	fake.stuck["deleted"] = true
	tell(t, "", "claims", "--release", "a", "--yes").want(t, exitFailed, "release node a (", "tear down", "clean failed: Timeout reached")
	fake.nodes[0]["fault"], fake.nodes[0]["maintenance"] = "clean failure", true
	tell(t, "", "claims", "--release", "a", "--yes").want(t, exitDone, "it is manageable")
	if n := fake.node("a"); n["maintenance"] != false || n["extra"].(map[string]any)["bosh_cpi"] != nil {
		t.Errorf("the node is %v", n)
	}
}
