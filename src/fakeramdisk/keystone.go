package fakeramdisk

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
)

// A Keystone hands out tokens for the whole system to a user of the domain Default (Identity API v3): nodes of
// every owner are listed. One token serves until it is refused.
type Keystone struct {
	URL                string // ends in /v3
	Username, Password string

	mu   sync.Mutex
	last string
}

// token returns the token in use, or a new one.
func (k *Keystone) token(ctx context.Context) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.last != "" {
		return k.last, nil
	}
	domain := map[string]any{"name": "Default"}
	user := map[string]any{"name": k.Username, "password": k.Password, "domain": domain}
	body, err := json.Marshal(map[string]any{"auth": map[string]any{
		"identity": map[string]any{"methods": []string{"password"}, "password": map[string]any{"user": user}},
		"scope":    map[string]any{"system": map[string]any{"all": true}},
	}})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, k.URL+"/auth/tokens", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		return "", fmt.Errorf("keystone gives user %s no token: %s", k.Username, resp.Status)
	}
	k.last = resp.Header.Get("X-Subject-Token")
	return k.last, nil
}

func (k *Keystone) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last = ""
}
