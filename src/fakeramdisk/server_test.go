package fakeramdisk

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"bosh-ironic-cpi/src/wait"
)

// aServer is one with an agent on the node uuid, whose token is "t". No Ironic answers its heartbeats.
func aServer(t *testing.T) (*Server, string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := New(Config{
		Dir: t.TempDir(), Layout: []Disk{{Name: "sda", Bytes: mib}}, Log: slog.New(slog.DiscardHandler),
		Ironic: Ironic{URL: "http://127.0.0.1:1"},
	})
	s.boot(ctx, waitingNode{UUID: uuid, ProvisionState: "clean wait"}, "t")
	web := httptest.NewServer(s.handler())
	t.Cleanup(func() {
		web.Close()
		cancel()
		s.steps.Wait()
	})
	return s, web.URL
}

func send(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestCommandsRefused(t *testing.T) {
	_, base := aServer(t)
	tests := []struct {
		name, path, body string
		status           int
		part             string
	}{
		{"another node", "/other/v1/commands/?agent_token=t", `{"name": "standby.sync"}`, 404, "no agent"},
		{"no token", "/" + uuid + "/v1/commands/", `{"name": "standby.sync"}`, 401, "Token"},
		{"wrong token", "/" + uuid + "/v1/commands/?agent_token=T", `{"name": "standby.sync"}`, 401, "Token"},
		{"no JSON", "/" + uuid + "/v1/commands/?agent_token=t", `{`, 400, "unexpected EOF"},
		{"unknown", "/" + uuid + "/v1/commands/?agent_token=t", `{"name": "a.b"}`, 400, "Unknown command: a.b"},
		{"fine", "/" + uuid + "/v1/commands/?agent_token=t", `{"name": "standby.sync"}`, 200, "SUCCEEDED"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if status, text := send(t, http.MethodPost, base+tt.path, tt.body); status != tt.status || !strings.Contains(text, tt.part) {
				t.Errorf("%d %s; want %d %s", status, text, tt.status, tt.part)
			}
		})
	}
}

// TestStepsAndFaults: a step that runs keeps the agent busy; a fault that counts to one hits one.
func TestStepsAndFaults(t *testing.T) {
	_, base := aServer(t)
	commands := base + "/" + uuid + "/v1/commands/"
	order := `{"name": "clean.execute_clean_step", "params": {"step": {"interface": "deploy", "step": "burnin_cpu"}}}`
	faults := []Fault{
		{Node: uuid, Step: "burnin_cpu", DelayMS: 200, Times: 1},
		{Node: uuid, Text: "smoke", Times: 1},
		{Node: "other", Text: "not here"},
		{Step: "burnin_disk", Text: "not this"},
	}
	for _, f := range faults {
		text, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		if status, text := send(t, http.MethodPost, base+"/faults", string(text)); status != http.StatusNoContent {
			t.Fatalf("POST /faults: %d %s", status, text)
		}
	}
	if status, _ := send(t, http.MethodPost, base+"/faults", `{"nod": "x"}`); status != http.StatusBadRequest {
		t.Errorf("a misspelt fault is taken: %d", status)
	}
	want := []string{"FAILED", "SUCCEEDED"}
	for i := range want {
		if status, text := send(t, http.MethodPost, commands+"?agent_token=t", order); status != 200 || !strings.Contains(text, "RUNNING") {
			t.Fatalf("step %d: %d %s", i, status, text)
		}
		if i == 0 { // the delay is on
			if status, text := send(t, http.MethodPost, commands+"?agent_token=t", order); status != http.StatusConflict || !strings.Contains(text, "Agent is busy") {
				t.Errorf("while a step runs: %d %s; want 409", status, text)
			}
		}
		if got := settled(t, commands, i); got != want[i] {
			t.Errorf("step %d ended %s; want %s", i, got, want[i])
		}
	}
	if _, text := send(t, http.MethodGet, base+"/faults", ""); strings.Count(text, `"hits":1`) != 2 || strings.Count(text, `"hits":0`) != 2 {
		t.Errorf("faults = %s; want two hit once and two not", text)
	}
	send(t, http.MethodDelete, base+"/faults?node="+uuid, "")
	if _, text := send(t, http.MethodGet, base+"/faults", ""); strings.Contains(text, uuid) || !strings.Contains(text, "other") {
		t.Errorf("after DELETE for one node: %s", text)
	}
}

// settled waits until command i has ended and returns its status.
func settled(t *testing.T, commands string, i int) string {
	t.Helper()
	var status string
	pace := wait.Pace{Every: 10 * time.Millisecond, Limit: 10 * time.Second}
	err := wait.Until(t.Context(), pace, "the step to end", func(context.Context) (bool, string, error) {
		_, text := send(t, http.MethodGet, commands, "") //nolint:contextcheck // the test's own
		var list struct{ Commands []command }
		if err := json.NewDecoder(bytes.NewBufferString(text)).Decode(&list); err != nil {
			return false, "", err
		}
		status = list.Commands[i].Status
		return status != running, status, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return status
}

// TestPowerOff: a server that is switched off answers no more.
func TestPowerOff(t *testing.T) {
	s, base := aServer(t)
	url := base + "/" + uuid + "/v1/commands/?agent_token=t"
	if status, text := send(t, http.MethodPost, url, `{"name": "standby.power_off"}`); status != 200 {
		t.Fatalf("power_off: %d %s", status, text)
	}
	s.steps.Wait()
	if status, _ := send(t, http.MethodGet, url, ""); status != http.StatusNotFound {
		t.Errorf("after power_off: %d; want 404", status)
	}
}
