package backend

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
)

// Do sends a request past the proxy, with the engine's credentials, and returns the status and the decoded
// answer: the test's own look at the truth. A body that is no JSON object is returned under "".
func (b *Backend) Do(t testing.TB, method, path string, body any) (int, map[string]any) {
	t.Helper()
	status, out, err := b.do(t.Context(), method, path, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return status, out
}

// Get is Do for what must be there.
func (b *Backend) Get(t testing.TB, path string) map[string]any {
	t.Helper()
	out, err := b.must(t.Context(), http.MethodGet, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Node returns a node, by UUID or name, as the API shows it.
func (b *Backend) Node(t testing.TB, node string) map[string]any {
	t.Helper()
	return b.Get(t, "/v1/nodes/"+node)
}

// Patch sets one field of a node, with a path like /properties/cpus.
func (b *Backend) Patch(t testing.TB, node, path string, value any) {
	t.Helper()
	change := []map[string]any{{"op": "add", "path": path, "value": value}}
	if _, err := b.must(t.Context(), http.MethodPatch, "/v1/nodes/"+node, change); err != nil {
		t.Fatal(err)
	}
}

// must is do for requests that have to succeed.
func (b *Backend) must(ctx context.Context, method, path string, body any) (map[string]any, error) {
	status, out, err := b.do(ctx, method, path, body)
	if err == nil && status >= 300 {
		err = fmt.Errorf("%s %s: %d: %v", method, path, status, out)
	}
	return out, err
}

// do sends one request.
func (b *Backend) do(ctx context.Context, method, path string, body any) (int, map[string]any, error) {
	var in io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		in = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, b.Direct+path, in)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("X-OpenStack-Ironic-API-Version", "1.82")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	if err := b.authorize(ctx, req); err != nil {
		return 0, nil, err
	}
	req.Close = true // no idle connection outlives the test
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp.StatusCode, nil, err
	}
	var out map[string]any
	if json.Unmarshal(text, &out) != nil && len(text) > 0 {
		var value any
		_ = json.Unmarshal(text, &value)
		out = map[string]any{"": value}
	}
	return resp.StatusCode, out, nil
}

func (b *Backend) authorize(ctx context.Context, req *http.Request) error {
	switch b.Env["IRONIC_AUTH"] {
	case "http_basic":
		req.SetBasicAuth(b.Credentials())
	case "keystone":
		token, err := b.token(ctx)
		if err != nil {
			return err
		}
		req.Header.Set("X-Auth-Token", token)
	}
	return nil
}
