package client

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bosh-ironic-cpi/src/baremetal"
)

// Nodes that the far end shows.
const (
	free     = `200 {"uuid": "` + nodeID + `", "provision_state": "available", "extra": {}}`
	ours     = `200 {"uuid": "` + nodeID + `", "provision_state": "available", "instance_uuid": "` + instanceID + `"}`
	theirs   = `200 {"uuid": "` + nodeID + `", "provision_state": "active", "instance_uuid": "` + otherID + `"}`
	active   = `200 {"uuid": "` + nodeID + `", "provision_state": "active", "instance_uuid": "` + instanceID + `"}`
	deploys  = `200 {"uuid": "` + nodeID + `", "provision_state": "deploying", "target_provision_state": "active"}`
	cleans   = `200 {"uuid": "` + nodeID + `", "provision_state": "cleaning", "target_provision_state": "manageable"}`
	switches = `200 {"uuid": "` + nodeID + `", "power_state": "power off", "target_power_state": "power on"}`
	locked   = "busy/delete"
	noWorker = "busy/deploy-busy4"
	gone     = "nodes/show-not-found-uuid"
	heardIt  = "202 "
)

// act does what a word says with the node nodeID.
func act(ctx context.Context, c *Client, word string) error {
	var err error
	switch word {
	case "show":
		_, err = c.Node(ctx, nodeID)
	case "change":
		_, err = c.Patch(ctx, nodeID, baremetal.Patch{baremetal.Add("/extra/a", 1)})
	case "release":
		_, err = c.Patch(ctx, nodeID, baremetal.Patch{baremetal.Remove("/instance_uuid")})
	case "guarded release":
		_, err = c.Patch(ctx, nodeID, baremetal.Patch{{Op: "replace", Path: "/extra/claim", Value: 1}, baremetal.Remove("/instance_uuid")})
	case "claim":
		var n baremetal.Node
		if n, err = c.Claim(ctx, nodeID, instanceID, nil); err == nil && n.InstanceUUID != instanceID {
			err = errors.New("the claimed node lacks the instance")
		}
	case "create":
		_, err = c.CreateNode(ctx, map[string]any{"uuid": nodeID, "driver": "ipmi"})
	case "create port":
		_, err = c.CreatePort(ctx, baremetal.Port{UUID: otherID, NodeUUID: nodeID, Address: "52:54:00:aa:00:01"})
	case "delete":
		err = c.DeleteNode(ctx, nodeID)
	case "power on":
		err = c.Power(ctx, nodeID, baremetal.TargetOn)
	case "maintenance":
		err = c.SetMaintenance(ctx, nodeID, true, "why")
	default:
		err = c.Provision(ctx, nodeID, baremetal.Provision{Target: baremetal.Verb(word)})
	}
	return err
}

