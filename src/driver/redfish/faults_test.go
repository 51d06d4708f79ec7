package redfish

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bosh-ironic-cpi/src/baremetal"
	bmc "bosh-ironic-cpi/src/bmc/redfish"
	"bosh-ironic-cpi/src/driver"
	wire "bosh-ironic-cpi/src/driver/internal/redfish"
)

// hasty waits a moment for an answer.
var hasty = hardware{wire.Hardware{Access: func(n *driver.Node) (wire.Access, error) {
	a, err := quick.Access(n)
	a.Timeout = 200 * time.Millisecond
	return a, err
}}}

// wants checks that an error says which node, which address, what to check, and no secret.
func wants(t *testing.T, err error, s *site, kind error, words ...string) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%v; want %v", err, kind)
		return
	}
	for _, word := range append(words, "rack1-7", s.server.URL) {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%v; want %q in it", err, word)
		}
	}
	if strings.Contains(err.Error(), password) || strings.Contains(err.Error(), "letmeinletmein") {
		t.Errorf("%v: holds the password", err)
	}
}

func TestFaults(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, tt := range []struct {
		name   string
		model  string
		faults bmc.Faults
		info   map[string]any
		want   error
		words  []string
	}{
		{"silent", "plain", bmc.Faults{Silent: true}, nil, driver.ErrUnreachable, []string{"redfish_address"}},
		{"resets connections", "plain", bmc.Faults{Resets: true}, nil, driver.ErrUnreachable, []string{"redfish_address"}},
		{"too late", "plain", bmc.Faults{Late: time.Second}, nil, driver.ErrUnreachable, []string{"redfish_address"}},
		{"late", "plain", bmc.Faults{Late: 20 * time.Millisecond}, nil, nil, nil},
		{"busy for a moment", "plain", bmc.Faults{Busy: 2}, nil, nil, nil},
		{"busy for good", "plain", bmc.Faults{Busy: 100}, nil, nil, []string{"503", "busy"}},
		{
			"wrong password", "plain",
			bmc.Faults{},
			map[string]any{"redfish_password": "letmeinletmein"},
			driver.ErrAuthentication,
			[]string{"redfish_username", "locked"},
		},
		{
			"wrong password, said back", "plain",
			bmc.Faults{},
			map[string]any{"redfish_password": "letmeinletmein", "redfish_auth_type": "session"},
			driver.ErrAuthentication,
			[]string{"redfish_username", "***"},
		},
		{
			"wrong password, without basic authentication", "openbmc",
			bmc.Faults{},
			map[string]any{"redfish_password": "letmeinletmein"},
			driver.ErrAuthentication,
			[]string{"redfish_username"},
		},
		{
			"basic authentication, which is switched off", "openbmc",
			bmc.Faults{},
			map[string]any{"redfish_auth_type": "basic"},
			driver.ErrAuthentication, nil,
		},
		{"another system", "plain", bmc.Faults{}, map[string]any{"redfish_system_id": "/redfish/v1/Systems/9"}, nil, []string{"404"}},
		{"iLO 3", "ilo3", bmc.Faults{}, nil, driver.ErrUnsupported, []string{"iLO 3", "RIBCL", "ipmi"}},
		{"iLO 2", "ilo2", bmc.Faults{}, nil, driver.ErrUnsupported, []string{"iLO 2", "RIBCL", "ipmi"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := build(t, find(t, tt.model), nil)
			s.bmc.Break(tt.faults)
			maps.Copy(s.node.Info, tt.info)
			start := time.Now()
			_, err := hasty.PowerState(t.Context(), s.node)
			if took := time.Since(start); took > 3*time.Second {
				t.Errorf("took %s", took)
			}
			switch {
			case tt.want == nil && tt.words == nil && err != nil:
				t.Error(err)
			case tt.want != nil || tt.words != nil:
				if tt.want == nil {
					tt.want = err
				}
				wants(t, err, s, tt.want, tt.words...)
			}
		})
	}
}

