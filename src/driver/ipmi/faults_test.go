package ipmi_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	bmc "bosh-ironic-cpi/src/bmc/ipmi"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/driver/ipmi"
	"bosh-ironic-cpi/src/driver/ipmi/rmcp"
	"bosh-ironic-cpi/src/secret"
)

// What is wrong with a BMC is said with its address, the node, and what to look at.
func TestFaults(t *testing.T) {
	versions := []map[string]any{{}, {"ipmi_protocol_version": "1.5"}}
	tests := []struct {
		name  string
		fault bmc.Fault
		only  string // version 2.0
		err   error
		says  []string
	}{
		{name: "nothing"},
		{name: "silent", fault: bmc.Fault{Silent: true}, err: driver.ErrUnreachable, says: []string{"no answer in 200ms", "ipmi_address", "ipmi_port", "IPMI over LAN"}},
		{name: "three answers lost", fault: bmc.Fault{Lose: 3}},
		{name: "three questions lost", fault: bmc.Fault{Deaf: 3}},
		{name: "late", fault: bmc.Fault{Late: 60 * time.Millisecond}, only: "2.0", err: driver.ErrUnreachable},
		{name: "a little late", fault: bmc.Fault{Late: 20 * time.Millisecond}},
		{
			name: "wrong session", fault: bmc.Fault{WrongSession: true}, only: "2.0", err: driver.ErrUnreachable,
			says: []string{"4 packets that are not of this session"},
		},
		{name: "forged", fault: bmc.Fault{Forged: true}, only: "2.0", err: driver.ErrUnreachable, says: []string{"4 packets", "changed on their way"}},
		{name: "password refused", fault: bmc.Fault{Refuse: true}, err: driver.ErrAuthentication, says: []string{"ipmi_password"}},
	}
	for _, tt := range tests {
		for _, change := range versions {
			version, _ := change["ipmi_protocol_version"].(string)
			if tt.only != "" && version != "" {
				continue
			}
			t.Run(tt.name+" "+version, func(t *testing.T) {
				t.Parallel()
				b := start(t, bmc.Config{})
				b.Break(tt.fault)
				n := node(b)
				maps.Copy(n.Info, change)
				_, err := ipmi.Impatient(50*time.Millisecond).PowerState(t.Context(), n)
				if !errors.Is(err, tt.err) {
					t.Fatalf("%v; want %v", err, tt.err)
				}
				if err == nil {
					return
				}
				for _, want := range append(tt.says, b.Address().String(), "n1 (5f0a7c3e-0000-4000-8000-000000000001)") {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%v; want %q in it", err, want)
					}
				}
				if strings.Contains(err.Error(), "secret") {
					t.Errorf("%v holds the password", err)
				}
			})
		}
	}
}

// A BMC that is late by more than a try has its answer taken: it has the number of the question, however often asked.
func TestLateAnswerCounts(t *testing.T) {
	b := start(t, bmc.Config{Suites: []int{17}})
	s := session(t, b, 17, 30*time.Millisecond)
	b.Break(bmc.Fault{Late: 80 * time.Millisecond})
	if _, err := s.Send(t.Context(), nil, rmcp.Request{NetFn: 0, Cmd: 1}); err != nil {
		t.Error(err)
	}
}

// session opens one without a driver.
func session(t *testing.T, b *bmc.BMC, suite int, each time.Duration) *rmcp.Session {
	t.Helper()
	s, err := rmcp.Open(t.Context(), rmcp.Config{
		Address: b.Address().Addr().String(), Port: int(b.Address().Port()), Username: "admin", Password: secret.New("secret"),
		Privilege: 4, Suites: []int{suite}, Tries: []time.Duration{each, each, each, each},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.WithoutCancel(t.Context())) })
	return s
}

func TestNoRoomForASession(t *testing.T) {
	b := start(t, bmc.Config{})
	for range 4 {
		session(t, b, 3, time.Second)
	}
	_, err := ipmi.Impatient(20*time.Millisecond).PowerState(t.Context(), node(b))
	if !errors.Is(err, driver.ErrUnreachable) || !strings.Contains(err.Error(), "no room for another session") {
		t.Errorf("%v", err)
	}
}