func TestAskingAgain(t *testing.T) {
	const show, change, verb, power = "GET", "PATCH", "PUT", "PUT"
	tests := []struct {
		name    string
		act     string
		answers []string
		methods []string // of the requests
		want    error
	}{
		{"a question, until it is answered", "show", []string{"refused", "lost", "503 ", "noconductor/patch", free}, []string{show, show, show, show, show}, nil},
		{"gone is gone", "show", []string{gone}, []string{show}, baremetal.ErrNotFound},
		{"locked ends by itself", "change", []string{locked, "busy/patch", free}, []string{change, change, change}, nil},
		{"an unanswered change comes twice", "change", []string{"lost", free}, []string{change, change}, nil},
		{"an unanswered release could free somebody else's claim", "release", []string{"lost"}, []string{change}, baremetal.ErrAmbiguous},
		{"but a locked one may be sent again", "release", []string{locked, free}, []string{change, change}, nil},
		{"a guarded release fails when it was heard", "guarded release", []string{"lost", "patch/remove-missing-key"}, []string{change, change}, baremetal.ErrAmbiguous},
		{"and says so", "guarded release", []string{"lost", "patch/remove-missing-key"}, []string{change, change}, baremetal.ErrInvalid},

		{"claimed", "claim", []string{ours}, []string{change}, nil},
		{"lost the race", "claim", []string{"patch/claim-other-value"}, []string{change}, baremetal.ErrAssociated},
		{"locked by whoever won the race", "claim", []string{locked, theirs}, []string{change, show}, baremetal.ErrAssociated},
		{"locked by something else", "claim", []string{locked, free, ours}, []string{change, show, change}, nil},
		{"claimed, but the answer was lost", "claim", []string{"lost", ours}, []string{change, show}, nil},
		{"the claim was lost", "claim", []string{"lost", free, ours}, []string{change, show, change}, nil},
		{"the claim was lost, somebody else came", "claim", []string{"lost", theirs}, []string{change, show}, baremetal.ErrAssociated},

		{"no worker", "active", []string{noWorker, ours, heardIt}, []string{verb, show, verb}, nil},
		{"the verb was heard", "active", []string{"lost", deploys}, []string{verb, show}, nil},
		{"the verb was not heard", "active", []string{"lost", ours, heardIt}, []string{verb, show, verb}, nil},
		{"somebody else's cleaning is not ours", "clean", []string{locked, cleans, heardIt}, []string{verb, show, verb}, nil},
		{"wrong state", "active", []string{"provision/active-active"}, []string{verb}, baremetal.ErrWrongState},
		{"deleted", "deleted", []string{active, heardIt}, []string{show, verb}, nil},
		{"deleted while somebody else deletes it, too", "deleted", []string{active, locked, free}, []string{show, verb, show}, nil},
		{"deleted, and another VM is on it when the lock is gone", "deleted", []string{active, locked, theirs}, []string{show, verb, show}, baremetal.ErrAssociated},
		{"deleted of nobody's node, and a VM is on it when the lock is gone", "deleted", []string{free, locked, theirs}, []string{show, verb, show}, baremetal.ErrAssociated},
		{"rebuild, and another VM is on it when the lock is gone", "rebuild", []string{active, locked, theirs}, []string{show, verb, show}, baremetal.ErrAssociated},
		{"deleted of no node", "deleted", []string{gone}, []string{show}, baremetal.ErrNotFound},

		{"switching on was heard", "power on", []string{"lost", switches}, []string{power, show}, nil},
		{"switching on was not heard", "power on", []string{"lost", free, heardIt}, []string{power, show, power}, nil},
		{"locked power", "power on", []string{locked, heardIt}, []string{power, power}, nil},

		{"created", "create", []string{"201 {\"uuid\": \"" + nodeID + "\"}"}, []string{"POST"}, nil},
		{"created, but the answer was lost", "create", []string{"lost", free}, []string{"POST", show}, nil},
		{"the creation was lost", "create", []string{"lost", gone, free}, []string{"POST", show, "POST"}, nil},
		{"the name is taken", "create", []string{"nodes/create-duplicate-name"}, []string{"POST"}, baremetal.ErrTaken},
		{"port created, but the answer was lost", "create port", []string{"lost", `200 {"ports": [{"uuid": "` + otherID + `"}]}`}, []string{"POST", show}, nil},
		{"the port is somebody else's", "create port", []string{"lost", `200 {"ports": [{"uuid": "x"}]}`, "ports/create-duplicate"}, []string{"POST", show, "POST"}, baremetal.ErrTaken},
		{"the port's creation was lost", "create port", []string{"lost", `200 {"ports": []}`, `201 {"uuid": "x"}`}, []string{"POST", show, "POST"}, nil},

		{"deleted already", "delete", []string{gone}, []string{"DELETE"}, nil},
		{"deletion unanswered", "delete", []string{"lost", gone}, []string{"DELETE", "DELETE"}, nil},
		{"maintenance unanswered", "maintenance", []string{"lost", heardIt}, []string{"PUT", "PUT"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, f := newFar(t, Config{}, tt.answers...)
				if err := act(t.Context(), c, tt.act); !errors.Is(err, tt.want) {
					t.Errorf("error = %v; want %v", err, tt.want)
				}
				var methods []string
				for _, r := range f.requests() {
					method, _, _ := strings.Cut(r, " ")
					methods = append(methods, method)
				}
				if !slices.Equal(methods, tt.methods) {
					t.Errorf("requests: %v; want %v", f.requests(), tt.methods)
				}
			})
		})
	}
}