// A certificate that nobody vouches for, or for another name: the key that says whom to trust is named.
func TestWrongCertificate(t *testing.T) {
	s := build(t, find(t, "plain"), nil)
	for name, trust := range map[string]any{"unknown": true, "untold": nil} {
		s.node.Info["redfish_verify_ca"] = trust
		_, err := quick.PowerState(t.Context(), s.node)
		wrong, ok := errors.AsType[*driver.ParameterError](err)
		if !ok || wrong.Key != "redfish_verify_ca" {
			t.Errorf("%s certificate: %v; want a ParameterError that names redfish_verify_ca", name, err)
			continue
		}
		wants(t, err, s, wrong, "redfish_verify_ca", "authority")
		wants(t, err, s, driver.ErrUntrusted)
	}
	s.node.Info["redfish_verify_ca"] = "false"
	if _, err := quick.PowerState(t.Context(), s.node); err != nil {
		t.Errorf("trusting anybody: %v", err)
	}
	s.node.Info["redfish_verify_ca"] = authority(t, s.server.TLS)
	s.node.Info["redfish_address"] = strings.Replace(s.server.URL, "127.0.0.1", "localhost", 1)
	_, err := quick.PowerState(t.Context(), s.node)
	if wrong, ok := errors.AsType[*driver.ParameterError](err); !ok || wrong.Key != "redfish_verify_ca" {
		t.Errorf("for another name: %v; want a ParameterError that names redfish_verify_ca", err)
	}
}

// Who gives up is heard at once, also while the BMC is silent.
func TestCancelledWhileSilent(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	for _, way := range []string{"basic", "session"} {
		s := build(t, find(t, "plain"), nil)
		s.node.Info["redfish_auth_type"] = way
		if _, err := quick.PowerState(t.Context(), s.node); err != nil {
			t.Fatal(err)
		}
		s.bmc.Break(bmc.Faults{Silent: true})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(30*time.Millisecond, cancel)
		start := time.Now()
		_, err := quick.PowerState(ctx, s.node)
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("%s: took %s", way, took)
		}
		wants(t, err, s, context.Canceled)
	}
}

// A session is closed, whatever becomes of the operation: BMCs have few.
func TestCancelledWithASession(t *testing.T) {
	s := build(t, find(t, "ilo4"), nil) // its soft reboot waits for the operating system
	s.node.Info["redfish_auth_type"] = "session"
	power(t, s, baremetal.TargetOn)
	s.bmc.Break(bmc.Faults{Stuck: true})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	wants(t, quick.Switch(ctx, s.node, baremetal.TargetSoftReboot), s, context.Canceled)
	if open, ever := s.bmc.Sessions(); open != 0 || ever == 0 {
		t.Errorf("%d of %d sessions are left open", open, ever)
	}
}

// A BMC's links lead to itself. Whoever writes others is not sent the password.
func TestPasswordStaysWithTheBMC(t *testing.T) {
	var asked []string
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = append(asked, r.URL.String()) }))
	defer thief.Close()
	address := strings.TrimPrefix(thief.URL, "http://")
	for _, path := range []string{"@" + address + "/redfish/v1/Systems/1", "." + address + "/x"} {
		liar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/redir") {
				http.Redirect(w, r, thief.URL, http.StatusTemporaryRedirect)
				return
			}
			_, _ = w.Write([]byte(`{"Members":[{"@odata.id":"` + path + `"}],"Links":{"Sessions":{"@odata.id":"/redir"}}}`))
		}))
		defer liar.Close()
		for _, way := range []string{"basic", "session"} {
			n := &driver.Node{UUID: "n1", Info: map[string]any{
				"redfish_address": liar.URL, "redfish_username": user, "redfish_password": password, "redfish_auth_type": way,
			}}
			if _, err := quick.PowerState(t.Context(), n); err == nil {
				t.Errorf("%s, link %q: no error", way, path)
			}
		}
	}
	if len(asked) > 0 {
		t.Errorf("somebody else was asked for %q", asked)
	}
}

// An answer without end is not read to its end.
func TestEndlessAnswer(t *testing.T) {
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"Name":"`))
		for {
			if _, err := w.Write(bytes.Repeat([]byte("a"), 1<<16)); err != nil {
				return
			}
		}
	}))
	defer endless.Close()
	n := &driver.Node{UUID: "n1", Info: map[string]any{"redfish_address": endless.URL}}
	start := time.Now()
	if _, err := quick.PowerState(t.Context(), n); err == nil || time.Since(start) > 4*time.Second {
		t.Errorf("%v after %s; want an error soon", err, time.Since(start))
	}
}
