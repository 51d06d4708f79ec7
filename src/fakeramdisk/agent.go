package fakeramdisk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// errBusy: a step still runs.
var errBusy = errors.New("a step still runs")

// An agent is the ramdisk on one node from its boot until it is switched off.
type agent struct {
	server    *Server
	node      string // UUID
	token     string
	bootedFor string          // the provision state that it was booted in
	on        context.Context //nolint:containedctx // the time that the server is switched on, not a call's
	off       context.CancelFunc

	mu       sync.Mutex
	contact  time.Time // the last heartbeat, command or question
	commands []*command
}

// A command is what the conductor posted and what became of it, in the agent's form.
type command struct {
	ID     string `json:"id"`
	Name   string `json:"command_name"` // without the extension's prefix
	Params any    `json:"command_params"`
	Status string `json:"command_status"`
	Error  any    `json:"command_error"`
	Result any    `json:"command_result"`
}

const (
	running   = "RUNNING"
	succeeded = "SUCCEEDED"
	failed    = "FAILED"
)

func (a *agent) touch() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.contact = time.Now()
}

// idleFor reports whether no step runs and the last contact is at least d ago.
func (a *agent) idleFor(d time.Duration) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.busy() && time.Since(a.contact) >= d
}

func (a *agent) busy() bool {
	n := len(a.commands)
	return n > 0 && a.commands[n-1].Status == running
}

// list returns copies: the steps go on.
func (a *agent) list() []command {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make([]command, len(a.commands))
	for i, c := range a.commands {
		all[i] = *c
	}
	return all
}

// command carries out what the conductor posted. A step goes on in the background, as on a real server.
func (a *agent) command(name string, params json.RawMessage) (command, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.busy() {
		return command{}, fmt.Errorf("%w: %s", errBusy, a.commands[len(a.commands)-1].Name)
	}
	_, short, _ := strings.Cut(name, ".")
	a.record(entry{Event: "command", Name: name, Params: abbreviate(params)})
	c := &command{ID: strconv.Itoa(len(a.commands)), Name: short, Params: map[string]any{}, Status: succeeded}
	switch name {
	case "deploy.get_deploy_steps":
		c.Result = announce("deploy_steps", deploySteps())
	case "clean.get_clean_steps":
		c.Result = announce("clean_steps", cleanSteps())
	case "deploy.execute_deploy_step", "clean.execute_clean_step":
		var p stepParams
		if err := json.Unmarshal(params, &p); err != nil {
			return command{}, fmt.Errorf("%s: %w", name, err)
		}
		c.Status = running
		a.server.steps.Go(func() { a.run(c, strings.TrimSuffix(strings.TrimPrefix(short, "execute_"), "_step"), p) })
	case "standby.get_partition_uuids":
		c.Result = map[string]any{}
	case "standby.power_off", "standby.run_image":
		defer a.server.steps.Go(func() { a.server.drop(a) })
	case "standby.sync", "image.install_bootloader", "log.collect_system_logs":
	default:
		return command{}, fmt.Errorf("Unknown command: %s", name) //nolint:staticcheck // the agent's words
	}
	a.commands = append(a.commands, c)
	return *c, nil
}

// run executes a step and calls home, as the real agent does at once when a step has ended.
func (a *agent) run(c *command, kind string, p stepParams) {
	start := time.Now()
	result, err := a.step(a.on, p)
	if a.on.Err() != nil {
		return // switched off
	}
	done := entry{Event: "done", Name: p.Step.Name, TookMS: time.Since(start).Milliseconds()}
	a.mu.Lock()
	c.Status, c.Result = succeeded, map[string]any{kind + "_result": result, kind + "_step": p.Step}
	if err != nil {
		done.Error = err.Error()
		c.Status, c.Result = failed, nil
		c.Error = map[string]any{"type": "DeploymentError", "code": 500, "message": err.Error(), "details": err.Error()}
	}
	a.record(done)
	a.mu.Unlock()
	if err := a.server.heartbeat(a.on, a); err != nil && a.on.Err() == nil {
		a.server.cfg.Log.InfoContext(a.on, "heartbeat refused", "node", a.node, "err", err)
	}
}

// step opens the node's disks as the conductor describes the node now, and does what is asked for.
func (a *agent) step(ctx context.Context, p stepParams) (any, error) {
	if err := a.server.faults.strike(ctx, a.node, p.Step.Name); err != nil {
		return nil, err
	}
	p.Node.UUID = a.node
	m, err := openMachine(a.server.cfg.Dir, p.Node, a.server.cfg.Layout)
	if err != nil {
		return nil, err
	}
	return m.execute(ctx, p.Step)
}

// An entry is a line of commands.jsonl.
type entry struct {
	Time   time.Time `json:"time"`
	Event  string    `json:"event"` // boot, command, done (a step), off
	Name   string    `json:"name,omitempty"`
	Params any       `json:"params,omitempty"` // long texts cut
	Error  string    `json:"error,omitempty"`
	TookMS int64     `json:"took_ms,omitempty"`
}

// record adds to commands.jsonl. A line that cannot be written is missing and nothing else.
func (a *agent) record(e entry) {
	dir, err := folder(a.server.cfg.Dir, a.node)
	if err != nil {
		return
	}
	e.Time = time.Now()
	line, err := json.Marshal(e)
	if err != nil {
		return
	}
	f, err := os.OpenFile(filepath.Join(dir, "commands.jsonl"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	_, _ = f.Write(append(line, '\n'))
	_ = f.Close()
}

// abbreviate cuts long texts (config drives) and drops the node, which the API shows as well.
func abbreviate(params json.RawMessage) any {
	var p map[string]any
	if json.Unmarshal(params, &p) != nil {
		return nil
	}
	delete(p, "node")
	delete(p, "ports")
	return cut(p)
}

func cut(v any) any {
	const longest = 1000
	switch v := v.(type) {
	case string:
		if len(v) > longest {
			return fmt.Sprintf("%s… (%d bytes)", v[:40], len(v))
		}
	case map[string]any:
		for k := range v {
			v[k] = cut(v[k])
		}
	case []any:
		for i := range v {
			v[i] = cut(v[i])
		}
	}
	return v
}
