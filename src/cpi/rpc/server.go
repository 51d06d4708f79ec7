package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"bosh-ironic-cpi/src/cpi"
)

// A Server answers requests.
type Server struct {
	// Open reads the configuration and makes the actions. It is called once for each request that needs
	// them, which info, ping and methods that are not supported do not. Its error is a CpiError. Actions that are an
	// io.Closer are closed after the call.
	Open func(ctx context.Context, call *Call) (Actions, error)
}

// maxRequest is the longest request that is read, in bytes; real ones stay far below a tenth of it.
const maxRequest = 64 << 20

// Serve reads one request from in to its end and writes its answer to out and its log to logs. The error is
// that of writing the answer: everything else is in the answer.
func (s Server) Serve(ctx context.Context, in io.Reader, out, logs io.Writer) error {
	j := newJournal(logs)
	result, err := s.answer(ctx, in, j)
	if _, err := out.Write(encode(ctx, result, err, j)); err != nil {
		j.log.ErrorContext(ctx, "answer not delivered", "err", err)
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// answer gives the result as JSON.
func (s Server) answer(ctx context.Context, in io.Reader, j *journal) (result json.RawMessage, err error) {
	defer func() {
		if p := recover(); p != nil {
			j.log.ErrorContext(ctx, "panic", "value", fmt.Sprint(p), "stack", string(debug.Stack()))
			result, err = nil, cpiError("panic: %v (a fault of the CPI; its log has the stack)", p)
		}
	}()
	call, err := read(in, j)
	if err != nil {
		return nil, err
	}
	j.log.InfoContext(ctx, "request", "api_version", call.version)
	value, err := s.call(ctx, call)
	if err != nil {
		return nil, err
	}
	result, err = json.Marshal(value)
	if err != nil {
		return nil, cpiError("result of %s: %v", call.Method, err)
	}
	return result, nil
}

// call finds the method and runs it.
func (s Server) call(ctx context.Context, call *Call) (any, error) {
	if fixed, ok := constants()[call.Method]; ok {
		return fixed.result, fixed.err
	}
	run, ok := methods()[call.Method]
	if !ok {
		return nil, fmt.Errorf("%w: no method %.64q", cpi.ErrNotImplemented, call.Method)
	}
	// Only now: what needs neither is answered although context or arguments are garbled.
	if call.fault != nil {
		return nil, call.fault
	}
	actions, err := s.Open(ctx, call)
	if err != nil {
		return nil, &fault{kind: "CpiError", err: err}
	}
	if c, ok := actions.(io.Closer); ok {
		defer func() {
			if err := c.Close(); err != nil {
				call.Log.WarnContext(ctx, "after the call", "err", err)
			}
		}()
	}
	return run(ctx, actions, &arguments{list: call.arguments, version: call.version, stemcellVersion: call.stemcellVersion})
}

// A fault is an error of the protocol itself: it knows its kind.
type fault struct {
	kind string
	err  error
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

func cpiError(format string, args ...any) error {
	return &fault{kind: "CpiError", err: fmt.Errorf(format, args...)}
}

type envelope struct {
	Result json.RawMessage `json:"result"`
	Error  *failure        `json:"error"`
	Log    string          `json:"log"`
}

type failure struct {
	Type      string `json:"type"`
	Message   string `json:"message"`
	OKToRetry bool   `json:"ok_to_retry"`
}

// encode makes the one line that is the answer.
func encode(ctx context.Context, result json.RawMessage, err error, j *journal) []byte {
	e := envelope{Result: result}
	took := time.Since(j.started).Round(time.Millisecond)
	if err == nil {
		j.log.InfoContext(ctx, "answer", "took", took)
	} else {
		e.Error = describe(err)
		e.Error.Message = j.masks.apply(e.Error.Message)
		j.log.ErrorContext(ctx, "request failed", "type", e.Error.Type, "retry", e.Error.OKToRetry, "err", e.Error.Message, "took", took)
	}
	e.Log = j.text()
	line, err := json.Marshal(e)
	if err != nil { // strings, a bool and JSON that was just made: this cannot fail
		line = []byte(`{"result":null,"error":{"type":"Bosh::Clouds::CpiError","message":"no answer","ok_to_retry":false},"log":""}`)
	}
	return append(line, '\n')
}

// describe puts an error into the Director's words.
func describe(err error) *failure {
	kind, retry, next := cpi.Kind(err)
	if f, ok := errors.AsType[*fault](err); ok {
		kind, retry = f.kind, false
	}
	message := err.Error()
	if next != "" {
		message += " (" + next + ")"
	}
	return &failure{Type: "Bosh::Clouds::" + kind, Message: message, OKToRetry: retry}
}
