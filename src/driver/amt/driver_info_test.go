package amt

import (
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/icholy/digest"

	bmc "bosh-ironic-cpi/src/bmc/amt"
	"bosh-ironic-cpi/src/driver"
)

func given(change map[string]any) *driver.Node {
	n := &driver.Node{UUID: "3f2c", Info: map[string]any{"amt_address": "10.0.4.7", "amt_username": "admin", "amt_password": password}}
	maps.Copy(n.Info, change)
	return n
}

func TestDriverInfo(t *testing.T) {
	t.Run("A1 parse", func(t *testing.T) {
		i, err := parse(given(map[string]any{"amt_protocol": "https"}))
		if err != nil {
			t.Fatal(err)
		}
		if i.address != "10.0.4.7" || i.username != "admin" || i.password != password || i.protocol != "https" || i.port != 16993 || i.tls == nil {
			t.Errorf("parse = %+v", i)
		}
	})
	t.Run("A5 protocol missing", func(t *testing.T) {
		i, err := parse(given(nil))
		if err != nil || i.protocol != "http" || i.port != 16992 {
			t.Errorf("parse = %s, %d, %v; want http, 16992", i.protocol, i.port, err)
		}
	})
	t.Run("A7 the client gets these four", func(t *testing.T) {
		for protocol, endpoint := range map[string]string{"http": "http://10.0.4.7:16992/wsman", "https": "https://10.0.4.7:16993/wsman"} {
			c, err := newHardware(nil).open(given(map[string]any{"amt_protocol": protocol}))
			if err != nil {
				t.Fatal(err)
			}
			d, ok := c.http.Transport.(*digest.Transport)
			if !ok || d.Username != "admin" || d.Password != password || c.endpoint != endpoint {
				t.Errorf("client of %s: %s, %T", protocol, c.endpoint, c.http.Transport)
			}
		}
	})
	t.Run("ours: defaults", func(t *testing.T) {
		i, err := parse(given(nil))
		if err != nil || i.awakeInterval != time.Minute || i.maxAttempts != 3 || i.actionWait != 10*time.Second {
			t.Errorf("parse = %v, %d, %v, %v; want 60 s, 3, 10 s", i.awakeInterval, i.maxAttempts, i.actionWait, err)
		}
	})
	t.Run("ours: what JSON and command lines make of values", func(t *testing.T) {
		i, err := parse(given(map[string]any{
			"amt_address": "[fd00::7]", "amt_port": 4433.0, "amt_awake_interval": "0", "amt_max_attempts": "2", "amt_action_wait": 0.5,
		}))
		if err != nil || i.hostPort() != "[fd00::7]:4433" || i.awakeInterval != 0 || i.maxAttempts != 2 || i.actionWait != 500*time.Millisecond {
			t.Errorf("parse = %s, %v, %d, %v, %v", i.hostPort(), i.awakeInterval, i.maxAttempts, i.actionWait, err)
		}
	})
}

func TestDriverInfoFaults(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, key string
		value     any
		problem   string // empty: it is missing
		also      map[string]any
	}{
		{name: "A2 no address", key: "amt_address", value: ""},
		{name: "A3 no username", key: "amt_username", value: nil},
		{name: "A4 no password", key: "amt_password", value: ""},
		{name: "A6 wrong protocol", key: "amt_protocol", value: "telnet", problem: `"telnet": want one of http, https`},
		{name: "A18 protocol choices", key: "amt_protocol", value: "HTTP", problem: `"HTTP": want one of http, https`},
		{name: "an address with a port", key: "amt_address", value: "http://10.0.4.7", problem: "no host name"},
		{name: "a port in words", key: "amt_port", value: "many", problem: `is "many", which is not a valid integer`},
		{name: "port 0", key: "amt_port", value: 0, problem: "is 0, which is out of range: it must be between 1 and 65535"},
		{name: "port 65536", key: "amt_port", value: "65536", problem: "is 65536, which is out of range"},
		{name: "a negative interval", key: "amt_awake_interval", value: -1, problem: "between 0 and 86400 seconds"},
		{name: "a wait without end", key: "amt_action_wait", value: "Inf", problem: "between 0 and 86400 seconds"},
		{name: "no wait at all", key: "amt_action_wait", value: "NaN", problem: "no number of seconds"},
		{name: "no attempts", key: "amt_max_attempts", value: 0, problem: "between 1 and 100"},
		{name: "half an attempt", key: "amt_max_attempts", value: 1.5, problem: "not a valid integer"},
		{name: "no such CA", key: "amt_verify_ca", value: "perhaps", problem: `"perhaps", which is not true, false`, also: map[string]any{"amt_protocol": "https"}},
		{name: "an empty CA", key: "amt_verify_ca", value: empty, problem: "holds no certificate", also: map[string]any{"amt_protocol": "https"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := given(tt.also)
			n.Info[tt.key] = tt.value
			err := newHardware(nil).Validate(n)
			e, ok := errors.AsType[*driver.ParameterError](err)
			if !ok || e.Key != tt.key || (e.Problem == "") != (tt.problem == "") || !strings.Contains(e.Problem, tt.problem) {
				t.Errorf("Validate = %#v; want a ParameterError about %s: %s", err, tt.key, tt.problem)
			}
			// Every call finds the same, before anything is sent.
			if _, err := newHardware(nil).PowerState(t.Context(), n); !errors.As(err, &e) {
				t.Errorf("PowerState = %v; want what Validate said", err)
			}
		})
	}
}

// A24: the management interface is the same driver, so what it validates is the same. It connects to nobody.
func TestA24ValidateConnectsToNobody(t *testing.T) {
	var requests atomic.Int32
	_, n := newBMC(t, bmc.Config{}, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { requests.Add(1); h.ServeHTTP(w, r) })
	})
	n.Info["amt_awake_interval"] = 60
	var pings counter
	var v driver.Validator = newHardware(&pings)
	if err := v.Validate(n); err != nil || requests.Load() != 0 || pings.count() != 0 {
		t.Errorf("Validate = %v, with %d requests and %d pings; want none", err, requests.Load(), pings.count())
	}
	if _, ok := v.(driver.BootDevice); !ok {
		t.Error("the driver that validates is not the one of the management interface")
	}
}