func TestPatienceEnds(t *testing.T) {
	tests := []struct {
		name   string
		act    string
		answer string
		limit  time.Duration
		want   error
		within [2]time.Duration
	}{
		{"locked, as configured", "change", locked, 10 * time.Second, baremetal.ErrLocked, [2]time.Duration{10 * time.Second, 13 * time.Second}},
		{"locked, default", "change", locked, 0, baremetal.ErrLocked, [2]time.Duration{2 * time.Minute, 2*time.Minute + 3*time.Second}},
		{"locked, once", "change", locked, never, baremetal.ErrLocked, [2]time.Duration{0, 0}},
		{"silent, once", "show", "silent", never, baremetal.ErrUnavailable, [2]time.Duration{time.Minute, time.Minute}},
		{"the server stumbles over the question", "show", "500 ", 0, baremetal.ErrUnavailable, [2]time.Duration{5 * time.Second, 8 * time.Second}},
		{"an unanswered change", "change", "lost", 10 * time.Second, baremetal.ErrAmbiguous, [2]time.Duration{10 * time.Second, 13 * time.Second}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _ := newFar(t, Config{RetryLimit: tt.limit}, tt.answer)
				begun := time.Now()
				err := act(t.Context(), c, tt.act)
				if !errors.Is(err, tt.want) {
					t.Errorf("error = %v; want %v", err, tt.want)
				}
				if took := time.Since(begun); took < tt.within[0] || took > tt.within[1] {
					t.Errorf("took %v; want %v to %v", took, tt.within[0], tt.within[1])
				}
			})
		})
	}
}

func TestALastLookAfterALastSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := newFar(t, Config{RetryLimit: never}, "silent", ours)
		if _, err := c.Claim(t.Context(), nodeID, instanceID, nil); err != nil {
			t.Errorf("error = %v; want the claim, which was heard", err)
		}
		if n := len(f.requests()); n != 2 {
			t.Errorf("%d requests; want 2", n)
		}
	})
}

func TestTheCallersContextEndsIt(t *testing.T) {
	for _, answer := range []string{"silent", locked} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			c, _ := newFar(t, Config{}, answer)
			begun := time.Now()
			_, err := c.Patch(ctx, nodeID, nil)
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != 3*time.Second {
				t.Errorf("%s: error = %v after %v; want the context's after 3 s", answer, err, time.Since(begun))
			}
			if strings.Count(err.Error(), "deadline") != 1 || strings.Contains(err.Error(), "no answer within") {
				t.Errorf("error = %v; want the reason once", err)
			}
			if answer == "silent" && !errors.Is(err, baremetal.ErrAmbiguous) {
				t.Errorf("error = %v; want ErrAmbiguous, too", err)
			}
		})
	}
}

func TestNoPatchIsAnEmptyList(t *testing.T) {
	c, f := newFar(t, Config{}, free)
	if _, err := c.Patch(t.Context(), nodeID, nil); err != nil || f.body[0] != "[]" {
		t.Errorf("sent %s, error = %v; want []", f.body[0], err)
	}
}

func TestNamesThatNoNodeCanHave(t *testing.T) {
	c, f := newFar(t, Config{}, free)
	for _, name := range []string{"", ".", "..", "detail", "states", "a/b", "../v1", "a b", "ä", "x?y", strings.Repeat("n", 256)} {
		if _, err := c.Node(t.Context(), name); !errors.Is(err, baremetal.ErrNotFound) {
			t.Errorf("Node(%q) error = %v; want ErrNotFound", name, err)
		}
	}
	for _, id := range []string{"", "vm-1", "urn:uuid:" + instanceID, strings.ReplaceAll(instanceID, "-", "")} {
		if _, err := c.NodeByInstance(t.Context(), id); !errors.Is(err, baremetal.ErrNotFound) {
			t.Errorf("NodeByInstance(%q) error = %v; want ErrNotFound", id, err)
		}
	}
	if n := len(f.requests()); n != 0 {
		t.Errorf("%d requests; want none", n)
	}
}
