package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// args are a request's arguments in order, with the names that the CPI's contract gives them.
type args []struct {
	name  string
	value any
}

// A director asks the CPI as BOSH does: one process per call. After the first error it asks no more, so that a
// story needs to look at err once, at its end.
type director struct {
	cpi, config string
	out         *page
	nodes       *view
	err         error
}

// response is what the CPI prints.
type response struct {
	Result json.RawMessage
	Error  *struct {
		Type, Message string
	}
	Log string
}

// ask makes one call, prints request and answer, and returns the result.
func (d *director) ask(ctx context.Context, method, why string, arguments args) json.RawMessage {
	if d.err != nil {
		return nil
	}
	d.out.request(method, why, arguments)
	began := time.Now()
	answer, err := d.watched(ctx, method, arguments)
	took := time.Since(began)
	if err != nil {
		d.err = fmt.Errorf("%s: %w", method, err)
		return nil
	}
	if answer.Error != nil {
		d.out.line(red, "  ← %s: %s", answer.Error.Type, answer.Error.Message)
		d.err = fmt.Errorf("%s: %s", method, answer.Error.Message)
		return nil
	}
	d.out.answer(answer.Result, took)
	d.look(ctx)
	return answer.Result
}

// watched is call, with the nodes' changes printed while it goes on.
func (d *director) watched(ctx context.Context, method string, arguments args) (answer response, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		answer, err = d.call(ctx, method, arguments)
	}()
	const often = 20 * time.Millisecond
	tick := time.NewTicker(often)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return answer, err
		case <-tick.C:
			d.look(ctx)
		}
	}
}

// look prints what has changed about the nodes since the last look.
func (d *director) look(ctx context.Context) {
	changes, err := d.nodes.changes(ctx)
	if err != nil {
		d.err = fmt.Errorf("look at the nodes: %w", err)
	}
	for _, change := range changes {
		d.out.line(yellow, "    %s", change)
	}
}

// text is ask for a method whose result is a text, such as a CID.
func (d *director) text(ctx context.Context, method, why string, arguments args) (cid string) {
	d.decode(method, d.ask(ctx, method, why, arguments), &cid)
	return cid
}

// first is text for create_vm, which answers [CID, networks].
func (d *director) first(ctx context.Context, method, why string, arguments args) (cid string) {
	var result []json.RawMessage
	d.decode(method, d.ask(ctx, method, why, arguments), &result)
	if len(result) > 0 {
		d.decode(method, result[0], &cid)
	}
	return cid
}

// want is ask for a method that must answer yes, or no.
func (d *director) want(ctx context.Context, want bool, method, why string, arguments args) {
	var got bool
	d.decode(method, d.ask(ctx, method, why, arguments), &got)
	if d.err == nil && got != want {
		d.err = fmt.Errorf("%s = %v; want %v", method, got, want)
	}
}

func (d *director) decode(method string, result json.RawMessage, into any) {
	if d.err != nil {
		return
	}
	if err := json.Unmarshal(result, into); err != nil {
		d.err = fmt.Errorf("%s answered %s: %w", method, result, err)
	}
}

// call runs the CPI once.
func (d *director) call(ctx context.Context, method string, arguments args) (response, error) {
	values := make([]any, len(arguments))
	for i, a := range arguments {
		values[i] = a.value
	}
	request, err := json.Marshal(object{
		"method": method, "arguments": values, "api_version": 2,
		"context": object{"director_uuid": "demo-director", "vm": object{"stemcell": object{"api_version": 3}}},
	})
	if err != nil {
		return response{}, err
	}
	command := exec.CommandContext(ctx, d.cpi, "-configPath", d.config)
	command.Stdin = bytes.NewReader(request)
	printed, err := output(command)
	if err != nil {
		return response{}, err
	}
	var answer response
	if err := json.NewDecoder(strings.NewReader(printed)).Decode(&answer); err != nil {
		return response{}, fmt.Errorf("no JSON on stdout: %w: %q", err, printed)
	}
	return answer, nil
}

// output runs a command and returns what it printed, or an error that holds its complaint.
func output(command *exec.Cmd) (string, error) {
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", filepath.Base(command.Path), err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(stdout.String()), nil
}
