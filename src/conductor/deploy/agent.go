package deploy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"bosh-ironic-cpi/src/conductor"
)

// An agent is ironic-python-agent, as a conductor talks to it.
type agent struct {
	base  string // its callback_url
	token string
	http  *http.Client
}

// errBusy: a command still runs.
var errBusy = errors.New("the agent is busy")

// command is one that was posted, and what became of it.
type command struct {
	ID     string          `json:"id"`
	Name   string          `json:"command_name"`
	Status string          `json:"command_status"`
	Error  json.RawMessage `json:"command_error"`
	Result json.RawMessage `json:"command_result"`
}

// agentOf is the ramdisk that called for a node.
func (d *Direct) agentOf(n *conductor.Node) (*agent, error) {
	a := n.Details.Agent
	if a == nil || a.URL == "" {
		return nil, fmt.Errorf("no ramdisk has called for node %s", n.UUID)
	}
	return &agent{base: strings.TrimRight(a.URL, "/"), token: a.Token, http: d.client}, nil
}

// post has the agent carry something out. With wait it answers when that is done.
func (a *agent) post(ctx context.Context, name string, params any, wait bool) (command, error) {
	text, err := json.Marshal(map[string]any{"name": name, "params": params})
	if err != nil {
		return command{}, err
	}
	var c command
	path := fmt.Sprintf("/v1/commands/?wait=%t&agent_token=%s", wait, url.QueryEscape(a.token))
	err = a.do(ctx, http.MethodPost, path, text, &c)
	if err == nil && c.Status == "FAILED" {
		err = c.failure()
	}
	return c, err
}

// last is the command that was posted last.
func (a *agent) last(ctx context.Context) (command, bool, error) {
	var all struct{ Commands []command }
	if err := a.do(ctx, http.MethodGet, "/v1/commands/", nil, &all); err != nil || len(all.Commands) == 0 {
		return command{}, false, err
	}
	return all.Commands[len(all.Commands)-1], true, nil
}

func (a *agent) do(ctx context.Context, method, path string, body []byte, into any) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, bytes.NewReader(body))
	if err != nil {
		return errors.New("the agent's callback_url makes no sense")
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := a.http.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok { // its text holds the token
			err = e.Err
		}
		return fmt.Errorf("connection to the agent at %s failed: %w", a.base, err)
	}
	defer resp.Body.Close()
	const most = 16 << 20
	text, err := io.ReadAll(io.LimitReader(resp.Body, most))
	switch {
	case err != nil:
		return fmt.Errorf("answer of the agent at %s: %w", a.base, err)
	case resp.StatusCode == http.StatusConflict:
		return errBusy
	case resp.StatusCode >= http.StatusBadRequest:
		return fmt.Errorf("the agent at %s answers %s: %s", a.base, resp.Status, tidy(text))
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("answer of the agent at %s: %w", a.base, err)
	}
	return nil
}

// failure is what the agent says of a command that failed.
func (c command) failure() error {
	var e struct{ Message, Details string }
	if json.Unmarshal(c.Error, &e) == nil {
		for _, text := range []string{e.Details, e.Message} {
			if text != "" {
				return errors.New(text)
			}
		}
	}
	return fmt.Errorf("agent command %s failed: %s", c.Name, tidy(c.Error))
}

// tidy shortens what a program of somebody else's says.
func tidy(text []byte) string {
	const longest = 500
	s := strings.TrimSpace(string(text))
	if len(s) > longest {
		s = s[:longest] + "…"
	}
	return s
}

// steps are what the hardware managers of a ramdisk offer, by kind of work.
func (a *agent) steps(ctx context.Context, kind string, n *conductor.Node, ports []*conductor.Port) ([]conductor.Step, error) {
	c, err := a.post(ctx, kind+".get_"+kind+"_steps", map[string]any{"node": forAgent(n), "ports": portsForAgent(ports)}, true)
	if err != nil {
		return nil, fmt.Errorf("Failed to load in-band %s steps: %w", kind, err)
	}
	var result struct {
		Deploy map[string][]offer `json:"deploy_steps"`
		Clean  map[string][]offer `json:"clean_steps"`
	}
	if err := json.Unmarshal(c.Result, &result); err != nil {
		return nil, fmt.Errorf("in-band %s steps: %w", kind, err)
	}
	offered := result.Deploy
	if kind == conductor.WorkClean {
		offered = result.Clean
	}
	var steps []conductor.Step
	for _, list := range offered {
		for _, o := range list {
			steps = append(steps, conductor.Step{Interface: o.Interface, Step: o.Step, Priority: o.Priority, InBand: true})
		}
	}
	return steps, nil
}

// An offer is a step that a hardware manager can do.
type offer struct {
	Interface string `json:"interface"`
	Step      string `json:"step"`
	Priority  int    `json:"priority"`
}

// forAgent is a node as an agent is told of it.
func forAgent(n *conductor.Node) map[string]any {
	return map[string]any{
		"uuid": n.UUID, "name": n.Name, "properties": n.Details.Properties, "instance_info": n.Details.InstanceInfo,
		"driver_internal_info": n.Details.DriverInternalInfo, "target_raid_config": n.Details.TargetRAIDConfig, "raid_config": map[string]any{},
		"extra": n.Details.Extra, "instance_uuid": n.InstanceUUID, "provision_state": n.ProvisionState,
	}
}

func portsForAgent(ports []*conductor.Port) []map[string]any {
	list := []map[string]any{}
	for _, p := range ports {
		list = append(list, map[string]any{"uuid": p.UUID, "address": p.Address, "pxe_enabled": p.PXEEnabled, "extra": p.Extra})
	}
	return list
}
