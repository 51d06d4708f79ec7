package backend

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// startKeystone runs bin/keystone-up in a new folder, which it returns.
func startKeystone(ctx context.Context) (string, error) {
	begun := time.Now()
	dir, err := os.MkdirTemp("", "keystone-")
	if err != nil {
		return "", err
	}
	if _, err := script(ctx, "keystone-up", dir, fmt.Sprintf("OWNER=%d", os.Getpid())); err != nil {
		return "", fmt.Errorf("%w\n%s", err, tails(dir))
	}
	env, err := readEnv(filepath.Join(dir, "env"))
	shared.started("Keystone "+env["KEYSTONE_VERSION"], begun, func() {
		_, _ = script(context.WithoutCancel(ctx), "keystone-down", dir, "WIPE=1")
	})
	return dir, err
}

// keystoneFor starts a Keystone whose catalogue names a Bare Metal API at an address, and returns its env file.
func keystoneFor(ctx context.Context, baremetal string) (map[string]string, error) {
	dir, err := startKeystone(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := script(ctx, "keystone-up", dir, "BAREMETAL_URL="+baremetal); err != nil {
		return nil, err
	}
	return readEnv(filepath.Join(dir, "env"))
}

// token is an operator's token for this engine's Keystone; one serves a whole test run.
func (b *Backend) token(ctx context.Context) (string, error) {
	e := b.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.token == "" {
		token, err := adminToken(ctx, b.Env)
		if err != nil {
			return "", err
		}
		e.token = token
	}
	return e.token, nil
}

// adminToken asks Keystone for an operator's token, which is for nodes of every owner.
func adminToken(ctx context.Context, env map[string]string) (string, error) {
	domain := map[string]any{"name": "Default"}
	user := map[string]any{"name": env["KEYSTONE_USERNAME"], "password": env["KEYSTONE_PASSWORD"], "domain": domain}
	body, err := json.Marshal(map[string]any{"auth": map[string]any{
		"identity": map[string]any{"methods": []string{"password"}, "password": map[string]any{"user": user}},
		"scope":    map[string]any{"system": map[string]any{"all": true}},
	}})
	if err != nil {
		return "", err
	}
	url := env["KEYSTONE_URL"] + "/auth/tokens"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		return "", fmt.Errorf("POST %s: %s", url, resp.Status)
	}
	return resp.Header.Get("X-Subject-Token"), nil
}
