package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"bosh-ironic-cpi/src/baremetal"
)

func TestSettle(t *testing.T) {
	state := func(state, target, more string) string {
		return fmt.Sprintf(`200 {"uuid": "%s", "name": "lab1", "provision_state": %q, "target_provision_state": %q%s}`, nodeID, state, target, more)
	}
	tests := []struct {
		name    string
		answers []string
		want    error
		text    string
		asks    int
	}{
		{"there at once", []string{state("active", "", "")}, nil, "", 1},
		{"on the way", []string{state("deploying", "active", ""), state("wait call-back", "active", ""), state("active", "", "")}, nil, "", 3},
		{"the lock outlives the state", []string{state("active", "", `, "reservation": "c1"`), state("active", "", "")}, nil, "", 2},
		{"last_error comes before the failed state", []string{state("deploying", "active", `, "last_error": "x"`), state("active", "", "")}, nil, "", 2},
		{"failed", []string{state("deploying", "active", ""), state("deploy failed", "active", `, "last_error": "no image"`)}, baremetal.ErrFailed, "node lab1 (" + nodeID + ") is deploy failed: no image", 2},
		{"failed, but still locked", []string{state("deploy failed", "active", `, "reservation": "c1"`), state("deploy failed", "active", "")}, baremetal.ErrFailed, "is deploy failed", 2},
		{"at rest elsewhere", []string{state("verifying", "manageable", ""), state("enroll", "", `, "last_error": "wrong password"`)}, baremetal.ErrFailed, "is enroll: wrong password", 2},
		{"the service is away for a while", []string{state("deploying", "active", ""), "refused", "503 ", "lost", state("active", "", "")}, nil, "", 5},
		{"the node is gone", []string{state("deploying", "active", ""), gone}, baremetal.ErrNotFound, "could not be found", 2},
		{"left behind", []string{state("deploying", "active", `, "last_error": "Async execution of do_node_deploy failed"`)}, baremetal.ErrFailed, "was left deploying; a restart of its conductor fails it properly: Async", 0},
		{"not left: it waits", []string{state("wait call-back", "active", `, "last_error": "x"`)}, context.DeadlineExceeded, "", 0},
		{"not left: locked", []string{state("deploying", "active", `, "last_error": "x", "reservation": "c1"`)}, context.DeadlineExceeded, "", 0},
		{"too long", []string{state("wait call-back", "active", "")}, context.DeadlineExceeded, "waiting for node " + nodeID + " to be active (now: wait call-back)", 0},
		{"passwords", []string{state("deploy failed", "active", `, "last_error": "GET http://cpi:hunter2@store/ failed"`)}, baremetal.ErrFailed, "http://***@store/", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, f := newFar(t, Config{}, tt.answers...)
				_, err := c.Settle(t.Context(), nodeID, time.Hour, baremetal.Active)
				if !errors.Is(err, tt.want) || tt.text != "" && !strings.Contains(err.Error(), tt.text) {
					t.Errorf("error = %v; want %v with %q", err, tt.want, tt.text)
				}
				if n := len(f.requests()); tt.asks != 0 && n != tt.asks {
					t.Errorf("%d requests; want %d", n, tt.asks)
				}
			})
		})
	}
}

// A clock is a far end whose node deploys until a moment.
type clock struct{ until time.Time }

func (c clock) RoundTrip(r *http.Request) (*http.Response, error) {
	if time.Now().Before(c.until) {
		return answer(nil, r, deploys)
	}
	return answer(nil, r, active)
}

func TestSettleEndsWithinASecond(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		takes := time.Duration(rapid.Int64Range(0, int64(30*time.Minute)).Draw(rt, "takes"))
		synctest.Test(t, func(t *testing.T) {
			end := time.Now().Add(takes)
			c := must(t, Config{URL: "http://ironic.test", Transport: clock{end}})
			if _, err := c.Settle(t.Context(), nodeID, time.Hour, baremetal.Active); err != nil {
				t.Fatal(err)
			}
			if late := time.Since(end); late >= time.Second {
				t.Errorf("ended %v after the deployment of %v; want less than 1 s", late, takes)
			}
		})
	})
}

func TestWaitPower(t *testing.T) {
	state := func(now, target, lastError string) string {
		return fmt.Sprintf(`200 {"uuid": "%s", "power_state": %q, "target_power_state": %q, "last_error": %q}`, nodeID, now, target, lastError)
	}
	tests := []struct {
		name    string
		answers []string
		want    error
		text    string
	}{
		{"switched", []string{state("power off", "power on", ""), state("power on", "", "")}, nil, ""},
		{"a reboot on the way", []string{state("power on", "power on", ""), state("power on", "", "")}, nil, ""},
		{"given up", []string{state("power off", "power on", ""), state("power off", "", "BMC does not answer")}, baremetal.ErrFailed, "is in power off: BMC does not answer"},
		{"given up, power unknown", []string{state("", "", "BMC does not answer")}, baremetal.ErrFailed, "is in an unknown power state: BMC"},
		{"too long", []string{state("power off", "", "")}, context.DeadlineExceeded, "(now: power off)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, f := newFar(t, Config{}, tt.answers...)
				_, err := c.WaitPower(t.Context(), nodeID, baremetal.PowerOn, time.Minute)
				if !errors.Is(err, tt.want) || tt.text != "" && !strings.Contains(err.Error(), tt.text) {
					t.Errorf("error = %v; want %v with %q", err, tt.want, tt.text)
				}
				if n := len(f.requests()); n < len(tt.answers) {
					t.Errorf("%d requests; want %d", n, len(tt.answers))
				}
			})
		})
	}
}