// Sessions are closed, also those of calls that fail or are cancelled.
func TestSessionsEnd(t *testing.T) {
	b := start(t, bmc.Config{})
	n := node(b)
	ctx, cancel := context.WithCancel(t.Context())
	err := ipmi.Driver{}.WalkSDR(ctx, n, func([]byte) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (ipmi.Driver{}).Raw(ctx, n, nil, 0x3a, 0x77, nil); !errors.Is(err, driver.ErrUnsupported) {
		t.Fatal(err)
	}
	began := time.Now()
	b.Break(bmc.Fault{Late: time.Minute})
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := (ipmi.Driver{}).PowerState(ctx, n); !errors.Is(err, context.Canceled) || time.Since(began) > 900*time.Millisecond { // a try is a second
		t.Errorf("cancelled: %v after %s", err, time.Since(began))
	}
	if b.Sessions() != 0 {
		t.Errorf("%d sessions are left", b.Sessions())
	}
}

// The suite found is remembered with the node, tried first, and forgotten when it fails.
func TestCipherSuites(t *testing.T) {
	tests := []struct {
		name   string
		has    []int
		info   any    // ipmi_cipher_suite
		before string // remembered
		fault  bmc.Fault
		after  string
		err    error
		within time.Duration
	}{
		{name: "the best of both", has: []int{17, 3}, after: "17"},
		{name: "refused", has: []int{3}, after: "3"},
		{name: "not answered", has: []int{3}, fault: bmc.Fault{SilentSuites: true}, after: "3", within: 200 * time.Millisecond},
		{name: "remembered", has: []int{17, 3}, before: "3", after: "3"},
		{name: "remembered, and gone", has: []int{17}, before: "3", after: "17"},
		{name: "remembered, and silent", has: []int{17}, before: "3", fault: bmc.Fault{SilentSuites: true}, after: "17"},
		{name: "remembered, and the password is wrong", has: []int{17}, before: "17", fault: bmc.Fault{Refuse: true}, err: driver.ErrAuthentication},
		{name: "remembered nonsense", has: []int{17}, before: "0", after: "17"},
		{name: "the operator's", has: []int{17, 3}, info: 3, before: "17", after: "3"},
		{name: "the operator's, as text", has: []int{15, 16}, info: "16", after: "16"},
		{name: "without encryption", has: []int{2}, info: "2", after: "2"},
		{name: "without integrity", has: []int{1}, info: 1.0, after: "1"},
		{name: "the operator's is refused", has: []int{17}, info: 3, before: "17", err: driver.ErrUnsupported},
		{name: "none", has: []int{1}, err: driver.ErrUnsupported},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := start(t, bmc.Config{Suites: tt.has})
			b.Break(tt.fault)
			n := node(b)
			if tt.info != nil {
				n.Info["ipmi_cipher_suite"] = tt.info
			}
			n.Remember("ipmi_cipher_suite", tt.before)
			began := time.Now()
			_, err := ipmi.Impatient(100*time.Millisecond).PowerState(t.Context(), n)
			if !errors.Is(err, tt.err) || n.State["ipmi_cipher_suite"] != tt.after {
				t.Errorf("%v, remembers %q; want %v, %q", err, n.State["ipmi_cipher_suite"], tt.err, tt.after)
			}
			if took := time.Since(began); tt.within > 0 && took > tt.within {
				t.Errorf("took %s; want at most %s", took, tt.within)
			}
		})
	}
}

// A BMC that has only what we have not, says what.
func TestRefusalsAreTold(t *testing.T) {
	b := start(t, bmc.Config{Suites: []int{1}})
	_, err := ipmi.Driver{}.PowerState(t.Context(), node(b))
	if err == nil || !strings.Contains(err.Error(), "cipher suites [17 3]") || !strings.Contains(err.Error(), "ipmi_cipher_suite") {
		t.Errorf("%v", err)
	}
}

func TestPrivilegeLevels(t *testing.T) {
	b := start(t, bmc.Config{Level: 3})
	n := node(b)
	if _, err := (ipmi.Driver{}).PowerState(t.Context(), n); !errors.Is(err, driver.ErrAuthentication) || !strings.Contains(err.Error(), "ipmi_priv_level") {
		t.Errorf("administrator, of whom there is none: %v", err)
	}
	for level, can := range map[string]bool{"OPERATOR": true, "USER": false} {
		n.Info["ipmi_priv_level"] = level
		if _, err := (ipmi.Driver{}).PowerState(t.Context(), n); err != nil {
			t.Errorf("%s: %v", level, err)
		}
		err := ipmi.Driver{}.Switch(t.Context(), n, "power on")
		if (err == nil) != can || !can && !errors.Is(err, driver.ErrAuthentication) {
			t.Errorf("%s switches: %v; want it to be allowed: %t", level, err, can)
		}
	}
}
