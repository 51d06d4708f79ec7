package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"bosh-ironic-cpi/src/wait"
)

// A side is a server that the script is played to.
type side struct {
	url    string
	images *images
	told   map[string]string // what stands for what this server alone knows: (token), (incident)
}

// play sends a request, or waits for a state.
func (s *side) play(t *testing.T, x request) outcome {
	t.Helper()
	switch {
	case x.serve:
		s.images.serve()
	case x.settle != "":
		s.settle(t, x)
	default:
		return s.look(t, x)
	}
	return outcome{}
}

// settle waits until a node, or an allocation, is in the state that the script wants, and unlocked unless it is to be held.
func (s *side) settle(t *testing.T, x request) {
	t.Helper()
	path := x.path
	if !strings.HasPrefix(path, "/") {
		path = "/v1/nodes/" + path
	}
	pace := wait.Pace{First: 5 * time.Millisecond, Every: 20 * time.Millisecond, Limit: time.Minute}
	var last any
	err := wait.Until(t.Context(), pace, path+" to be "+x.settle, func(context.Context) (bool, string, error) {
		_, found := send(t, s.url, http.MethodGet, path, "1.82", nil)
		state, inNode := found["provision_state"]
		if !inNode {
			state = found["state"]
		}
		last = found["last_error"]
		return state == x.settle && (found["reservation"] != nil) == x.held, fmt.Sprint(state), nil
	})
	if err != nil {
		t.Fatalf("%s: %v; last error %v", s.url, err, last)
	}
}

// An outcome is what both sides must agree upon.
type outcome struct {
	Status   int
	Location string
	Spoken   string
	Body     any
}

func (s *side) look(t *testing.T, x request) outcome {
	t.Helper()
	version := x.version
	switch version {
	case "":
		version = "1.82"
	case "none":
		version = ""
	}
	var body any
	if x.body != nil {
		body = []byte(s.fill(x.text()))
	}
	status, header, text := exchange(t, s.url, x.method, s.fill(x.path), version, body)
	if bytes.Contains(text, []byte("hunter2")) { // in driver_info and instance_info from the first node on
		t.Errorf("%s: %s: a secret is in the answer: %s", s.url, x.name(), text)
	}
	text = s.learn(text)
	o := outcome{Status: status, Location: strings.ReplaceAll(header.Get("Location"), s.url, ""), Spoken: header.Get("X-OpenStack-Ironic-API-Version")}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &o.Body); err != nil {
			o.Body = string(text)
		}
	}
	if m, ok := o.Body.(map[string]any); ok {
		if inner, ok := m["error_message"].(string); ok {
			var v any
			if json.Unmarshal([]byte(inner), &v) == nil {
				m["error_message"] = v
			}
		}
	}
	o.Body = plain(o.Body, s.url)
	return o
}

// fill puts what this server told into a request.
func (s *side) fill(text string) string {
	text = strings.ReplaceAll(text, "(images)", s.images.url)
	for name, value := range s.told {
		text = strings.ReplaceAll(text, name, value)
	}
	return text
}

// learn notes what an answer tells that the other server cannot know, and takes it out.
func (s *side) learn(text []byte) []byte {
	var answer struct {
		Config struct {
			Token string `json:"agent_token"`
		}
		History []struct{ UUID string }
	}
	if json.Unmarshal(text, &answer) != nil {
		return text
	}
	if s.told == nil {
		s.told = map[string]string{}
	}
	if token := answer.Config.Token; token != "" && token != "******" {
		s.told["(token)"] = token
	}
	if len(answer.History) > 0 {
		s.told["(incident)"] = answer.History[0].UUID
	}
	for name, value := range s.told {
		text = bytes.ReplaceAll(text, []byte(value), []byte(name))
	}
	return text
}

var moment = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d`)

// attributeSet is a set in one of Ironic's texts: in another order each time.
var attributeSet = regexp.MustCompile(`connectivity attributes \([a-z_, ]*\)`)

// plain replaces what two servers never share: addresses and moments.
func plain(v any, base string) any {
	switch v := v.(type) {
	case string:
		if moment.MatchString(v) {
			return "(a moment)"
		}
		return attributeSet.ReplaceAllString(strings.ReplaceAll(v, base, ""), "connectivity attributes")
	case []any:
		for i := range v {
			v[i] = plain(v[i], base)
		}
	case map[string]any:
		for key := range v {
			v[key] = plain(v[key], base)
		}
		// What a service notes for itself; and its own lock, which Ironic shows in the answer to a PATCH.
		for _, key := range []string{"driver_internal_info", "reservation", "inspection_started_at"} {
			delete(v, key)
		}
	}
	return v
}

// images is where nodes fetch from. It answers nobody until it is told to: while an engine asks whether the image is there,
// the node is deploying and locked, for as long as the script likes.
type images struct {
	url   string
	ready chan struct{}
	once  sync.Once
}

func newImages(t *testing.T) *images {
	t.Helper()
	i := &images{ready: make(chan struct{})}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/missing" {
			http.NotFound(w, r)
			return
		}
		select {
		case <-i.ready:
			w.Header().Set("Content-Length", "1048576")
		case <-r.Context().Done():
		}
	}))
	i.url = web.URL
	t.Cleanup(func() {
		i.serve()
		web.Close()
	})
	return i
}

func (i *images) serve() { i.once.Do(func() { close(i.ready) }) }
