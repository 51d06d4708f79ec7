package fakeramdisk

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
)

// errRefused: Ironic answered that it does not know this node, or not with this token.
var errRefused = errors.New("refused by ironic")

// waitingStates are those in which the conductor waits for a ramdisk to call; workingStates also those in
// which it is just talking to one.
var (
	waitingStates = []string{"wait call-back", "clean wait"}
	workingStates = append([]string{"deploying", "cleaning"}, waitingStates...)
)

// An Ironic is the Bare Metal API as a ramdisk sees it. Lookup and heartbeat need no credentials, listing does.
type Ironic struct {
	URL      string        // base, without /v1
	Username string        // http_basic; empty: none
	Password string        // of Username
	Keystone *Keystone     // nil: no Keystone
	Timeout  time.Duration // for one request; zero: 30 s
}

// A waitingNode is one line of the list of nodes.
type waitingNode struct {
	UUID            string `json:"uuid"`
	ProvisionState  string `json:"provision_state"`
	DeployInterface string `json:"deploy_interface"`
}

// A node is what Ironic tells a ramdisk about its server.
type node struct {
	UUID             string         `json:"uuid"`
	Properties       map[string]any `json:"properties"`
	InstanceInfo     map[string]any `json:"instance_info"`
	TargetRAIDConfig map[string]any `json:"target_raid_config"`
}

// waiting lists the nodes that wait for their ramdisk.
func (c Ironic) waiting(ctx context.Context) ([]waitingNode, error) {
	var all []waitingNode
	for _, state := range waitingStates {
		q := url.Values{"provision_state": {state}, "fields": {"uuid,provision_state,deploy_interface"}}
		var page struct{ Nodes []waitingNode }
		if err := c.do(ctx, http.MethodGet, "/v1/nodes?"+q.Encode(), true, nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Nodes...)
	}
	return all, nil
}

// state is the provision state of one node.
func (c Ironic) state(ctx context.Context, uuid string) (string, error) {
	var n waitingNode
	err := c.do(ctx, http.MethodGet, "/v1/nodes/"+uuid+"?fields=provision_state", true, nil, &n)
	return n.ProvisionState, err
}

// lookup asks for the node's token, which Ironic tells once per boot.
func (c Ironic) lookup(ctx context.Context, uuid string) (token string, n node, err error) {
	var found struct {
		Node   node
		Config struct {
			Token string `json:"agent_token"`
		}
	}
	err = c.do(ctx, http.MethodGet, "/v1/lookup?node_uuid="+url.QueryEscape(uuid), false, nil, &found)
	return found.Config.Token, found.Node, err
}

func (c Ironic) heartbeat(ctx context.Context, uuid, callback, token string) error {
	body := map[string]string{"callback_url": callback, "agent_token": token, "agent_version": "9.4.0"}
	return c.do(ctx, http.MethodPost, "/v1/heartbeat/"+uuid, false, body, nil)
}

// do sends one request and decodes the answer into out, if there is one to decode.
func (c Ironic) do(ctx context.Context, method, path string, auth bool, in, out any) error {
	timeout := c.Timeout
	if timeout == 0 {
		timeout = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.URL+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("X-OpenStack-Ironic-API-Version", "1.68")
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	switch {
	case auth && c.Keystone != nil:
		token, err := c.Keystone.token(ctx)
		if err != nil {
			return err
		}
		req.Header.Set("X-Auth-Token", token)
	case auth && c.Username != "":
		req.SetBasicAuth(c.Username, c.Password)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return err
	}
	switch {
	case resp.StatusCode == http.StatusConflict || resp.StatusCode >= 500:
		return fmt.Errorf("%s %s: %s", method, path, resp.Status) // ends by itself
	case resp.StatusCode >= 400:
		if resp.StatusCode == http.StatusUnauthorized && c.Keystone != nil {
			c.Keystone.forget()
		}
		return fmt.Errorf("%s %s: %w: %s: %s", method, path, errRefused, resp.Status, strings.TrimSpace(string(text)))
	case out == nil:
		return nil
	}
	return json.Unmarshal(text, out)
}
