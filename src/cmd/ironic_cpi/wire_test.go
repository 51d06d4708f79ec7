package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/config"
	"bosh-ironic-cpi/src/cpi/rpc"
)

// written puts a configuration like minimal, with overlay laid over it, into a file.
func written(t *testing.T, overlay string) string {
	t.Helper()
	merged, err := config.Merge(json.RawMessage(minimal), json.RawMessage(overlay))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "cpi.json")
	if err := os.WriteFile(file, merged, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const asked = `{"method":"has_vm","arguments":["5f3c8d1e-7f0a-4c55-9a46-0a6b7e1f2d3c"],"context":{"director_uuid":"director-1","request_id":"cpi-1"},"api_version":2}`

// Whatever the parts log, no secret of the configuration is in it, wherever it stands there.
func TestOpenerHidesEverySecret(t *testing.T) {
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("from-a-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := written(t, `{
		"ironic": {"auth": {"type": "http_basic", "username": "operator", "password": {"file": "`+password+`"}}},
		"repository": {"metadata": {"url": "http://u:in-a-url@h/metadata"}},
		"agent": {"mbus": "https://mbus:bus-password@h:6868", "blobstore": {"provider": "s3", "options": {"secret_access_key": "s3-secret"}}},
		"cleaning": {"steps": [{"interface": "i", "step": "s", "args": {"password": "step-secret"}}]}, "log_level": "warn"}`)
	open := opener(path)
	s := rpc.Server{Open: func(ctx context.Context, call *rpc.Call) (rpc.Actions, error) {
		actions, err := open(ctx, call)
		call.Log.WarnContext(ctx, "x", "all", "from-a-file in-a-url https://mbus:bus-password@h:6868 bus-password s3-secret step-secret operator")
		call.Log.InfoContext(ctx, "below the level")
		return actions, err
	}}
	var out, logs bytes.Buffer
	if err := s.Serve(t.Context(), strings.NewReader(asked), &out, &logs); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(logs.String(), `all="*** *** *** *** *** *** operator"`) || strings.Contains(logs.String(), "below") {
		t.Errorf("log: %s", logs.String())
	}
}

// A signal ends the action, not the process: there is an answer all the same.
func TestSignalEndsInAnAnswer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ironic := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	defer ironic.Close()
	path := written(t, `{"ironic": {"url": "`+ironic.URL+`"}}`)
	var out, logs bytes.Buffer
	if status := ironicCPI(ctx, []string{"-configPath", path}, strings.NewReader(asked), &out, &logs); status != 0 {
		t.Errorf("status %d", status)
	}
	var answer struct {
		Error struct{ Type, Message string }
	}
	if err := json.Unmarshal(out.Bytes(), &answer); err != nil || answer.Error.Type != "Bosh::Clouds::CloudError" {
		t.Errorf("answer %s, %v", out.String(), err)
	}
}
